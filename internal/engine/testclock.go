package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// testClock is an engine's time that can be moved on to the end of the next Wait state or retry delay. It runs as the
// clock under it does, ahead of it by what was skipped.
//
// Real work is never touched: the timers of tasks (TimeoutSeconds, HeartbeatSeconds) that run at a skip are held back by
// what it skips, and so are the TimeoutSeconds of an execution that has a request under way and the retention of finished
// executions. The TimeoutSeconds of an execution that only waits count what was skipped, as they do on AWS: a skip stops
// there.
type testClock struct {
	Clock
	ahead atomic.Int64 // nanoseconds

	// still is held for reading by everything that reads the time and sets timers by it, so that a skip sees no half of it.
	still sync.RWMutex
	mu    sync.Mutex
	held  map[string]time.Duration // timer keys of what is under way
	naps  map[*nap]bool            // timers of Express executions
	// never are the tasks that nobody will answer: their timers only let time pass.
	never map[pendingKey]bool

	busy atomic.Int64  // pieces of work under way
	idle chan struct{} // told when busy falls to 0; nil unless time is skipped by itself
}

// nap is a timer of an Express execution, which is in memory only.
type nap struct {
	kind machine.TimerKind
	due  time.Time
	fire func()
}

func (c *testClock) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.ahead.Load())) }

// ErrNoTestClock: the engine's time cannot be moved.
var ErrNoTestClock = errors.New("engine: no test clock")

// Skipped is what a skip led to.
type Skipped struct {
	By    time.Duration // 0: nothing waits for time to pass
	Now   time.Time     // after it
	Ahead time.Duration // of the real time, by all skips
}

// skipable reports whether a timer only lets time pass.
func skipable(k machine.TimerKind) bool { return k == machine.WaitTimer || k == machine.RetryTimer }

// unanswered notes a task that nobody will answer.
func (e *Engine) unanswered(arn string, a machine.Attempt) {
	if c := e.test; c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.never[pendingKey{arn, a}] = true
	}
}

// passes reports whether a timer of the store only lets time pass.
func (c *testClock) passes(d dueTimer) bool {
	return skipable(d.timer.Kind) || realWork(d.timer.Kind) && c.isNever(d.arn, d.timer.Attempt)
}

func (c *testClock) isNever(arn string, a machine.Attempt) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.never[pendingKey{arn, a}]
}

// realWork reports whether a timer watches over something that takes real time.
func realWork(k machine.TimerKind) bool {
	return k == machine.TaskTimer || k == machine.HeartbeatTimer
}

// hold keeps the time from being moved; release ends that.
func (e *Engine) hold() (release func()) {
	if e.test == nil {
		return func() {}
	}
	e.test.still.RLock()
	return e.test.still.RUnlock
}

// working counts a piece of work that is under way; the function returned ends it.
func (e *Engine) working() (done func()) {
	c := e.test
	if c == nil || c.idle == nil {
		return func() {}
	}
	c.busy.Add(1)
	return func() {
		if c.busy.Add(-1) == 0 {
			select {
			case c.idle <- struct{}{}:
			default:
			}
		}
	}
}

// Skip moves the time on to the end of the first Wait or retry delay, of whatever execution, and returns once what was
// due then has been applied.
func (e *Engine) Skip(ctx context.Context) (Skipped, error) {
	if e.test == nil {
		return Skipped{}, ErrNoTestClock
	}
	by, err := e.skip(ctx)
	if err == nil && by > 0 {
		for _, p := range e.parts {
			w, dueErr := e.dueTimers(p, e.now(), nil)
			err = errors.Join(err, dueErr)
			for _, d := range w.due {
				err = errors.Join(err, e.fireTimer(d))
			}
		}
		select {
		case e.timers.wake <- struct{}{}:
		default:
		}
	}
	return Skipped{By: by, Now: e.now(), Ahead: time.Duration(e.test.ahead.Load())}, err
}

// Ahead is how far the time is ahead of the real one; not ok without a test clock.
func (e *Engine) Ahead() (ahead time.Duration, now time.Time, ok bool) {
	if e.test == nil {
		return 0, e.now(), false
	}
	return time.Duration(e.test.ahead.Load()), e.now(), true
}

func (e *Engine) skip(ctx context.Context) (time.Duration, error) {
	c := e.test
	c.still.Lock()
	defer c.still.Unlock()
	next, _, err := e.NextTimer(ctx)
	if err != nil || next.IsZero() {
		return 0, err
	}
	by := next.Sub(c.Now())
	if by <= 0 {
		return 0, nil // it is due anyhow
	}
	if err := e.holdBack(ctx, by); err != nil {
		return 0, err
	}
	c.ahead.Add(int64(by))
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.naps {
		if !n.due.After(next) {
			go c.wake(n)
		}
	}
	return by, nil
}

// NextTimer is where a skip leads: when the first Wait or retry delay ends, or before that the time of an execution that
// only waits, and whose it is ("" for an Express execution); zero if nothing waits.
func (e *Engine) NextTimer(ctx context.Context) (next time.Time, arn string, err error) {
	var limit time.Time
	var limited string
	take := func(kind machine.TimerKind, at time.Time, of string) {
		switch {
		case skipable(kind):
			if next.IsZero() || at.Before(next) {
				next, arn = at, of
			}
		case limit.IsZero() || at.Before(limit):
			limit, limited = at, of
		}
	}
	for _, p := range e.parts {
		err = errors.Join(err, e.eachTimer(ctx, p, func(rd store.Reader, d dueTimer) error {
			switch {
			case e.test.passes(d):
				take(machine.WaitTimer, e.due(d), d.arn)
			case d.timer.Kind == machine.ExecutionTimer:
				if idle, never := e.test.onlyWaits(rd, d.arn); never {
					take(machine.WaitTimer, e.due(d), d.arn)
				} else if idle {
					take(d.timer.Kind, e.due(d), d.arn)
				}
			}
			return nil
		}))
	}
	if c := e.test; c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		for n := range c.naps {
			take(n.kind, n.due, "")
		}
	}
	if !next.IsZero() && !limit.IsZero() && limit.Before(next) {
		return limit, limited, err
	}
	return next, arn, err
}

// onlyWaits reports whether an execution has no request under way that somebody will answer, and whether it has one that
// nobody will.
func (c *testClock) onlyWaits(rd store.Reader, arn string) (idle, never bool) {
	k := store.K(store.TableOutbox, arn)
	for key := range rd.Scan(k, k.End(), false) {
		_, a, err := outboxAttempt(key)
		if err != nil || !c.isNever(arn, a) {
			return false, false
		}
		never = true
	}
	return true, never
}

// eachTimer goes through a partition's timers.
func (e *Engine) eachTimer(ctx context.Context, p *partition, visit func(store.Reader, dueTimer) error) error {
	return e.cfg.Store.View(ctx, p.id, func(rd store.Reader) error {
		table := store.K(store.TableTimer)
		for k := range rd.Scan(table, table.End(), false) {
			d, err := decodeTimer(k)
			if err == nil {
				err = visit(rd, d)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// holdBack puts off the timers of what is under way.
func (e *Engine) holdBack(ctx context.Context, by time.Duration) error {
	c := e.test
	held := map[string]time.Duration{}
	for _, p := range e.parts {
		err := e.eachTimer(ctx, p, func(rd store.Reader, d dueTimer) error {
			already := c.held[string(d.key)]
			idle := true
			if d.timer.Kind == machine.ExecutionTimer {
				idle, _ = c.onlyWaits(rd, d.arn)
			}
			if !idle || realWork(d.timer.Kind) && !c.passes(d) {
				already += by
			}
			if already != 0 {
				held[string(d.key)] = already
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = held
	return nil
}

// due is when a timer is to fire.
func (e *Engine) due(d dueTimer) time.Time {
	c := e.test
	switch {
	case c == nil:
	case d.timer.Kind == expiryTimer:
		return d.timer.At.Add(time.Duration(c.ahead.Load()))
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		return d.timer.At.Add(c.held[string(d.key)])
	}
	return d.timer.At
}

// nap calls fire when an Express execution's timer is due; stop ends that.
func (e *Engine) nap(kind machine.TimerKind, due time.Time, fire func()) (stop func() bool) {
	c := e.test
	if c == nil || realWork(kind) {
		return e.cfg.Clock.AfterFunc(due.Sub(e.cfg.Clock.Now()), fire)
	}
	n := &nap{kind: kind, due: due, fire: fire}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.naps[n] = true
	wake := e.cfg.Clock.AfterFunc(due.Sub(e.cfg.Clock.Now()), func() { c.wake(n) })
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.naps, n)
		return wake()
	}
}

// wake fires a nap, once.
func (c *testClock) wake(n *nap) {
	c.mu.Lock()
	asleep := c.naps[n]
	delete(c.naps, n)
	c.mu.Unlock()
	if asleep {
		n.fire()
	}
}

// skipWhenIdle moves the time on whenever nothing is left to be done at the present one.
func (e *Engine) skipWhenIdle() {
	for e.ctx.Err() == nil {
		select {
		case <-e.test.idle:
		case <-e.ctx.Done():
			return
		}
		if e.test.busy.Load() != 0 {
			continue
		}
		if _, err := e.Skip(e.ctx); err != nil && e.ctx.Err() == nil {
			e.cfg.Log.Error("the time could not be skipped", "error", err)
		}
	}
}
