package states

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/maprun"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

// testInput is the input of TestState.
type testInput struct {
	Definition, StateName, InspectionLevel string
	RoleArn, Input, Context, Variables     *string
	RevealSecrets                          bool
	Mock                                   *testMock
	StateConfiguration                     struct {
		RetrierRetryCount        uint32
		ErrorCausedByState       string
		MapIterationFailureCount *int64
		MapItemReaderData        *string
	}
}

// stateTest is one state that is put to the test.
type stateTest struct {
	testInput
	s     *Service
	def   *asl.Definition
	state *asl.State
	seen  *machine.Inspection
	input *value.Doc
	// exchange is what an HTTP task sent and got; nil for every other state.
	exchange *engine.Exchange
	// problem is why the request cannot be answered after all.
	problem error
}

func invalid(format string, args ...any) *aws.Error {
	return aws.Errorf("ValidationException", format, args...)
}

// testState is TestState: the state runs as the only one of an Express execution that is kept nowhere. Its task is sent as
// any other, or a mock stands for it.
func (s *Service) testState(ctx context.Context, c *service.Context) (any, error) {
	t := &stateTest{s: s}
	if err := service.Decode(c.Request, &t.testInput); err != nil {
		return nil, err
	}
	if err := t.find(); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	machineName, name := aws.NewUUID(), aws.NewUUID()
	start := machine.Start{
		ARN: newARN(c.Request, "express:"+machineName+":"+name), Name: name, MachineName: machineName,
		MachineARN: newARN(c.Request, "stateMachine:"+machineName), Region: c.Region, Input: t.input,
	}
	if t.RoleArn != nil {
		start.RoleARN = *t.RoleArn
	}
	rand.Read(start.Seed[:])
	run := engine.StateRun{Start: start, Definition: t.def, Inspection: t.seen, Dispatcher: watched{s.dispatcher, t}}
	if t.Mock != nil {
		run.Dispatcher = t
	}
	result, err := s.engine.RunState(ctx, run)
	if err == nil {
		err = t.problem
	}
	if err != nil {
		return nil, err
	}
	return t.answer(result), nil
}

// loneState is the name of a state whose definition comes without a machine.
const loneState = "StateName"

// find compiles the definition and finds the state in it.
func (t *stateTest) find() error {
	o := asl.Options{Resource: t.s.resource}
	if t.Mock != nil {
		o.Resource = nil // nothing is sent: what AWS has is enough
	}
	text, name := t.Definition, t.StateName
	if name == "" && isObject(text) {
		name, o.Fragment = loneState, true
		text = `{"StartAt":"` + loneState + `","States":{"` + loneState + `":` + text + `}}`
	}
	var found []asl.Diagnostic
	if t.def, found = asl.Compile([]byte(text), o); t.def == nil {
		return aws.Errorf("InvalidDefinition", "Invalid State Machine Definition: '%s'", asl.InvalidDefinition(found))
	}
	if t.state = t.def.StateNamed(name); t.state == nil {
		return invalid("State not found in definition")
	}
	return nil
}

// isObject reports whether a text is a JSON object.
func isObject(text string) bool {
	return value.Valid([]byte(text)) == nil && strings.HasPrefix(strings.TrimSpace(text), "{")
}

// check refuses what TestState does not do, in AWS's words, and sets the test up.
func (t *stateTest) check() error {
	if t.RoleArn != nil && !strings.HasPrefix(*t.RoleArn, "arn:") {
		return invalidARN("Invalid ARN prefix: %s", *t.RoleArn)
	}
	t.seen = &machine.Inspection{State: t.state, Retries: t.StateConfiguration.RetrierRetryCount}
	err := t.checkMock()
	if t.Mock == nil {
		err = t.checkUnmocked()
	}
	if err == nil {
		err = t.checkConfiguration()
	}
	if err == nil {
		t.seen.Context, err = t.mockedContext()
	}
	if err == nil {
		t.seen.Variables, err = variablesOf(t.Variables)
	}
	if err == nil {
		t.input, err = executionInput(t.Input)
	}
	return err
}

// checkUnmocked refuses states that are tested with a mock only.
func (t *stateTest) checkUnmocked() error {
	switch t.state.Type {
	case asl.Map, asl.Parallel:
		return aws.Errorf("InvalidDefinition", "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]")
	case asl.Task:
		if i := t.state.Task.Integration; i.Kind == asl.Activity || i.Pattern != asl.RequestResponse {
			return invalid("TestState supports the resource %s only when a mock is specified.", t.state.Task.Resource)
		}
		if t.RoleArn == nil {
			return invalid("RoleArn must be specified when testing a Task state")
		}
	}
	return nil
}

// checkConfiguration refuses settings that have no meaning for the state.
func (t *stateTest) checkConfiguration() error {
	c := &t.StateConfiguration
	isMap := t.state.Type == asl.Map
	switch {
	case c.MapIterationFailureCount != nil && !isMap:
		return invalid("mapIterationFailureCount is supported for Map states only.")
	case c.MapItemReaderData != nil && (!isMap || !t.state.Map.Distributed || !t.state.HasItemReader()):
		return invalid("mapItemReaderData is supported for Map states with an ItemReader only.")
	case c.ErrorCausedByState != "" && !t.encloses(c.ErrorCausedByState):
		return invalid("errorCausedByState must name a state within the Map or Parallel state.")
	}
	if c.MapItemReaderData != nil {
		t.seen.Read = func(r *asl.ItemReader) ([]*value.Doc, error) { return maprun.ItemsIn(r, *c.MapItemReaderData) }
	}
	return nil
}

// encloses reports whether a state is within the branches or the processor of the tested one.
func (t *stateTest) encloses(name string) bool {
	inner := t.def.StateNamed(name)
	for inner != nil && inner.Scope.Owner != nil {
		if inner = inner.Scope.Owner; inner == t.state {
			return true
		}
	}
	return false
}

// answer writes the answer of TestState.
func (t *stateTest) answer(r *engine.ExpressResult) any {
	var b []byte
	status := "FAILED"
	switch {
	case r.Status == machine.Succeeded && t.seen.Failed:
		status = "CAUGHT_ERROR"
	case r.Status == machine.Succeeded:
		status = "SUCCEEDED"
	case t.seen.RetryDelay != nil:
		status = "RETRIABLE"
	}
	if status == "CAUGHT_ERROR" {
		r.Error, r.Cause = t.seen.Error, t.seen.Cause
	}
	b = appendPointer(b, "error", r.Error)
	b = appendPointer(b, "cause", r.Cause)
	if r.Output != nil {
		b = appendMember(b, "output", r.Output.String())
	}
	if t.InspectionLevel == "DEBUG" || t.InspectionLevel == "TRACE" {
		b = append(append(b, `,"inspectionData":`...), t.inspection()...)
	}
	if t.seen.Next != nil {
		b = appendMember(b, "nextState", t.seen.Next.Name)
	}
	return closeObject(appendMember(b, "status", status))
}

// stages is the order in which the answer has them.
var stages = []asl.Stage{asl.AfterInputPath, asl.AfterParameters, asl.AfterArguments, asl.AfterItemsPath, asl.AfterItemsPointer, asl.AfterItemSelector,
	asl.AfterItemBatcher, asl.StageResult, asl.AfterResultSelector, asl.AfterResultPath}

// inspection writes what was seen of the state's data flow.
func (t *stateTest) inspection() []byte {
	b := appendMember(nil, "input", t.input.String())
	for _, s := range stages {
		if doc := t.seen.Stages[s]; doc != nil {
			b = appendMember(b, string(s), doc.String())
		}
	}
	if variables := t.variables(); variables.Len() > 0 {
		b = appendMember(b, "variables", value.Of(variables).String())
	}
	if m := t.seen.Map; m != nil {
		count, percentage := t.state.Tolerated()
		b = fmt.Appendf(b, `,"maxConcurrency":%d`, m.MaxConcurrency)
		if count {
			b = fmt.Appendf(b, `,"toleratedFailureCount":%d`, m.ToleratedFailureCount)
		}
		if percentage {
			b = fmt.Appendf(b, `,"toleratedFailurePercentage":%v`, m.ToleratedFailurePercentage)
		}
	}
	if t.InspectionLevel == "TRACE" && t.exchange != nil {
		b = t.appendExchange(b)
	}
	if details := t.errorDetails(); len(details) > 0 {
		b = append(append(b, `,"errorDetails":`...), closeObject(details)...)
	}
	return closeObject(b)
}

// watched sends the state's task as any other and notes what an HTTP task has exchanged.
type watched struct {
	engine.Dispatcher
	test *stateTest
}

// Run implements engine.Dispatcher.
func (w watched) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	out := w.Dispatcher.Run(ctx, d)
	w.test.exchange = out.Exchange
	return out
}

// appendExchange writes the request and the answer of an HTTP task: with what its connection adds if secrets are to be
// revealed.
func (t *stateTest) appendExchange(b []byte) []byte {
	sent := t.exchange.Public
	if t.RevealSecrets {
		sent = t.exchange.Full
	}
	request := appendMember(appendMember(appendMember(nil, "protocol", sent.Protocol), "method", sent.Method), "url", sent.URL)
	request = appendMember(request, "headers", sent.Headers)
	if sent.Body != "" {
		request = appendMember(request, "body", sent.Body)
	}
	b = append(append(b, `,"request":`...), closeObject(request)...)
	if got := t.exchange.Answer; got != nil {
		answer := appendMember(appendMember(appendMember(nil, "protocol", got.Protocol), "statusCode", got.StatusCode), "statusMessage", got.StatusMessage)
		answer = appendMember(appendMember(answer, "headers", got.Headers), "body", got.Body)
		b = append(append(b, `,"response":`...), closeObject(answer)...)
	}
	return b
}

// variables are the workflow variables after the state.
func (t *stateTest) variables() *value.Object {
	list := t.seen.Assigned
	if list == nil {
		list = t.seen.Variables
	}
	o := &value.Object{}
	for _, v := range list {
		o.Set(v.Name, v.Value.Value())
	}
	return o
}

// errorDetails says who took the error.
func (t *stateTest) errorDetails() (b []byte) {
	if i := t.seen.Catcher; i != nil {
		b = fmt.Appendf(b, `,"catchIndex":%d`, *i)
	}
	if i := t.seen.Retrier; i != nil {
		b = fmt.Appendf(b, `,"retryIndex":%d`, *i)
	}
	if d := t.seen.RetryDelay; d != nil {
		b = fmt.Appendf(b, `,"retryBackoffIntervalSeconds":%d`, int64(d.Seconds()))
	}
	return b
}
