package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// customResource is AWS::CloudFormation::CustomResource and every Custom::NAME.
var customResource = &Type{
	Name: "AWS::CloudFormation::CustomResource", Open: true,
	Properties: properties("", "ServiceToken!~", "ServiceTimeout"),
	Drive:      custom{},
}

// custom drives a resource that a function makes: the function gets the request as its event and puts its answer to
// ResponseURL, an object of a bucket in this server's S3. A request is sent at least once, under the same RequestId.
type custom struct{}

func (custom) always() bool { return false }

// answerBucket is where custom resources answer to.
const answerBucket = "cloudformation-custom-resource-response"

// poll is how often the answer is looked for: functions answer by HTTP, which wakes nobody here.
const poll = 200 * time.Millisecond

type customAnswer struct {
	Status, Reason, PhysicalResourceId string //nolint:revive // the protocol's names
	Data                               json.RawMessage
}

func (c custom) create(ctx context.Context, r *run, rec *Record, next *Instance) error {
	a, err := c.ask(ctx, r, rec, next, nil, "Create")
	if err != nil {
		return err
	}
	if a.PhysicalResourceId == "" {
		return errors.New("Invalid PhysicalResourceId")
	}
	next.Ref, next.Attributes = a.PhysicalResourceId, a.attributes()
	return r.initiated(ctx, rec, next.Ref)
}

// update replaces the resource if the function answers with another physical id: the old one is deleted at the end.
func (c custom) update(ctx context.Context, r *run, rec *Record, next, old *Instance) error {
	a, err := c.ask(ctx, r, rec, next, old, "Update")
	if err != nil {
		return err
	}
	next.Attributes = a.attributes()
	if a.PhysicalResourceId == "" || a.PhysicalResourceId == rec.Ref {
		return nil
	}
	next.Ref = a.PhysicalResourceId
	return r.change(ctx, func(s *Stack, _ func(Event)) {
		left := *rec
		left.Generation, left.Properties, left.Attempt, left.Base, left.Before = -int(s.Operation), rec.Base, nil, nil, nil
		s.Garbage = append(s.Garbage, &left)
	})
}

func (c custom) delete(ctx context.Context, r *run, rec *Record, i *Instance) error {
	if rec.Ref == "" {
		return nil
	}
	_, err := c.ask(ctx, r, rec, i, nil, "Delete")
	return err
}

func (a *customAnswer) attributes() map[string]string {
	out := map[string]string{}
	v, err := value.Parse(a.Data)
	if o, ok := v.(*value.Object); ok && err == nil {
		for k, e := range o.All() {
			out[k] = textOf(e)
		}
	}
	return out
}

// ask sends a request and waits for the answer.
func (custom) ask(ctx context.Context, r *run, rec *Record, next, old *Instance, kind string) (*customAnswer, error) {
	id := uuidOf(fmt.Sprintf("%s/%s/%d", r.stack.ID, rec.ID, rec.Block))
	key := id
	if err := r.answersTo(ctx); err != nil {
		return nil, err
	}
	event := value.NewObject()
	for _, m := range [][2]string{{"RequestType", kind}, {"ServiceToken", next.text("ServiceToken")}, {"ResponseURL", r.answerURL(key)},
		{"StackId", r.stack.ID}, {"RequestId", id}, {"LogicalResourceId", rec.ID}, {"ResourceType", rec.Type}} {
		event.Set(m[0], m[1])
	}
	if rec.Ref != "" {
		event.Set("PhysicalResourceId", rec.Ref)
	}
	event.Set("ResourceProperties", stringly(next.Properties))
	if old != nil {
		event.Set("OldResourceProperties", stringly(old.Properties))
	}
	call := customCall(next.text("ServiceToken"), value.Append(nil, event))
	if _, err := r.caller(rec.Block).one(ctx, call); err != nil {
		return nil, err
	}
	timeout := time.Hour
	if t, ok := number(next.text("ServiceTimeout")); ok {
		f, _ := t.Float64()
		timeout = time.Duration(f * float64(time.Second))
	}
	return r.answer(ctx, key, timeout)
}

func customCall(token string, event []byte) Call {
	if a, ok := aws.ParseARN(token); ok && a.Service == "sns" {
		return call("sns", "Publish", "TopicArn", token, "Subject", "AWS CloudFormation custom resource request", "Message", string(event))
	}
	c := call("lambda", "Invoke", "FunctionName", token, "InvocationType", "Event")
	c.Body = event
	return c
}

// stringly makes all scalars of a value strings, as custom resources get them.
func stringly(v value.Value) value.Value {
	switch v := v.(type) {
	case value.Array:
		out := make(value.Array, len(v))
		for i, e := range v {
			out[i] = stringly(e)
		}
		return out
	case *value.Object:
		out := value.NewObject()
		for k, e := range v.All() {
			out.Set(k, stringly(e))
		}
		return out
	}
	return textOf(v)
}

// answersTo makes the bucket of the answers.
func (r *run) answersTo(ctx context.Context) error {
	c := call("s3", "CreateBucket", "Bucket", answerBucket+"-"+r.stack.Region)
	if r.stack.Region != "us-east-1" {
		c.Input.Set("CreateBucketConfiguration", value.NewObject(value.Member{Name: "LocationConstraint", Value: r.stack.Region}))
	}
	c.Ignore = []string{"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
	_, err := r.call(ctx, r.request(0, 0), c)
	return err
}

// answerURL is where the function puts its answer: path style, since names of buckets are no hosts here.
func (r *run) answerURL(key string) string {
	return r.s.env.BaseURL() + "/" + answerBucket + "-" + r.stack.Region + "/" + key
}

func (r *run) answer(ctx context.Context, key string, timeout time.Duration) (*customAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	at := Location{Bucket: answerBucket + "-" + r.stack.Region, Key: key}
	for {
		b, err := fetch(ctx, r.s.env.Caller, r.request(0, 0), at)
		if err == nil {
			var a customAnswer
			if err := json.Unmarshal(b, &a); err != nil {
				return nil, fmt.Errorf("Invalid response from the custom resource: %w", err)
			}
			_, err = r.call(ctx, r.request(0, 0), call("s3", "DeleteObject", "Bucket", at.Bucket, "Key", key))
			if err == nil && a.Status != "SUCCESS" {
				err = fmt.Errorf("Received response status [%s] from custom resource. Message returned: %s", a.Status, a.Reason)
			}
			return &a, err
		}
		if !strings.Contains(err.Error(), "NoSuchKey") {
			return nil, err
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return nil, errors.New("CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [" + key + "].")
		}
	}
}
