package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Express executions run in memory on the same machine. A synchronous one leaves nothing; an asynchronous one stores one
// record before its start is answered and removes it at its end, so that after a crash it runs again (at least once).

// ExpressResult is how an Express execution ended.
type ExpressResult struct {
	Status       machine.Status
	Output       *value.Doc // if it succeeded
	Error, Cause *string
	Start, Stop  time.Time
}

// expressRun is one Express execution.
type expressRun struct {
	e      *Engine
	def    *asl.Definition
	in     *StartInput
	pieces map[machine.Key]machine.Piece
	events chan arrival
	timers map[machine.Timer]func() bool
	visits map[string]int // tasks sent by state, of a test
	work   sync.WaitGroup
	result ExpressResult
	meta   *Meta         // set by the first step
	stats  *machineStats // of its machine; nil of a state that is run by itself
	// history is all events, for a trace; nil if there is to be none.
	history []machine.HistoryEvent
	traced  bool

	dispatcher Dispatcher
	inspection *machine.Inspection // of one state that is run by itself, else nil
}

// arrival is an event on its way to the run; done is called when it was applied.
type arrival struct {
	event machine.Event
	done  func()
}

// RunExpress runs an Express execution to its end; nothing of it is stored.
func (e *Engine) RunExpress(ctx context.Context, in StartInput) (*ExpressResult, error) {
	r, err := e.runToEnd(ctx, in)
	if err != nil {
		return nil, err
	}
	r.trace(false)
	return &r.result, nil
}

func (e *Engine) runToEnd(ctx context.Context, in StartInput) (*expressRun, error) {
	def, err := e.cfg.Definitions.Definition(ctx, in.Definition)
	if err != nil {
		return nil, err
	}
	in.Express = true
	r := e.expressRun(def, &in, e.cfg.Dispatcher)
	r.stats = e.stats.machines.of(in.MachineARN)
	e.stats.began(&e.stats.express, r.stats)
	if err = r.toEnd(ctx); err != nil {
		e.stats.express.open.Add(-1)
		return r, err
	}
	e.stats.over(&e.stats.express, r.stats, r.result.Status)
	r.ended()
	return r, nil
}

// ended tells of the end.
func (r *expressRun) ended() {
	if r.e.cfg.Ended != nil {
		r.e.cfg.Ended(&End{ARN: r.in.ARN, Meta: r.meta, Status: r.result.Status, Took: r.result.Stop.Sub(r.result.Start), Stop: r.result.Stop, Express: true})
	}
}

// trace is what is to be written for the trace of an execution that has ended; nil for nothing.
func (r *expressRun) trace(stored bool) Write {
	if !r.traced {
		return nil
	}
	return r.e.cfg.Tracing.Express(r.in.ARN, r.meta, r.history, stored)
}

func (e *Engine) expressRun(def *asl.Definition, in *StartInput, d Dispatcher) *expressRun {
	return &expressRun{
		e: e, def: def, in: in, dispatcher: d,
		pieces: map[machine.Key]machine.Piece{}, events: make(chan arrival), timers: map[machine.Timer]func() bool{},
	}
}

// toEnd runs the execution; nothing that it has started is left when it returns.
func (r *expressRun) toEnd(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.work.Wait()
	defer cancel()
	stop := context.AfterFunc(r.e.ctx, cancel)
	defer stop()
	return r.run(ctx)
}

func (r *expressRun) run(ctx context.Context) error {
	defer func() {
		for _, stop := range r.timers {
			stop()
		}
	}()
	a := arrival{machine.Event{Kind: machine.Started, Start: &r.in.Start}, r.e.working()}
	for {
		more := r.step(ctx, a.event)
		if r.result.Status != machine.Running {
			a.done()
			return nil
		}
		if more {
			done := a.done
			select {
			case a = <-r.events: // also an execution that never waits is timed out
				done()
			case <-ctx.Done():
				done()
				return ctx.Err()
			default:
				a.event = machine.Event{Kind: machine.Continue}
			}
			continue
		}
		a.done()
		select {
		case a = <-r.events:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin notes when the execution has started.
func (r *expressRun) begin(now time.Time) {
	r.result.Start = now
	in := r.in
	r.meta = &Meta{Definition: in.Definition, MachineARN: in.MachineARN, Name: in.Name, Start: now.UnixMicro(),
		VersionARN: in.VersionARN, AliasARN: in.AliasARN, Trace: in.Trace, Parent: in.Parent}
	r.traced = r.e.cfg.Tracing != nil && r.inspection == nil && r.e.cfg.Tracing.Header(in.ARN, r.meta, 0) != ""
}

// record tells of new events.
func (r *expressRun) record(events []machine.HistoryEvent) {
	if r.inspection != nil {
		return
	}
	if r.stats != nil {
		r.e.stats.advanced(r.stats, events)
	}
	if r.e.cfg.History != nil {
		r.e.cfg.History(r.in.ARN, r.meta, 0, events)
	}
	if r.traced {
		r.history = append(r.history, events...)
	}
}

// rooms are histories of steps whose memory can be used again.
var rooms = sync.Pool{New: func() any { h := make([]machine.HistoryEvent, 0, 32); return &h }}

// roomMost bounds what is kept of one, in events.
const roomMost = 256

// step applies an event and carries out what follows.
func (r *expressRun) step(ctx context.Context, ev machine.Event) (more bool) {
	defer r.e.hold()()
	ev.Now = r.e.now()
	if ev.Kind == machine.Started {
		r.begin(ev.Now)
	}
	pieces := func(k machine.Key) machine.Piece { return r.pieces[k] }
	ev.Inspection = r.inspection
	room := rooms.Get().(*[]machine.HistoryEvent)
	ev.Room = *room
	res := machine.Step(r.def, pieces, ev, r.e.cfg.Limits)
	defer func() { // who is told of events copies what they keep
		clear(res.History)
		if cap(res.History) <= roomMost {
			*room = res.History
		}
		rooms.Put(room)
	}()
	if res.NoOp {
		r.result.Status = machine.Running
		return res.More
	}
	for _, ch := range res.Changes {
		if ch.Piece == nil {
			delete(r.pieces, ch.Key)
			continue
		}
		r.pieces[ch.Key] = ch.Piece
	}
	r.record(res.History)
	if r.e.cfg.Decided != nil && len(res.Decisions) > 0 {
		r.e.cfg.Decided(r.in.ARN, res.Decisions)
	}
	r.result.Status = res.Status
	if res.Status != machine.Running {
		root := r.pieces[machine.Key{Kind: machine.KindRoot}].(*machine.Root)
		r.result.Output, r.result.Error, r.result.Cause, r.result.Stop = root.Output(pieces), root.Error(), root.Cause(), root.StopTime()
		return false
	}
	for i := range res.Commands {
		r.carryOut(ctx, &res.Commands[i])
	}
	return res.More
}

func (r *expressRun) carryOut(ctx context.Context, cmd *machine.Command) {
	switch cmd.Kind {
	case machine.RunTask:
		d := Dispatch{ExecutionARN: r.in.ARN, MachineARN: r.in.MachineARN, Attempt: cmd.Attempt, Task: cmd.Task, Started: r.e.now(), Test: r.in.Test}
		if r.traced {
			d.Trace = r.e.cfg.Tracing.Header(r.in.ARN, r.meta, cmd.Task.Event)
		}
		if d.Test != nil && d.Test.Root == "" {
			if r.visits == nil {
				r.visits = map[string]int{}
			}
			d.Visit = r.visits[cmd.Task.State]
			r.visits[cmd.Task.State]++
		}
		done := r.e.working()
		r.work.Go(func() {
			defer done()
			out := r.dispatch(ctx, d)
			if out.Kind == TaskUnanswered {
				return
			}
			ev := machine.Event{Kind: machine.TaskSucceeded, Attempt: cmd.Attempt, Output: out.Output, Error: out.Error, Cause: out.Cause}
			if out.Kind == TaskFailed {
				ev.Kind = machine.TaskFailed
			} else if r.inspection != nil {
				r.accept(ctx, cmd)
			}
			r.send(ctx, ev)
		})
	case machine.SetTimer:
		timer := cmd.Timer
		r.timers[timer] = r.e.nap(timer.Kind, timer.At, func() {
			r.send(ctx, machine.Event{Kind: machine.TimerFired, Timer: timer})
		})
	case machine.CancelTimer:
		if stop := r.timers[cmd.Timer]; stop != nil {
			stop()
			delete(r.timers, cmd.Timer)
		}
	case machine.CancelTask: // its answer is a no-op
	}
}

// dispatch runs a task. A child's number among its root's tasks is not known before.
func (r *expressRun) dispatch(ctx context.Context, d Dispatch) Outcome {
	if d.Test != nil && d.Test.Root != "" {
		var err error
		if d.Visit, err = r.e.countChild(ctx, d.Test.Root, d.ExecutionARN, d.Attempt, d.Task.State); err != nil {
			name, cause := asl.ErrorTaskFailed, err.Error()
			return Outcome{Kind: TaskFailed, Error: &name, Cause: &cause}
		}
	}
	return r.dispatcher.Run(ctx, d)
}

func (r *expressRun) send(ctx context.Context, ev machine.Event) {
	a := arrival{ev, r.e.working()}
	select {
	case r.events <- a:
	case <-ctx.Done():
		a.done()
	}
}

// expressKey holds an asynchronous execution that runs.
func expressKey(arn string) store.Key { return store.K(store.TableExpress, arn) }

type expressRecord struct {
	Input      json.RawMessage `json:"i"`
	Start      machine.Start   `json:"s"`
	Definition string          `json:"d"`
	Trace      string          `json:"t,omitempty"`
	Parent     string          `json:"p,omitempty"`
	Version    string          `json:"v,omitempty"`
	Alias      string          `json:"a,omitempty"`
	Test       *Test           `json:"x,omitempty"`
}

// StartExpress starts an asynchronous Express execution and returns once it will run even over a crash.
func (e *Engine) StartExpress(ctx context.Context, in StartInput) (time.Time, error) {
	if _, err := e.cfg.Definitions.Definition(ctx, in.Definition); err != nil {
		return time.Time{}, err
	}
	rec := expressRecord{Input: in.Input.Bytes(), Start: in.Start, Definition: in.Definition, Trace: in.Trace, Parent: in.Parent,
		Version: in.VersionARN, Alias: in.AliasARN, Test: in.Test}
	rec.Start.Input = nil
	b, err := json.Marshal(rec)
	if err != nil {
		return time.Time{}, err
	}
	p := e.partitionOf(in.ARN)
	now := e.now()
	err = e.cfg.Store.Update(ctx, p.id, func(tx store.Tx) error {
		tx.Set(expressKey(in.ARN), append([]byte{recordVersion}, b...))
		return nil
	})
	if err == nil {
		e.runExpress(p, in)
	}
	return now, err
}

// runExpress runs an asynchronous execution in the background and removes its record.
func (e *Engine) runExpress(p *partition, in StartInput) {
	e.work.Go(func() {
		r, err := e.runToEnd(e.ctx, in)
		if err != nil {
			if e.ctx.Err() == nil {
				e.cfg.Log.Error("an Express execution could not be run", "execution", in.ARN, "error", err)
			}
			return
		}
		trace, after := r.trace(true), func() {}
		err = e.cfg.Store.Update(store.Finishing(e.ctx), p.id, func(tx store.Tx) (err error) {
			tx.Delete(expressKey(in.ARN))
			if trace != nil {
				after, err = trace(p.id, tx)
			}
			return err
		})
		if err == nil {
			after()
		}
		if err != nil && e.ctx.Err() == nil {
			e.cfg.Log.Error("the record of an Express execution could not be removed", "execution", in.ARN, "error", err)
		}
	})
}

// resumeExpress runs again what was running when the server stopped.
func (e *Engine) resumeExpress(p *partition, arn string) {
	var rec expressRecord
	err := e.cfg.Store.View(e.ctx, p.id, func(rd store.Reader) error {
		b, err := rd.Get(expressKey(arn))
		if err != nil || b == nil {
			return errors.Join(err, fmt.Errorf("%w: %s", ErrNotFound, arn))
		}
		if err := checkVersion(b); err != nil {
			return err
		}
		return json.Unmarshal(b[1:], &rec)
	})
	if err != nil {
		e.cfg.Log.Error("an Express execution could not be resumed", "execution", arn, "error", err)
		return
	}
	rec.Start.Input = value.Text(rec.Input)
	e.runExpress(p, StartInput{Start: rec.Start, Definition: rec.Definition, Trace: rec.Trace, Parent: rec.Parent,
		VersionARN: rec.Version, AliasARN: rec.Alias, Test: rec.Test})
}
