package asl

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
)

// Names of errors with rules of their own.
const (
	ErrorAll              = "States.ALL"
	ErrorTaskFailed       = "States.TaskFailed"
	ErrorTimeout          = "States.Timeout"
	ErrorHeartbeatTimeout = "States.HeartbeatTimeout"
	ErrorRuntime          = "States.Runtime"
	ErrorReferencePath    = "States.ReferencePathConflict"
	ErrorQuery            = "States.QueryEvaluationError"
)

// Matches says whether the retrier is for an error. States.Runtime is never retried nor caught. A missed heartbeat is
// States.HeartbeatTimeout here, whatever name the history shows: it is matched by that name and by States.Timeout.
func (r *Retrier) Matches(errorName string) bool { return matches(r.ErrorEquals, errorName) }

// Matches says whether the catcher is for an error; see Retrier.Matches.
func (c *Catcher) Matches(errorName string) bool { return matches(c.ErrorEquals, errorName) }

func matches(names []string, errorName string) bool {
	if errorName == ErrorRuntime {
		return false
	}
	timeout := errorName == ErrorTimeout || errorName == ErrorHeartbeatTimeout
	for _, name := range names {
		switch name {
		case errorName, ErrorAll:
			return true
		case ErrorTaskFailed:
			if !timeout {
				return true
			}
		case ErrorTimeout:
			if timeout {
				return true
			}
		}
	}
	return false
}

// list reads an array of objects.
func (p place) list() []place {
	if !p.is('[', "Array") {
		return nil
	}
	var ps []place
	for i := range p.elems {
		if e := p.element(i); e.is('{', "Object") {
			ps = append(ps, e)
		}
	}
	return ps
}

func (c *compiler) retriers(p place, s *State) {
	f, ok := p.field("Retry")
	if !ok {
		return
	}
	list := f.list()
	for i, e := range list {
		e.only("ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment")
		r := Retrier{ErrorEquals: e.errorEquals(i == len(list)-1), IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2}
		if f, ok := e.field("IntervalSeconds"); ok {
			r.IntervalSeconds, _ = f.integer(1, maxSeconds)
		}
		if f, ok := e.field("MaxAttempts"); ok {
			r.MaxAttempts, _ = f.integer(0, maxAttempts)
		}
		if f, ok := e.field("MaxDelaySeconds"); ok {
			r.MaxDelaySeconds, _ = f.integer(1, maxDelay)
		}
		if f, ok := e.field("BackoffRate"); ok && f.is('0', "Number") {
			if r.BackoffRate = f.scalar.(value.Number).Float64(); r.BackoffRate < 1 {
				f.fail("Minimum value is 1.0")
			}
		}
		if f, ok := e.field("JitterStrategy"); ok {
			strategy, _ := f.oneOf("NONE", "FULL")
			r.FullJitter = strategy == "FULL"
		}
		e.comment()
		s.Retry = append(s.Retry, r)
	}
}

func (c *compiler) catchers(p place, s *State) {
	f, ok := p.field("Catch")
	if !ok {
		return
	}
	list := f.list()
	s.Catch = make([]Catcher, len(list))
	for i, e := range list {
		catcher := &s.Catch[i]
		catcher.ErrorEquals = e.errorEquals(i == len(list)-1)
		catcher.Exit = c.catchExit(e, s)
		if e.required("Next") {
			f, _ := e.field("Next")
			c.next(f, s, func(t *State) { catcher.Next = t })
		}
		e.comment()
	}
}

// catchExit compiles what a catcher hands on: JSONPath puts the error output into the raw input by ResultPath. The state's
// own OutputPath has no part in it (AWS does not evaluate it on that way).
func (c *compiler) catchExit(p place, s *State) Exit {
	if s.Language == JSONata {
		p.only("ErrorEquals", "Next", "Comment", "Assign", "Output")
		return c.exit(p, s, onError, nil)
	}
	p.only("ErrorEquals", "Next", "Comment", "Assign", "ResultPath")
	into, _ := p.resultPath()
	return c.exit(p, s, onError, into)
}

func (p place) comment() {
	if f, ok := p.field("Comment"); ok {
		f.text()
	}
}

// errorEquals reads ErrorEquals: States.ALL must be alone in it, and in the last entry.
func (p place) errorEquals(last bool) []string {
	if !p.required("ErrorEquals") {
		return nil
	}
	f, _ := p.field("ErrorEquals")
	if !f.is('[', "Array") {
		return nil
	}
	if len(f.elems) == 0 {
		f.fail("Value cannot be empty")
	}
	var names []string
	for i := range f.elems {
		if name, ok := f.element(i).text(); ok {
			names = append(names, name)
		}
	}
	if slices.Contains(names, ErrorAll) && (len(names) > 1 || !last) {
		f.fail("States.ALL must appear alone and at end of list")
	}
	return names
}
