package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// A .sync task starts work and waits for its end. Two things may then be owed across executions, and a row keeps each
// until it is done: the end of an execution is told to the task that waits for it, and a task that nobody waits for any
// more has its work stopped.

// debt is one of them: with an attempt, the work to stop; without, the execution whose end is to be told.
type debt struct {
	arn     string
	attempt machine.Attempt
}

func debtKey(arn string, a machine.Attempt) store.Key {
	return store.K(store.TableDebt, arn).U32(a.Frame).U32(a.N)
}

func startedKey(arn string, a machine.Attempt) store.Key {
	return store.K(store.TableStarted, arn).U32(a.Frame).U32(a.N)
}

func decodeDebt(key []byte) (debt, error) {
	arn, rest, ok := store.CutStr(key[1:])
	if !ok || len(rest) != 8 {
		return debt{}, fmt.Errorf("%w: malformed debt key", store.ErrCorrupt)
	}
	return debt{arn, machine.Attempt{Frame: binary.BigEndian.Uint32(rest), N: binary.BigEndian.Uint32(rest[4:])}}, nil
}

// starts reports whether the task starts work that goes on after its request is answered.
func (o *outboxEntry) starts() bool {
	return o.task.Integration.Pattern == asl.Sync || o.task.Integration.Pattern == asl.Sync2
}

// writeAnswer takes an answered attempt out of the outbox. A .sync task whose work has been started keeps its entry
// elsewhere until the work's end is known.
func (c *commit) writeAnswer(tx store.Tx, sent []byte) {
	if !c.answers() {
		return
	}
	started := startedKey(c.x.arn, c.event.Attempt)
	switch {
	case sent != nil:
		tx.Set(started, sent)
	case !c.plain && (c.event.Kind != machine.TaskSubmitted || c.result.Settled):
		tx.Delete(started)
	}
	tx.Delete(outboxKey(c.x.arn, c.event.Attempt))
}

// writeCancel drops a task that nobody waits for; what a .sync task has started is owed its cancellation.
func (c *commit) writeCancel(tx store.Tx, a machine.Attempt) error {
	for _, key := range []store.Key{outboxKey(c.x.arn, a), startedKey(c.x.arn, a)} {
		b, err := tx.Get(key)
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		entry, err := decodeOutbox(key, b)
		if err != nil {
			return err
		}
		if entry.starts() {
			tx.Set(debtKey(c.x.arn, a), b)
			c.owed = append(c.owed, a)
		}
		tx.Delete(key)
	}
	return nil
}

// settle has what is owed done, again and again until it is.
func (e *Engine) settle(p *partition, d debt) { e.settleAfter(p, d, 10*time.Millisecond, e.working()) }

func (e *Engine) settleAfter(p *partition, d debt, delay time.Duration, done func()) {
	e.settling.add("", job{run: func() {
		if e.ctx.Err() != nil {
			done()
			return
		}
		err := e.settleOnce(p, d)
		if err == nil || e.ctx.Err() != nil {
			done()
			return
		}
		e.cfg.Log.Error("what an execution owes could not be done; trying again", "execution", d.arn, "error", err)
		e.work.Go(func() {
			e.pause(delay)
			e.settleAfter(p, d, min(2*delay, 10*time.Second), done)
		})
	}})
}

func (e *Engine) settleOnce(p *partition, d debt) error {
	var err error
	if d.attempt == (machine.Attempt{}) {
		err = e.tellWaiter(e.ctx, d.arn)
	} else {
		err = e.cancelWork(e.ctx, p, d)
	}
	if err != nil {
		return err
	}
	return e.cfg.Store.Update(store.Finishing(e.ctx), p.id, func(tx store.Tx) error {
		tx.Delete(debtKey(d.arn, d.attempt))
		return nil
	})
}

// tellWaiter answers the task that waits for an execution's end. An answer that nobody waits for is no fault. An execution
// that was redriven meanwhile is going to end once more.
func (e *Engine) tellWaiter(ctx context.Context, arn string) error {
	d, err := e.Describe(ctx, arn)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || d.Waiter == nil || d.Root.Status() == machine.Running {
		return err
	}
	out := e.cfg.Result(d, d.Waiter.Parsed)
	ev := machine.Event{Kind: machine.TaskSucceeded, Output: out.Output, Error: out.Error, Cause: out.Cause}
	if out.Kind == TaskFailed {
		ev.Kind = machine.TaskFailed
	}
	_, err = e.AnswerToken(ctx, d.Waiter.Token, ev)
	if errors.Is(err, ErrToken) {
		return nil
	}
	return err
}

// cancelWork stops what a .sync task has started.
func (e *Engine) cancelWork(ctx context.Context, p *partition, d debt) error {
	var entry *outboxEntry
	err := e.cfg.Store.View(ctx, p.id, func(rd store.Reader) error {
		key := debtKey(d.arn, d.attempt)
		b, err := rd.Get(key)
		if err == nil && b != nil {
			entry, err = decodeOutbox(key, b)
		}
		return err
	})
	if err != nil || entry == nil {
		return err
	}
	if !e.unlock(entry) {
		return e.ctx.Err()
	}
	return e.cfg.Dispatcher.Cancel(ctx, entry.dispatch(p))
}
