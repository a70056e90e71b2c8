package machine

import (
	"errors"
	"strconv"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// failure is an error on its way to someone who handles it.
type failure struct {
	name, cause *string
	heartbeat   bool // a States.Timeout that States.HeartbeatTimeout matches too
	inside      bool // it comes from a child, or has an event of its own: a Parallel or Map records that it failed
}

const (
	errRuntime   = "States.Runtime"
	errTimeout   = "States.Timeout"
	errHeartbeat = "States.HeartbeatTimeout"
	errDataLimit = "States.DataLimitExceeded"
	errQuery     = "States.QueryEvaluationError"
)

// final reports whether the error ends the execution whatever its retriers and catchers say.
func (x *failure) final() bool { return x.name != nil && *x.name == errRuntime }

// matches asks a retrier or catcher.
func (x *failure) matches(m interface{ Matches(string) bool }) bool {
	if x.final() {
		return false
	}
	if x.name == nil {
		return m.Matches("")
	}
	return m.Matches(*x.name) || x.heartbeat && m.Matches(errHeartbeat)
}

// dataLimit is the failure of a result above the payload limit; of says whose, in AWS's words (spec.md B.10).
func dataLimit(of string) failure {
	name := errDataLimit
	cause := "The state/task '" + of + "' returned a result with a size exceeding the maximum number of bytes service limit."
	return failure{name: &name, cause: &cause}
}

// stateFailure makes a failure of an error that a state's fields ended in, and records it if the expression language has
// an event for it.
func (w *run) stateFailure(f *Frame, s *asl.State, err error) failure {
	var e *asl.Error
	if !errors.As(err, &e) {
		panic("machine: evaluation ended in no error of the language: " + err.Error())
	}
	name, cause := e.Name, w.explain(f, s, e.Cause)
	x := failure{name: &name, cause: &cause}
	if name == errQuery {
		// Right after a state was entered it follows from what came before that, but for Wait (spec.md D.2 rule 7).
		prev := f.last
		if prev == f.enteredEvent && s.Type != asl.Wait {
			prev = f.enteredPrev
		}
		h := w.event(EventEvaluationFailed, prev)
		h.Name, h.Location, h.Error, h.Cause = s.Name, e.Field, &name, &cause
		f.last = max(f.last, h.ID)
		x.inside = true
	}
	return x
}

// explain puts AWS's prefix before the cause of a state's own error.
func (w *run) explain(f *Frame, s *asl.State, cause string) string {
	if w.inspect != nil {
		return cause
	}
	return "An error occurred while executing the state '" + s.Name + "' (entered at the event id #" + strconv.FormatInt(f.enteredEvent, 10) + "). " + cause
}

// failState fails a frame for an error in its state's fields.
func (w *run) failState(f *Frame, s *asl.State, err error) { w.fail(f, w.stateFailure(f, s, err)) }

// fail brings a failure to whoever handles it: the state's retriers, its catchers, then those of the Parallel or Map
// around it; else the execution ends with it.
func (w *run) fail(f *Frame, x failure) {
	for {
		s := w.def.States[f.state]
		w.seeFailure(&x)
		if w.retry(f, s, &x) {
			return
		}
		if x.inside {
			switch s.Type {
			case asl.Map:
				w.follow(f, EventMapStateFailed)
			case asl.Parallel:
				w.follow(f, EventParallelStateFailed)
			}
		}
		if w.catch(f, s, &x) || w.capped {
			return
		}
		if f.parent == 0 {
			w.endWith(Failed, EventExecutionFailed, f.last, x.name, x.cause)
			return
		}
		p := w.frame(f.parent)
		w.abortChildren(p, f)
		f = p
		x.inside = true
	}
}

// catch gives a failure to the state's first catcher that matches. If that catcher's own fields fail, that failure takes
// the place of the one to be caught and goes up.
func (w *run) catch(f *Frame, s *asl.State, x *failure) bool {
	for i := range s.Catch {
		c := &s.Catch[i]
		if !x.matches(c) {
			continue
		}
		if w.inspect != nil {
			w.inspect.Catcher = &i
		}
		if failed := w.tryExit(f, s, &c.Exit, forCatch, errorOutput(x)); failed != nil {
			*x = *failed
			return false
		}
		w.decisions = append(w.decisions, Decision{s.Name, Caught, i})
		return true
	}
	return false
}

// errorOutput is what a catcher gets; what the error lacks is null.
func errorOutput(x *failure) *value.Doc {
	text := func(s *string) value.Value {
		if s == nil {
			return nil
		}
		return *s
	}
	return value.Of(value.NewObject(
		value.Member{Name: "Error", Value: text(x.name)},
		value.Member{Name: "Cause", Value: text(x.cause)},
	))
}
