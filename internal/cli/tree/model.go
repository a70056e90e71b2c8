// Package tree turns an execution's history into a tree of what ran: states in order, below them the branches of a
// Parallel and the iterations of a Map. It is pure: events in, tree out; lines.go writes a tree as lines of text.
//
// History events say where they belong only through previousEventId, which names the causal predecessor and not always
// the event of the same state (a Map's iteration that waited for a free slot follows the last event of the iteration
// that freed it). So every event is given a place, a thread and a state in it, starting from its predecessor's place and
// climbing outwards until the state's name fits.
package tree

import (
	"strings"
	"time"
)

// Status is the outcome of a state, thread or execution.
type Status uint8

// The statuses.
const (
	Running Status = iota + 1
	Succeeded
	Caught // failed, and a catcher took over
	Failed
	Aborted
	TimedOut
)

// Event is one history event, reduced to what the tree needs.
type Event struct {
	ID, Previous  int64
	Type          string // "TaskStateEntered"
	Time          time.Time
	Name          string // of the state, or the Map's of an iteration
	Index         int    // iterations
	Length        int    // MapStateStarted
	Input, Output string
	Error, Cause  string
	Resource      string // "lambda invoke", a function's name
}

// Tree is an execution. The zero value is not ready: use New.
type Tree struct {
	Name         string
	Status       Status
	Start, End   time.Time
	Input        string
	Output       string
	Error, Cause string
	Root         *Thread
	Events       int
	last         time.Time
	places       map[int64]place
}

// Thread is a sequence of states: the machine's own, a branch or an iteration.
type Thread struct {
	Owner  *State // nil for the machine's own
	Index  int    // of the branch or iteration
	Status Status
	Start  time.Time
	End    time.Time
	States []*State
	First  int64 // id of the event that began it, 0 of the machine's own
}

// State is one visit of a state.
type State struct {
	Name         string
	Type         string // "Task", "Map"
	Thread       *Thread
	Status       Status
	Start, End   time.Time
	Input        string
	Output       string
	Error, Cause string // of the last attempt that failed
	Resource     string
	Attempts     []Attempt // failed attempts that were repeated, in order
	Threads      []*Thread // branches or iterations of the last attempt
	Past         []*Thread // those of attempts that were repeated
	First        int64     // id of the event that entered it
	Length       int       // Map: number of items
	Next         string    // Choice: the state chosen
	runs         int       // attempts begun
}

// Attempt is a failed attempt of a state.
type Attempt struct {
	Error, Cause string
	At           time.Time
}

type place struct {
	thread *Thread
	state  *State
}

// New makes the tree of an execution of which nothing is known yet.
func New(name string) *Tree {
	return &Tree{Name: name, Status: Running, Root: &Thread{Status: Running}, places: map[int64]place{}}
}

// Last is the time of the latest event.
func (t *Tree) Last() time.Time { return t.last }

// Where names the state that an event that was added belongs to, "" for the execution's own events.
func (t *Tree) Where(id int64) string {
	if s := t.places[id].state; s != nil {
		return s.Name
	}
	if th := t.places[id].thread; th != nil && th.Owner != nil {
		return th.Owner.Name
	}
	return ""
}

// State is the state that an event that was added belongs to; nil for an event of a thread or of the execution.
func (t *Tree) State(id int64) *State { return t.places[id].state }

// Add takes the next event. Events come in the order of their ids; one that was already added is ignored.
func (t *Tree) Add(e Event) {
	if _, seen := t.places[e.ID]; seen {
		return
	}
	t.Events++
	t.last = e.Time
	p := t.places[e.Previous]
	if p.thread == nil {
		p.thread = t.Root
	}
	t.places[e.ID] = t.apply(e, p)
}

// apply changes the tree and returns the event's own place.
func (t *Tree) apply(e Event, p place) place {
	switch {
	case strings.HasPrefix(e.Type, "Execution"):
		t.execution(e)
		return place{t.Root, nil}
	case strings.HasSuffix(e.Type, "StateEntered"):
		return t.enter(e, p)
	case strings.HasSuffix(e.Type, "StateExited"):
		return t.exit(e, p)
	case strings.HasPrefix(e.Type, "MapIteration"):
		return t.iteration(e, p)
	case strings.HasPrefix(e.Type, "MapState"), strings.HasPrefix(e.Type, "ParallelState"):
		return t.composite(e, p)
	case e.Type == "EvaluationFailed":
		return t.evaluation(e, p)
	}
	return t.task(e, p)
}

func (t *Tree) execution(e Event) {
	if e.Type == "ExecutionStarted" {
		t.Start, t.Input, t.Root.Start = e.Time, e.Input, e.Time
		return
	}
	if e.Type == "ExecutionRedriven" {
		t.Status, t.End, t.Error, t.Cause = Running, time.Time{}, "", ""
		t.redrive(t.Root, e.Time)
		return
	}
	status := map[string]Status{"ExecutionSucceeded": Succeeded, "ExecutionFailed": Failed, "ExecutionAborted": Aborted, "ExecutionTimedOut": TimedOut}[e.Type]
	if status == 0 {
		return
	}
	t.Status, t.End, t.Output, t.Error, t.Cause = status, e.Time, e.Output, e.Error, e.Cause
	switch p := t.places[e.Previous]; {
	case status == Failed && p.state != nil && p.state.Status == Running:
		t.close(p.state, Failed, e)
		p.thread.finish(Failed, e.Time)
		if p.state.Error == "" {
			p.state.Error, p.state.Cause = e.Error, e.Cause
		}
	case status == Failed:
		t.blame(e)
	}
	rest := Aborted
	if status == TimedOut {
		rest = TimedOut
	}
	t.abort(t.Root, rest, e.Time)
	t.Root.finish(status, e.Time)
}

// redrive opens again what had not succeeded: in each thread the last state, which goes on or makes another attempt.
func (t *Tree) redrive(th *Thread, at time.Time) {
	if th.Status == Succeeded {
		return
	}
	th.Status, th.End = Running, time.Time{}
	if len(th.States) == 0 {
		return
	}
	s := th.States[len(th.States)-1]
	if s.Type == "Fail" || s.Status != Failed && s.Status != Aborted && s.Status != TimedOut {
		return // it is entered once more, or it had been left
	}
	if s.Error != "" {
		t.repeat(s, at, s)
	}
	s.Status, s.End = Running, time.Time{}
	for _, sub := range s.Threads {
		t.redrive(sub, at)
	}
}

// blame marks the state that runs in the machine's own thread as failed.
func (t *Tree) blame(e Event) {
	if n := len(t.Root.States); n > 0 {
		if s := t.Root.States[n-1]; s.Status == Running {
			t.close(s, Failed, e)
			s.Error, s.Cause = e.Error, e.Cause
		}
	}
}

func (t *Tree) enter(e Event, p place) place {
	thread := p.thread
	if p.state != nil && p.state.Type == "Parallel" && p.state.Status == Running && p.thread == p.state.Thread {
		thread = &Thread{Owner: p.state, Index: len(p.state.Threads), Status: Running, Start: e.Time, First: e.ID}
		p.state.Threads = append(p.state.Threads, thread)
	}
	if n := len(thread.States); n > 0 && thread.States[n-1].Type == "Choice" {
		thread.States[n-1].Next = e.Name
	}
	s := &State{Name: e.Name, Type: strings.TrimSuffix(e.Type, "StateEntered"), Thread: thread, Status: Running, Start: e.Time, Input: e.Input, First: e.ID, runs: 1}
	if s.Type == "Parallel" || s.Type == "Map" {
		s.runs = 0
	}
	thread.States = append(thread.States, s)
	return place{thread, s}
}

func (t *Tree) exit(e Event, p place) place {
	s := climb(p, func(s *State) bool { return s.Name == e.Name && (s.Status == Running || s.Status == Failed) })
	if s == nil {
		return p
	}
	status := Succeeded
	if s.Error != "" || s.Status == Failed {
		status = Caught
	}
	s.Output = e.Output
	t.close(s, status, e)
	for _, th := range s.Threads {
		t.abort(th, Aborted, e.Time)
	}
	return place{s.Thread, s}
}

func (t *Tree) close(s *State, status Status, e Event) { s.Status, s.End = status, e.Time }

func (t *Tree) iteration(e Event, p place) place {
	if e.Type == "MapIterationStarted" {
		s := climb(p, func(s *State) bool { return s.Type == "Map" && s.Name == e.Name && s.Status == Running })
		if s == nil {
			return p
		}
		th := &Thread{Owner: s, Index: e.Index, Status: Running, Start: e.Time, First: e.ID}
		s.Threads = append(s.Threads, th)
		return place{th, nil}
	}
	s := climb(p, func(s *State) bool { return s.Type == "Map" && s.Name == e.Name })
	if s == nil {
		return p
	}
	for _, th := range s.Threads {
		if th.Index != e.Index || th.Status != Running {
			continue
		}
		switch e.Type {
		case "MapIterationSucceeded":
			th.finish(Succeeded, e.Time)
		case "MapIterationFailed":
			t.fail(th, e)
		default:
			t.abort(th, Aborted, e.Time)
		}
	}
	return place{s.Thread, s}
}

// fail ends a thread because of the state that runs last in it.
func (t *Tree) fail(th *Thread, e Event) {
	if n := len(th.States); n > 0 && th.States[n-1].Status == Running {
		t.close(th.States[n-1], Failed, e)
	}
	th.finish(Failed, e.Time)
	t.abort(th, Aborted, e.Time)
}

func (t *Tree) composite(e Event, p place) place {
	kind := "Map"
	if strings.HasPrefix(e.Type, "Parallel") {
		kind = "Parallel"
	}
	s := climb(p, func(s *State) bool { return s.Type == kind && s.Status == Running })
	if s == nil {
		return p
	}
	switch strings.TrimPrefix(e.Type, kind+"State") {
	case "Started":
		if s.runs > 0 {
			t.repeat(s, e.Time, failureOf(p, s))
			for _, th := range s.Threads {
				t.abort(th, Aborted, e.Time)
			}
			s.Past, s.Threads = append(s.Past, s.Threads...), nil
		}
		s.runs++
		s.Length = e.Length
	case "Succeeded":
		for _, th := range s.Threads {
			at := e.Time
			if n := len(th.States); n > 0 {
				at = th.States[n-1].End
			}
			th.finish(Succeeded, at)
		}
	case "Failed", "Aborted":
		s.Error, s.Cause = e.Error, e.Cause
		if f := failureOf(p, s); f != nil && s.Error == "" {
			s.Error, s.Cause = f.Error, f.Cause
		}
		if p.state != nil && p.state != s && (p.state.Status == Running || p.state.Status == Failed) {
			t.fail(p.thread, e)
		}
		for _, th := range s.Threads {
			t.abort(th, Aborted, e.Time)
		}
		t.close(s, Failed, e) // a catcher's MapStateExited opens it again
	}
	return place{s.Thread, s}
}

// failureOf is the state whose failure a Parallel's or Map's attempt ended with: the one at the event's place, or the
// last of a failed iteration.
func failureOf(p place, s *State) *State {
	if p.state != nil && p.state != s && p.state.Error != "" {
		return p.state
	}
	for _, th := range s.Threads {
		if n := len(th.States); th.Status == Failed && n > 0 && th.States[n-1].Error != "" {
			return th.States[n-1]
		}
	}
	return nil
}

func (t *Tree) evaluation(e Event, p place) place {
	find := func(th *Thread) *State {
		for i := len(th.States) - 1; i >= 0; i-- {
			if s := th.States[i]; s.Name == e.Name && s.Status == Running {
				return s
			}
		}
		return nil
	}
	s := find(p.thread)
	if s == nil && p.state != nil {
		for _, th := range p.state.Threads {
			if s = find(th); s != nil {
				break
			}
		}
	}
	if s == nil {
		return p
	}
	s.Error, s.Cause = e.Error, e.Cause
	return place{s.Thread, s}
}

// task takes the events of a task's attempts.
func (t *Tree) task(e Event, p place) place {
	s := p.state
	if s == nil || s.Status != Running {
		return p
	}
	switch {
	case e.Type == "TaskStateAborted", e.Type == "WaitStateAborted":
		return p // it names nobody: what is still running is closed with its thread
	case strings.HasSuffix(e.Type, "Scheduled"):
		if s.Error != "" {
			t.repeat(s, e.Time, s)
		}
		if e.Resource != "" {
			s.Resource = e.Resource
		}
	case strings.HasSuffix(e.Type, "Failed"), strings.HasSuffix(e.Type, "TimedOut"):
		s.Error, s.Cause = e.Error, e.Cause
		if s.Error == "" {
			s.Error = "States.TaskFailed"
		}
	}
	return p
}

// repeat notes a failed attempt that is being repeated.
func (t *Tree) repeat(s *State, at time.Time, failure *State) {
	a := Attempt{At: at}
	if failure != nil {
		a.Error, a.Cause = failure.Error, failure.Cause
	}
	s.Attempts = append(s.Attempts, a)
	s.Error, s.Cause = "", ""
}

// abort ends whatever still runs in a thread.
func (t *Tree) abort(th *Thread, status Status, at time.Time) {
	for _, s := range th.States {
		for _, sub := range s.Threads {
			t.abort(sub, status, at)
		}
		if s.Status == Running {
			s.Status, s.End = status, at
		}
	}
	if th.Owner != nil {
		th.finish(status, at)
	}
}

func (th *Thread) finish(status Status, at time.Time) {
	if th.Status == Running {
		th.Status, th.End = status, at
	}
}

// climb finds the nearest state that fits, from a place outwards.
func climb(p place, fits func(*State) bool) *State {
	for {
		if p.state != nil && fits(p.state) {
			return p.state
		}
		if p.thread == nil {
			return nil
		}
		for i := len(p.thread.States) - 1; i >= 0; i-- {
			if s := p.thread.States[i]; fits(s) {
				return s
			}
		}
		owner := p.thread.Owner
		if owner == nil {
			return nil
		}
		p = place{owner.Thread, owner}
	}
}
