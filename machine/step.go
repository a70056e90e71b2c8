package machine

import (
	"cmp"
	"slices"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// AWS's limits (spec.md E) and our budget of one step.
const (
	historyEvents    = 25000
	payloadBytes     = 262144
	inlineIterations = 40
	expressSeconds   = 300 // how long an Express execution may take
	stepTransitions  = 256
	stepBytes        = 1 << 20
)

// withDefaults puts AWS's figures in the place of zeros.
func (l Limits) withDefaults() Limits {
	set := func(n *int, to int) {
		if *n == 0 {
			*n = to
		}
	}
	set(&l.HistoryEvents, historyEvents)
	set(&l.PayloadBytes, payloadBytes)
	set(&l.InlineIterations, inlineIterations)
	set(&l.StepTransitions, stepTransitions)
	set(&l.StepBytes, stepBytes)
	return l
}

// run is one step under way: copies of the pieces that it changes, and what it leads to.
type run struct {
	def    *asl.Definition
	pieces Pieces
	lim    Limits
	gone   func(activityARN string) bool // Event.Gone
	now    time.Time
	// inspect is Event.Inspection; trace is where it takes what it sees, both nil but in a test of one state.
	inspect *Inspection
	trace   func(s asl.Stage, doc *value.Doc)
	ms      int64 // now, epoch milliseconds

	root     *Root
	frames   map[uint32]*touched
	payloads map[uint32]*Payload   // nil: removed
	homes    map[*value.Doc]uint32 // payloads that documents were read from
	queue    []uint32              // frames that can go on; those gone meanwhile are skipped
	at       evaluation
	// contextOf, randomOf and variableOf are methods of this run, bound once.
	contextOf  func() *value.Doc
	randomOf   func() uint64
	variableOf func(string) (*value.Doc, bool)

	events      []HistoryEvent
	scratch     HistoryEvent // stands in for events above the limit
	capped      bool
	commands    []Command
	decisions   []Decision
	transitions int
	bytes       int
	held        bool
	settled     bool
}

// touched is a frame that this step changes.
type touched struct {
	frame *Frame // nil: removed
	isNew bool
}

// Step advances an execution by one event. It looks at nothing but its arguments, and the same arguments give the same
// result. pieces must show the state in which the last step left the execution; definition and limits must be those of
// its start.
//
// A Result with NoOp has neither changes nor history nor commands; its Answer, Status and More (a Continue is still due)
// are those of the state as it is.
func Step(def *asl.Definition, pieces Pieces, ev Event, lim Limits) Result {
	w := &run{def: def, pieces: pieces, lim: lim.withDefaults(), gone: ev.Gone, inspect: ev.Inspection, events: ev.Room[:0]}
	w.contextOf, w.randomOf, w.variableOf = w.context, w.nextRandom, w.lookUp
	if w.inspect != nil {
		w.trace = w.inspect.Saw
	}
	if ev.Kind == Started {
		w.clock(ev.Now, 0)
		w.begin(ev.Start)
	} else {
		was := pieces(Key{Kind: KindRoot}).(*Root)
		w.root = was.copy()
		w.queue = append(w.queue, was.ready...)
		w.clock(ev.Now, was.clock)
		if ev.Kind == Continue {
			w.events = make([]HistoryEvent, 0, 2*w.lim.StepTransitions)
		}
		if taken, answer := w.take(&ev, was); !taken {
			return Result{NoOp: true, Answer: answer, More: was.More(), Status: was.status}
		}
	}
	w.advance()
	return w.result()
}

// clock sets the step's time, which is never before the last step's.
func (w *run) clock(now time.Time, last int64) {
	w.ms = max(now.UnixMilli(), last)
	w.now = time.UnixMilli(w.ms).UTC()
}

// begin makes the state of an execution that starts.
func (w *run) begin(s *Start) {
	w.root = &Root{start: *s, status: Running, started: w.ms}
	w.root.start.Input = nil
	w.root.input.doc = s.Input
	if w.events == nil {
		w.events = make([]HistoryEvent, 0, 32)
	}
	e := w.event(EventExecutionStarted, 0)
	e.Input, e.RoleARN = s.Input, s.RoleARN
	w.noteSize(s.Input)
	w.startExecutionTimer()
	w.root.frames++
	// The first state's Entered event has no predecessor (spec.md D.2 rule 1).
	first := w.def.Root.Start
	if w.inspect != nil {
		first = w.inspect.State
	}
	f := &Frame{id: w.root.frames, state: first.ID, phase: entering, raw: slot{doc: s.Input}}
	w.newFrame(f)
	if w.inspect != nil {
		if x := w.assign(f, first, w.inspect.Variables); x != nil {
			w.fail(f, *x)
		}
	}
}

// take applies an event to the state. If it changes nothing, taken is false and answer says why.
func (w *run) take(ev *Event, was *Root) (taken bool, answer Answer) {
	switch ev.Kind {
	case TaskSubmitted, TaskSucceeded, TaskFailed, TaskHeartbeat, ActivityClaimed:
		return w.takeTask(ev)
	case TimerFired:
		return w.fire(ev.Timer), Taken
	case StopRequested:
		if w.root.status == Running {
			w.stop(ev.Error, ev.Cause)
			return true, Taken
		}
		return false, Taken
	case Continue:
		return was.More(), Taken
	case RedriveRequested:
		return w.redrive(), Taken
	}
	panic("machine: unknown kind of event")
}

// advance gives each ready frame its turn until none is left or the budget is spent.
func (w *run) advance() {
	for len(w.queue) > 0 && w.root.status == Running {
		if w.capped {
			w.endAtHistoryLimit()
			return
		}
		if w.transitions >= w.lim.StepTransitions || w.bytes >= w.lim.StepBytes {
			return
		}
		id := w.queue[0]
		w.queue = w.queue[1:]
		f := w.frame(id)
		if f == nil {
			continue // its Parallel or Map went on without it
		}
		w.transitions++
		w.turn(f)
	}
	if w.capped && w.root.status == Running {
		w.endAtHistoryLimit()
	}
}

// result collects what the step has changed.
func (w *run) result() Result {
	r := w.root
	if r.status == Running {
		for _, id := range w.queue {
			if w.peek(id) != nil {
				r.ready = append(r.ready, id)
			}
		}
	}
	r.clock = w.ms
	w.settleAll()
	r.check()
	return Result{
		Changes:  w.changes(),
		History:  w.events,
		Commands: w.commands, Decisions: w.decisions,
		Held: w.held, Settled: w.settled,
		More:   r.More(),
		Status: r.status,
	}
}

// settleAll puts the large documents of all changed pieces into payloads, parents first, for children borrow from them.
func (w *run) settleAll() {
	r := w.root
	w.settle(&r.input)
	ids := w.touchedIDs()
	for _, id := range ids {
		if f := w.frames[id].frame; f != nil {
			w.settleFrame(f)
		}
	}
	w.settle(&r.output, &r.input)
	r.input.unload()
	r.output.unload()
	for _, id := range ids {
		f := w.frames[id].frame
		if f == nil {
			continue
		}
		f.raw.unload()
		for i := range f.vars {
			f.vars[i].value.unload()
		}
		if f.fan != nil {
			f.fan.input.unload()
		}
		if f.answered != nil {
			f.answered.output.unload()
		}
		f.check()
		must(f.phase != halted || r.status != Running, "a frame waits for something")
		must(f.runnable() == slices.Contains(r.ready, id) || r.status != Running, "a frame that can go on is in the queue")
	}
}

func (w *run) settleFrame(f *Frame) {
	if f.raw.unsettled() {
		lenders := []*slot{&w.root.input}
		if p := w.peek(f.parent); p != nil {
			lenders = append(lenders, &p.raw)
			if p.fan != nil {
				lenders = append(lenders, &p.fan.input)
			}
		}
		w.settle(&f.raw, lenders...)
	}
	if f.fan != nil {
		w.settle(&f.fan.input, &f.raw)
	}
	if f.answered != nil {
		w.settle(&f.answered.output)
	}
	for i := range f.vars {
		w.settle(&f.vars[i].value)
	}
}

func (w *run) touchedIDs() []uint32 {
	ids := make([]uint32, 0, len(w.frames))
	for id := range w.frames {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// changes lists the changed pieces: root, frames, payloads, each by number.
func (w *run) changes() []Change {
	list := make([]Change, 0, 1+len(w.frames)+len(w.payloads))
	list = append(list, Change{Key{Kind: KindRoot}, w.root})
	for id, t := range w.frames {
		switch {
		case t.frame != nil:
			list = append(list, Change{Key{KindFrame, id}, t.frame})
		case !t.isNew:
			list = append(list, Change{Key: Key{KindFrame, id}})
		}
	}
	for n, p := range w.payloads {
		if p != nil {
			list = append(list, Change{Key{KindPayload, n}, p})
			continue
		}
		list = append(list, Change{Key: Key{KindPayload, n}})
	}
	slices.SortFunc(list[1:], func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Key.Kind, b.Key.Kind), cmp.Compare(a.Key.N, b.Key.N))
	})
	return list
}

// frame is the copy of a frame that this step may change, nil if there is no such frame.
func (w *run) frame(id uint32) *Frame {
	if t, ok := w.frames[id]; ok {
		return t.frame
	}
	f := w.peek(id)
	if f == nil {
		return nil
	}
	return w.touch(f.copy(), false)
}

// peek is a frame to look at, nil if there is no such frame.
func (w *run) peek(id uint32) *Frame {
	if t, ok := w.frames[id]; ok {
		return t.frame
	}
	if p := w.pieces(Key{KindFrame, id}); p != nil {
		return p.(*Frame)
	}
	return nil
}

func (w *run) touch(f *Frame, isNew bool) *Frame {
	if w.frames == nil {
		w.frames = make(map[uint32]*touched)
	}
	w.frames[f.id] = &touched{f, isNew}
	return f
}

// newFrame adds a frame and queues it.
func (w *run) newFrame(f *Frame) {
	w.root.live++
	w.touch(f, true)
	w.queue = append(w.queue, f.id)
}

// removeFrame removes a frame and the payloads that it owns.
func (w *run) removeFrame(f *Frame) {
	w.clear(&f.raw)
	if f.fan != nil {
		w.clear(&f.fan.input)
	}
	if f.answered != nil {
		w.clear(&f.answered.output)
	}
	w.dropVariables(f)
	w.root.live--
	w.frames[f.id].frame = nil
}

// event adds a history event, to be filled in at once by the caller. Only a Standard execution's history has a limit.
func (w *run) event(t EventType, prev int64) *HistoryEvent {
	if w.root.lastEvent+1 >= int64(w.lim.HistoryEvents) && !t.terminal() && !w.root.start.Express {
		w.capped = true
		w.scratch = HistoryEvent{}
		return &w.scratch
	}
	w.root.lastEvent++
	must(prev < w.root.lastEvent, "an event follows from an earlier one")
	w.events = append(w.events, HistoryEvent{})
	e := &w.events[len(w.events)-1]
	e.ID, e.Prev, e.Time, e.Type = w.root.lastEvent, prev, w.ms, t
	return e
}

// follow adds a history event of a frame, which the frame's next one follows from.
func (w *run) follow(f *Frame, t EventType) *HistoryEvent {
	e := w.event(t, f.last)
	if e.ID != 0 {
		f.last = e.ID
	}
	return e
}

// terminal reports whether an event of this type is an execution's last.
func (t EventType) terminal() bool {
	return t == EventExecutionSucceeded || t == EventExecutionFailed || t == EventExecutionAborted || t == EventExecutionTimedOut
}

// noteSize counts a document against the step's budget.
func (w *run) noteSize(d *value.Doc) { w.bytes += d.Size() }

// tooLarge reports whether a document is above the payload limit.
func (w *run) tooLarge(d *value.Doc) bool { return d.Size() > w.lim.PayloadBytes }
