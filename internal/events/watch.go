package events

import (
	"context"
	"sync"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/events/pattern"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// watch is what memory holds of the buses: hints, read again from the store after each change. Readings of buses follow
// one another under a lock, so the last of them sees every change that was told before.
type watch struct {
	s       *Service
	reading sync.Mutex

	mu    sync.RWMutex
	buses map[address]*hints

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	work   sync.WaitGroup
}

// hints are a bus's patterns and scheduled times.
type hints struct {
	patterns []*pattern.Pattern
	due      map[string]int64 // rule -> ms
}

func newWatch(s *Service) *watch {
	w := &watch{s: s, buses: map[address]*hints{}, wake: make(chan struct{}, 1)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// start reads all buses and begins to follow their schedules.
func (w *watch) start(ctx context.Context) error {
	all := map[address]bool{}
	table := append(store.K(store.TableBus), rowRule)
	for p := range w.s.Env.Store.Partitions() {
		err := w.s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			for k := range rd.Scan(table, table.End(), false) {
				var a address
				rest := k[len(table):]
				for _, part := range []*string{&a.account, &a.region, &a.bus} {
					var ok bool
					if *part, rest, ok = store.CutStr(rest); !ok {
						return errCorrupt
					}
				}
				all[a] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for a := range all {
		if err := w.read(ctx, a); err != nil {
			return err
		}
	}
	w.work.Go(w.run)
	return nil
}

func (w *watch) close() {
	w.cancel()
	w.work.Wait()
}

// changed renews the hints about a bus after a commit.
func (w *watch) changed(a address) {
	if err := w.read(w.ctx, a); err != nil && w.ctx.Err() == nil {
		w.s.Env.Log.Error("the rules of a bus could not be read again", "bus", a.bus, "error", err)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) read(ctx context.Context, a address) error {
	w.reading.Lock()
	defer w.reading.Unlock()
	var rules []*rule
	err := w.s.Env.Store.View(ctx, w.s.PartitionOf(a.account, a.region, a.bus), func(rd store.Reader) (err error) {
		rules, err = a.rules(rd)
		return err
	})
	if err != nil {
		return err
	}
	h := &hints{due: map[string]int64{}}
	for _, r := range rules {
		if !r.enabled() {
			continue
		}
		if r.Next != 0 {
			h.due[r.Name] = r.Next
		}
		if r.Pattern != "" {
			p, err := compile(r.Pattern)
			if err != nil {
				return err
			}
			h.patterns = append(h.patterns, p)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buses[a] = h; len(rules) == 0 {
		delete(w.buses, a)
	}
	return nil
}

func (w *watch) couldMatch(account, region, source, detailType string) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	h := w.buses[address{account, region, defaultBus}]
	if h == nil {
		return false
	}
	known := map[string]value.Value{"source": source, "detail-type": detailType, "account": account, "region": region, "version": "0"}
	for _, p := range h.patterns {
		if p.May(known) {
			return true
		}
	}
	return false
}

// earliest is the rule that is due first.
func (w *watch) earliest() (a address, rule string, due int64) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for bus, h := range w.buses {
		for name, at := range h.due {
			if due == 0 || at < due {
				a, rule, due = bus, name, at
			}
		}
	}
	return a, rule, due
}

// retryPause is how long the schedules wait after the store has failed them.
const retryPause = time.Second

// run fires the schedules: it sleeps until the first is due or something has changed.
func (w *watch) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.wake:
		case <-w.ctx.Done():
			return
		}
		wait := time.Duration(-1)
		for wait < 0 && w.ctx.Err() == nil {
			a, rule, due := w.earliest()
			if due == 0 {
				break
			}
			if wait = time.UnixMilli(due).Sub(w.s.Env.Now()); wait > 0 {
				break
			}
			wait = -1
			if err := w.s.fire(w.ctx, a, rule, due); err != nil {
				w.s.Env.Log.Error("a schedule could not fire; trying again", "rule", rule, "error", err)
				wait = retryPause
			}
		}
		if wait >= 0 {
			timer.Reset(wait)
		}
	}
}

// fire owes a scheduled event to a rule's targets and sets when the rule fires next, in one transaction. A rule that
// changed in the meantime does not fire.
func (s *Service) fire(ctx context.Context, a address, name string, due int64) error {
	c := &service.Context{Request: &aws.Request{Account: a.account, Region: a.region, Principal: principal}, Env: s.Env, Now: s.Env.Now()}
	_, err := s.Update(store.Finishing(ctx), c, s.PartitionOf(a.account, a.region, a.bus), func(c *service.Context, tx store.Tx) (any, error) {
		c.After = append(c.After, func() { s.watch.changed(a) })
		r := &rule{}
		if ok, err := get(tx, a.key(rowRule).Str(name), r); err != nil || !ok || r.Next != due {
			return nil, err
		}
		at := time.UnixMilli(due)
		e := &event{id: aws.NewUUID(), ingested: c.Now}
		e.text = envelope(a, &entry{Source: "aws.events", DetailType: "Scheduled Event", Detail: "{}", Resources: []string{a.ruleARN(name)}}, e.id, at)
		if err := s.owe(c, tx, a, r, e); err != nil {
			return nil, err
		}
		if err := r.plan(at, c.Now); err != nil {
			return nil, err
		}
		return nil, set(tx, a.key(rowRule).Str(name), r)
	})
	return err
}

func parseTime(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }
