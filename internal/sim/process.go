package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
)

// process is one life of the server: an engine over the disk.
type process struct {
	w      *World
	n      int
	engine *engine.Engine
	store  *diskStore
	up     bool          // it takes calls
	ending bool          // it shuts down in good order
	died   chan struct{} // closed at its end
}

// errDied is what those get who wait for a process that has ended.
var errDied = fmt.Errorf("sim: the process has ended: %w", store.ErrClosed)

func (p *process) dead() bool {
	select {
	case <-p.died:
		return true
	default:
		return false
	}
}

// boot starts a process, which takes the disk from whoever has it.
func (w *World) boot() {
	w.born++
	w.disk.epoch++
	p := &process{w: w, n: w.born, died: make(chan struct{})}
	p.store = &diskStore{p: p, epoch: w.disk.epoch, failed: make(chan struct{})}
	w.live, w.processes = p, append(w.processes, p)
	p.engine = engine.New(engine.Config{
		Store: p.store, Definitions: w, Dispatcher: p, Clock: wallClock{p}, Limits: w.profile.limits(),
		Spawn: p.spawn, Retention: retention, Cached: w.profile.cached, Bounds: w.profile.bounds, Result: w.result, Ended: w.expressEnded,
	})
	go func() {
		err := p.engine.Start(context.Background())
		p.w.add(&action{label: fmt.Sprint("up ", p.n), p: p, do: func() {
			if err == nil {
				p.up = true
				return
			}
			if !p.store.broken && p == w.live {
				w.violated("the engine does not start: %v", err)
			}
			w.crash(p)
		}})
	}()
}

// spawn starts a goroutine that may do much before it asks anything, when the driver says so.
func (p *process) spawn(f func()) {
	released := make(chan struct{})
	p.w.add(&action{label: "spawn", p: p, do: func() { close(released) }})
	go func() {
		select {
		case <-released:
		case <-p.died:
		}
		f()
	}()
}

// crash ends a process at once. Of what it had staged a part may have reached the disk.
func (w *World) crash(p *process) {
	if p.dead() {
		return
	}
	owner := w.live == p
	if owner {
		for _, part := range w.disk.parts {
			part.lose(w.random.IntN(len(part.staged) + 1))
			if w.mutant == LoseCommit && part.before != nil {
				part.durable = part.before
			}
		}
	}
	close(p.died)
	w.settle() // its goroutines see that it has ended
	p.engine.Close()
	if owner {
		w.live = nil
		w.later(w.between(0, 2*time.Second), "boot", w.boot)
	}
}

// shutDown ends a process in good order: what is under way in the engine is awaited.
func (w *World) shutDown(p *process) {
	if p.ending || !p.up {
		return
	}
	w.count("shutdowns")
	p.ending = true
	go func() {
		p.engine.Close()
		w.add(&action{label: fmt.Sprint("closed ", p.n), p: p, do: func() { w.crash(p) }})
	}()
}

// takeOver starts a process on the disk of one that lives: what that has staged and not synced is decided now, and it is
// fenced.
func (w *World) takeOver(old *process) {
	w.count("takeovers")
	for _, part := range w.disk.parts {
		ready, lost := part.lose(w.random.IntN(len(part.staged) + 1))
		w.answerAll(ready, nil)
		w.answerAll(lost, store.ErrFenced)
	}
	w.boot()
	w.later(w.between(0, 4*time.Second), fmt.Sprint("end of the fenced ", old.n), func() { w.crash(old) })
}

// wallClock is the world's time as the processes see it: timers count what has passed, the date jumps.
type wallClock struct{ p *process }

func (c wallClock) Now() time.Time { return c.p.w.wall() }

func (w *World) wall() time.Time { return w.now.Add(w.ahead) }

// AfterFunc implements engine.Clock.
func (c wallClock) AfterFunc(d time.Duration, f func()) func() bool {
	caller := "?"
	if pc, _, _, ok := runtime.Caller(1); ok {
		name := runtime.FuncForPC(pc).Name()
		caller = name[strings.LastIndexByte(name, '.')+1:]
	}
	a := &action{label: fmt.Sprintf("timer %s %s", caller, d), due: c.p.w.now.Add(max(d, 0)), p: c.p}
	fired := false
	a.do = func() { fired = true; go f() }
	c.p.w.add(a)
	return func() bool {
		stopped := !a.stopped && !fired
		a.stopped = true
		return stopped
	}
}

// Run implements engine.Dispatcher.
func (p *process) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	var r *reply
	if p.dead() {
		<-ctx.Done()
		return died()
	}
	answered := make(chan engine.Outcome, 1)
	label := fmt.Sprintf("send %s %d/%d", short(d.ExecutionARN), d.Attempt.Frame, d.Attempt.N)
	p.w.add(&action{label: label, p: p, do: func() {
		r = &reply{p: p, ctx: ctx, answered: answered}
		p.w.send(d, r)
	}})
	select {
	case out := <-answered:
		return out
	case <-ctx.Done():
	case <-p.died:
		<-ctx.Done()
	}
	return died()
}

func died() engine.Outcome {
	name := "died"
	return engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &name}
}

// Cancel implements engine.Dispatcher.
func (p *process) Cancel(ctx context.Context, d engine.Dispatch) error {
	var child string
	label := fmt.Sprintf("cancel %s %d/%d", short(d.ExecutionARN), d.Attempt.Frame, d.Attempt.N)
	err := p.ask(label, func(c *call) {
		w := p.w
		if w.stormy() && w.chance(4) {
			c.answer(errLost)
			return
		}
		child = w.cancelChild(d)
		c.answer(nil)
	})
	if err != nil {
		return err
	}
	if _, err = p.engine.Stop(context.WithValue(ctx, caller{}, label), child, nil, nil); errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// errLost is what a caller gets whose answer was lost on its way.
var errLost = errors.New("sim: the answer was lost")

func short(arn string) string {
	_, name, _ := strings.Cut(arn, ":000000000000:")
	return name
}
