package s3

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
)

// notification is a bucket's notification configuration.
type notification struct {
	TopicConfigurations          []target  `json:",omitempty"`
	QueueConfigurations          []target  `json:",omitempty"`
	LambdaFunctionConfigurations []target  `json:",omitempty"`
	EventBridgeConfiguration     *struct{} `json:",omitempty"`
}

// target is one configuration: exactly one of the ARNs is set.
type target struct {
	Id                                    string
	TopicArn, QueueArn, LambdaFunctionArn string `json:",omitempty"`
	Events                                []string
	Filter                                *struct {
		Key struct {
			FilterRules []struct{ Name, Value string }
		}
	} `json:",omitempty"`
}

func (t *target) arn() string { return t.TopicArn + t.QueueArn + t.LambdaFunctionArn }

// all calls fn with every target.
func (n *notification) all(fn func(t *target) error) error {
	for _, list := range [][]target{n.TopicConfigurations, n.QueueConfigurations, n.LambdaFunctionConfigurations} {
		for i := range list {
			if err := fn(&list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// wants reports whether a target is told of an event ("ObjectCreated:Put") on a key.
func (t *target) wants(name, key string) bool {
	family, _, _ := strings.Cut(name, ":")
	hit := false
	for _, e := range t.Events {
		e = strings.TrimPrefix(e, "s3:")
		hit = hit || e == name || e == family+":*"
	}
	if !hit || t.Filter == nil {
		return hit
	}
	for _, r := range t.Filter.Key.FilterRules {
		switch strings.ToLower(r.Name) {
		case "prefix":
			hit = hit && strings.HasPrefix(key, r.Value)
		case "suffix":
			hit = hit && strings.HasSuffix(key, r.Value)
		}
	}
	return hit
}

// eventFamilies are the events that a configuration may name; the families are those that end in ":*" too.
var eventFamilies = map[string][]string{
	"ObjectCreated": {"*", "Put", "Post", "Copy", "CompleteMultipartUpload"}, "ObjectRemoved": {"*", "Delete", "DeleteMarkerCreated"},
	"ObjectTagging": {"*", "Put", "Delete"}, "ObjectRestore": {"*", "Post", "Completed", "Delete"}, "ReducedRedundancyLostObject": {""},
	"Replication":         {"*", "OperationFailedReplication", "OperationMissedThreshold", "OperationReplicatedAfterThreshold", "OperationNotTracked"},
	"LifecycleExpiration": {"*", "Delete", "DeleteMarkerCreated"}, "LifecycleTransition": {""}, "IntelligentTiering": {""}, "ObjectAcl": {"Put"}, "TestEvent": nil,
}

func validEvent(name string) bool {
	name, ok := strings.CutPrefix(name, "s3:")
	family, kind, _ := strings.Cut(name, ":")
	if ok {
		for _, k := range eventFamilies[family] {
			if k == kind {
				return true
			}
		}
	}
	return false
}

// validate checks what can be seen without looking at the targets, and gives ids to those that have none.
func (n *notification) validate() error {
	ids := map[string]bool{}
	return n.all(func(t *target) error {
		arn, ok := aws.ParseARN(t.arn())
		if !ok || arn.Service != map[bool]string{t.TopicArn != "": "sns", t.QueueArn != "": "sqs", t.LambdaFunctionArn != "": "lambda"}[true] {
			return fail(400, "InvalidArgument", "The ARN could not be parsed", map[string]any{"ArgumentName": "ARN", "ArgumentValue": t.arn()})
		}
		if len(t.Events) == 0 {
			return malformedXML()
		}
		for _, e := range t.Events {
			if !validEvent(e) {
				return fail(400, "InvalidArgument", "The event '"+e+"' is not supported for notifications", map[string]any{"ArgumentName": "Event", "ArgumentValue": e})
			}
		}
		if t.Filter != nil {
			for _, r := range t.Filter.Key.FilterRules {
				if name := strings.ToLower(r.Name); name != "prefix" && name != "suffix" {
					return invalidArgument("FilterRule.Name", r.Name, "filter rule name must be either prefix or suffix")
				}
			}
		}
		if t.Id == "" {
			var b [24]byte
			rand.Read(b[:]) //nolint:errcheck // never fails
			t.Id = base64.RawURLEncoding.EncodeToString(b[:])
		}
		if ids[t.Id] {
			return invalidArgument("Id", t.Id, "Configuration ids must be unique")
		}
		ids[t.Id] = true
		return nil
	})
}

// putNotification checks that the targets exist, as S3 does, before it keeps the configuration, and greets those that are
// queues and topics.
func (s *Service) putNotification(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		owned
		NotificationConfiguration *notification
		SkipDestinationValidation bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.Bucket == "" {
		return nil, invalidBucketName("")
	}
	n := in.NotificationConfiguration
	if n == nil {
		return nil, malformedXML()
	}
	if err := s.peek(ctx, c, in.Bucket, in.ExpectedBucketOwner, func(*box) error { return nil }); err != nil {
		return nil, err
	}
	if err := n.validate(); err != nil {
		return nil, err
	}
	if !in.SkipDestinationValidation {
		if err := n.all(func(t *target) error { return s.reach(ctx, c, t) }); err != nil {
			return nil, err
		}
	}
	return s.commit(ctx, c, in.Bucket, nil, func(c *service.Context, b *box) (any, error) {
		b.tx.Set(row(rowConfig, b.name, kindNotification), encodeRow(n))
		if in.SkipDestinationValidation {
			return nil, nil
		}
		return nil, n.all(func(t *target) error {
			if t.LambdaFunctionArn != "" {
				return nil
			}
			return b.owe(t.call(string(encodeRow(map[string]any{"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": eventTime(c.Now), "Bucket": b.name,
				"RequestId": c.ID, "HostId": aws.ExtendedRequestID(c.ID)}))))
		})
	})
}

// reach asks a target's service whether it is there.
func (s *Service) reach(ctx context.Context, c *service.Context, t *target) error {
	arn, _ := aws.ParseARN(t.arn())
	r := &aws.Request{Account: arn.Account, Region: arn.Region, Principal: c.Principal}
	switch {
	case t.QueueArn != "":
		r.Service, r.Operation, r.Input = "sqs", "GetQueueUrl", encodeRow(map[string]string{"QueueName": arn.Resource, "QueueOwnerAWSAccountId": arn.Account})
	case t.TopicArn != "":
		r.Service, r.Operation, r.Input = "sns", "GetTopicAttributes", encodeRow(map[string]string{"TopicArn": t.TopicArn})
	default:
		r.Service, r.Operation, r.Input = "lambda", "GetFunctionConfiguration", encodeRow(map[string]string{"FunctionName": t.LambdaFunctionArn})
	}
	_, err := s.Env.Caller.Call(ctx, r)
	var e *aws.Error
	if errors.As(err, &e) && e.HTTPStatus() == 501 {
		return e
	}
	if err != nil {
		return fail(400, "InvalidArgument", "Unable to validate the following destination configurations", map[string]any{"ArgumentName1": t.arn(), "ArgumentValue1": "The destination " + strings.ToLower(r.Service) + " does not exist"})
	}
	return nil
}

// call is the delivery of a text to a target.
func (t *target) call(text string) outbox.Call {
	arn, _ := aws.ParseARN(t.arn())
	c := outbox.Call{Account: arn.Account, Region: arn.Region, Principal: "s3.amazonaws.com"}
	switch {
	case t.QueueArn != "":
		c.Service, c.Operation = "sqs", "SendMessage"
		c.Input = encodeRow(map[string]string{"QueueUrl": fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", arn.Region, arn.Account, arn.Resource), "MessageBody": text})
	case t.TopicArn != "":
		c.Service, c.Operation = "sns", "Publish"
		c.Input = encodeRow(map[string]string{"TopicArn": t.TopicArn, "Message": text, "Subject": "Amazon S3 Notification"})
	default:
		c.Service, c.Operation = "lambda", "Invoke"
		c.Input, c.Body = encodeRow(map[string]string{"FunctionName": t.LambdaFunctionArn, "InvocationType": "Event"}), []byte(text)
	}
	return c
}

// owe adds a delivery to the transaction.
func (b *box) owe(call outbox.Call) error {
	return b.s.outbox.Add(b.c, b.tx, outbox.Entry{Request: call, Accepted: b.c.Now})
}

// notificationOf reads the configuration; nil if there is none.
func (b *box) notificationOf() (*notification, error) {
	raw, err := b.config(kindNotification)
	if err != nil || raw == nil {
		return nil, err
	}
	var n notification
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, err
	}
	return &n, nil
}
