package sns

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// subscription is a subscription's record.
type subscription struct {
	Version    int
	ID         string
	Protocol   string
	Endpoint   string
	Account    string            // of who subscribed
	Attributes map[string]string `json:",omitempty"` // as they were set
	Token      string            `json:",omitempty"` // awaited confirmation
	Signed     bool              `json:",omitempty"` // confirmed with AuthenticateOnUnsubscribe
}

func (s *subscription) pending() bool { return s.Token != "" }

func (s *subscription) raw() bool { return s.Attributes["RawMessageDelivery"] == "true" }

func (s *subscription) arn(a address) string { return a.arn() + ":" + s.ID }

// shownARN is the subscription's ARN as lists show it.
func (s *subscription) shownARN(a address) string {
	if s.pending() {
		return "PendingConfirmation"
	}
	return s.arn(a)
}

func (a address) subscriptions(rd store.Reader) (list []*subscription, err error) {
	for _, v := range rd.Scan(a.key(rowSubscription), a.key(rowSubscription).End(), false) {
		s, err := decodeSubscription(v)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func decodeSubscription(b []byte) (*subscription, error) {
	s := &subscription{}
	if json.Unmarshal(b, s) != nil || s.Version != recordVersion {
		return nil, errCorrupt
	}
	return s, nil
}

func (a address) put(tx store.Tx, s *subscription) error {
	return set(tx, a.key(rowSubscription).Str(s.ID), s)
}

// findSubscription reads the subscription that a request names.
func findSubscription(c *service.Context, rd store.Reader) (a address, s *subscription, err error) {
	var in named
	if err := service.Decode(c.Request, &in); err != nil {
		return a, nil, err
	}
	a, id, err := parseTopic(in.SubscriptionArn, "SubscriptionArn")
	if err != nil {
		return a, nil, err
	}
	a.account, a.region = c.Account, c.Region
	b, err := rd.Get(a.key(rowSubscription).Str(id))
	if err != nil {
		return a, nil, err
	}
	if b == nil {
		return a, nil, noSubscription()
	}
	s, err = decodeSubscription(b)
	return a, s, err
}

func (s *Service) subscribe(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Protocol, Endpoint    string
		Attributes            map[string]string
		ReturnSubscriptionArn bool //nolint:revive // AWS's name
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, t, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	sub := &subscription{Version: recordVersion, Protocol: in.Protocol, Endpoint: in.Endpoint, Account: c.Account}
	if err := checkEndpoint(t, in.Protocol, in.Endpoint); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		if err := sub.set(name, in.Attributes[name]); err != nil {
			return nil, err
		}
	}
	if err := sub.check(); err != nil {
		return nil, err
	}
	all, err := a.subscriptions(tx)
	if err != nil {
		return nil, err
	}
	for _, old := range all {
		if old.Protocol != sub.Protocol || old.Endpoint != sub.Endpoint {
			continue
		}
		if len(in.Attributes) > 0 && !maps.Equal(old.Attributes, sub.Attributes) {
			return nil, invalid("Attributes Reason: Subscription already exists with different attributes")
		}
		if old.pending() {
			if err := s.askConfirmation(c, tx, a, old); err != nil {
				return nil, err
			}
		}
		return subscribed(old, a, in.ReturnSubscriptionArn), nil
	}
	sub.ID = aws.NewUUID()
	if in.Protocol == "http" || in.Protocol == "https" {
		var token [64]byte
		rand.Read(token[:])
		sub.Token = hex.EncodeToString(token[:])
		if err := s.askConfirmation(c, tx, a, sub); err != nil {
			return nil, err
		}
	}
	if err := a.put(tx, sub); err != nil {
		return nil, err
	}
	return subscribed(sub, a, in.ReturnSubscriptionArn), nil
}

func subscribed(s *subscription, a address, full bool) any {
	arn := s.arn(a)
	if s.pending() && !full {
		arn = "pending confirmation"
	}
	return map[string]string{"SubscriptionArn": arn}
}

var phone = aws.Lazy(`^\+?[0-9][0-9 ().-]{3,30}$`)

// checkEndpoint refuses an endpoint that does not fit its protocol, and protocols that are not here.
func checkEndpoint(t *topic, protocol, endpoint string) error {
	arn, isARN := aws.ParseARN(endpoint)
	switch protocol {
	case "sqs":
		if !isARN || arn.Service != "sqs" || arn.Resource == "" {
			return invalid("SQS endpoint ARN")
		}
		if strings.HasSuffix(arn.Resource, ".fifo") && !t.fifo() {
			return invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
		}
	case "lambda":
		if !isARN || arn.Service != "lambda" || !strings.HasPrefix(arn.Resource, "function:") {
			return invalid("Lambda endpoint ARN")
		}
	case "http", "https":
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != protocol || u.Host == "" {
			return invalid("Endpoint must match the specified protocol")
		}
	case "email", "email-json":
		if address, err := mail.ParseAddress(endpoint); err != nil || address.Address != endpoint {
			return invalid("Email address")
		}
	case "sms":
		if !phone.MatchString(endpoint) {
			return invalid("Invalid SMS endpoint: %s", endpoint)
		}
	case "application", "firehose":
		return invalid("Protocol Reason: Newel does not implement subscriptions of the protocol %s; it has sqs, lambda, http, https, email, email-json and sms.", protocol)
	default:
		return invalid("Amazon SNS does not support this protocol string: %s", protocol)
	}
	if t.fifo() && protocol != "sqs" {
		return invalid("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")
	}
	return nil
}

// set checks and keeps one attribute; check looks at them together.
func (s *subscription) set(name, v string) error {
	var err error
	switch name {
	case "RawMessageDelivery":
		v = strings.ToLower(v)
		if v != "true" && v != "false" {
			err = invalid("Attributes Reason: RawMessageDelivery: Invalid value [%s]. Must be true or false.", v)
		} else if v == "true" && !slices.Contains([]string{"sqs", "http", "https"}, s.Protocol) {
			err = invalid("Attributes Reason: RawMessageDelivery: Delivery protocol [%s] does not support raw message delivery.", s.Protocol)
		}
	case "FilterPolicy":
		if v == "{}" {
			v = ""
		}
	case "FilterPolicyScope":
		if v != "MessageAttributes" && v != "MessageBody" {
			err = invalid("FilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", v)
		}
	case "RedrivePolicy":
		err = checkRedrive(v)
	case "DeliveryPolicy":
		if v != "" && !isObject(v) {
			err = invalid("DeliveryPolicy: failed to parse JSON.")
		}
	case "SubscriptionRoleArn", "ReplayPolicy":
		err = invalid("Attributes Reason: Newel does not implement %s.", name)
	default:
		err = invalid("AttributeName")
	}
	if err != nil {
		return err
	}
	if s.Attributes == nil {
		s.Attributes = map[string]string{}
	}
	if v == "" {
		delete(s.Attributes, name)
	} else {
		s.Attributes[name] = v
	}
	return nil
}

func (s *subscription) check() error {
	text := s.Attributes["FilterPolicy"]
	if text == "" {
		return nil
	}
	_, err := parseFilter(text, s.Attributes["FilterPolicyScope"] == "MessageBody")
	return err
}

func checkRedrive(v string) error {
	if v == "" {
		return nil
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if json.Unmarshal([]byte(v), &policy) != nil {
		return invalid("RedrivePolicy: failed to parse JSON.")
	}
	if arn, ok := aws.ParseARN(policy.Target); !ok || arn.Service != "sqs" {
		return invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
	}
	return nil
}

func (s *Service) confirm(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Token                     string
		AuthenticateOnUnsubscribe string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, _, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	all, err := a.subscriptions(tx)
	if err != nil {
		return nil, err
	}
	for _, sub := range all {
		if sub.Token != "" && sub.Token == in.Token {
			sub.Token, sub.Signed = "", strings.EqualFold(in.AuthenticateOnUnsubscribe, "true")
			return map[string]string{"SubscriptionArn": sub.arn(a)}, a.put(tx, sub)
		}
	}
	return nil, invalid("Token")
}

// unsubscribe forgets a subscription; one that is not there is no error.
func (s *Service) unsubscribe(c *service.Context, tx store.Tx) (any, error) {
	a, sub, err := findSubscription(c, tx)
	if e := noSubscription(); err != nil && err.Error() == e.Error() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tx.Delete(a.key(rowSubscription).Str(sub.ID))
	tx.Set(a.key(rowDeleted).Str(sub.ID), []byte{})
	return nil, nil
}

// listed is a subscription in a list.
type listed struct{ SubscriptionArn, Owner, Protocol, Endpoint, TopicArn string }

func (s *subscription) listed(a address) listed {
	return listed{s.shownARN(a), s.Account, s.Protocol, s.Endpoint, a.arn()}
}

func (s *Service) listByTopic(c *service.Context, rd store.Reader) (any, error) {
	var in struct{ NextToken string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, _, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	all, err := a.subscriptions(rd)
	if err != nil {
		return nil, err
	}
	part, next, err := page(all, in.NextToken, func(s *subscription) string { return s.ID })
	if err != nil {
		return nil, err
	}
	list := []listed{}
	for _, sub := range part {
		list = append(list, sub.listed(a))
	}
	return withToken(map[string]any{"Subscriptions": list}, next), nil
}

func (s *Service) listSubscriptions(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct{ NextToken string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	type entry struct {
		key string
		listed
	}
	var all []entry
	err := s.each(ctx, c, rowSubscription, func(a address, id string, row []byte) error {
		sub, err := decodeSubscription(row)
		if err == nil {
			all = append(all, entry{a.name + "/" + id, sub.listed(a)})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y entry) int { return strings.Compare(x.key, y.key) })
	part, next, err := page(all, in.NextToken, func(e entry) string { return e.key })
	if err != nil {
		return nil, err
	}
	list := []listed{}
	for _, e := range part {
		list = append(list, e.listed)
	}
	return service.Answer(withToken(map[string]any{"Subscriptions": list}, next)), nil
}

func (s *Service) getSubscriptionAttributes(c *service.Context, rd store.Reader) (any, error) {
	a, sub, err := findSubscription(c, rd)
	if err != nil {
		return nil, err
	}
	out := map[string]string{
		"SubscriptionArn": sub.arn(a), "TopicArn": a.arn(), "Owner": sub.Account, "Protocol": sub.Protocol, "Endpoint": sub.Endpoint,
		"ConfirmationWasAuthenticated": boolean(!sub.pending() && (sub.Signed || sub.Protocol != "http" && sub.Protocol != "https")),
		"PendingConfirmation":          boolean(sub.pending()), "RawMessageDelivery": "false",
		"SubscriptionPrincipal": aws.ARN{Service: "iam", Account: sub.Account, Resource: "root"}.String(),
	}
	maps.Copy(out, sub.Attributes)
	if out["FilterPolicy"] != "" && out["FilterPolicyScope"] == "" {
		out["FilterPolicyScope"] = "MessageAttributes"
	}
	if sub.Protocol == "http" || sub.Protocol == "https" {
		out["EffectiveDeliveryPolicy"] = deliveryOf(sub)
	}
	return map[string]any{"Attributes": out}, nil
}

func deliveryOf(sub *subscription) string {
	if v := sub.Attributes["DeliveryPolicy"]; v != "" {
		return v
	}
	return `{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/plain; charset=UTF-8"},"guaranteed":false}`
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (s *Service) setSubscriptionAttributes(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ AttributeName, AttributeValue string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, sub, err := findSubscription(c, tx)
	if err != nil {
		return nil, err
	}
	if err := sub.set(in.AttributeName, in.AttributeValue); err != nil {
		return nil, err
	}
	if err := sub.check(); err != nil {
		return nil, err
	}
	return nil, a.put(tx, sub)
}
