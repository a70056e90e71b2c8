package machine

import (
	"slices"
	"time"
)

// maxSeconds is the longest time that anything waits for, 2^31 - 1 seconds: 68 years. A timeout that is longer is as good as
// none, and its sum with the time of day must not overflow.
const maxSeconds = 1<<31 - 1

func milliseconds(seconds int64) int64 { return 1000 * min(seconds, maxSeconds) }

func fromMs(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func (w *run) setTimer(t Timer) {
	w.commands = append(w.commands, Command{Kind: SetTimer, Attempt: t.Attempt, Timer: t})
}

// cancelTimer cancels a timer; one that was set in this very step is forgotten instead.
func (w *run) cancelTimer(t Timer) {
	if w.takeBack(func(c *Command) bool { return c.Kind == SetTimer && c.Timer == t }) {
		return
	}
	w.commands = append(w.commands, Command{Kind: CancelTimer, Attempt: t.Attempt, Timer: t})
}

// cancelTask cancels an attempt; one that was to run by this very step is forgotten instead.
func (w *run) cancelTask(a Attempt) {
	if w.takeBack(func(c *Command) bool { return c.Kind == RunTask && c.Attempt == a }) {
		return
	}
	w.commands = append(w.commands, Command{Kind: CancelTask, Attempt: a})
}

// takeBack removes a command of this step.
func (w *run) takeBack(is func(*Command) bool) bool {
	for i := range w.commands {
		if is(&w.commands[i]) {
			w.commands = slices.Delete(w.commands, i, i+1)
			return true
		}
	}
	return false
}

// timers are a frame's timers that are running, in a fixed order.
func (f *Frame) timers() []Timer {
	var list []Timer
	a := Attempt{f.id, f.attempt}
	if f.due != 0 {
		kind := WaitTimer
		if f.phase == delaying {
			kind = RetryTimer
		}
		list = append(list, Timer{kind, a, fromMs(f.due)})
	}
	if f.taskDue != 0 {
		list = append(list, Timer{TaskTimer, a, fromMs(f.taskDue)})
	}
	if f.beatDue != 0 {
		list = append(list, Timer{HeartbeatTimer, a, fromMs(f.beatDue)})
	}
	return list
}

// cancelTimers cancels the frame's timers, except the one that has fired.
func (w *run) cancelTimers(f *Frame, fired Timer) {
	for _, t := range f.timers() {
		if t != fired {
			w.cancelTimer(t)
		}
	}
	f.due, f.taskDue, f.beatDue = 0, 0, 0
}

// wait parks a frame until a time: in a Wait state or before a retry.
func (w *run) wait(f *Frame, p phase, until int64) {
	w.root.attempts++
	f.phase, f.attempt, f.due = p, w.root.attempts, until
	w.setTimer(f.timers()[0])
}

// startTimers starts the timers of an attempt, which AWS does when its task starts (spec.md B.11).
func (w *run) startTimers(f *Frame) {
	a := Attempt{f.id, f.attempt}
	if f.timeout > 0 {
		f.taskDue = w.ms + milliseconds(f.timeout)
		w.setTimer(Timer{TaskTimer, a, fromMs(f.taskDue)})
	}
	if f.beat > 0 {
		f.beatDue = w.ms + milliseconds(f.beat)
		w.setTimer(Timer{HeartbeatTimer, a, fromMs(f.beatDue)})
	}
}

// fire applies a timer; it reports false for one that no longer runs.
func (w *run) fire(t Timer) bool {
	if w.root.status != Running {
		return false
	}
	if t.Kind == ExecutionTimer {
		if w.root.due == 0 || !t.At.Equal(fromMs(w.root.due)) {
			return false
		}
		w.root.due = 0
		w.timeOut()
		return true
	}
	t.At = fromMs(t.At.UnixMilli())
	f := w.peek(t.Attempt.Frame)
	if f == nil {
		return false
	}
	for _, own := range f.timers() {
		if own == t {
			w.fired(w.frame(f.id), t)
			return true
		}
	}
	return false
}

func (w *run) fired(f *Frame, t Timer) {
	switch t.Kind {
	case WaitTimer:
		f.due = 0
		w.leaveWait(f)
	case RetryTimer:
		f.due = 0
		f.phase = retrying
		w.queue = append(w.queue, f.id)
	case TaskTimer, HeartbeatTimer:
		w.taskTimedOut(f, t)
	}
}
