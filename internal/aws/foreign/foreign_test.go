package foreign

import (
	"context"
	"strconv"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

const own = "000000000000"

func TestResolver(t *testing.T) {
	owned := map[string]bool{own + "us-east-1": true, "222222222222eu-west-1": true}
	for _, c := range []struct {
		name, service, input string
		strict               bool
		account, region      string
		want                 string // input that the service sees, "" for the same
	}{
		{name: "own", service: "states", input: `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m"}`, account: own, region: "us-east-1"},
		{name: "an account that owns something", service: "states", input: `{"stateMachineArn":"arn:aws:states:eu-west-1:222222222222:stateMachine:m"}`, account: "222222222222", region: "eu-west-1"},
		{name: "an account of the application's past", service: "states", input: `{"stateMachineArn":"arn:aws:states:ap-south-1:333333333333:stateMachine:m:1","input":"arn:aws:states:ap-south-1:333333333333:x"}`,
			account: own, region: "us-east-1", want: `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m:1","input":"arn:aws:states:ap-south-1:333333333333:x"}`},
		{name: "another region", service: "lambda", input: `{"FunctionName":"arn:aws:lambda:ap-south-1:000000000000:function:f"}`, account: own, region: "us-east-1", want: `{"FunctionName":"arn:aws:lambda:us-east-1:000000000000:function:f"}`},
		{name: "strict", service: "states", strict: true, input: `{"stateMachineArn":"arn:aws:states:ap-south-1:333333333333:stateMachine:m"}`, account: "333333333333", region: "ap-south-1"},
		{name: "nested", service: "states", input: `{"resourceArn":"arn:aws:states:ap-south-1:333333333333:x","routingConfiguration":[{"stateMachineVersionArn":"arn:aws:states:ap-south-1:333333333333:y","weight":1.0}]}`,
			account: own, region: "us-east-1", want: `{"resourceArn":"arn:aws:states:us-east-1:000000000000:x","routingConfiguration":[{"stateMachineVersionArn":"arn:aws:states:us-east-1:000000000000:y","weight":1.0}]}`},
		{name: "another service's ARN", service: "states", input: `{"roleArn":"arn:aws:iam::333333333333:role/r"}`, account: own, region: "us-east-1"},
		{name: "queue", service: "sqs", input: `{"QueueUrl":"https://sqs.us-west-2.amazonaws.com/333333333333/q","MessageBody":"arn:aws:sqs:us-west-2:333333333333:q"}`, account: own, region: "us-east-1",
			want: `{"QueueUrl":"https://sqs.us-west-2.amazonaws.com/000000000000/q","MessageBody":"arn:aws:sqs:us-west-2:333333333333:q"}`},
		{name: "no region", service: "states", strict: true, input: `{"stateMachineArn":"arn:aws:states:ap<a><a>:333333333333:stateMachine:m"}`, account: own, region: "us-east-1"},
		{name: "no account", service: "states", strict: true, input: `{"stateMachineArn":"arn:aws:states:ap-south-1:33333333333x:stateMachine:m"}`, account: own, region: "us-east-1"},
		{name: "no queue", service: "sqs", input: `{"QueueUrl":"q"}`, account: own, region: "us-east-1"},
		{name: "broken", service: "states", input: `{"stateMachineArn":"arn:`, account: own, region: "us-east-1"},
	} {
		var got *aws.Request
		v := New(Config{Strict: c.strict, Owns: func(account, region string) bool { return owned[account+region] }},
			aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) { got = r; return nil, nil }))
		if _, err := v.Call(context.Background(), &aws.Request{Service: c.service, Account: own, Region: "us-east-1", Input: []byte(c.input)}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want == "" {
			c.want = c.input
		}
		if got.Account != c.account || got.Region != c.region || string(got.Input) != c.want {
			t.Errorf("%s: %s %s %s\nwant %s %s %s", c.name, got.Account, got.Region, got.Input, c.account, c.region, c.want)
		}
	}
}

func TestErrorShowsWhatWasAskedFor(t *testing.T) {
	v := New(Config{Owns: func(string, string) bool { return false }}, aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) {
		return nil, aws.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: 'arn:aws:states:us-east-1:000000000000:stateMachine:m'")
	}))
	_, err := v.Call(context.Background(), &aws.Request{Service: "states", Account: own, Region: "us-east-1", Input: []byte(`{"stateMachineArn":"arn:aws:states:eu-west-1:333333333333:stateMachine:m"}`)})
	if want := "StateMachineDoesNotExist: State Machine Does Not Exist: 'arn:aws:states:eu-west-1:333333333333:stateMachine:m'"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// What is remembered of places that were told is bounded, whatever clients name.
func TestToldIsBounded(t *testing.T) {
	v := New(Config{}, nil)
	first := 0
	for i := range 3 * toldMost {
		if v.first(place{strconv.Itoa(i), "us-east-1"}) {
			first++
		}
	}
	if first != toldMost || len(v.told) != toldMost {
		t.Errorf("%d were told, %d are remembered, want %d", first, len(v.told), toldMost)
	}
}
