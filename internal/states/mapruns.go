package states

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/maprun"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

// dispatcher hands distributed Maps to the map runs and everything else on.
type dispatcher struct {
	engine.Dispatcher
	s      *Service
	mocked func(engine.Dispatch) bool // whether a distributed Map too is the Dispatcher's
}

func (d dispatcher) Run(ctx context.Context, r engine.Dispatch) engine.Outcome {
	if r.Task.MapRun == nil || d.mocked(r) {
		return d.Dispatcher.Run(ctx, r)
	}
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		err := d.s.maps.Begin(ctx, maprun.Request{ExecutionARN: r.ExecutionARN, Attempt: r.Attempt, Task: r.Task, At: r.Started, Trace: r.Trace})
		if err == nil || ctx.Err() != nil {
			return engine.Outcome{Kind: engine.TaskSubmitted}
		}
		d.s.env.Log.Error("a map run could not be begun; trying again", "execution", r.ExecutionARN, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

func (d dispatcher) Cancel(ctx context.Context, r engine.Dispatch) error {
	if r.Task.MapRun == nil || d.mocked(r) {
		return d.Dispatcher.Cancel(ctx, r)
	}
	return d.s.maps.Cancel(ctx, r.Task.MapRun.ARN, r.Attempt)
}

// executions are the engine's executions as map runs see them.
type executions struct{ s *Service }

func (x executions) Parent(ctx context.Context, arn string) (machine.Start, string, error) {
	d, err := x.s.engine.Describe(ctx, arn)
	if err == nil {
		_, err = x.Definition(ctx, d.Definition) // what is written of the run is kept as the definition says
	}
	if err != nil {
		return machine.Start{}, "", err
	}
	return d.Root.Identity(), d.Definition, nil
}

func (x executions) Definition(ctx context.Context, id string) (*asl.Definition, error) {
	return x.s.definitions.Definition(ctx, id)
}

func (x executions) ChildDefinition(definition, label string) string {
	return childRevision(definition, label)
}

func (x executions) StartChild(ctx context.Context, c *maprun.Child) error {
	test, err := x.s.testOfChild(ctx, c.Parent)
	if err != nil {
		return err
	}
	_, err = x.s.engine.StartExecution(ctx, engine.StartInput{Start: c.Start, Definition: c.Definition, Parent: c.Trace,
		Token: "map run/" + c.ARN, Test: test})
	return err
}

func (x executions) RedriveChild(ctx context.Context, c *maprun.Child) error {
	_, err := x.s.engine.Redrive(ctx, c.ARN, engine.RedriveInput{Delivery: c.Redrive})
	var refused *engine.NotRedrivable
	if errors.As(err, &refused) {
		return maprun.ErrNotRedrivable
	}
	return err
}

func (x executions) RunChild(ctx context.Context, c *maprun.Child) (*maprun.Result, error) {
	test, err := x.s.testOfChild(ctx, c.Parent)
	if err != nil {
		return nil, err
	}
	r, err := x.s.engine.RunExpress(ctx, engine.StartInput{Start: c.Start, Definition: c.Definition, Parent: c.Trace, Test: test})
	if err != nil {
		return nil, err
	}
	return &maprun.Result{Status: r.Status, Output: r.Output, Error: r.Error, Cause: r.Cause, Start: r.Start, Stop: r.Stop}, nil
}

func (x executions) Result(ctx context.Context, arn string) (*maprun.Result, error) {
	d, err := x.s.engine.Describe(ctx, arn)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, maprun.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &maprun.Result{Status: d.Root.Status(), Input: d.Input, Output: d.Output, Error: d.Root.Error(), Cause: d.Root.Cause(),
		Start: d.Root.StartTime(), Stop: d.Root.StopTime(), Redrives: d.Root.Redrives(), Redriven: d.Root.RedriveTime()}, nil
}

func (x executions) StopChild(ctx context.Context, arn string) error {
	return x.deliver(ctx, arn, machine.Event{Kind: machine.StopRequested})
}

func (x executions) Awaits(ctx context.Context, arn string, a machine.Attempt) (bool, error) {
	return x.s.engine.Awaits(ctx, arn, a)
}

func (x executions) Answer(ctx context.Context, arn string, ev machine.Event) error {
	return x.deliver(ctx, arn, ev)
}

func (x executions) deliver(ctx context.Context, arn string, ev machine.Event) error {
	_, err := x.s.engine.Deliver(ctx, arn, ev)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// childRevision is the id of what a map run's children run: a part of a revision, found by the Map's label. A machine's
// ARN has no slash.
func childRevision(id, label string) string {
	revision, _, _ := strings.Cut(id, "/")
	return revision + "/" + label
}

// child is the processor of the distributed Map of that label as a machine of its own.
func (c *compiled) child(label string) (*compiled, error) {
	for _, s := range c.definition.States {
		if s.Type != asl.Map || !s.Map.Distributed || s.Map.Label != label {
			continue
		}
		r := *c.revision
		r.Machine, r.Name, r.Type, r.Definition = r.Machine+"/"+label, r.Name+"/"+label, s.Map.ExecutionType, s.Map.Definition
		d, diagnostics := asl.Compile([]byte(r.Definition), asl.Options{Express: r.Type == "EXPRESS"})
		if d == nil {
			return nil, errors.New("the processor of Map " + s.Name + " does not compile: " + asl.InvalidDefinition(diagnostics))
		}
		r.Variables = d.VariableReferences
		return &compiled{&r, d, c.logging}, nil
	}
	return nil, errors.New("no distributed Map with label " + label + " in " + c.Machine)
}

func noMapRun(arn string) *aws.Error {
	e := aws.Errorf("ResourceNotFound", "Resource not found: '%s'", arn)
	e.Fields = map[string]any{"resourceName": arn}
	return e
}

// mapRunOf takes the ARN of a map run.
func mapRunOf(c *service.Context) (string, error) {
	var in struct{ MapRunArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return "", err
	}
	_, err := parseType(in.MapRunArn, "mapRun")
	return in.MapRunArn, err
}

func (s *Service) describeMapRun(ctx context.Context, c *service.Context) (any, error) {
	arn, err := mapRunOf(c)
	if err != nil {
		return nil, err
	}
	d, err := s.maps.Describe(ctx, arn)
	if errors.Is(err, maprun.ErrNotFound) {
		return nil, noMapRun(arn)
	}
	if err != nil {
		return nil, err
	}
	b := appendMembers(nil, "mapRunArn", d.ARN, "executionArn", d.ExecutionARN, "status", d.Status)
	b = appendEpoch(append(b, `,"startDate":`...), d.Start)
	if d.Stop != 0 {
		b = appendEpoch(append(b, `,"stopDate":`...), d.Stop)
	}
	b = appendInt(append(b, `,"maxConcurrency":`...), d.MaxConcurrency)
	b = appendInt(append(b, `,"toleratedFailureCount":`...), d.ToleratedFailureCount)
	b = strconv.AppendFloat(append(b, `,"toleratedFailurePercentage":`...), d.ToleratedFailurePercentage, 'f', -1, 64)
	b = appendCounts(append(b, `,"itemCounts":`...), &d.Items)
	b = appendCounts(append(b, `,"executionCounts":`...), &d.Executions)
	if d.Redrives > 0 { // the only recording has none of these members
		b = appendRedrives(b, d.Redrives, d.Redriven)
	}
	return closeObject(b), nil
}

// appendCounts writes the counts; the two of redrives, which the only recording lacks, where there is something to count.
func appendCounts(b []byte, n *maprun.Counts) []byte {
	var o []byte
	for _, m := range []struct {
		name string
		n    int64
	}{
		{"pending", n.Pending}, {"running", n.Running}, {"succeeded", n.Succeeded}, {"failed", n.Failed}, {"timedOut", n.TimedOut},
		{"aborted", n.Aborted}, {"total", n.Total}, {"resultsWritten", n.ResultsWritten},
	} {
		o = appendNumber(o, m.name, m.n, true)
	}
	o = appendNumber(o, "failuresNotRedrivable", n.FailuresNotRedrivable, false)
	o = appendNumber(o, "pendingRedrive", n.PendingRedrive, false)
	return append(b, closeObject(o)...)
}

func (s *Service) listMapRuns(ctx context.Context, c *service.Context) (any, error) {
	arn, err := executionOf(c)
	if err != nil {
		return nil, err
	}
	var in struct {
		MaxResults int
		NextToken  *string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	after, err := decodePage(in.NextToken)
	if err != nil {
		return nil, err
	}
	if _, err := s.engine.Describe(ctx, arn); err != nil {
		if errors.Is(err, engine.ErrNotFound) {
			return nil, noExecution(arn)
		}
		return nil, err
	}
	runs, next, err := s.maps.List(ctx, arn, after, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	b := []byte(`{"mapRuns":[`)
	for i, d := range runs {
		if i > 0 {
			b = append(b, ',')
		}
		m := appendMembers(nil, "executionArn", d.ExecutionARN, "mapRunArn", d.ARN, "stateMachineArn", d.MachineARN)
		m = appendEpoch(append(m, `,"startDate":`...), d.Start)
		if d.Stop != 0 {
			m = appendEpoch(append(m, `,"stopDate":`...), d.Stop)
		}
		b = append(b, closeObject(m)...)
	}
	b = append(b, ']')
	if next != "" {
		b = appendMember(b, "nextToken", encodePage(next))
	}
	return json.RawMessage(append(b, '}')), nil
}

func (s *Service) updateMapRun(ctx context.Context, c *service.Context) (any, error) {
	arn, err := mapRunOf(c)
	if err != nil {
		return nil, err
	}
	var ch maprun.Change
	if err := service.Decode(c.Request, &ch); err != nil {
		return nil, err
	}
	err = s.maps.Update(ctx, arn, ch)
	switch {
	case errors.Is(err, maprun.ErrNotFound):
		return nil, noMapRun(arn)
	case errors.Is(err, maprun.ErrOver):
		e := aws.Errorf("ValidationException", "Map Run is already completed and cannot be updated: '%s'", arn)
		e.Fields = map[string]any{"reason": "CANNOT_UPDATE_COMPLETED_MAP_RUN"}
		return nil, e
	case err != nil:
		return nil, err
	}
	return nil, nil
}

// listChildren is ListExecutions by map run.
func (s *Service) listChildren(ctx context.Context, mapRunARN, status, redrive string, max int, token *string) (any, error) {
	n, err := parseType(mapRunARN, "mapRun")
	if err != nil {
		return nil, err
	}
	position, err := decodePage(token)
	if err != nil {
		return nil, err
	}
	var below uint64
	if position != "" {
		if below, err = strconv.ParseUint(position, 10, 64); err != nil {
			return nil, engine.ErrToken
		}
	}
	filter := maprun.ChildFilter{Status: statuses[status], Pending: status == pendingRedrive}
	if redrive != "" {
		redriven := redrive == "REDRIVEN"
		filter.Redriven = &redriven
	}
	children, next, err := s.maps.Children(ctx, mapRunARN, filter, below, pageSize(max))
	if errors.Is(err, maprun.ErrNotFound) {
		return nil, noMapRun(mapRunARN)
	}
	if err != nil {
		return nil, err
	}
	b := []byte(`{"executions":[`)
	for i := range children {
		ch := &children[i]
		if i > 0 {
			b = append(b, ',')
		}
		m := appendMembers(nil, "executionArn", ch.ARN, "stateMachineArn", n.machineARN(), "name", ch.Name, "status", childStatus(ch.Status, ch.Pending), "mapRunArn", mapRunARN)
		m = appendEpoch(append(m, `,"startDate":`...), ch.Start)
		if ch.Stop != 0 {
			m = appendEpoch(append(m, `,"stopDate":`...), ch.Stop)
		}
		m = appendNumber(m, "itemCount", ch.Items, false)
		b = append(b, closeObject(appendRedrives(m, ch.Redrives, ch.Redriven))...)
	}
	b = append(b, ']')
	if next != 0 {
		b = appendMember(b, "nextToken", encodePage(strconv.FormatUint(next, 10)))
	}
	return json.RawMessage(append(b, '}')), nil
}

// isChild reports whether an execution's ARN is that of a map run's child.
func isChild(arn string) bool { return strings.Contains(arn, "/") }

// describeExpressChild describes an Express child of a map run, the only Express execution that can be described; ok is
// false if the request is not for one.
func (s *Service) describeExpressChild(ctx context.Context, c *service.Context) (out any, ok bool, err error) {
	var in struct{ ExecutionArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, true, err
	}
	n, err := parse(in.ExecutionArn)
	if err != nil || n.Type != "express" || len(n.Tail) != 3 || !isChild(n.Tail[0]) {
		return nil, false, nil
	}
	run, r, err := s.maps.RunOf(ctx, in.ExecutionArn)
	if errors.Is(err, maprun.ErrNotFound) {
		return nil, true, noExecution(in.ExecutionArn)
	}
	if err != nil {
		return nil, true, err
	}
	b := appendMembers(nil, "executionArn", in.ExecutionArn, "stateMachineArn", run.MachineARN, "name", n.Tail[1], "status", childStatus(r.Status, r.Pending), "mapRunArn", run.ARN)
	b = appendEpoch(append(b, `,"startDate":`...), r.Start.UnixMilli())
	if r.Status != machine.Running {
		b = appendEpoch(append(b, `,"stopDate":`...), r.Stop.UnixMilli())
	}
	if r.Input != nil {
		b = appendMember(b, "input", r.Input.String())
		b = append(b, `,"inputDetails":{"included":true}`...)
	}
	if r.Output != nil {
		b = appendMember(b, "output", r.Output.String())
		b = append(b, `,"outputDetails":{"included":true}`...)
	}
	b = appendPointer(b, "error", r.Error)
	b = appendPointer(b, "cause", r.Cause)
	b = appendRedrives(b, r.Redrives, 0)
	switch r.Status {
	case machine.Running, machine.Succeeded:
		b = appendMembers(b, "redriveStatus", notRedrivable, "redriveStatusReason", "Execution is "+statusName(r.Status)+" and cannot be redriven")
	default:
		b = appendMember(b, "redriveStatus", redrivableByMapRun)
	}
	return closeObject(b), true, nil
}

// mapRunOfChild is the map run that an execution is a child of, "" if it is none, and whether the child waits there to be
// redriven.
func (s *Service) mapRunOfChild(ctx context.Context, arn string) (mapRun string, pending bool, err error) {
	if !isChild(arn) {
		return "", false, nil
	}
	run, r, err := s.maps.RunOf(ctx, arn)
	if errors.Is(err, maprun.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return run.ARN, r.Pending, nil
}

const pendingRedrive = "PENDING_REDRIVE"

// childStatus is the status of a map run's child.
func childStatus(s machine.Status, pending bool) string {
	if pending {
		return pendingRedrive
	}
	return statusName(s)
}
