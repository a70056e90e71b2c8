package machine

import (
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// The event types of the state types.
var enteredEvent = [...]EventType{
	asl.Pass: EventPassStateEntered, asl.Task: EventTaskStateEntered, asl.Choice: EventChoiceStateEntered,
	asl.Wait: EventWaitStateEntered, asl.Succeed: EventSucceedStateEntered, asl.Fail: EventFailStateEntered,
	asl.Parallel: EventParallelStateEntered, asl.Map: EventMapStateEntered,
}

var exitedEvent = [...]EventType{
	asl.Pass: EventPassStateExited, asl.Task: EventTaskStateExited, asl.Choice: EventChoiceStateExited,
	asl.Wait: EventWaitStateExited, asl.Succeed: EventSucceedStateExited,
	asl.Parallel: EventParallelStateExited, asl.Map: EventMapStateExited,
}

// turn is a ready frame's one transition.
func (w *run) turn(f *Frame) {
	s := w.def.States[f.state]
	enter := f.phase == entering
	if f.phase == gathering {
		w.gather(f, s)
		return
	}
	f.phase = halted // until the work has come to something else
	if enter {
		w.enter(f, s)
	}
	w.work(f, s)
}

func (w *run) enter(f *Frame, s *asl.State) {
	raw := w.read(&f.raw)
	f.enteredPrev = f.last
	e := w.follow(f, enteredEvent[s.Type])
	e.Name, e.Input = s.Name, raw
	w.noteSize(raw)
	f.entered, f.enteredEvent = w.ms, f.last
	f.retries, f.retryCount, f.attempt, f.mapRun = nil, w.inspected(), 0, 0
}

// work does what the state is for, as far as it goes without waiting.
func (w *run) work(f *Frame, s *asl.State) {
	raw := w.read(&f.raw)
	if s.Type == asl.Fail {
		w.workFail(f, s, raw)
		return
	}
	input, err := s.Effective(w.env(f, forEffective, raw))
	if err != nil {
		w.failState(f, s, err)
		return
	}
	switch s.Type {
	case asl.Pass:
		result, err := s.Arguments(w.env(f, forArguments, input))
		if err != nil {
			w.failState(f, s, err)
			return
		}
		w.leave(f, s, &s.Exit, result)
	case asl.Succeed:
		w.leave(f, s, &s.Exit, input)
	case asl.Choice:
		exit, err := s.Choose(w.env(f, forFields, input))
		if err != nil {
			w.failState(f, s, err)
			return
		}
		w.chose(s, exit)
		w.leave(f, s, exit, input)
	case asl.Wait:
		until, err := s.WaitUntil(w.env(f, forFields, input))
		if err != nil {
			w.failState(f, s, err)
			return
		}
		if due := ceilMs(until); due > w.ms {
			w.wait(f, waiting, due)
			return
		}
		w.leave(f, s, &s.Exit, input)
	case asl.Task:
		w.startTask(f, s, input)
	case asl.Parallel:
		w.startParallel(f, s, input)
	case asl.Map:
		w.startMap(f, s, input)
	default:
		panic("machine: unknown type of state")
	}
}

// chose notes a Choice's way out.
func (w *run) chose(s *asl.State, exit *asl.Exit) {
	if i, ok := s.RuleOf(exit); ok {
		w.decisions = append(w.decisions, Decision{s.Name, ChoseRule, i})
		return
	}
	w.decisions = append(w.decisions, Decision{s.Name, ChoseDefault, 0})
}

// ceilMs is the first millisecond that is not before t.
func ceilMs(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

func (w *run) workFail(f *Frame, s *asl.State, raw *value.Doc) {
	if w.inspect != nil && s.Language == asl.JSONPath {
		w.inspect.Saw(asl.AfterInputPath, raw)
	}
	name, cause, err := s.FailWith(w.env(f, forFields, raw))
	if err != nil {
		w.failState(f, s, err)
		return
	}
	w.fail(f, failure{name: name, cause: cause})
}

// leaveWait goes on after a Wait state's time.
func (w *run) leaveWait(f *Frame) {
	f.phase = halted
	s := w.def.States[f.state]
	input, err := s.Effective(w.env(f, forEffective, w.read(&f.raw)))
	if err != nil {
		w.failState(f, s, err)
		return
	}
	w.leave(f, s, &s.Exit, input)
}

// leave ends a state with its result: its output is the next state's input, or the scope's result.
func (w *run) leave(f *Frame, s *asl.State, x *asl.Exit, result *value.Doc) {
	if failed := w.tryExit(f, s, x, forOutput, result); failed != nil {
		w.fail(f, *failed)
	}
}

// tryExit takes a way out of a state, unless what it hands on or the variables that it sets cannot be made.
func (w *run) tryExit(f *Frame, s *asl.State, x *asl.Exit, purpose uint32, result *value.Doc) *failure {
	raw := w.read(&f.raw)
	output, err := x.Output(w.env(f, purpose, nil), raw, result)
	var set []asl.Variable
	if err == nil {
		set, err = x.Assign(w.env(f, purpose+1, nil), raw, result)
	}
	if err != nil {
		failed := w.stateFailure(f, s, err)
		return &failed
	}
	if w.tooLarge(output) {
		w.discard(f) // a redrive starts all over
		failed := dataLimit(s.Name)
		return &failed
	}
	if failed := w.assign(f, s, set); failed != nil {
		return failed
	}
	w.exit(f, s, x.Next, output, set)
	return nil
}

// exit records a state's end and moves the frame on.
func (w *run) exit(f *Frame, s *asl.State, next *asl.State, output *value.Doc, set []asl.Variable) {
	w.discard(f) // what the branches or iterations of a Parallel or Map have left
	e := w.follow(f, exitedEvent[s.Type])
	e.Name, e.Output, e.Assigned = s.Name, output, assigned(set)
	w.noteSize(output)
	f.phase, f.attempt, f.timeout, f.beat = entering, 0, 0, 0
	if w.inspect != nil {
		w.seeExit(f, next)
		next = nil
	}
	if next == nil {
		w.finish(f, output)
		return
	}
	f.state = next.ID
	w.write(&f.raw, output)
	w.queue = append(w.queue, f.id)
}

// finish ends a frame's scope with its result.
func (w *run) finish(f *Frame, output *value.Doc) {
	if f.parent != 0 {
		w.finishChild(f, output)
		return
	}
	if w.capped {
		return
	}
	e := w.event(EventExecutionSucceeded, f.last)
	e.Output = output
	w.removeFrame(f)
	w.root.output.doc = output
	w.end(Succeeded)
}
