package mocks

import (
	"context"
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
)

// Runner answers the tasks that a test case has an answer for and hands the others on. It implements engine.Dispatcher.
type Runner struct {
	engine.Dispatcher
	Config Config
}

// Run implements engine.Dispatcher.
func (r *Runner) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	if d.Test == nil {
		return r.Dispatcher.Run(ctx, d)
	}
	answer, err := r.response(&d)
	if err != nil {
		name, cause := "States.Runtime", err.Error()
		return engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &cause}
	}
	switch {
	case answer == nil:
		return r.Dispatcher.Run(ctx, d)
	case answer.Never:
		return engine.Outcome{Kind: engine.TaskUnanswered, First: first(&d), Output: value.TextString("{}")}
	case answer.Return == nil:
		return engine.Outcome{Kind: engine.TaskFailed, Error: &answer.Error, Cause: answer.Cause}
	}
	out := engine.Outcome{Kind: engine.TaskSucceeded, First: first(&d), Output: value.Text(answer.Return)}
	if d.Task.Integration.Kind == asl.LambdaARN && answer.Payload != nil {
		out.Output = value.Text(answer.Payload)
	}
	return out
}

// first is what comes before a task's answer.
func first(d *engine.Dispatch) engine.OutcomeKind {
	switch i := &d.Task.Integration; {
	case i.Kind == asl.Activity:
		return engine.TaskClaimed
	case i.Kind == asl.Service && i.Pattern != asl.RequestResponse:
		return engine.TaskSubmitted
	}
	return 0
}

// Cancel implements engine.Dispatcher: a mocked task has started nothing.
func (r *Runner) Cancel(ctx context.Context, d engine.Dispatch) error {
	if d.Test != nil {
		if answer, err := r.response(&d); answer != nil || err != nil {
			return nil //nolint:nilerr // neither has been sent
		}
	}
	return r.Dispatcher.Cancel(ctx, d)
}

// Mocks reports whether a task is answered in the place of its service.
func (r *Runner) Mocks(d engine.Dispatch) bool {
	if d.Test == nil {
		return false
	}
	c := r.Config[MachineName(d.MachineARN)][d.Test.Case]
	return c != nil && c.States[d.Task.State] != nil
}

func (r *Runner) response(d *engine.Dispatch) (*Response, error) {
	machine := MachineName(d.MachineARN)
	c := r.Config[machine][d.Test.Case]
	if c == nil {
		return nil, fmt.Errorf("State machine %s has no test case '%s' any more", machine, d.Test.Case)
	}
	return c.answer(d.Task.State, d.Visit, d.Task.Retries, d.Task.Arguments)
}

// MachineName is the name of the state machine whose test cases apply to the executions of a machine: a distributed Map's
// children run under its own.
func MachineName(arn string) string {
	_, name, _ := strings.Cut(arn, ":stateMachine:")
	name, _, _ = strings.Cut(name, "/")
	return name
}
