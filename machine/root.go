package machine

import (
	"slices"
	"time"

	"github.com/newel-run/newel/asl/value"
)

// Root is the piece of state that every execution has exactly one of.
type Root struct {
	start   Start // without Input, which is below
	input   slot
	output  slot // of an execution that succeeded
	failure struct{ name, cause *string }

	status  Status
	started int64 // epoch milliseconds
	stopped int64 // 0 while it runs
	due     int64 // of the ExecutionTimer, 0 for none
	clock   int64 // the latest time seen: history never goes back in time

	// Counters: the highest number given out. Numbers are never used again.
	lastEvent int64
	frames    uint32
	attempts  uint32 // of tasks and of waits: Attempt.N
	payloads  uint32
	live      uint32 // frames that there are; none when the execution has succeeded

	variables uint64 // bytes of the values of all variables
	redrives  uint32 // how often it was redriven
	redriven  int64  // when it was last, epoch milliseconds

	ready []uint32 // frames that can go on, while Result.More
}

// Status is the execution's status.
func (r *Root) Status() Status { return r.status }

// Identity is what the execution was started with; its Input is nil, see Input.
func (r *Root) Identity() Start { return r.start }

// ARN is the execution's ARN.
func (r *Root) ARN() string { return r.start.ARN }

// MachineARN is the ARN of the state machine, unqualified.
func (r *Root) MachineARN() string { return r.start.MachineARN }

// Input is the execution's input.
func (r *Root) Input(pieces Pieces) *value.Doc { return r.input.resolve(pieces) }

// Output is the execution's output, nil unless it has succeeded.
func (r *Root) Output(pieces Pieces) *value.Doc { return r.output.resolve(pieces) }

// Error is why the execution did not succeed, nil if it has no name.
func (r *Root) Error() *string { return r.failure.name }

// Cause says more about the error, nil if there is no more.
func (r *Root) Cause() *string { return r.failure.cause }

// StartTime is when the execution was started.
func (r *Root) StartTime() time.Time { return time.UnixMilli(r.started).UTC() }

// StopTime is when the execution ended, zero while it runs.
func (r *Root) StopTime() time.Time {
	if r.stopped == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.stopped).UTC()
}

// Due is when the machine's TimeoutSeconds are over, zero if it has none.
func (r *Root) Due() time.Time {
	if r.due == 0 {
		return time.Time{}
	}
	return fromMs(r.due)
}

// LastEventID is the number of history events so far.
func (r *Root) LastEventID() int64 { return r.lastEvent }

// More reports whether a Continue event is due.
func (r *Root) More() bool { return len(r.ready) > 0 }

func (r *Root) copy() *Root {
	c := *r
	c.ready = nil // taken over by the step's queue
	return &c
}

// check asserts the invariants of a root between two steps.
func (r *Root) check() {
	running := r.status == Running
	must(r.status >= Running && r.status <= Aborted, "status")
	must(running == (r.stopped == 0), "stop time belongs to the end")
	must((r.status == Succeeded) != r.output.empty(), "output belongs to success")
	must(running || r.due == 0, "execution timer after the end")
	must(running || len(r.ready) == 0, "ready frames after the end")
	must(!running || r.live > 0, "a running execution has a frame")
	must((r.redrives == 0) == (r.redriven == 0), "a redrive has its time")
	must(r.status != Succeeded || r.live == 0, "frames left over after success")
	must(r.live <= r.frames, "more frames than numbers")
	must(!slices.Contains(r.ready, 0), "frame 0 is nobody")
	r.input.check()
	r.output.check()
}

func (s *slot) check() {
	must(s.doc == nil || s.n == 0, "a document is stored once")
	must(s.doc == nil || s.doc.Size() < inlineBytes, "large document inline")
	must(!s.owned || s.n != 0, "owned without a payload")
}

func must(ok bool, what string) {
	if !ok {
		panic("machine: broken invariant: " + what)
	}
}
