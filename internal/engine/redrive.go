package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// A redrive is one step and one transaction, as every event is: the execution runs again, its row in the lists says so, and
// what its end had left behind (the end of its retention, the answer owed to the task that waits for it) is taken back.

// NotRedrivable is the error of a redrive that is refused, with the reason in AWS's words.
type NotRedrivable struct{ Reason string }

func (e *NotRedrivable) Error() string { return e.Reason }

// RedriveInput identifies a redrive, so that it can be asked for again.
type RedriveInput struct {
	// Token is a client's: one of the last ten is answered as before for 15 minutes. "" for none.
	Token string
	// Delivery is an internal caller's: the last one is answered as before for good. "" for none.
	Delivery string
}

// How long a client's token is remembered (spec.md A).
const (
	redriveTokens    = 10
	redriveTokenTime = 15 * time.Minute
)

// redrives is what is remembered of an execution's redrives.
type redrives struct {
	Tokens   []redriveToken `json:"t,omitempty"` // oldest first
	Delivery string         `json:"d,omitempty"`
	Date     int64          `json:"a"` // of the last, epoch milliseconds
}

type redriveToken struct {
	Token string `json:"t"`
	Date  int64  `json:"a"`
}

func redrivesKey(arn string) store.Key { return append(store.K(store.TableExecution, arn), 'd') }

// answered is the date of the redrive that an input repeats.
func (r *redrives) answered(in *RedriveInput, now time.Time) (date int64, ok bool) {
	if in.Delivery != "" && in.Delivery == r.Delivery {
		return r.Date, true
	}
	for _, t := range r.Tokens {
		if in.Token != "" && t.Token == in.Token && now.Sub(time.UnixMilli(t.Date)) < redriveTokenTime {
			return t.Date, true
		}
	}
	return 0, false
}

// with is r after a redrive.
func (r *redrives) with(in *RedriveInput, now time.Time) *redrives {
	next := &redrives{Tokens: slices.Clone(r.Tokens), Delivery: in.Delivery, Date: now.UnixMilli()}
	if in.Token != "" {
		next.Tokens = append(next.Tokens, redriveToken{in.Token, next.Date})
		next.Tokens = next.Tokens[max(0, len(next.Tokens)-redriveTokens):]
	}
	return next
}

// Redrive goes on with an execution that has ended without success, and returns when that is durable. The date is that of
// the redrive, or of the one that the input repeats; the error may be ErrNotFound or *NotRedrivable.
func (e *Engine) Redrive(ctx context.Context, arn string, in RedriveInput) (date time.Time, err error) {
	x := e.partitionOf(arn).acquire(arn)
	c := commit{x: x}
	defer func() { x.release(err != nil || !c.redriving || c.ended()) }()
	if err := errors.Join(x.settled(), e.load(ctx, x)); err != nil {
		return time.Time{}, err
	}
	was, err := e.redrivesOf(ctx, x)
	if err != nil {
		return time.Time{}, err
	}
	now := e.now()
	if date, ok := was.answered(&in, now); ok {
		return time.UnixMilli(date).UTC(), nil
	}
	root, err := x.root()
	if err != nil {
		return time.Time{}, err
	}
	if reason := root.NotRedrivable(now, e.cfg.Limits); reason != "" {
		return time.Time{}, &NotRedrivable{reason}
	}
	c.event = machine.Event{Kind: machine.RedriveRequested, Now: now}
	c.redriving, c.redriven, c.ranUntil = true, was.with(&in, now), root.StopTime()
	return now, e.run(ctx, &c)
}

// NotRedrivable says why an execution cannot be redriven now, "" if it can.
func (e *Engine) NotRedrivable(root *machine.Root) string {
	return root.NotRedrivable(e.now(), e.cfg.Limits)
}

func (e *Engine) redrivesOf(ctx context.Context, x *execution) (r *redrives, err error) {
	err = e.cfg.Store.View(ctx, x.p.id, func(rd store.Reader) error {
		r = &redrives{}
		b, err := rd.Get(redrivesKey(x.arn))
		if err != nil || b == nil {
			return err
		}
		if err := checkVersion(b); err != nil {
			return err
		}
		return json.Unmarshal(b[1:], r)
	})
	return r, err
}

// writeRedrive takes back what the execution's end has left behind.
func (c *commit) writeRedrive(tx store.Tx, retention time.Duration) {
	if !c.redriving {
		return
	}
	b, err := json.Marshal(c.redriven)
	if err != nil {
		panic(err)
	}
	tx.Set(redrivesKey(c.x.arn), append([]byte{recordVersion}, b...))
	tx.Delete(debtKey(c.x.arn, machine.Attempt{}))
	tx.Delete(timerKey(c.x.arn, expiryOf(c.ranUntil, retention)))
}

// expiryOf is the timer of the end of the retention of an execution that has ended.
func expiryOf(stop time.Time, retention time.Duration) machine.Timer {
	return machine.Timer{Kind: expiryTimer, At: stop.Add(retention)}
}
