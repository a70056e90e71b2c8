package machine

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
)

// phase says what a frame is waiting for.
type phase uint8

const (
	entering  phase = iota + 1 // its turn, to enter its state
	retrying                   // its turn, to make another attempt at its state
	waiting                    // WaitTimer
	delaying                   // RetryTimer
	scheduled                  // a worker to claim the activity task
	started                    // the request's answer; of .sync and .waitForTaskToken, that it was submitted
	submitted                  // the task's answer
	fannedOut                  // its branches or iterations
	halted                     // nothing: its state failed or was abandoned; only inside a step and after the execution's end
	gathering                  // its turn, to go on with its branches or iterations: to start more, or to make a result of theirs
	phasesEnd
)

var phaseNames = [phasesEnd]string{
	entering: "entering", retrying: "retrying", waiting: "waiting", delaying: "delaying", scheduled: "scheduled",
	started: "started", submitted: "submitted", fannedOut: "fanned out", halted: "halted", gathering: "gathering",
}

func (p phase) String() string { return phaseNames[p] }

// Frame is one thread of control: where it is, and the document that it carries.
type Frame struct {
	id     uint32
	parent uint32 // 0 for the execution's own
	index  uint32 // of the branch or iteration

	state        int // asl.State.ID
	phase        phase
	raw          slot  // the state's raw input
	entered      int64 // epoch milliseconds
	enteredEvent int64 // id of the *StateEntered event
	enteredPrev  int64 // its predecessor
	last         int64 // id of the event that the next one follows from

	retries    []uint32 // per retrier of this state; nil before the first retry
	retryCount uint32   // of all retriers

	attempt  uint32 // the current Attempt.N: of a task, a wait or a retry delay
	due      int64  // of WaitTimer or RetryTimer, epoch milliseconds, 0 for none
	timeout  int64  // TimeoutSeconds of the attempt, 0 for none
	beat     int64  // HeartbeatSeconds
	taskDue  int64  // of TaskTimer
	beatDue  int64  // of HeartbeatTimer
	answered *answer
	fan      *fanout
	vars     []variable // of the frame's scope, by name

	// Of a distributed Map: the attempt by which its map run was begun, 0 if a redrive is to begin another one, and how often
	// that run was redriven.
	mapRun, mapRunRedrives uint32
}

// answer is the final answer to a task that has come before the word that the request was submitted.
type answer struct {
	failed      bool
	output      slot
	name, cause *string
}

// fanout is what a Parallel or Map knows of its branches or iterations. The frame of index i is frame first+i; its result,
// once it is finished, payload results+i.
type fanout struct {
	since   int64 // epoch milliseconds
	length  uint32
	next    uint32 // those below have been started
	running uint32
	limit   uint32 // of running
	first   uint32
	results uint32
	input   slot    // of a Parallel: what its branches start with
	origin  *origin // nil: what the frame and the root say now

	// A Map's effective input and items: computed from the frame when first needed, never stored.
	effective *value.Doc
	items     []*value.Doc
}

func (f *Frame) copy() *Frame {
	c := *f
	c.retries = slices.Clone(f.retries)
	if f.fan != nil {
		fan := *f.fan
		c.fan = &fan
	}
	if f.answered != nil {
		a := *f.answered
		c.answered = &a
	}
	c.vars = slices.Clone(f.vars)
	return &c
}

// runnable reports whether the frame stands in the queue.
func (f *Frame) runnable() bool {
	return f.phase == entering || f.phase == retrying || f.phase == gathering
}

// inTask reports whether an attempt of a task is under way.
func (f *Frame) inTask() bool { return f.phase >= scheduled && f.phase <= submitted }

// check asserts the invariants of a frame between two steps.
func (f *Frame) check() {
	must(f.id != 0 && f.parent < f.id, "a parent is older than its child")
	must(f.phase > 0 && f.phase < phasesEnd, "phase")
	must((f.due != 0) == (f.phase == waiting || f.phase == delaying), "a wait has its timer")
	must(f.taskDue == 0 || f.phase == started || f.phase == submitted, "task timer without a task")
	must(f.beatDue == 0 || f.phase == started || f.phase == submitted, "heartbeat timer without a task")
	must((f.fan != nil) == (f.phase == fannedOut || f.phase == gathering), "children belong to a fan-out")
	must(f.attempt != 0 || !f.inTask() && f.due == 0, "an attempt has a number")
	must(f.answered == nil || f.phase == started && f.taskDue == 0 && f.beatDue == 0, "a held answer waits for the submission only")
	must(!f.raw.empty(), "a frame carries a document")
	f.raw.check()
	for i := range f.vars {
		must(i == 0 || f.vars[i-1].name < f.vars[i].name, "variables are in order")
		must(!f.vars[i].value.empty(), "a variable has a value")
		f.vars[i].value.check()
	}
	if a := f.answered; a != nil {
		must(a.failed == a.output.empty(), "an answer is a result or a failure")
		a.output.check()
	}
	if fan := f.fan; fan != nil {
		must((fan.running > 0 || f.phase == gathering) && fan.running <= fan.limit, "a fan-out has something running, up to its limit")
		must(fan.running <= fan.next && fan.next <= fan.length, "a fan-out starts each index once")
		must(f.id < fan.first, "a child is younger than its parent")
		fan.input.check()
	}
}
