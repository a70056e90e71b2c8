package states_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/states"
	"github.com/newel-run/newel/internal/store/memory"
)

type object = map[string]any

// answering is a task that gives what it is told, or fails.
type answering func(d engine.Dispatch) engine.Outcome

func (a answering) Run(_ context.Context, d engine.Dispatch) engine.Outcome { return a(d) }
func (a answering) Cancel(context.Context, engine.Dispatch) error           { return nil }

// tester is a Step Functions API whose tasks echo their arguments, and whose mocks must have a member "must".
func tester(t *testing.T) func(input object) (object, error) {
	t.Helper()
	s := states.New(states.Config{
		Env: &service.Env{Store: memory.New(memory.Options{}), Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		Dispatcher: answering(func(d engine.Dispatch) engine.Outcome {
			return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(`{"echo":` + d.Task.Arguments.String() + `}`)}
		}),
		MockProblem: func(_ asl.Integration, result []byte, required bool) string {
			if required && !strings.Contains(string(result), `"must"`) {
				return "must is missing"
			}
			return ""
		},
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return func(input object) (object, error) {
		in, err := json.Marshal(input)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Call(t.Context(), &aws.Request{Service: "states", Operation: "TestState", Account: "000000000000", Region: "us-east-1", Input: in})
		if err != nil {
			return nil, err
		}
		var answer object
		b, err := service.Marshal(out.Value)
		if err == nil {
			err = json.Unmarshal(b, &answer)
		}
		return answer, err
	}
}

const role = "arn:aws:iam::000000000000:role/r"

// TestStateFlow compares answers member by member; texts that hold JSON are compared as JSON.
func TestStateFlow(t *testing.T) {
	test := tester(t)
	retry := `"Retry":[{"ErrorEquals":["A"]},{"ErrorEquals":["B"],"IntervalSeconds":3,"MaxAttempts":2,"BackoffRate":4}]`
	catch := `"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.why","Next":"Elsewhere"}]`
	task := `{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{"a.$":"$.x"},"Next":"After",` + retry + `,` + catch + `}`
	distributed := func(fields string) string {
		return `{"Type":"Map","ItemsPath":"$.l",` + fields + `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
			"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}},"End":true}`
	}
	for name, c := range map[string]struct{ in, want object }{
		"a task that is sent": {
			object{"definition": task, "input": `{"x":1}`, "roleArn": role, "inspectionLevel": "TRACE"},
			object{"status": "SUCCEEDED", "nextState": "After", "output": `{"echo":{"a":1}}`, "inspectionData": object{
				"input": `{"x":1}`, "afterInputPath": `{"x":1}`, "afterParameters": `{"a":1}`, "result": `{"echo":{"a":1}}`,
				"afterResultSelector": `{"echo":{"a":1}}`, "afterResultPath": `{"echo":{"a":1}}`}},
		},
		"a retry that is left": {
			object{"definition": task, "input": `{"x":1}`, "inspectionLevel": "DEBUG", "mock": object{"errorOutput": object{"error": "B"}},
				"stateConfiguration": object{"retrierRetryCount": 1}},
			object{"status": "RETRIABLE", "error": "B", "inspectionData": object{"input": `{"x":1}`, "afterInputPath": `{"x":1}`,
				"afterParameters": `{"a":1}`, "errorDetails": object{"retryIndex": 1.0, "retryBackoffIntervalSeconds": 12.0}}},
		},
		"no retry is left": {
			object{"definition": task, "input": `{"x":1}`, "inspectionLevel": "DEBUG", "mock": object{"errorOutput": object{"error": "B", "cause": "c"}},
				"stateConfiguration": object{"retrierRetryCount": 2}},
			object{"status": "CAUGHT_ERROR", "error": "B", "cause": "c", "nextState": "Elsewhere", "output": `{"x":1,"why":{"Error":"B","Cause":"c"}}`,
				"inspectionData": object{"input": `{"x":1}`, "afterInputPath": `{"x":1}`, "afterParameters": `{"a":1}`,
					"errorDetails": object{"retryIndex": 1.0, "catchIndex": 0.0}}},
		},
		"an activity": {
			object{"definition": `{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:a","End":true}`,
				"mock": object{"result": `{"must":2}`}},
			object{"status": "SUCCEEDED", "output": `{"must":2}`},
		},
		"a failed field": {
			object{"definition": `{"Type":"Pass","InputPath":"$.no","Next":"N"}`, "input": `{}`},
			object{"status": "FAILED", "error": "States.Runtime", "cause": "Invalid path '$.no' : No results for path: $['no']"},
		},
		"selected and batched items": {
			object{"definition": distributed(`"ItemSelector":{"i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value","e.$":"$$.Execution.Name"},
				"ItemBatcher":{"MaxItemsPerBatch":2},"ToleratedFailurePercentage":50,`), "input": `{"l":[7,8,9]}`, "inspectionLevel": "DEBUG",
				"context": `{"Execution":{"Name":"n"}}`, "mock": object{"result": `[1,2]`}, "stateConfiguration": object{"mapIterationFailureCount": 1}},
			object{"status": "SUCCEEDED", "output": `[1,2]`, "inspectionData": object{"input": `{"l":[7,8,9]}`, "afterInputPath": `{"l":[7,8,9]}`,
				"afterItemsPath": `[7,8,9]`, "afterItemSelector": `[{"i":0,"v":7,"e":"n"},{"i":1,"v":8,"e":"n"},{"i":2,"v":9,"e":"n"}]`,
				"afterItemBatcher":    `[{"Items":[{"i":0,"v":7,"e":"n"},{"i":1,"v":8,"e":"n"}]},{"Items":[{"i":2,"v":9,"e":"n"}]}]`,
				"afterResultSelector": `[1,2]`, "afterResultPath": `[1,2]`, "maxConcurrency": 0.0, "toleratedFailurePercentage": 50.0}},
		},
		"too many failed batches": {
			object{"definition": distributed(`"ItemBatcher":{"MaxItemsPerBatch":2},"ToleratedFailurePercentage":50,`), "input": `{"l":[7,8,9]}`,
				"mock": object{"result": `[1,2]`}, "stateConfiguration": object{"mapIterationFailureCount": 2}},
			object{"status": "FAILED", "error": "States.ExceedToleratedFailureThreshold", "cause": "The specified tolerated failure threshold was exceeded"},
		},
		"JSONata and variables": {
			object{"definition": `{"Type":"Task","QueryLanguage":"JSONata","Resource":"arn:aws:states:::sqs:sendMessage","Arguments":{"a":"{% $states.input.x + $v %}"},
				"Assign":{"v":"{% $states.result.echo.a %}","w":2},"Output":"{% $v %}","Next":"N"}`, "input": `{"x":1}`, "roleArn": role,
				"variables": `{"v":4,"u":[1]}`, "inspectionLevel": "DEBUG"},
			object{"status": "SUCCEEDED", "nextState": "N", "output": `4`, "inspectionData": object{"input": `{"x":1}`, "afterArguments": `{"a":5}`,
				"result": `{"echo":{"a":5}}`, "variables": `{"u":[1],"v":5,"w":2}`}},
		},
		"variables of a failed state": {
			object{"definition": `{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $nothing %}","Assign":{"v":1},"End":true}`, "input": `{}`,
				"variables": `{"u":1}`, "inspectionLevel": "DEBUG"},
			object{"status": "FAILED", "error": "States.QueryEvaluationError",
				"cause":          "The JSONata expression '$nothing' specified for the field 'Output' returned nothing (undefined).",
				"inspectionData": object{"input": `{}`, "variables": `{"u":1}`}},
		},
		"a JSONata Map within a machine": {
			object{"definition": `{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map","Items":"{% $states.input %}","MaxConcurrency":"{% $m %}",
				"ItemSelector":{"twice":"{% $states.context.Map.Item.Value * 2 %}"},
				"ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}},"Next":"E"},"E":{"Type":"Succeed"}}}`, "stateName": "M",
				"variables": `{"m":3}`, "input": `[1,2]`, "inspectionLevel": "DEBUG", "mock": object{"result": `[5]`}},
			object{"status": "SUCCEEDED", "nextState": "E", "output": `[5]`, "inspectionData": object{"input": `[1,2]`,
				"afterItemSelector": `[{"twice":2},{"twice":4}]`, "maxConcurrency": 3.0, "variables": `{"m":3}`}},
		},
		"batches of a JSONata Map": {
			object{"definition": `{"Type":"Map","QueryLanguage":"JSONata","Items":[1,2,3],"ItemBatcher":{"MaxItemsPerBatch":2},
				"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}},"End":true}`,
				"inspectionLevel": "DEBUG", "mock": object{"result": `[5]`}},
			object{"status": "SUCCEEDED", "output": `[5]`, "inspectionData": object{"input": `{}`, "afterItemBatcher": `[{"Items":[1,2]},{"Items":[3]}]`,
				"maxConcurrency": 0.0}},
		},
		"a file of items": {
			object{"definition": distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},
				"ReaderConfig":{"InputType":"JSON","ItemsPointer":"/a","MaxItems":2}},`), "input": `{}`, "inspectionLevel": "DEBUG",
				"mock": object{"result": `[1,2]`}, "stateConfiguration": object{"mapItemReaderData": `{"a":[5,6,7]}`}},
			object{"status": "SUCCEEDED", "output": `[1,2]`, "inspectionData": object{"input": `{}`, "afterInputPath": `{}`, "afterItemsPointer": `[5,6]`,
				"afterResultSelector": `[1,2]`, "afterResultPath": `[1,2]`, "maxConcurrency": 0.0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := test(c.in)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := json.MarshalIndent(parsed(c.want), "", " ")
			b, _ := json.MarshalIndent(parsed(have), "", " ")
			if string(a) != string(b) {
				t.Errorf("want %s\nhave %s", a, b)
			}
		})
	}
}

// parsed replaces texts that hold an object or array by what they hold.
func parsed(v any) any {
	switch v := v.(type) {
	case object:
		out := maps.Clone(v)
		for k := range out {
			out[k] = parsed(out[k])
		}
		return out
	case string:
		var inner any
		if strings.ContainsAny(v[:min(1, len(v))], "{[") && json.Unmarshal([]byte(v), &inner) == nil {
			return inner
		}
	}
	return v
}

// TestStateWait: a Wait state takes its time, up to the five minutes that a test may take.
func TestStateWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := tester(t)
		begin := time.Now()
		have, err := test(object{"definition": `{"Type":"Wait","Seconds":200,"End":true}`})
		if err != nil || have["status"] != "SUCCEEDED" || time.Since(begin) != 200*time.Second {
			t.Errorf("%v %v after %v", have, err, time.Since(begin))
		}
		begin = time.Now()
		have, err = test(object{"definition": `{"Type":"Wait","Seconds":400,"End":true}`})
		if err != nil || have["status"] != "FAILED" || have["error"] != "States.Timeout" || time.Since(begin) != 5*time.Minute {
			t.Errorf("%v %v after %v", have, err, time.Since(begin))
		}
	})
}

func TestStateRefusals(t *testing.T) {
	test := tester(t)
	task := `{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{},"End":true}`
	parallel := `{"Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}],"End":true}`
	result := object{"result": `{"must":1}`}
	for _, c := range []struct {
		code, message string
		in            object
	}{
		{"InvalidDefinition", "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null'", object{"definition": `[]`}},
		{"InvalidDefinition", "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [Type] at /States/StateName'", object{"definition": `{}`}},
		{"InvalidDefinition", "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: N at /States/A/Next, MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B'",
			object{"definition": `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"N"},"B":{"Type":"Succeed"}}}`, "stateName": "A"}},
		{"InvalidArn", "Invalid Arn: 'Invalid ARN prefix: r'", object{"definition": task, "roleArn": "r"}},
		{"InvalidExecutionInput", "", object{"definition": `{"Type":"Succeed"}`, "input": "{"}},
		{"ValidationException", "A test mock should have only one of the following fields: [result, errorOutput].",
			object{"definition": task, "mock": object{"result": `{}`, "errorOutput": object{}}}},
		{"ValidationException", "must is missing", object{"definition": task, "mock": object{"result": `{}`}}},
		{"InvalidDefinition", "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]",
			object{"definition": parallel, "roleArn": role}},
		{"ValidationException", "", object{"definition": task, "mock": result, "stateConfiguration": object{"mapIterationFailureCount": 1}}},
		{"ValidationException", "", object{"definition": task, "mock": result, "stateConfiguration": object{"mapItemReaderData": "[]"}}},
		{"ValidationException", "", object{"definition": parallel, "mock": object{"result": `[1]`}, "stateConfiguration": object{"errorCausedByState": "X"}}},
		{"ValidationException", "", object{"definition": task, "roleArn": role, "context": "{}"}},
		{"ValidationException", "", object{"definition": task, "mock": result, "variables": "[]"}},
		{"ValidationException", "Invalid Context object provided: Field 'Task' is not allowed", object{"definition": task, "mock": result, "context": `{"Task":{"Token":"t"}}`}},
		{"ValidationException", "Invalid Context object provided: State.RetryCount must be a number", object{"definition": task, "mock": result, "context": `{"State":{"RetryCount":"1"}}`}},
	} {
		have, err := test(c.in)
		var e *aws.Error
		if !errors.As(err, &e) || e.Code != c.code || c.message != "" && e.Message != c.message {
			t.Errorf("%v: %v %v", c.in, have, err)
		}
	}
	if have, err := test(object{"definition": task, "mock": object{"result": `{}`, "fieldValidationMode": "PRESENT"}}); err != nil || have["status"] != "SUCCEEDED" {
		t.Errorf("PRESENT: %v %v", have, err)
	}
}
