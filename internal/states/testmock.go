package states

import (
	"context"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
)

// testMock is what a state under test gets in the place of what its work would give.
type testMock struct {
	Result      *string
	ErrorOutput *struct{ Error, Cause *string }
	// FieldValidationMode: STRICT ("" too), PRESENT or NONE.
	FieldValidationMode string
}

// checkMock refuses a mock that cannot be the state's.
func (t *stateTest) checkMock() error {
	m := t.Mock
	switch {
	case m == nil:
		return nil
	case t.state.Type != asl.Task && t.state.Type != asl.Map && t.state.Type != asl.Parallel:
		return invalid("State type '%s' is not supported when a mock is specified", t.state.Type)
	case t.RevealSecrets:
		return invalid("TestState does not support RevealSecrets when a mock is specified.")
	case (m.Result == nil) == (m.ErrorOutput == nil):
		return invalid("A test mock should have only one of the following fields: [result, errorOutput].")
	case m.Result == nil:
		return nil
	case value.Valid([]byte(*m.Result)) != nil:
		return invalid("Mocked result must be valid JSON")
	}
	return t.checkResult(value.TextString(*m.Result))
}

// checkResult holds the mocked result against what the state's work can give.
func (t *stateTest) checkResult(result *value.Doc) error {
	items, isArray := value.Elements(result.Bytes())
	_, isObject := result.Value().(*value.Object)
	s := t.state
	switch {
	case s.Type == asl.Parallel && !isArray, s.Type == asl.Map && !s.WritesResults() && !isArray:
		return invalid("Mocked result must be an array.")
	case s.Type == asl.Parallel && len(items) != len(s.Branches):
		return invalid("Mocked result must contain the same number of items as number of Parallel branches.")
	case s.Type == asl.Map && s.WritesResults() && !isObject:
		return invalid("Mocked result must be a JSON object.")
	}
	if mode := t.Mock.FieldValidationMode; s.Type == asl.Task && mode != "NONE" {
		if problem := t.s.mockProblem(s.Task.Integration, result.Bytes(), mode != "PRESENT"); problem != "" {
			return invalid("%s", problem)
		}
	}
	return nil
}

// Run implements engine.Dispatcher: it gives the mock.
func (t *stateTest) Run(_ context.Context, _ engine.Dispatch) engine.Outcome {
	if t.state.Type == asl.Map {
		if failed := t.iterations(); failed != nil {
			return *failed
		}
	}
	if e := t.Mock.ErrorOutput; e != nil {
		return engine.Outcome{Kind: engine.TaskFailed, Error: e.Error, Cause: e.Cause}
	}
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(*t.Mock.Result)}
}

// Cancel implements engine.Dispatcher.
func (t *stateTest) Cancel(context.Context, engine.Dispatch) error { return nil }

// iterations works out how many iterations a Map would have had and whether too many of them have failed.
func (t *stateTest) iterations() *engine.Outcome {
	seen := t.seen
	children, known := seen.Inputs, seen.Inputs != nil
	if seen.Map.Batch != nil && known {
		var err error
		if children, err = t.s.maps.Batches(seen.Map.Batch, children); err != nil {
			e := err.(*asl.Error)
			return failedOutcome(e.Name, e.Cause)
		}
		seen.Saw(asl.AfterItemBatcher, listOf(children))
	}
	if !known && t.Mock.Result != nil {
		children, known = value.Elements([]byte(*t.Mock.Result))
	}
	given := t.StateConfiguration.MapIterationFailureCount
	if given == nil {
		return nil
	}
	if known && *given > int64(len(children)) {
		t.problem = invalid("Map iteration failure count must be less than or equal to the number of Map iterations")
		return failedOutcome(asl.ErrorRuntime, t.problem.Error())
	}
	count, percentage := t.state.Tolerated()
	exceeded := count && *given > seen.Map.ToleratedFailureCount ||
		percentage && known && float64(*given)*100 > seen.Map.ToleratedFailurePercentage*float64(len(children))
	if exceeded && t.Mock.ErrorOutput == nil {
		return failedOutcome("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded")
	}
	return nil
}

func failedOutcome(name, cause string) *engine.Outcome {
	return &engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &cause}
}

// listOf is an array of documents.
func listOf(docs []*value.Doc) *value.Doc {
	items := make(value.Array, len(docs))
	for i, d := range docs {
		items[i] = d.Value()
	}
	return value.Of(items)
}
