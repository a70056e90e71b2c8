package sns

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// principal is whom the receivers see.
const principal = "sns.amazonaws.com"

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// call makes a call that SNS owes; a part that cannot be written is a bug.
func call(account, region, serviceName, operation string, in any) outbox.Call {
	b, err := service.Marshal(in)
	if err != nil {
		panic(err)
	}
	return outbox.Call{Service: serviceName, Operation: operation, Account: account, Region: region, Principal: principal, Input: b}
}

// delivery is the call that gives a message to a subscription.
func (s *Service) delivery(c *service.Context, a address, t *topic, sub *subscription, m *message) (outbox.Entry, error) {
	text := m.text(sub.Protocol)
	body := text
	if !sub.raw() && sub.Protocol != "email" && sub.Protocol != "sms" && sub.Protocol != "lambda" {
		var err error
		if body, err = s.envelope(a, t, sub, m); err != nil {
			return outbox.Entry{}, err
		}
	}
	var e outbox.Entry
	switch sub.Protocol {
	case "sqs":
		e = toQueue(c, sub, m, body)
		if t.fifo() {
			e.Chain = sub.ID + "/" + m.MessageGroupID
		}
	case "lambda":
		event, err := s.lambdaEvent(a, t, sub, m)
		if err != nil {
			return e, err
		}
		arn, _ := aws.ParseARN(sub.Endpoint)
		e.Request = call(a.account, arn.Region, "lambda", "Invoke", map[string]string{"FunctionName": sub.Endpoint, "InvocationType": "Event"})
		e.Request.Body = event
	case "http", "https":
		headers := map[string]string{"x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": m.ID, "x-amz-sns-topic-arn": a.arn(), "x-amz-sns-subscription-arn": sub.arn(a)}
		if sub.raw() {
			headers["x-amz-sns-rawdelivery"] = "true"
		}
		e = outbox.Entry{Request: call(a.account, a.region, "sns", deliverHTTP, post{sub.Endpoint, headers, body}), MaxTries: httpTries}
	case "sms":
		var err error
		if e, err = textMessage(c, sub.Endpoint, a.arn(), m, t.protection(a)); err != nil {
			return e, err
		}
	default:
		e.Request = call(a.account, a.region, "newel-mail", "SendMail", s.mail(a, t, sub, m, body))
	}
	if failed := deadLetter(c, sub, m, body); failed != nil {
		e.OnFailure = failed
	}
	return e, nil
}

// sqsAttribute is a message attribute as SQS takes it.
type sqsAttribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

type sqsMessage struct {
	QueueUrl               string //nolint:revive // AWS's name
	MessageBody            string
	MessageAttributes      map[string]sqsAttribute `json:",omitempty"`
	MessageGroupId         string                  `json:",omitempty"` //nolint:revive // AWS's name
	MessageDeduplicationId string                  `json:",omitempty"` //nolint:revive // AWS's name
}

func toQueue(c *service.Context, sub *subscription, m *message, body string) outbox.Entry {
	in := sqsMessage{MessageBody: body}
	if sub.raw() {
		in.MessageAttributes = m.sqsAttributes()
	}
	return outbox.Entry{Request: queueCall(c, sub.Endpoint, in, m)}
}

func (m *message) sqsAttributes() map[string]sqsAttribute {
	out := map[string]sqsAttribute{}
	for name, a := range m.MessageAttributes {
		if strings.HasPrefix(a.DataType, "Binary") {
			out[name] = sqsAttribute{DataType: a.DataType, BinaryValue: a.BinaryValue}
		} else {
			out[name] = sqsAttribute{DataType: a.DataType, StringValue: &a.StringValue}
		}
	}
	return out
}

// queueCall sends a message to the queue of an ARN.
func queueCall(c *service.Context, queueARN string, in sqsMessage, m *message) outbox.Call {
	arn, _ := aws.ParseARN(queueARN)
	in.QueueUrl = strings.TrimSuffix(c.Env.BaseURL(), "/") + "/" + arn.Account + "/" + arn.Resource
	if strings.HasSuffix(arn.Resource, ".fifo") {
		in.MessageGroupId, in.MessageDeduplicationId = m.MessageGroupID, m.MessageDeduplicationID
	}
	return call(c.Account, arn.Region, "sqs", "SendMessage", in)
}

// deadLetter is the call that is made when a delivery has been given up.
func deadLetter(c *service.Context, sub *subscription, m *message, body string) *outbox.Call {
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if json.Unmarshal([]byte(sub.Attributes["RedrivePolicy"]), &policy) != nil || policy.Target == "" {
		return nil
	}
	in := sqsMessage{MessageBody: body}
	if sub.raw() {
		in.MessageAttributes = m.sqsAttributes()
	}
	failed := queueCall(c, policy.Target, in, m)
	return &failed
}

// sinkMail is a mail as the sink takes it.
type sinkMail struct {
	Kind, From, To, Subject, ContentType, Body, Source string
	Headers                                            map[string]string   `json:",omitempty"`
	Protection                                         *service.Protection `json:",omitempty"` // the topic's
}

// mail is a message as a mail. A mail's sender is the topic's display name, its text ends with how to unsubscribe.
func (s *Service) mail(a address, t *topic, sub *subscription, m *message, body string) sinkMail {
	out := sinkMail{Kind: "email", To: sub.Endpoint, Subject: "AWS Notification Message", ContentType: "text/plain", Body: body, Source: a.arn(), Protection: t.protection(a),
		Headers: map[string]string{"x-amz-sns-message-id": m.ID, "x-amz-sns-subscription-arn": sub.arn(a)}}
	if m.Subject != nil {
		out.Subject = *m.Subject
	}
	name := t.Attributes["DisplayName"]
	if name == "" {
		name = "AWS Notifications"
	}
	out.From = fmt.Sprintf("%q <no-reply@sns.amazonaws.com>", name)
	if sub.Protocol == "email" {
		out.Body += "\n\n--\nIf you wish to stop receiving notifications from this topic, please click or visit the link below to unsubscribe:\n" +
			s.unsubscribeURL(a, sub) + "\n\nPlease do not reply directly to this email. If you have any questions or comments regarding this email, please contact us at https://aws.amazon.com/support\n"
	}
	return out
}

// textMessage is a message as a text message in the mail sink.
func textMessage(c *service.Context, number, source string, m *message, p *service.Protection) (outbox.Entry, error) {
	sender := "NOTICE"
	if a, ok := m.MessageAttributes["AWS.SNS.SMS.SenderID"]; ok {
		sender = a.StringValue
	}
	return outbox.Entry{Request: call(c.Account, c.Region, "newel-mail", "SendMail",
		sinkMail{Kind: "sms", From: sender, To: number, ContentType: "text/plain", Body: m.text("sms"), Source: source, Protection: p})}, nil
}

func (s *Service) unsubscribeURL(a address, sub *subscription) string {
	return s.base() + "/?Action=Unsubscribe&SubscriptionArn=" + sub.arn(a)
}

func (s *Service) base() string { return strings.TrimSuffix(s.Env.BaseURL(), "/") }

// askConfirmation has an HTTP endpoint asked whether it wants to be subscribed.
func (s *Service) askConfirmation(c *service.Context, tx store.Tx, a address, sub *subscription) error {
	id, at := aws.NewUUID(), c.Now.UTC().Format(stamp)
	link := s.base() + "/?Action=ConfirmSubscription&TopicArn=" + a.arn() + "&Token=" + sub.Token
	text := "You have chosen to subscribe to the topic " + a.arn() + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."
	signature, certificate, err := s.signer.sign("1", "Message", text, "MessageId", id, "SubscribeURL", link, "Timestamp", at, "Token", sub.Token, "TopicArn", a.arn(), "Type", "SubscriptionConfirmation")
	if err != nil {
		return err
	}
	body := object("Type", "SubscriptionConfirmation", "MessageId", id, "Token", sub.Token, "TopicArn", a.arn(), "Message", text, "SubscribeURL", link,
		"Timestamp", at, "SignatureVersion", "1", "Signature", signature, "SigningCertURL", certificate)
	headers := map[string]string{"x-amz-sns-message-type": "SubscriptionConfirmation", "x-amz-sns-message-id": id, "x-amz-sns-topic-arn": a.arn()}
	return s.outbox.Add(c, tx, outbox.Entry{Request: call(a.account, a.region, "sns", deliverHTTP, post{sub.Endpoint, headers, body}), MaxTries: httpTries})
}

// deliverHTTP is an operation that only this server's outbox calls.
const deliverHTTP = "DeliverHTTP"

// httpTries is how often an HTTP endpoint is tried: with the outbox's growing pauses, for about three minutes.
const httpTries = 12

// post is the input of DeliverHTTP.
type post struct {
	Endpoint string
	Headers  map[string]string
	Body     string
}

// deliverHTTP posts to an endpoint. Any answer but success, and none, is tried again; but an answer that refuses the
// request itself (4xx other than 429) is final, as on AWS.
func (s *Service) deliverHTTP(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in post
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.Endpoint, bytes.NewReader([]byte(in.Body)))
	if err != nil {
		return nil, invalid("Endpoint Reason: %s", err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=UTF-8")
	req.Header.Set("User-Agent", "Amazon Simple Notification Service Agent")
	for _, name := range slices.Sorted(maps.Keys(in.Headers)) {
		req.Header[name] = []string{in.Headers[name]}
	}
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, &aws.Error{Code: "EndpointUnreachable", Message: err.Error(), Status: http.StatusServiceUnavailable, Fault: true}
	}
	defer res.Body.Close()                                      //nolint:errcheck // it is read as far as it matters
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16)) // so that the connection can be used again
	switch {
	case res.StatusCode < 300:
		return service.Answer(nil), nil
	case res.StatusCode >= 400 && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests:
		return nil, &aws.Error{Code: "EndpointRefused", Message: "The endpoint answered " + res.Status, Status: http.StatusBadRequest}
	}
	return nil, &aws.Error{Code: "EndpointFailed", Message: "The endpoint answered " + res.Status, Status: http.StatusServiceUnavailable, Fault: true}
}

func (a *attribute) shown() string {
	if strings.HasPrefix(a.DataType, "Binary") {
		return base64.StdEncoding.EncodeToString(a.BinaryValue)
	}
	return a.StringValue
}
