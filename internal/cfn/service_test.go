package cfn

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store/memory"
)

type fixture struct {
	*testing.T
	world   *world
	service *service.Service
}

func newFixture(t *testing.T) *fixture {
	st := memory.New(memory.Options{RunTwice: true})
	t.Cleanup(func() { st.Close() }) //nolint:errcheck // memory
	f := &fixture{T: t, world: &world{things: map[string]bool{}}}
	f.service = New(&service.Env{Store: st, Caller: f.world, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	return f
}

// call answers the output as JSON, or the error's code and message.
func (f *fixture) call(operation string, members ...any) string {
	f.Helper()
	in := map[string]any{}
	for i := 0; i+1 < len(members); i += 2 {
		in[members[i].(string)] = members[i+1]
	}
	b, err := json.Marshal(in)
	if err != nil {
		f.Fatal(err)
	}
	out, err := f.service.Call(f.Context(), &aws.Request{Service: "cloudformation", Operation: operation, Account: "000000000000", Region: "us-east-1", Input: b})
	var e *aws.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	if err != nil {
		f.Fatal(err)
	}
	if b, err = service.Marshal(out.Value); err != nil {
		f.Fatal(err)
	}
	return string(b)
}

func (f *fixture) want(got string, parts ...string) {
	f.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			f.Errorf("%s\nlacks %s", got, p)
		}
	}
}

const queueTemplate = `{"Parameters":{"N":{"Type":"String"}},"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":{"Ref":"N"}}}}}`

func parameter(v string) []map[string]string {
	return []map[string]string{{"ParameterKey": "N", "ParameterValue": v}}
}

func TestStackLife(t *testing.T) {
	f := newFixture(t)
	f.want(f.call("DescribeStacks", "StackName", "s"), "ValidationError: Stack with id s does not exist")
	f.want(f.call("CreateStack", "StackName", "s", "TemplateBody", queueTemplate), "ValidationError: Parameters: [N] must have values")
	f.want(f.call("CreateStack", "StackName", "s", "TemplateBody", queueTemplate, "Parameters", parameter("one")), `"StackId":"arn:aws:cloudformation:us-east-1:000000000000:stack/s/`)
	f.want(f.call("DescribeStacks", "StackName", "s"), `"StackStatus":"CREATE_COMPLETE"`, `"ParameterValue":"one"`)
	f.want(f.call("CreateStack", "StackName", "s", "TemplateBody", queueTemplate), "AlreadyExistsException: Stack [s] already exists")
	f.want(f.call("DescribeStackResources", "StackName", "s"), `"PhysicalResourceId":"http://queues/one"`, `"ResourceStatus":"CREATE_COMPLETE"`)
	previous := []map[string]any{{"ParameterKey": "N", "UsePreviousValue": true}}
	f.call("UpdateStack", "StackName", "s", "TemplateBody", queueTemplate, "Parameters", previous)
	f.want(f.world.take(), "CreateQueue one")
	f.call("UpdateStack", "StackName", "s", "TemplateBody", queueTemplate, "Parameters", parameter("two"))
	f.want(f.world.take(), "CreateQueue two\nDeleteQueue one")
	f.want(f.call("ListStacks"), `"StackStatus":"UPDATE_COMPLETE"`)
	f.want(f.call("GetTemplate", "StackName", "s"), `AWS::SQS::Queue`)
	f.want(f.call("DeleteStack", "StackName", "s"), `{}`)
	f.want(f.call("DescribeStacks"), `{"Stacks":[]}`)
	f.want(f.call("DeleteStack", "StackName", "s"), `{}`)
	if len(f.world.things) != 0 {
		t.Errorf("left: %v", f.world.things)
	}
}

func TestStackFails(t *testing.T) {
	f := newFixture(t)
	f.world.things["sqs:one"] = true
	f.call("CreateStack", "StackName", "s", "TemplateBody", queueTemplate, "Parameters", parameter("one"))
	f.want(f.call("DescribeStacks", "StackName", "s"), `"StackStatus":"CREATE_FAILED"`, `"StackStatusReason":"Q: one already exists"`)
	f.call("UpdateStack", "StackName", "s", "TemplateBody", queueTemplate, "Parameters", parameter("two"))
	f.want(f.call("DescribeStacks", "StackName", "s"), `"StackStatus":"UPDATE_COMPLETE"`)
}

func TestRefused(t *testing.T) {
	f := newFixture(t)
	f.want(f.call("CreateStack", "StackName", "s", "TemplateURL", "https://x"), "ValidationError: Newel does not support TemplateURL of CreateStack yet; supported: ")
	f.want(f.call("CreateStack", "StackName", "s"), "ValidationError: Either Template URL or Template Body must be specified.")
	f.want(f.call("CreateStack", "StackName", "1s", "TemplateBody", "{}"), "failed to satisfy constraint")
	f.want(f.call("CreateStack", "StackName", "s", "TemplateBody", "{}"), "ValidationError: Template format error: template:1:1: at least one resource")
	f.want(f.call("UpdateStack", "StackName", "s", "TemplateBody", queueTemplate), "ValidationError: Stack [s] does not exist")
	role := `{"Resources":{"R":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{}}}}}`
	f.want(f.call("CreateStack", "StackName", "s", "TemplateBody", role), "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]")
}
