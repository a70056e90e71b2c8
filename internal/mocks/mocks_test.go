package mocks

import (
	"context"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

const file = `{
  "StateMachines": {"Order": {"TestCases": {"Happy": {"Pay": "Paid", "Ask": "Paid", "Work": "Paid"}, "Flaky": {"Pay": "Flaky"}}}},
  "MockedResponses": {
    "Paid": {"0": {"Return": {"StatusCode": 200, "Payload": {"n": 1.50}}}},
    "Flaky": {"0": {"Throw": {"Error": "Busy", "Cause": "try later"}}, "1-2": {"Throw": {"Error": "Slow"}}, "3": {"Return": "ok"}}
  }
}`

// real answers what no mock does.
type real struct{}

func (real) Run(context.Context, engine.Dispatch) engine.Outcome {
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(`"real"`)}
}
func (real) Cancel(context.Context, engine.Dispatch) error { return context.Canceled }

func TestResponsesByAttempt(t *testing.T) {
	c, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Dispatcher: real{}, Config: c}
	invoke := asl.Integration{Kind: asl.Service, Pattern: asl.RequestResponse}
	for _, x := range []struct {
		name        string
		test        *engine.Test
		state       string
		integration asl.Integration
		attempt     int
		want        string
		first       engine.OutcomeKind
	}{
		{"no test case", nil, "Pay", invoke, 0, `"real"`, 0},
		{"a state that the case does not have", &engine.Test{Case: "Happy"}, "Ship", invoke, 0, `"real"`, 0},
		{"numbers keep their digits", &engine.Test{Case: "Happy"}, "Pay", invoke, 0, `{"StatusCode":200,"Payload":{"n":1.50}}`, 0},
		{"a function's ARN gives the payload", &engine.Test{Case: "Happy"}, "Pay", asl.Integration{Kind: asl.LambdaARN}, 0, `{"n":1.50}`, 0},
		{"a callback is submitted first", &engine.Test{Case: "Happy"}, "Ask", asl.Integration{Kind: asl.Service, Pattern: asl.WaitForTaskToken}, 0,
			`{"StatusCode":200,"Payload":{"n":1.50}}`, engine.TaskSubmitted},
		{"an activity is claimed first", &engine.Test{Case: "Happy"}, "Work", asl.Integration{Kind: asl.Activity}, 0,
			`{"StatusCode":200,"Payload":{"n":1.50}}`, engine.TaskClaimed},
		{"the first attempt", &engine.Test{Case: "Flaky"}, "Pay", invoke, 0, "Busy: try later", 0},
		{"the begin of a range", &engine.Test{Case: "Flaky"}, "Pay", invoke, 1, "Slow: <nil>", 0},
		{"the end of a range", &engine.Test{Case: "Flaky"}, "Pay", invoke, 2, "Slow: <nil>", 0},
		{"after a range", &engine.Test{Case: "Flaky"}, "Pay", invoke, 3, `"ok"`, 0},
		{"beyond the list", &engine.Test{Case: "Flaky"}, "Pay", invoke, 4,
			"States.Runtime: No mocked response definition for state 'Pay' and attempt number '4'", 0},
		{"a case that is gone", &engine.Test{Case: "Old"}, "Pay", invoke, 0, "States.Runtime: State machine Order has no test case 'Old' any more", 0},
	} {
		d := engine.Dispatch{MachineARN: "arn:aws:states:us-east-1:000000000000:stateMachine:Order/Label", Test: x.test, Visit: x.attempt,
			Task: &machine.Task{State: x.state, Integration: x.integration, Arguments: value.TextString("{}")}}
		out := r.Run(t.Context(), d)
		got := ""
		if out.Kind == engine.TaskFailed {
			got = *out.Error + ": "
			if out.Cause == nil {
				got += "<nil>"
			} else {
				got += *out.Cause
			}
		} else {
			got = out.Output.String()
		}
		if got != x.want || out.First != x.first {
			t.Errorf("%s: %s, first %d; want %s, %d", x.name, got, out.First, x.want, x.first)
		}
		mocked := x.test != nil && x.state != "Ship"
		if err := r.Cancel(t.Context(), d); (err == nil) != mocked {
			t.Errorf("%s: cancel reached the service: %v", x.name, err != nil)
		}
	}
}

func TestArmsAndStrictCases(t *testing.T) {
	ok, no := Response{Return: []byte("1")}, Response{Error: "No"}
	c := &Case{Strict: true, Real: map[string]bool{"R": true}, States: map[string]*Mock{
		"S": {Arms: []Arm{{When: value.TextString(`{"id":2,"a":[{"b":1}]}`).Value(), Retries: []Response{no, ok}}}},
	}}
	for _, x := range []struct {
		state, arguments string
		retries          int
		want             *Response
		problem          string
	}{
		{"S", `{"id":2.0,"more":true,"a":[{"b":1,"c":2}]}`, 0, &no, ""},
		{"S", `{"id":2,"a":[{"b":1}]}`, 1, &ok, ""},
		{"S", `{"id":2,"a":[{"b":1}]}`, 5, &ok, ""},
		{"S", `{"id":2,"a":[{"b":1},2]}`, 0, nil, "No mock of state 'S' fits the arguments"},
		{"S", `{"id":3}`, 0, nil, "No mock of state 'S' fits the arguments {\"id\":3}"},
		{"T", `{}`, 0, nil, "State 'T' has no mock in this test case"},
		{"R", `{}`, 0, nil, ""},
	} {
		got, err := c.answer(x.state, 7, x.retries, value.TextString(x.arguments))
		if (err == nil) != (x.problem == "") || err != nil && !strings.Contains(err.Error(), x.problem) {
			t.Errorf("%s %s: error %v, want %q", x.state, x.arguments, err, x.problem)
		}
		if (got == nil) != (x.want == nil) || got != nil && (got.Error != x.want.Error || string(got.Return) != string(x.want.Return)) {
			t.Errorf("%s %s after %d retries: %+v, want %+v", x.state, x.arguments, x.retries, got, x.want)
		}
	}
}

func TestBadFilesNameThePlace(t *testing.T) {
	machines := `"StateMachines":{"M":{"TestCases":{"C":{"S":"R"}}}}`
	for text, want := range map[string]string{
		"{\n  \"StateMachines\": [}": "line 2, column 22",
		`{}`:                         "MockedResponses: is missing\nStateMachines: is missing",
		`{` + machines + `,"MockedResponses":{}}`:                                                                 "MockedResponses",
		`{` + machines + `,"MockedResponses":{"Q":{"0":{"Return":1}}}}`:                                           "StateMachines.M.TestCases.C.S: there is no MockedResponses.R",
		`{` + machines + `,"MockedResponses":{"R":{"x":{"Return":1}}}}`:                                           "MockedResponses.R.x: the number of an attempt",
		`{` + machines + `,"MockedResponses":{"R":{"3-1":{"Return":1}}}}`:                                         "MockedResponses.R.3-1: the number of an attempt",
		`{` + machines + `,"MockedResponses":{"R":{"0-2":{"Return":1},"1":{"Return":1}}}}`:                        "MockedResponses.R.1: attempt 1 has two responses",
		`{` + machines + `,"MockedResponses":{"R":{"0":{"Return":1,"Throw":{"Error":"E"}}}}}`:                     "MockedResponses.R.0: either Return or Throw",
		`{` + machines + `,"MockedResponses":{"R":{"0":{"Throw":{"Cause":"E"}}}}}`:                                "MockedResponses.R.0.Throw.Error: the name of an error",
		`{` + machines + `,"MockedResponses":{"R":{}}}`:                                                           "MockedResponses.R: there is no response",
		`{"StateMachines":{"M":{"TestCase":{}}},"MockedResponses":{}}`:                                            "StateMachines.M.TestCase: is not known",
		`{"StateMachines":{"M":{"TestCases":{"C":{"S":{"0":1}}}}},"MockedResponses":{"R":{"0":{"Return":null}}}}`: "StateMachines.M.TestCases.C.S: the name of a mocked response is needed",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n  error %v\n  want  %s", text, err, want)
		}
	}
}
