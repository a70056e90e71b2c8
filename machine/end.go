package machine

import (
	"strconv"

	"github.com/newel-run/newel/asl"
)

// end gives the execution its final status. Only the root's own timer is cancelled here.
func (w *run) end(s Status) {
	r := w.root
	r.status, r.stopped = s, w.ms
	if r.due != 0 {
		w.cancelTimer(Timer{Kind: ExecutionTimer, At: fromMs(r.due)})
		r.due = 0
	}
	w.queue = nil
}

// endWith ends an execution that did not succeed; its frames stay.
func (w *run) endWith(s Status, t EventType, prev int64, name, cause *string) {
	e := w.event(t, prev)
	e.Error, e.Cause = name, cause
	w.root.failure.name, w.root.failure.cause = name, cause
	w.end(s)
}

// stop is StopExecution.
func (w *run) stop(name, cause *string) {
	prev := w.cutShort()
	w.endWith(Aborted, EventExecutionAborted, prev, name, cause)
}

// timeOut is the execution's TimeoutSeconds.
func (w *run) timeOut() {
	prev := w.cutShort()
	name := "States.Timeout"
	w.endWith(TimedOut, EventExecutionTimedOut, prev, &name, nil)
}

// endAtHistoryLimit fails an execution whose next event would be the last one allowed and is not its end.
func (w *run) endAtHistoryLimit() {
	w.cutShort()
	name, cause := "States.Runtime", "The execution reached the maximum number of history events ("+strconv.Itoa(w.lim.HistoryEvents)+")."
	w.endWith(Failed, EventExecutionFailed, w.root.lastEvent, &name, &cause)
}

// cutShort cancels everything that is under way and returns the event that the execution's end follows from: the one
// before the state in which it is was entered (spec.md D.2 rule 8; of the *Aborted events only those of map runs are
// recorded).
func (w *run) cutShort() (prev int64) {
	top := w.frame(1)
	w.cancelTree(top)
	if top.phase == entering {
		return top.last
	}
	return top.enteredPrev
}

// cancelTree cancels the tasks and timers of a frame and all below it, in index order.
func (w *run) cancelTree(f *Frame) {
	w.abortMapRun(f, f.last)
	w.cancelFrame(f)
	for c := range w.children(f) {
		w.cancelTree(c)
	}
}

// cancelFrame cancels a frame's own task and timers.
func (w *run) cancelFrame(f *Frame) {
	if f.inTask() {
		w.cancelTask(Attempt{f.id, f.attempt})
	}
	w.cancelTimers(f, Timer{})
	if f.phase == waiting || f.phase == delaying {
		f.phase = halted
	}
}

// aborted is the event that says that a state was abandoned, 0 where its type has none.
func aborted(s *asl.State) EventType {
	switch s.Type {
	case asl.Task:
		return EventTaskStateAborted
	case asl.Wait:
		return EventWaitStateAborted
	case asl.Parallel:
		return EventParallelStateAborted
	case asl.Map:
		return EventMapStateAborted
	}
	return 0
}
