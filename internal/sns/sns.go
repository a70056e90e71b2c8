// Package sns is Amazon SNS: topics, standard and FIFO, and their fan-out.
//
// A topic with its subscriptions is one partition, placed by its name; its rows are authoritative. Publish is one
// transaction: it reads the subscriptions, applies their filter policies and writes one outbox entry for each that is
// to get the message. So a message is owed to all of them exactly if the publisher was answered, and each receiver in this
// server sees it once. A FIFO topic's entries are delivered one after the other for each message group and subscription.
//
// Mails and text messages go to the mail sink (internal/mail). Subscriptions of all protocols but HTTP are confirmed at
// once, also email: nobody reads the sink to click a link. HTTP endpoints confirm as on AWS.
//
// Messages are signed with the server's own key, whose certificate it serves (sign.go).
package sns

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Service is SNS.
type Service struct {
	*service.Service
	outbox *outbox.Outbox
	signer signer
	client *http.Client
}

// New makes the service. Start begins its deliveries, Close ends them.
func New(env *service.Env) *Service {
	s := &Service{outbox: outbox.New(env, "sns"), client: &http.Client{
		Timeout:       15 * time.Second, // AWS's
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.signer.init(s)
	s.Service = service.New("sns", env, []service.Operation{
		{Name: "CreateTopic", Key: keyName, Update: s.createTopic},
		{Name: "DeleteTopic", Key: keyTopic, Update: s.deleteTopic},
		{Name: "ListTopics", Do: s.listTopics},
		{Name: "GetTopicAttributes", Key: keyTopic, View: s.getTopicAttributes},
		{Name: "SetTopicAttributes", Key: keyTopic, Update: s.setTopicAttributes},
		{Name: "AddPermission", Key: keyTopic, Update: s.addPermission},
		{Name: "RemovePermission", Key: keyTopic, Update: s.removePermission},
		{Name: "TagResource", Key: keyTopic, Update: s.tagResource},
		{Name: "UntagResource", Key: keyTopic, Update: s.untagResource},
		{Name: "ListTagsForResource", Key: keyTopic, View: s.listTags},
		{Name: "Subscribe", Key: keyTopic, Update: s.subscribe},
		{Name: "ConfirmSubscription", Key: keyTopic, Update: s.confirm},
		{Name: "Unsubscribe", Key: keySubscription, Update: s.unsubscribe},
		{Name: "ListSubscriptions", Do: s.listSubscriptions},
		{Name: "ListSubscriptionsByTopic", Key: keyTopic, View: s.listByTopic},
		{Name: "GetSubscriptionAttributes", Key: keySubscription, View: s.getSubscriptionAttributes},
		{Name: "SetSubscriptionAttributes", Key: keySubscription, Update: s.setSubscriptionAttributes},
		{Name: "Publish", Do: s.publish},
		{Name: "PublishBatch", Do: s.publishBatch},
		{Name: deliverHTTP, Do: s.deliverHTTP},
	})
	s.KeyFault = keyFault
	return s
}

// Start goes on with the deliveries that are owed.
func (s *Service) Start(ctx context.Context) error { return s.outbox.Start(ctx) }

// Close ends the deliveries; the next Start goes on with them.
func (s *Service) Close() { s.outbox.Close() }

// Call runs one operation. The account and region of a topic's ARN are the request's: the resolver of foreign ARNs in front
// of the services has seen to that.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	out, err := s.Service.Call(ctx, r)
	if errors.Is(err, errNoKey) {
		if err = s.signer.ready(ctx); err == nil {
			out, err = s.Service.Call(ctx, r)
		}
	}
	return out, service.Wire(err)
}

// address identifies a topic.
type address struct{ account, region, name string }

func (a address) arn() string {
	return aws.ARN{Service: "sns", Region: a.region, Account: a.account, Resource: a.name}.String()
}

// The rows of a topic, keyed by kind, account, region and topic.
const (
	rowTopic        byte = 't' // record (topic)
	rowSubscription byte = 's' // id -> record (subscription)
	rowDeleted      byte = 'x' // id -> nothing: subscriptions that were deleted, which AWS counts
	rowSequence     byte = 'q' // FIFO: last sequence number
	rowSent         byte = 'd' // FIFO: deduplication id -> time, message id, sequence number
	rowSentTime     byte = 'e' // FIFO: time, deduplication id
	rowSigning      byte = 'k' // the server's signing key
)

func (a address) key(kind byte) store.Key {
	return append(store.K(store.TableTopic), kind).Str(a.account).Str(a.region).Str(a.name)
}

// named is how operations name a topic.
type named struct{ TopicArn, TargetArn, ResourceArn, SubscriptionArn, Name string }

// topicOf is the topic that a request names; where it says which parameter of the request does.
func topicOf(r *aws.Request) (a address, where string, err error) {
	var in named
	if err := service.Decode(r, &in); err != nil {
		return a, "", err
	}
	text, where := in.TopicArn, "TopicArn"
	for _, other := range [...][2]string{{in.TargetArn, "TargetArn"}, {in.ResourceArn, "ResourceArn"}, {in.SubscriptionArn, "SubscriptionArn"}} {
		if text == "" && other[0] != "" {
			text, where = other[0], other[1]
		}
	}
	if a, _, err = parseTopic(text, where); err != nil && text == "" && in.Name != "" {
		return address{r.Account, r.Region, in.Name}, "Name", nil
	}
	return a, where, err
}

// parseTopic takes the ARN of a topic, or of a subscription, apart; id is the subscription's.
func parseTopic(text, where string) (a address, id string, err error) {
	arn, ok := aws.ParseARN(text)
	if !ok {
		if text == "" {
			return a, "", invalid("%s Reason: no value for required parameter", where)
		}
		return a, "", invalid("%s Reason: An ARN must have at least 6 elements, not %d", where, strings.Count(text, ":")+1)
	}
	name, id, isSubscription := strings.Cut(arn.Resource, ":")
	if arn.Service != "sns" || len(arn.Account) != 12 || name == "" || isSubscription != (where == "SubscriptionArn") || strings.Contains(name, "/") {
		return a, "", invalid("%s", where)
	}
	return address{arn.Account, arn.Region, name}, id, nil
}

func keyName(r *aws.Request) (string, error) {
	var in named
	err := service.Decode(r, &in)
	return in.Name, err
}

func keyTopic(r *aws.Request) (string, error) {
	a, where, err := topicOf(r)
	if err == nil && where == "SubscriptionArn" {
		err = invalid("TopicArn")
	}
	return a.name, err
}

func keySubscription(r *aws.Request) (string, error) {
	var in named
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	a, _, err := parseTopic(in.SubscriptionArn, "SubscriptionArn")
	return a.name, err
}

// invalid is AWS's error about a parameter.
func invalid(format string, args ...any) *aws.Error {
	return aws.Errorf("InvalidParameter", "Invalid parameter: "+format, args...)
}

func noTopic() *aws.Error {
	return &aws.Error{Code: "NotFound", Message: "Topic does not exist", Status: http.StatusNotFound}
}

func noSubscription() *aws.Error {
	return &aws.Error{Code: "NotFound", Message: "Subscription does not exist", Status: http.StatusNotFound}
}

func set(tx store.Tx, key store.Key, record any) error {
	b, err := json.Marshal(record)
	if err == nil {
		tx.Set(key, b)
	}
	return err
}
