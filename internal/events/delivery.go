package events

import (
	"context"
	"errors"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
)

// principal is whom the targets see.
const principal = "events.amazonaws.com"

// delivery is an event on its way to a target.
type delivery struct {
	s      *Service
	bus    address
	rule   *rule
	target *target
	arn    aws.ARN // of the target
	event  *event
	input  []byte // what the target gets
}

// call is an operation with its input.
type call struct {
	service, operation string
	in                 any
	body               []byte
	region             string // of the target
}

// seal makes a call one that can be kept; an input that cannot be written is a bug.
func (d *delivery) seal(c call) outbox.Call {
	b, err := service.Marshal(c.in)
	if err != nil {
		panic(err)
	}
	return outbox.Call{Service: c.service, Operation: c.operation, Account: d.bus.account, Region: c.region, Principal: principal, Input: b, Body: c.body}
}

func toStateMachine(d *delivery) call {
	return call{"states", "StartExecution", map[string]string{"stateMachineArn": d.target.Arn, "input": string(d.input)}, nil, d.arn.Region}
}

func toFunction(d *delivery) call {
	return call{"lambda", "Invoke", map[string]string{"FunctionName": d.target.Arn, "InvocationType": "Event"}, d.input, d.arn.Region}
}

func (d *delivery) queueURL(arn aws.ARN) string {
	return strings.TrimSuffix(d.s.Env.BaseURL(), "/") + "/" + arn.Account + "/" + arn.Resource
}

func toQueue(d *delivery) call {
	in := map[string]any{"QueueUrl": d.queueURL(d.arn), "MessageBody": string(d.input)}
	if p := d.target.SqsParameters; p != nil && p.MessageGroupId != "" && strings.HasSuffix(d.arn.Resource, ".fifo") {
		in["MessageGroupId"], in["MessageDeduplicationId"] = p.MessageGroupId, d.event.id+"/"+d.rule.Name
	}
	return call{"sqs", "SendMessage", in, nil, d.arn.Region}
}

func toTopic(d *delivery) call {
	return call{"sns", "Publish", map[string]string{"TopicArn": d.target.Arn, "Message": string(d.input)}, nil, d.arn.Region}
}

// toBus puts the event on another bus as it is: only its id is new.
func toBus(d *delivery) call {
	o := d.event.value().(*value.Object)
	text := func(name string) string {
		v, _ := o.Get(name)
		s, _ := v.(string)
		return s
	}
	resources := []string{}
	if list, ok := member(o, "resources").(value.Array); ok {
		for _, r := range list {
			if s, ok := r.(string); ok {
				resources = append(resources, s)
			}
		}
	}
	in := map[string]any{"EventBusName": d.target.Arn, "Source": text("source"), "DetailType": text("detail-type"),
		"Detail": string(value.Append(nil, member(o, "detail"))), "Resources": resources}
	if at, err := parseTime(text("time")); err == nil {
		in["Time"] = at.Unix()
	}
	if d.event.trace != "" {
		in["TraceHeader"] = d.event.trace
	}
	return call{"events", "PutEvents", map[string]any{"Entries": []any{in}}, nil, d.arn.Region}
}

// toDestination has the event sent to an HTTP API, by the operation of package connection.
func toDestination(d *delivery) call {
	in := struct {
		Arn string //nolint:revive // AWS's name
		*httpParameters
	}{d.target.Arn, d.target.HttpParameters}
	return call{"events", "InvokeApiDestination", in, d.input, d.arn.Region}
}

func member(o *value.Object, name string) value.Value {
	v, _ := o.Get(name)
	return v
}

// deliverToLogs is an operation that only this server's outbox calls: it puts an event into a log group.
const deliverToLogs = "DeliverToLogs"

type logEvent struct {
	Group, Stream, Message string
	Timestamp              int64 // ms
}

func toLogGroup(d *delivery) call {
	group := strings.TrimSuffix(strings.TrimPrefix(d.arn.Resource, "log-group:"), ":*")
	message := string(d.input)
	return call{"events", deliverToLogs, logEvent{group, d.event.id, message, d.event.ingested.UnixMilli()}, nil, d.arn.Region}
}

func (s *Service) deliverToLogs(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in logEvent
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	do := func(operation string, input any, token aws.Token) error {
		b, err := service.Marshal(input)
		if err != nil {
			return err
		}
		_, err = s.Env.Caller.Call(ctx, &aws.Request{Service: "logs", Operation: operation, Account: c.Account, Region: c.Region, Principal: principal, Token: token, Input: b})
		return err
	}
	err := do("CreateLogStream", map[string]string{"logGroupName": in.Group, "logStreamName": in.Stream}, aws.Token{})
	var e *aws.Error
	if err != nil && (!errors.As(err, &e) || e.Code != "ResourceAlreadyExistsException") {
		return nil, err
	}
	err = do("PutLogEvents", map[string]any{"logGroupName": in.Group, "logStreamName": in.Stream,
		"logEvents": []any{map[string]any{"timestamp": in.Timestamp, "message": in.Message}}}, c.Token)
	if err != nil {
		return nil, err
	}
	return service.Answer(nil), nil
}

// deadLetter sends to a queue what the target did not take, with where it comes from.
func (d *delivery) deadLetter(queue string) call {
	arn, _ := aws.ParseARN(queue)
	attributes := map[string]any{}
	for name, v := range map[string]string{"RULE_ARN": d.bus.ruleARN(d.rule.Name), "TARGET_ARN": d.target.Arn} {
		attributes[name] = map[string]string{"DataType": "String", "StringValue": v}
	}
	return call{"sqs", "SendMessage", map[string]any{"QueueUrl": d.queueURL(arn), "MessageBody": string(d.input), "MessageAttributes": attributes}, nil, arn.Region}
}
