package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// outbox numbers the tasks that a partition sends. A number is never used twice, also not after a restart: numbers are
// reserved durably in blocks. low is the smallest number still unanswered; receivers forget what is below it.
type outbox struct {
	numbering turn   // held to take a number, over the commit that reserves more
	reserved  uint64 // numbers below this one may be given out; guarded by numbering

	mu      sync.Mutex
	next    uint64 // number of the next entry; changed only with numbering held too
	pending map[pendingKey]uint64
	live    []sending // numbers given out, ascending; answered ones are taken off at the front
	done    map[uint64]bool
}

// sending is a task on its way.
type sending struct {
	number uint64
	since  int64 // when it was scheduled, epoch milliseconds
}

type pendingKey struct {
	arn     string
	attempt machine.Attempt
}

const sequenceBlock = 4096

// sequenceKey holds the first number that is not reserved. No ARN is empty, so it collides with no entry.
func sequenceKey() store.Key { return store.K(store.TableOutbox, "") }

// allocate makes the outbox entries of a step's RunTask commands.
func (e *Engine) allocate(ctx context.Context, c *commit) error {
	for i := range c.result.Commands {
		cmd := &c.result.Commands[i]
		if cmd.Kind != machine.RunTask {
			continue
		}
		entry := &outboxEntry{arn: c.x.arn, machine: c.x.meta.MachineARN, attempt: cmd.Attempt, started: c.event.Now, task: cmd.Task, test: c.x.meta.Test}
		err := e.number(ctx, c.x.p, entry)
		if err != nil {
			e.abandon(c)
			return err
		}
		c.entries = append(c.entries, entry)
		if entry.test != nil && entry.test.Root != "" {
			if entry.visit, err = e.countChild(ctx, entry.test.Root, c.x.arn, cmd.Attempt, cmd.Task.State); err != nil {
				e.abandon(c)
				return err
			}
		}
		if e.cfg.Tracing != nil {
			entry.trace = e.cfg.Tracing.Header(c.x.arn, c.x.meta, cmd.Task.Event)
		}
	}
	return nil
}

// abandon takes back the entries of a commit that failed.
func (e *Engine) abandon(c *commit) {
	for _, entry := range c.entries {
		c.x.p.outbox.abandoned(entry)
	}
	c.entries = nil
}

// number gives an entry its number. It is live from then on, so that the mark never passes it.
func (e *Engine) number(ctx context.Context, p *partition, entry *outboxEntry) error {
	o := &p.outbox
	o.numbering.take()
	defer o.numbering.give()
	if o.next >= o.reserved {
		until := o.next + sequenceBlock
		err := e.cfg.Store.Update(store.Finishing(ctx), p.id, func(tx store.Tx) error {
			tx.Set(sequenceKey(), binary.BigEndian.AppendUint64(nil, until))
			return nil
		})
		if err != nil {
			return err
		}
		o.reserved = until
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	entry.sequence = o.next
	o.next++
	o.sent(entry)
	return nil
}

// sent has an entry that is not answered; mu is held, or nobody else is there yet.
func (o *outbox) sent(entry *outboxEntry) {
	if o.pending == nil {
		o.pending, o.done = map[pendingKey]uint64{}, map[uint64]bool{}
	}
	k := pendingKey{entry.arn, entry.attempt}
	if _, there := o.pending[k]; !there { // else a start that is about to find that its name is taken
		o.pending[k] = entry.sequence
	}
	o.live = append(o.live, sending{entry.sequence, entry.started.UnixMilli()})
}

func (o *outbox) answered(arn string, a machine.Attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := pendingKey{arn, a}
	n, ok := o.pending[k]
	if !ok {
		return
	}
	delete(o.pending, k)
	o.over(n)
}

// abandoned takes back an entry whose commit failed.
func (o *outbox) abandoned(entry *outboxEntry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := pendingKey{entry.arn, entry.attempt}
	if o.pending[k] == entry.sequence {
		delete(o.pending, k)
	}
	o.over(entry.sequence)
}

// over takes a number off; mu is held.
func (o *outbox) over(n uint64) {
	o.done[n] = true
	for len(o.live) > 0 && o.done[o.live[0].number] {
		delete(o.done, o.live[0].number)
		o.live = o.live[1:]
	}
}

// awaits reports whether an entry is still to be sent: a task may be cancelled while it stands in line.
func (o *outbox) awaits(entry *outboxEntry) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, ok := o.pending[pendingKey{entry.arn, entry.attempt}]
	return ok && n == entry.sequence
}

func (o *outbox) low() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.live) == 0 {
		return o.next
	}
	return o.live[0].number
}

// backlog is how many tasks are not answered, and since when the first of them is not, in epoch milliseconds.
func (o *outbox) backlog() (n int, since int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.live) > 0 {
		since = o.live[0].since
	}
	return len(o.pending), since
}

// dispatch sends a task and applies its outcome when it is its machine's turn.
func (e *Engine) dispatch(p *partition, entry *outboxEntry) {
	done := e.working()
	j := job{held: entry.size, lying: entry.size}
	if e.tasks.crowded() {
		entry.drop()
		j.lying = 0
	}
	j.run = func() {
		defer done()
		if e.ctx.Err() == nil && p.outbox.awaits(entry) && e.fetch(p, entry) && e.unlock(entry) {
			e.send(p, entry)
		}
	}
	e.tasks.add(entry.machine, j)
}

// drop leaves what a task says to its row in the outbox.
func (o *outboxEntry) drop() { o.task, o.payload, o.dropped = nil, nil, true }

// fetch reads back a task that was dropped; it is not ok if it is no longer wanted or the engine closes first.
func (e *Engine) fetch(p *partition, entry *outboxEntry) bool {
	for delay := 10 * time.Millisecond; entry.dropped && e.ctx.Err() == nil; delay = min(2*delay, time.Minute) {
		var stored *outboxEntry
		err := e.cfg.Store.View(e.ctx, p.id, func(rd store.Reader) error {
			stored = nil
			key := outboxKey(entry.arn, entry.attempt)
			b, err := rd.Get(key)
			if err == nil && b != nil {
				stored, err = decodeOutbox(key, b)
			}
			return err
		})
		switch {
		case err == nil && stored == nil:
			return false
		case err == nil:
			*entry = *stored
		default:
			e.cfg.Log.Error("a task could not be read back; trying again", "execution", entry.arn, "error", err)
			e.pause(delay)
		}
	}
	return !entry.dropped
}

// send sends a task and applies its outcome.
func (e *Engine) send(p *partition, entry *outboxEntry) {
	out := e.cfg.Dispatcher.Run(e.ctx, entry.dispatch(p))
	for delay := 10 * time.Millisecond; e.ctx.Err() == nil; delay = min(2*delay, time.Second) {
		err := e.outcome(p, entry, out)
		if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
			return
		}
		if e.ctx.Err() != nil {
			return
		}
		e.cfg.Log.Error("a task's answer could not be stored; trying again", "execution", entry.arn, "state", entry.task.State, "error", err)
		e.pause(delay)
	}
}

// unlock completes a task that was read back from the store; it is not ok if the engine closes first.
func (e *Engine) unlock(entry *outboxEntry) bool {
	if !entry.restored {
		return true
	}
	for delay := 10 * time.Millisecond; e.ctx.Err() == nil; delay = min(2*delay, time.Minute) {
		payload, err := entry.payload, error(nil)
		if e.cfg.Unlock != nil {
			payload, err = e.cfg.Unlock(e.ctx, payload)
		}
		if err == nil {
			err = entry.unpack(payload)
		}
		if err == nil {
			return true
		}
		e.cfg.Log.Error("a task waits for the key of its execution", "execution", entry.arn, "state", entry.task.State, "error", err)
		e.pause(delay)
	}
	return false
}

func (o *outboxEntry) dispatch(p *partition) Dispatch {
	return Dispatch{
		ExecutionARN: o.arn, MachineARN: o.machine, Attempt: o.attempt, Task: o.task, Started: o.started, Test: o.test, Visit: o.visit, Trace: o.trace,
		Token: aws.Token{Source: fmt.Sprintf("engine/%d", p.id), Seq: o.sequence, Low: min(p.outbox.low(), o.sequence)},
	}
}

// pause waits on the engine's clock.
func (e *Engine) pause(d time.Duration) {
	done := make(chan struct{})
	stop := e.cfg.Clock.AfterFunc(d, func() { close(done) })
	select {
	case <-done:
	case <-e.ctx.Done():
		stop()
	}
}

// outcome applies what sending a task led to.
func (e *Engine) outcome(p *partition, entry *outboxEntry, out Outcome) error {
	ev := machine.Event{Attempt: entry.attempt, Output: out.Output, Error: out.Error, Cause: out.Cause}
	if out.First != 0 {
		if err := e.begin(entry, out); err != nil {
			return err
		}
	}
	switch out.Kind {
	case TaskSucceeded:
		ev.Kind = machine.TaskSucceeded
	case TaskFailed:
		ev.Kind = machine.TaskFailed
	case TaskSubmitted:
		ev.Kind = machine.TaskSubmitted
	case TaskQueued:
		err := e.cfg.Store.Update(store.Finishing(e.ctx), p.id, func(tx store.Tx) error {
			tx.Delete(outboxKey(entry.arn, entry.attempt))
			return nil
		})
		if err == nil {
			p.outbox.answered(entry.arn, entry.attempt)
		}
		return err
	case TaskUnanswered:
		e.unanswered(entry.arn, entry.attempt)
		return nil
	default:
		panic("engine: outcome without a kind")
	}
	answer, err := e.deliver(e.ctx, entry.arn, &commit{event: ev, plain: !entry.starts()}, nil)
	if err == nil && answer != machine.Taken && entry.starts() {
		return e.cfg.Dispatcher.Cancel(e.ctx, entry.dispatch(p)) // it was cancelled while the request was under way
	}
	return err
}

// begin applies what comes before an outcome that is there at once. The task stays in the outbox: after a crash in
// between it is sent again, and what it leads to is applied from the beginning, of which what has been applied is a no-op.
func (e *Engine) begin(entry *outboxEntry, out Outcome) error {
	ev := machine.Event{Kind: machine.TaskSubmitted, Attempt: entry.attempt, Output: out.Output}
	if out.First == TaskClaimed {
		ev.Kind, ev.Output = machine.ActivityClaimed, nil
	}
	_, err := e.deliver(e.ctx, entry.arn, &commit{event: ev, more: true}, nil)
	return err
}

// resume is what a partition has to go on with after a restart.
type resume struct {
	tasks         []*outboxEntry
	continuations []string
	debts         []debt
	express       []string
	open          int64 // executions
	due           int64 // epoch milliseconds of the first timer, 0 for none
}

// recover reads what a partition has to go on with.
func (e *Engine) recover(ctx context.Context, p *partition) (r resume, err error) {
	err = e.cfg.Store.View(ctx, p.id, func(rd store.Reader) error {
		r = resume{}
		b, err := rd.Get(sequenceKey())
		if err != nil {
			return err
		}
		p.outbox.next = 1
		if len(b) == 8 {
			p.outbox.next = binary.BigEndian.Uint64(b)
		}
		p.outbox.reserved = p.outbox.next
		if r.open, err = readOpen(rd); err != nil {
			return err
		}
		var bad error
		table := store.K(store.TableOutbox)
		for k, v := range rd.Scan(sequenceKey().End(), table.End(), false) {
			entry, err := decodeOutbox(k, v)
			if err != nil {
				bad = err
				break
			}
			r.tasks = append(r.tasks, entry)
		}
		table = store.K(store.TableContinue)
		for k := range rd.Scan(table, table.End(), false) {
			arn, _, _ := store.CutStr(k[1:])
			r.continuations = append(r.continuations, arn)
		}
		table = store.K(store.TableDebt)
		for k := range rd.Scan(table, table.End(), false) {
			d, err := decodeDebt(k)
			if err != nil {
				bad = err
				break
			}
			r.debts = append(r.debts, d)
		}
		table = store.K(store.TableExpress)
		for k := range rd.Scan(table, table.End(), false) {
			arn, _, _ := store.CutStr(k[1:])
			r.express = append(r.express, arn)
		}
		r.due, err = firstTimer(rd)
		return errors.Join(bad, err)
	})
	if err != nil {
		return r, err
	}
	sortBySequence(r.tasks)
	for _, entry := range r.tasks {
		p.outbox.sent(entry)
	}
	return r, nil
}
