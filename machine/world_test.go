package machine

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// world is an execution in a test: its pieces as the engine would have them, in memory and stored, the timers that are
// set and the tasks that nobody has cancelled or answered. Every step is made twice, from either form of the state, and
// must come to the same.
type world struct {
	t       testing.TB
	def     *asl.Definition
	lim     Limits
	memory  map[Key]Piece
	stored  map[Key][]byte
	seen    []Key // looked up by the step
	history []HistoryEvent
	timers  []Timer
	tasks   map[Attempt]*Task
	now     time.Time
	gone    func(activityARN string) bool
	last    Result
}

func newWorld(t testing.TB, def *asl.Definition) *world {
	return &world{
		t: t, def: def, now: epoch,
		memory: map[Key]Piece{}, stored: map[Key][]byte{}, tasks: map[Attempt]*Task{},
	}
}

func compile(t testing.TB, text string) *asl.Definition {
	t.Helper()
	def, ds := asl.Compile([]byte(text), asl.Options{})
	if def == nil {
		t.Fatalf("definition: %v\n%s", ds, text)
	}
	return def
}

func startEvent(now time.Time, input string) Event {
	s := &Start{
		ARN:        "arn:aws:states:us-east-1:000000000000:execution:m:e",
		Name:       "e",
		MachineARN: "arn:aws:states:us-east-1:000000000000:stateMachine:m", MachineName: "m",
		RoleARN: "arn:aws:iam::000000000000:role/r", Region: "us-east-1",
		Input: value.TextString(input),
	}
	for i := range s.Seed {
		s.Seed[i] = byte(i)
	}
	return Event{Kind: Started, Now: now, Start: s}
}

func (w *world) root() *Root {
	if r, ok := w.memory[Key{Kind: KindRoot}]; ok {
		return r.(*Root)
	}
	return nil
}

func (w *world) frame(id uint32) *Frame {
	f, _ := w.memory[Key{KindFrame, id}].(*Frame)
	return f
}

func (w *world) pieces(k Key) Piece {
	w.seen = append(w.seen, k)
	return w.memory[k]
}

func (w *world) decoded(k Key) Piece {
	b, ok := w.stored[k]
	if !ok {
		return nil
	}
	p, err := DecodePiece(k, b)
	if err != nil {
		w.t.Fatalf("stored piece %c%d: %v", k.Kind, k.N, err)
	}
	return p
}

// step makes a step from both forms of the state, applies it and checks it.
func (w *world) step(ev Event) Result {
	w.t.Helper()
	w.seen = w.seen[:0]
	res := Step(w.def, w.pieces, ev, w.lim)
	for _, k := range w.seen {
		if p := w.memory[k]; p != nil && !bytes.Equal(p.Append(nil), w.stored[k]) {
			w.t.Fatalf("a step changed piece %c%d, which it was given", k.Kind, k.N)
		}
	}
	again := Step(w.def, w.decoded, ev, w.lim)
	if a, b := describe(res), describe(again); a != b {
		w.t.Fatalf("a step from the stored state comes to something else:\n%s\n%s", a, b)
	}
	w.apply(ev, res)
	return res
}

// describe renders all of a result.
func describe(r Result) string {
	var b strings.Builder
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "%c%d ", c.Key.Kind, c.Key.N)
		if c.Piece != nil {
			fmt.Fprintf(&b, "%q", c.Piece.Append(nil))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%q\n", AppendHistory(nil, r.History))
	for _, c := range r.Commands {
		fmt.Fprintf(&b, "%d %v %v", c.Kind, c.Attempt, c.Timer)
		if c.Task != nil {
			fmt.Fprintf(&b, " %s %s %s", c.Task.Resource, c.Task.Arguments, c.Task.Token)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintln(&b, r.Answer, r.More, r.Status, r.NoOp)
	return b.String()
}

func (w *world) apply(ev Event, res Result) {
	w.t.Helper()
	w.last = res
	if res.NoOp && len(res.Changes)+len(res.History)+len(res.Commands) > 0 {
		w.t.Fatal("a no-op with effects")
	}
	for _, c := range res.Changes {
		if c.Piece == nil {
			if _, ok := w.memory[c.Key]; !ok {
				w.t.Fatalf("piece %c%d removed that is not there", c.Key.Kind, c.Key.N)
			}
			delete(w.memory, c.Key)
			delete(w.stored, c.Key)
			continue
		}
		w.memory[c.Key] = c.Piece
		w.stored[c.Key] = c.Piece.Append(nil)
		p, err := DecodePiece(c.Key, w.stored[c.Key])
		if err != nil {
			w.t.Fatalf("piece %c%d: %v", c.Key.Kind, c.Key.N, err)
		}
		if !bytes.Equal(p.Append(nil), w.stored[c.Key]) {
			w.t.Fatalf("piece %c%d is not stored as it is", c.Key.Kind, c.Key.N)
		}
	}
	w.applyHistory(res.History)
	for _, c := range res.Commands {
		w.applyCommand(c)
	}
	if f := w.frame(ev.Attempt.Frame); !res.NoOp && (f == nil || f.attempt != ev.Attempt.N || !f.inTask()) {
		delete(w.tasks, ev.Attempt) // answered
	}
	for a := range w.tasks {
		if f := w.frame(a.Frame); res.Status == Running && (f == nil || f.attempt != a.N) {
			w.t.Fatalf("nobody waits for task %v any more, and it was not cancelled", a)
		}
	}
	w.checkPieces()
	if res.Status != Running {
		w.checkEnd()
	}
}

// checkPieces: every document that a slot names is there, every payload has one owner or is a finished child's result,
// and every frame has its parent.
func (w *world) checkPieces() {
	w.t.Helper()
	owners := map[uint32]int{}
	see := func(slots ...*slot) {
		for _, s := range slots {
			if s.n == 0 {
				continue
			}
			if w.memory[Key{KindPayload, s.n}] == nil {
				w.t.Fatalf("payload %d is named and not there", s.n)
			}
			if s.owned {
				owners[s.n]++
			}
		}
	}
	r := w.root()
	see(&r.input, &r.output)
	frames, variables := uint32(0), uint64(0)
	for k, p := range w.memory {
		f, ok := p.(*Frame)
		if !ok {
			continue
		}
		frames++
		see(&f.raw)
		for i := range f.vars {
			see(&f.vars[i].value)
			variables += uint64(f.vars[i].size)
		}
		if f.answered != nil {
			see(&f.answered.output)
		}
		if f.parent != 0 && w.frame(f.parent) == nil {
			w.t.Fatalf("frame %d has lost its parent", k.N)
		}
		if f.fan == nil {
			continue
		}
		see(&f.fan.input)
		for i := range f.fan.next {
			if w.frame(f.fan.first+i) == nil && r.Status() == Running {
				owners[f.fan.results+i]++
			}
		}
	}
	if frames != r.live {
		w.t.Fatalf("root counts %d frames of %d", r.live, frames)
	}
	if variables != r.variables {
		w.t.Fatalf("root counts %d bytes of variables, there are %d", r.variables, variables)
	}
	for k := range w.memory {
		if k.Kind == KindPayload && owners[k.N] != 1 && r.Status() == Running {
			w.t.Fatalf("payload %d has %d owners", k.N, owners[k.N])
		}
	}
}

func (w *world) applyHistory(events []HistoryEvent) {
	w.t.Helper()
	decoded, err := DecodeHistory(AppendHistory(nil, events))
	if err != nil {
		w.t.Fatal(err)
	}
	for i, e := range events {
		if want := int64(len(w.history) + 1); e.ID != want {
			w.t.Fatalf("event has id %d, want %d", e.ID, want)
		}
		if e.Prev < 0 || e.Prev >= e.ID {
			w.t.Fatalf("event %d follows from %d", e.ID, e.Prev)
		}
		if a, b := historyLine(e), historyLine(decoded[i]); a != b || e.Time != decoded[i].Time {
			w.t.Fatalf("event is not stored as it is:\n%s\n%s", a, b)
		}
		if n := len(w.history); n > 0 && e.Time < w.history[n-1].Time {
			w.t.Fatalf("event %d goes back in time", e.ID)
		}
		w.history = append(w.history, e)
	}
}

func (w *world) applyCommand(c Command) {
	w.t.Helper()
	switch c.Kind {
	case RunTask:
		id, err := ParseToken(c.Task.Token)
		if err != nil || id.Attempt != c.Attempt || !VerifyToken(w.root(), id) {
			w.t.Fatalf("token of %v does not hold: %v", c.Attempt, err)
		}
		if w.tasks[c.Attempt] != nil {
			w.t.Fatalf("attempt %v runs twice", c.Attempt)
		}
		w.tasks[c.Attempt] = c.Task
	case CancelTask:
		if w.tasks[c.Attempt] == nil {
			w.t.Fatalf("task %v cancelled that nobody waits for", c.Attempt)
		}
		delete(w.tasks, c.Attempt)
	case SetTimer:
		if slices.Contains(w.timers, c.Timer) {
			w.t.Fatalf("timer %v set twice", c.Timer)
		}
		w.timers = append(w.timers, c.Timer)
	case CancelTimer:
		i := slices.Index(w.timers, c.Timer)
		if i < 0 {
			w.t.Fatalf("timer %v cancelled that is not set", c.Timer)
		}
		w.timers = slices.Delete(w.timers, i, i+1)
	}
}

// checkEnd: nothing is left over.
func (w *world) checkEnd() {
	w.t.Helper()
	if len(w.timers) > 0 || len(w.tasks) > 0 {
		w.t.Fatalf("left over at the end: timers %v, tasks %v", w.timers, w.tasks)
	}
	r := w.root()
	if r.LastEventID() != int64(len(w.history)) {
		w.t.Fatalf("root counts %d events of %d", r.LastEventID(), len(w.history))
	}
	if last := w.history[len(w.history)-1]; !last.Type.terminal() {
		w.t.Fatalf("history ends with %v", last.Type)
	}
	if r.Status() != Succeeded {
		return
	}
	used := 1
	for _, s := range []slot{r.input, r.output} {
		if s.owned {
			used++
		}
	}
	if len(w.memory) != used {
		w.t.Fatalf("%d pieces are left over after success", len(w.memory)-used)
	}
}

// earliest removes and returns the timer that fires next.
func (w *world) earliest() (Timer, bool) {
	if len(w.timers) == 0 {
		return Timer{}, false
	}
	i := 0
	for j, t := range w.timers {
		if t.At.Before(w.timers[i].At) {
			i = j
		}
	}
	t := w.timers[i]
	w.timers = slices.Delete(w.timers, i, i+1)
	return t, true
}

var statusNames = [...]string{Running: "RUNNING", Succeeded: "SUCCEEDED", Failed: "FAILED", TimedOut: "TIMED_OUT", Aborted: "ABORTED"}

// historyLine renders an event as the recordings' summaries do: id, predecessor, type and details.
func historyLine(e HistoryEvent) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d<-%d %v", e.ID, e.Prev, e.Type)
	str := func(name, s string) {
		if s != "" {
			fmt.Fprintf(&b, " %s=%s", name, s)
		}
	}
	doc := func(name string, d *value.Doc) {
		if d != nil {
			fmt.Fprintf(&b, " %s=%s", name, shorten(d.String()))
		}
	}
	ptr := func(name string, s *string) {
		if s != nil {
			fmt.Fprintf(&b, " %s=%q", name, *s)
		}
	}
	num := func(name string, n int64, show bool) {
		if n != 0 || show {
			fmt.Fprintf(&b, " %s=%d", name, n)
		}
	}
	str("name", e.Name)
	num("index", e.Index, strings.HasPrefix(e.Type.String(), "MapIteration"))
	num("length", e.Length, e.Type == EventMapStateStarted)
	str("resource", e.Resource)
	str("resourceType", e.ResourceType)
	doc("input", e.Input)
	doc("output", e.Output)
	doc("parameters", e.Parameters)
	doc("assigned", e.Assigned)
	num("timeoutInSeconds", e.TimeoutSeconds, false)
	num("heartbeatInSeconds", e.HeartbeatSeconds, false)
	num("redriveCount", e.RedriveCount, false)
	str("taskRoleArn", e.TaskRoleARN)
	str("workerName", e.Worker)
	str("location", e.Location)
	ptr("error", e.Error)
	ptr("cause", e.Cause)
	return b.String()
}

func shorten(s string) string {
	if len(s) > 900 {
		return fmt.Sprintf("%s...(%d bytes)", s[:40], len(s))
	}
	return s
}
