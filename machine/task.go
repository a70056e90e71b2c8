package machine

import (
	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// awaitsSubmission reports whether TaskSubmitted comes between a task's start and its answer.
func awaitsSubmission(s *asl.State) bool {
	i := &s.Task.Integration
	return i.Kind == asl.Service && i.Pattern != asl.RequestResponse
}

// startTask makes an attempt at a task: the request, its events, its timers.
func (w *run) startTask(f *Frame, s *asl.State, input *value.Doc) {
	w.root.attempts++
	f.attempt = w.root.attempts
	t, err := w.request(f, s, input)
	if err != nil {
		w.failState(f, s, err)
		return
	}
	if w.tooLarge(t.Arguments) {
		w.fail(f, dataLimit(s.Name))
		return
	}
	if t.Integration.Kind == asl.Activity && w.gone != nil && w.gone(t.Resource) {
		w.failState(f, s, &asl.Error{Name: errRuntime, Cause: "The activity " + t.Resource + " does not exist."})
		return
	}
	f.timeout, f.beat = t.Timeout, t.Heartbeat
	w.recordScheduled(f, s, t)
	t.Event = f.last
	if s.Task.Integration.Kind == asl.Activity {
		f.phase = scheduled
	} else {
		f.phase = started
		w.recordStarted(f, s, "")
	}
	a := Attempt{f.id, f.attempt}
	t.Token = TokenFor(w.root, a)
	w.commands = append(w.commands, Command{Kind: RunTask, Attempt: a, Task: t})
	if f.phase == started {
		w.startTimers(f)
	}
}

// request evaluates the fields of a Task state.
func (w *run) request(f *Frame, s *asl.State, input *value.Doc) (*Task, error) {
	t := &Task{Integration: s.Task.Integration, Resource: s.Task.Resource, State: s.Name, Retries: int(f.retryCount)}
	var err error
	if t.Arguments, err = s.Arguments(w.env(f, forArguments, input)); err != nil {
		return nil, err
	}
	if s.Task.HasTimeout {
		if t.Timeout, err = s.TimeoutSeconds(w.env(f, forFields, input)); err != nil {
			return nil, err
		}
	}
	if s.Task.HasHeartbeat {
		if t.Heartbeat, err = s.HeartbeatSeconds(w.env(f, forFields, input)); err != nil {
			return nil, err
		}
	}
	t.Role, err = s.CredentialsRole(w.env(f, forFields, input))
	return t, err
}

func (w *run) recordScheduled(f *Frame, s *asl.State, t *Task) {
	i := &s.Task.Integration
	w.noteSize(t.Arguments)
	switch i.Kind {
	case asl.Service:
		e := w.follow(f, EventTaskScheduled)
		e.Resource, e.ResourceType, e.Region = i.ResourceName, i.ResourceType, w.root.start.Region
		e.Parameters, e.TimeoutSeconds, e.HeartbeatSeconds, e.TaskRoleARN = t.Arguments, t.Timeout, t.Heartbeat, t.Role
	case asl.LambdaARN:
		e := w.follow(f, EventLambdaFunctionScheduled)
		e.Resource, e.Input, e.TimeoutSeconds, e.TaskRoleARN = t.Resource, t.Arguments, t.Timeout, t.Role
	case asl.Activity:
		e := w.follow(f, EventActivityScheduled)
		e.Resource, e.Input, e.TimeoutSeconds, e.HeartbeatSeconds = t.Resource, t.Arguments, t.Timeout, t.Heartbeat
	default:
		panic("machine: unknown kind of task")
	}
}

func (w *run) recordStarted(f *Frame, s *asl.State, worker string) {
	e := w.followTask(f, s, EventTaskStarted, EventLambdaFunctionStarted, EventActivityStarted)
	e.Worker = worker
}

// followTask adds the event of a task whose type depends on the kind of task.
func (w *run) followTask(f *Frame, s *asl.State, service, lambda, activity EventType) *HistoryEvent {
	i := &s.Task.Integration
	switch i.Kind {
	case asl.Service:
		e := w.follow(f, service)
		e.Resource, e.ResourceType = i.ResourceName, i.ResourceType
		return e
	case asl.LambdaARN:
		return w.follow(f, lambda)
	case asl.Activity:
		return w.follow(f, activity)
	}
	panic("machine: unknown kind of task")
}

// takeTask applies an event for an attempt. An attempt that is over, or never was, or an event that comes again changes
// nothing.
func (w *run) takeTask(ev *Event) (taken bool, answer Answer) {
	a := ev.Attempt
	if a.N == 0 || a.N > w.root.attempts || a.Frame > w.root.frames {
		return false, Unknown
	}
	if w.root.status != Running {
		return false, TooLate
	}
	f := w.peek(a.Frame)
	if f == nil || f.attempt != a.N || !f.inTask() || f.answered != nil && (ev.Kind == TaskSucceeded || ev.Callback) {
		return false, TooLate
	}
	s := w.def.States[f.state]
	if s.Type != asl.Task {
		return w.takeMapRun(f, s, ev)
	}
	switch ev.Kind {
	case ActivityClaimed:
		if f.phase != scheduled {
			return false, TooLate
		}
		w.claim(w.frame(f.id), s, ev.Worker)
		return true, Taken
	case TaskHeartbeat:
		if f.beatDue == 0 {
			return false, Taken
		}
		w.heartbeat(w.frame(f.id))
		return true, Taken
	}
	if f.phase == scheduled && ev.Kind != TaskFailed {
		return false, Unknown // nobody has its token yet
	}
	if ev.Kind == TaskSubmitted {
		if f.phase != started || !awaitsSubmission(s) {
			return false, Taken
		}
		w.submitted(w.frame(f.id), s, ev.Output)
		return true, Taken
	}
	w.answer(w.frame(f.id), s, ev)
	return true, Taken
}

// claim starts an activity task, which a worker has polled.
func (w *run) claim(f *Frame, s *asl.State, worker string) {
	w.recordStarted(f, s, worker)
	f.phase = submitted
	w.startTimers(f)
}

func (w *run) heartbeat(f *Frame) {
	a := Attempt{f.id, f.attempt}
	w.cancelTimer(Timer{HeartbeatTimer, a, fromMs(f.beatDue)})
	f.beatDue = w.ms + milliseconds(f.beat)
	w.setTimer(Timer{HeartbeatTimer, a, fromMs(f.beatDue)})
}

// submitted records that a request was accepted; an answer that has come before is applied now.
func (w *run) submitted(f *Frame, s *asl.State, output *value.Doc) {
	e := w.followTask(f, s, EventTaskSubmitted, 0, 0)
	e.Output = output
	w.noteSize(output)
	f.phase = submitted
	w.applyHeld(f, s)
}

// applyHeld applies the answer that was held, if there is one.
func (w *run) applyHeld(f *Frame, s *asl.State) {
	h := f.answered
	if h == nil {
		return
	}
	f.answered, w.settled = nil, true
	if h.failed {
		w.taskFailed(f, s, h.name, h.cause)
		return
	}
	output := w.read(&h.output)
	w.clear(&h.output)
	w.taskSucceeded(f, s, output)
}

// answer applies a task's final answer, or holds it until the word that the request was submitted, which goes before it
// in the history.
func (w *run) answer(f *Frame, s *asl.State, ev *Event) {
	if f.answered != nil {
		// The request failed after its callback was taken: what was called back counts.
		w.applyHeld(f, s)
		return
	}
	w.cancelTimers(f, Timer{})
	failed := ev.Kind == TaskFailed
	if f.phase == started && awaitsSubmission(s) && (!failed || ev.Callback) {
		f.answered = &answer{failed: failed, name: ev.Error, cause: ev.Cause}
		if !failed {
			f.answered.output.doc = ev.Output
		}
		w.held = true
		return
	}
	if failed {
		w.taskFailed(f, s, ev.Error, ev.Cause)
		return
	}
	w.taskSucceeded(f, s, ev.Output)
}

func (w *run) taskSucceeded(f *Frame, s *asl.State, result *value.Doc) {
	f.phase = halted
	if w.tooLarge(result) {
		x := dataLimit(resultOf(s))
		w.recordFailed(f, s, x.name, x.cause)
		w.fail(f, x)
		return
	}
	if w.inspect != nil {
		w.inspect.Saw(asl.StageResult, result)
	}
	e := w.followTask(f, s, EventTaskSucceeded, EventLambdaFunctionSucceeded, EventActivitySucceeded)
	e.Output = result
	w.noteSize(result)
	w.leave(f, s, &s.Exit, result)
}

// resultOf names whose result is too large, as AWS does (spec.md B.10).
func resultOf(s *asl.State) string {
	if s.Task.Integration.Kind == asl.Service {
		return s.Task.Integration.ResourceType
	}
	return s.Task.Resource
}

func (w *run) recordFailed(f *Frame, s *asl.State, name, cause *string) {
	e := w.followTask(f, s, EventTaskFailed, EventLambdaFunctionFailed, EventActivityFailed)
	e.Error, e.Cause = name, cause
}

func (w *run) taskFailed(f *Frame, s *asl.State, name, cause *string) {
	f.phase = halted
	x := failure{name: name, cause: cause}
	if x.final() {
		// AWS has no event for a task that could not be started with what it was given, and puts its prefix there.
		text := ""
		if cause != nil {
			text = *cause
		}
		text = w.explain(f, s, text)
		x.cause = &text
	} else {
		w.recordFailed(f, s, name, cause)
	}
	w.fail(f, x)
}

// taskTimedOut ends an attempt for which TimeoutSeconds or HeartbeatSeconds have passed. Both are States.Timeout in the
// history (spec.md B.10).
func (w *run) taskTimedOut(f *Frame, t Timer) {
	s := w.def.States[f.state]
	w.cancelTask(t.Attempt)
	w.cancelTimers(f, t)
	f.phase = halted
	name := w.recordTimedOut(f, s)
	w.fail(f, failure{name: name, heartbeat: t.Kind == HeartbeatTimer})
}

func (w *run) recordTimedOut(f *Frame, s *asl.State) *string {
	name := errTimeout
	e := w.followTask(f, s, EventTaskTimedOut, EventLambdaFunctionTimedOut, EventActivityTimedOut)
	e.Error = &name
	return &name
}

// overdue reports whether the time of a frame's task is over, though its timer has not been taken yet.
func (f *Frame) overdue(now int64) bool {
	return f.taskDue != 0 && f.taskDue <= now || f.beatDue != 0 && f.beatDue <= now
}
