package machine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// A distributed Map is to the machine a task with events of its own: one request, whose answer is the state's result. What
// the request leads to, the map run with its children, lies outside of the execution.

// MapRun is a map run that a Task asks for. The Task's Arguments are the state's effective input.
type MapRun struct {
	asl.MapRun
	ARN string // of the map run; the same when the request is sent again
	// Context is the JSON of the context object, without Map.Item, for the state's ItemSelector; "" if it has none.
	Context string `json:",omitempty"`
	// Variables is the JSON of the workflow variables that the state's fields read; "" if there are none.
	Variables string `json:",omitempty"`
	// Items is the JSON of the items where no path leads to them in the Task's Arguments, "" where one does.
	Items string `json:",omitempty"`
	// Redrive is how often the run was redriven: above 0 the request is to go on with a run that has not succeeded. A run that
	// was never begun begins then.
	Redrive uint32 `json:",omitempty"`
}

// mapRunWork is what a request for a map run looks like to whoever sends tasks: work that goes on after its request was
// accepted, and that is stopped when nobody waits for it any more.
var mapRunWork = asl.Integration{Kind: asl.Service, Service: "states", Action: "mapRun", Pattern: asl.Sync}

// startMapRun makes an attempt at a distributed Map: it begins a map run, or goes on with the one that a redrive found.
func (w *run) startMapRun(f *Frame, s *asl.State, effective *value.Doc) {
	redrive := f.mapRun != 0
	if redrive && f.mapRunRedrives == mapRunRedrives {
		w.failState(f, s, &asl.Error{Name: errRuntime, Cause: "The Map Run has reached the maximum number of redrives (" + strconv.Itoa(mapRunRedrives) + ")."})
		return
	}
	var items []*value.Doc
	if !s.HasItemReader() {
		var err error
		if items, err = s.Items(w.env(f, forItems, effective)); err != nil {
			w.failState(f, s, err)
			return
		}
	}
	if !redrive {
		e := w.follow(f, EventMapStateStarted)
		e.Length = int64(len(items))
	}
	fields, err := s.MapRun(w.env(f, forFields, effective))
	if err != nil {
		w.failState(f, s, err)
		return
	}
	if w.inspect != nil && !w.seeMap(f, s, effective, items, fields) {
		return
	}
	w.root.attempts++
	f.attempt, f.phase = w.root.attempts, started
	t := EventMapRunRedriven
	if redrive {
		f.mapRunRedrives++
	} else {
		t, f.mapRun, f.mapRunRedrives = EventMapRunStarted, f.attempt, 0
	}
	run := &MapRun{MapRun: *fields, ARN: w.root.mapRunARN(fields.Label, Attempt{f.id, f.mapRun}), Redrive: f.mapRunRedrives}
	if s.HasItemSelector() {
		w.env(f, forItems, effective)
		run.Context, run.Variables = w.context().String(), w.variablesOf(s)
	}
	if !s.HasItemReader() && !s.ItemsInInput() {
		run.Items = joinItems(items)
	}
	e := w.follow(f, t)
	e.MapRunARN, e.RedriveCount = run.ARN, int64(run.Redrive)
	w.noteSize(effective)
	a := Attempt{f.id, f.attempt}
	w.commands = append(w.commands, Command{Kind: RunTask, Attempt: a,
		Task: &Task{Integration: mapRunWork, Arguments: effective, State: s.Name, Token: TokenFor(w.root, a), Event: f.last, MapRun: run}})
}

// variablesOf is the JSON of the variables that a state reads and that are there, "" if there are none.
func (w *run) variablesOf(s *asl.State) string {
	o := &value.Object{}
	for _, name := range w.def.VariableReferences[s.Name] {
		if doc, ok := w.lookUp(name); ok {
			o.Set(name, doc.Value())
		}
	}
	if o.Len() == 0 {
		return ""
	}
	return string(value.Append(nil, o))
}

func joinItems(items []*value.Doc) string {
	text := []byte{'['}
	for i, item := range items {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, item.Bytes()...)
	}
	return string(append(text, ']'))
}

// mapRunARN names the map run of an attempt: arn:P:states:R:A:mapRun:NAME/LABEL:UUID, NAME being the machine's also where
// the execution is itself a map run's child.
func (r *Root) mapRunARN(label string, a Attempt) string {
	h := hmac.New(sha256.New, r.start.Seed[:])
	h.Write([]byte("map run"))
	h.Write([]byte(r.start.ARN))
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], a.Frame)
	binary.BigEndian.PutUint32(b[4:], a.N)
	h.Write(b[:])
	machine, _, _ := strings.Cut(r.start.MachineARN, "/")
	return strings.Replace(machine, ":stateMachine:", ":mapRun:", 1) + "/" + label + ":" + asl.FormatUUID([16]byte(h.Sum(nil)[:16]), 4)
}

// takeMapRun applies an answer to a distributed Map's request. That it was accepted is no event in the history.
func (w *run) takeMapRun(f *Frame, s *asl.State, ev *Event) (taken bool, answer Answer) {
	switch ev.Kind {
	case TaskSubmitted:
		if f.phase == started {
			w.frame(f.id).phase = submitted
			return true, Taken
		}
	case TaskSucceeded:
		w.mapRunSucceeded(w.frame(f.id), s, ev.Output)
		return true, Taken
	case TaskFailed:
		f = w.frame(f.id)
		f.phase = halted
		e := w.follow(f, EventMapRunFailed)
		e.Error, e.Cause = ev.Error, ev.Cause
		x := failure{name: ev.Error, cause: ev.Cause, inside: true}
		if x.final() || x.name != nil && *x.name == errDataLimit {
			f.mapRun = 0 // a redrive would come to the same
		}
		w.fail(f, x)
		return true, Taken
	}
	return false, Taken
}

func (w *run) mapRunSucceeded(f *Frame, s *asl.State, result *value.Doc) {
	f.phase, f.mapRun = halted, 0
	runStarted := f.last
	w.follow(f, EventMapRunSucceeded)
	w.follow(f, EventMapStateSucceeded)
	f.last = runStarted // Exited follows from the run's start (spec.md D.2 rule 4)
	w.noteSize(result)
	w.leave(f, s, &s.Exit, result)
}

// abortMapRun records that a frame's map run is abandoned, if it has one.
func (w *run) abortMapRun(f *Frame, prev int64) {
	if f.inTask() && w.def.States[f.state].Type == asl.Map {
		w.event(EventMapRunAborted, prev)
	}
}
