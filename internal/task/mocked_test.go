package task

import (
	"testing"

	"github.com/newel-run/newel/asl"
)

func TestMockProblem(t *testing.T) {
	const sdk, optimised = "arn:aws:states:::aws-sdk:", "arn:aws:states:::"
	for _, c := range []struct{ resource, result, strict, present string }{
		{optimised + "states:startExecution", `{"StartDate":"2025-01-01T00:00:00Z"}`, "Required field 'ExecutionArn' is missing", ""},
		{optimised + "states:startExecution", `{"ExecutionArn":null,"StartDate":1}`, "Required field 'ExecutionArn' is missing", "Field 'StartDate' must be a string"},
		{optimised + "states:startExecution.sync:2", `{"ExecutionArn":"a","StateMachineArn":"m","Status":"DONE","Output":{},"StartDate":17}`,
			"Field 'Status' is not an expected value", "Field 'Status' is not an expected value"},
		{optimised + "states:startExecution.sync:2", `{"ExecutionArn":"a","StateMachineArn":"m","Status":"SUCCEEDED","Output":{},"StartDate":17}`, "", ""},
		{optimised + "states:startExecution.sync", `{"ExecutionArn":"a","StateMachineArn":"m","Status":"SUCCEEDED","Output":{},"StartDate":17}`,
			"Field 'Output' must be a string", "Field 'Output' must be a string"},
		{optimised + "lambda:invoke", `{"Payload":{"a":1},"StatusCode":200,"More":1}`, "", ""},
		{optimised + "lambda:invoke.waitForTaskToken", `{"StatusCode":"?"}`, "", ""},
		{optimised + "http:invoke", `[1]`, "", ""},
		{optimised + "dynamodb:getItem", `{"Item":{"id":{"BOOL":"yes"}}}`, "Field 'BOOL' must be a boolean", "Field 'BOOL' must be a boolean"},
		{sdk + "dynamodb:getItem", `{"Item":{"id":{"Bool":true,"L":{}}}}`, "Field 'L' must be an array", "Field 'L' must be an array"},
		{sdk + "dynamodb:getItem", `{"Item":[]}`, "Field 'Item' must be an object", "Field 'Item' must be an object"},
		{sdk + "lambda:getFunction", `{"Configuration":{"MemorySize": 127 }}`, "Field 'MemorySize' is less than the minimum value", "Field 'MemorySize' is less than the minimum value"},
		{"arn:aws:lambda:us-east-1:000000000000:function:f", `7`, "", ""},
	} {
		i, ok := asl.ParseResource(c.resource)
		if !ok {
			t.Fatal(c.resource)
		}
		for _, mode := range []struct {
			required bool
			want     string
		}{{true, c.strict}, {false, c.present}} {
			want := mode.want
			if want != "" {
				want = "Mock result schema validation error: " + want
			}
			if have := MockProblem(i, []byte(c.result), mode.required); have != want {
				t.Errorf("%s %s, required %v: %q, want %q", c.resource, c.result, mode.required, have, want)
			}
		}
	}
}
