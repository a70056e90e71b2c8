package machine

import (
	"time"

	"github.com/newel-run/newel/asl"
)

// Wait is what one thread of control of a running execution waits for. Its times are UTC; those that do not apply are zero.
type Wait struct {
	State    string
	Type     string // of the state, as in the definition
	Resource string `json:",omitempty"` // of a Task, as in the definition
	For      string // see the constants
	// Within are the Parallel branches and Map iterations around the state, the outermost first.
	Within  []Place   `json:",omitempty"`
	Entered time.Time `json:",omitzero"` // of the state
	Retries int       // of this visit

	Due       time.Time `json:",omitzero"`  // ForTime, ForRetry: the end
	TimesOut  time.Time `json:",omitzero"`  // of the attempt: TimeoutSeconds
	Heartbeat time.Time `json:",omitzero"`  // until when the next heartbeat is due
	Token     string    `json:",omitempty"` // task token of the attempt
	Attempt   Attempt   `json:"-"`

	// ForThreads: the branches or iterations that there are, run and have not begun.
	Threads, Running, Unstarted int `json:",omitempty"`
}

// What a Wait is for.
const (
	ForTime     = "time"     // a Wait state
	ForRetry    = "retry"    // a retrier's delay
	ForWorker   = "worker"   // a worker to poll the activity's task
	ForRequest  = "request"  // the answer to the task's request
	ForCallback = "callback" // the answer under the task's token: callbacks, activities, the end of .sync work
	ForThreads  = "threads"  // the state's branches or iterations
	ForTurn     = "turn"     // nothing: the next step
)

// Place is a branch or an iteration of a state.
type Place struct {
	State string
	Index int
}

var waitsFor = [phasesEnd]string{
	entering: ForTurn, retrying: ForTurn, waiting: ForTime, delaying: ForRetry, scheduled: ForWorker, started: ForRequest,
	submitted: ForCallback, fannedOut: ForThreads, halted: ForTurn,
}

// Waits is what a running execution waits for, thread by thread in the order in which they began; nothing after its end.
func Waits(def *asl.Definition, pieces Pieces) (list []Wait) {
	root, _ := pieces(Key{Kind: KindRoot}).(*Root)
	if root == nil || root.status != Running {
		return nil
	}
	frames := map[uint32]*Frame{}
	for id := uint32(1); id <= root.frames && len(frames) < int(root.live); id++ {
		f, _ := pieces(Key{KindFrame, id}).(*Frame)
		if f == nil {
			continue
		}
		frames[id] = f
		list = append(list, f.waits(def, root, frames))
	}
	return list
}

func (f *Frame) waits(def *asl.Definition, root *Root, frames map[uint32]*Frame) Wait {
	s := def.States[f.state]
	w := Wait{State: s.Name, Type: s.Type.String(), For: waitsFor[f.phase], Entered: fromMs(f.entered), Retries: int(f.retryCount)}
	if s.Task != nil {
		w.Resource = s.Task.Resource
	}
	for at, c := f.parent, f; at != 0; at, c = frames[at].parent, frames[at] {
		w.Within = append([]Place{{def.States[frames[at].state].Name, int(c.index)}}, w.Within...)
	}
	for _, t := range []struct {
		to *time.Time
		ms int64
	}{{&w.Due, f.due}, {&w.TimesOut, f.taskDue}, {&w.Heartbeat, f.beatDue}} {
		if t.ms != 0 {
			*t.to = fromMs(t.ms)
		}
	}
	if f.inTask() {
		w.Attempt = Attempt{f.id, f.attempt}
		w.Token = TokenFor(root, w.Attempt)
	}
	if f.phase == entering {
		w.Entered, w.Retries = time.Time{}, 0
	}
	if fan := f.fan; fan != nil {
		w.Threads, w.Running, w.Unstarted = int(fan.length), int(fan.running), int(fan.length-fan.next)
	}
	return w
}
