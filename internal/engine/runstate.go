package engine

import (
	"context"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/machine"
)

// StateRun is one state to be run by itself.
type StateRun struct {
	Start      machine.Start
	Definition *asl.Definition
	Inspection *machine.Inspection
	// Dispatcher runs its task; that of a Parallel or Map has neither Integration nor Resource. Every outcome but a failure
	// is the task's final answer.
	Dispatcher Dispatcher
}

// RunState runs one state in memory, for as long as an Express execution may take. What was seen is in the Inspection.
func (e *Engine) RunState(ctx context.Context, in StateRun) (*ExpressResult, error) {
	in.Start.Express = true
	r := e.expressRun(in.Definition, &StartInput{Start: in.Start}, in.Dispatcher)
	r.inspection = in.Inspection
	return &r.result, r.toEnd(ctx)
}

// accept makes the events that come before the answer to a task that is not over with its request.
func (r *expressRun) accept(ctx context.Context, cmd *machine.Command) {
	switch i := &cmd.Task.Integration; {
	case i.Kind == asl.Activity:
		r.send(ctx, machine.Event{Kind: machine.ActivityClaimed, Attempt: cmd.Attempt})
	case i.Kind == asl.Service && i.Pattern != asl.RequestResponse:
		r.send(ctx, machine.Event{Kind: machine.TaskSubmitted, Attempt: cmd.Attempt, Output: value.TextString("{}")})
	}
}
