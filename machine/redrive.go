package machine

import (
	"encoding/binary"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// A redrive goes on with an execution that has ended without success, from the frames in which it ended: a state is
// redriven if it was entered and not left (spec.md B.13). Which means, frame by frame:
//
//   - a state at work, failed or abandoned, makes another attempt, with all its retries, under its one Entered event; a
//     Wait waits anew, unless its time has come; a distributed Map's run is redriven;
//   - a Parallel or Map goes on with the children that have not finished; what has finished keeps its result. One whose
//     result was too large has nothing left, and starts all over;
//   - a state that was about to be entered is.
//
// Attempts have new numbers, so that what was on its way to the ended execution comes too late.

// Limits of redrives (spec.md B.13).
const (
	redriveWindow  = 14 * 24 * time.Hour  // from the end
	openTime       = 365 * 24 * time.Hour // from the start
	mapRunRedrives = 1000                 // of one map run
)

// NotRedrivable says why an execution cannot be redriven now, in AWS's words; "" if it can. AWS's other rule, that the
// execution was not started before redrives were offered (November 2023), is met by all.
func (r *Root) NotRedrivable(now time.Time, lim Limits) string {
	switch {
	case r.status == Running:
		return "Execution is RUNNING and cannot be redriven"
	case r.status == Succeeded:
		return "Execution is SUCCEEDED and cannot be redriven"
	case r.lastEvent >= int64(lim.withDefaults().HistoryEvents)-1:
		return "Execution history event limit exceeded"
	case now.Sub(r.StartTime()) > openTime:
		return "Execution has exceeded the max execution time"
	case now.Sub(r.StopTime()) > redriveWindow:
		return "Execution redrivable period exceeded"
	}
	return ""
}

// Redrives is how often the execution was redriven.
func (r *Root) Redrives() uint32 { return r.redrives }

// RedriveTime is when the execution was last redriven, zero if it never was.
func (r *Root) RedriveTime() time.Time {
	if r.redriven == 0 {
		return time.Time{}
	}
	return fromMs(r.redriven)
}

// redrive is RedriveExecution; it reports false for an execution that cannot be redriven.
func (w *run) redrive() bool {
	r := w.root
	if r.NotRedrivable(w.now, w.lim) != "" {
		return false
	}
	was := origin{redrives: r.redrives, redriven: r.redriven}
	r.status, r.stopped, r.failure.name, r.failure.cause = Running, 0, nil, nil
	r.redrives, r.redriven = r.redrives+1, w.ms
	e := w.event(EventExecutionRedriven, r.lastEvent)
	e.RedriveCount = int64(r.redrives)
	w.startExecutionTimer()
	w.revive(w.frame(1), was)
	return true
}

// startExecutionTimer starts the time that the machine's TimeoutSeconds allow, and an Express execution at most.
func (w *run) startExecutionTimer() {
	t := w.def.TimeoutSeconds
	if w.root.start.Express && (t == 0 || t > expressSeconds) {
		t = expressSeconds
	}
	if t > 0 {
		w.root.due = w.ms + 1000*t
		w.setTimer(Timer{Kind: ExecutionTimer, At: fromMs(w.root.due)})
	}
}

// revive queues what can go on of a frame and of those below it. Their next events follow from their last ones, so that a
// history still tells which branch an event belongs to.
func (w *run) revive(f *Frame, was origin) {
	f.attempt, f.timeout, f.beat = 0, 0, 0
	if f.answered != nil {
		w.clear(&f.answered.output)
		f.answered = nil
	}
	switch fan := f.fan; {
	case f.phase == entering:
		w.queue = append(w.queue, f.id)
	case fan == nil:
		f.phase = retrying
		if w.def.States[f.state].Type == asl.Fail {
			f.phase = entering // AWS: "reenters the Fail state and fails again"
		}
		w.queue = append(w.queue, f.id)
	default:
		if fan.origin == nil {
			was.retries = f.retryCount
			fan.origin = &was
		}
		f.phase = fannedOut
		if fan.running == 0 || fan.running < fan.limit && fan.next < fan.length {
			f.phase = gathering
			w.queue = append(w.queue, f.id)
		}
		for c := range w.children(f) {
			w.revive(c, was)
		}
	}
	if f.phase != entering {
		f.retries, f.retryCount = nil, 0
	}
}

// gather goes on with a Parallel or Map of which a redrive has found children to be started, or all finished.
func (w *run) gather(f *Frame, s *asl.State) {
	f.phase = fannedOut
	if s.Type == asl.Map && !w.launch(f, s, f.last) {
		return
	}
	if f.fan.running == 0 {
		w.collect(f, s)
	}
}

// origin is what an evaluation sees of retries and redrives. A Map's items are those of the attempt that fanned out, also
// when they are computed again after a redrive.
type origin struct {
	retries  uint32
	redrives uint32
	redriven int64 // epoch milliseconds
}

// set puts the redrives into the context object's Execution.
func (o *origin) set(execution *value.Object) {
	execution.Set("RedriveCount", value.Int(int64(o.redrives)))
	if o.redrives > 0 {
		execution.Set("RedriveTime", timestamp(o.redriven))
	}
}

// asFannedOut has the evaluation under way see what the one that fanned out saw.
func (w *run) asFannedOut(fan *fanout) {
	w.at.env.Now = fromMs(fan.since)
	if fan.origin != nil {
		w.at.origin = *fan.origin
	}
}

// appendRedrive appends the parts of a frame that matter to redrives.
func (f *Frame) appendRedrive(dst []byte, has byte) []byte {
	if has&frameMapRun != 0 {
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(f.mapRun)), uint64(f.mapRunRedrives))
	}
	if has&frameOrigin != 0 {
		o := f.fan.origin
		dst = appendTime(binary.AppendUvarint(binary.AppendUvarint(dst, uint64(o.retries)), uint64(o.redrives)), o.redriven)
	}
	return dst
}

func (r *reader) redriveOf(f *Frame, has byte) {
	if has&frameMapRun != 0 {
		f.mapRun, f.mapRunRedrives = r.u32(), r.u32()
	}
	if has&frameOrigin != 0 && f.fan != nil {
		f.fan.origin = &origin{r.u32(), r.u32(), r.varint()}
	}
}
