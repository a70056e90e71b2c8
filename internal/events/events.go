// Package events is Amazon EventBridge: event buses, rules with patterns or schedules, targets.
//
// A bus with its rules and targets is one partition, placed by its name; its rows are authoritative. PutEvents is one
// transaction a bus: it matches the event against the enabled rules and writes one outbox entry for each target of those
// that match, so an event is owed to all of them exactly if it was accepted, and each target in this server gets it once.
// A rule's next scheduled time is in its record and moves in the transaction that owes the scheduled event: each time
// fires once. A time that passed while the server was down fires once at its start, further missed ones do not.
//
// In memory are hints only (watch.go): the patterns of the default buses, so that services can ask cheaply whether an
// event of theirs could matter, and the scheduled times.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Service is EventBridge.
type Service struct {
	*service.Service
	outbox *outbox.Outbox
	model  *aws.Service
	watch  *watch
}

// New makes the service; more are the operations of its parts that are packages of their own. Start begins deliveries and schedules, Close ends them.
func New(env *service.Env, more ...service.Operation) *Service {
	s := &Service{outbox: outbox.New(env, "events"), model: aws.MustModel("events")}
	s.watch = newWatch(s)
	s.Service = service.New("events", env, append([]service.Operation{
		{Name: "CreateEventBus", Key: keyName, Update: s.createBus},
		{Name: "UpdateEventBus", Key: keyName, Update: s.updateBus},
		{Name: "DeleteEventBus", Key: keyName, Update: s.deleteBus},
		{Name: "DescribeEventBus", Key: keyName, View: s.describeBus},
		{Name: "ListEventBuses", Do: s.listBuses},
		{Name: "PutPermission", Key: keyBus, Update: s.putPermission},
		{Name: "RemovePermission", Key: keyBus, Update: s.removePermission},
		{Name: "PutRule", Key: keyBus, Update: s.putRule},
		{Name: "DeleteRule", Key: keyBus, Update: s.deleteRule},
		{Name: "DescribeRule", Key: keyBus, View: s.describeRule},
		{Name: "ListRules", Key: keyBus, View: s.listRules},
		{Name: "EnableRule", Key: keyBus, Update: s.enableRule},
		{Name: "DisableRule", Key: keyBus, Update: s.disableRule},
		{Name: "ListRuleNamesByTarget", Key: keyBus, View: s.listRuleNamesByTarget},
		{Name: "PutTargets", Key: keyBus, Update: s.putTargets},
		{Name: "RemoveTargets", Key: keyBus, Update: s.removeTargets},
		{Name: "ListTargetsByRule", Key: keyBus, View: s.listTargetsByRule},
		{Name: "TagResource", Key: keyResource, Update: s.tagResource},
		{Name: "UntagResource", Key: keyResource, Update: s.untagResource},
		{Name: "ListTagsForResource", Key: keyResource, View: s.listTags},
		{Name: "PutEvents", Do: s.putEvents},
		{Name: "TestEventPattern", Do: s.testEventPattern},
		{Name: deliverToLogs, Do: s.deliverToLogs},
	}, more...))
	return s
}

// Start goes on with the deliveries that are owed, and with the schedules.
func (s *Service) Start(ctx context.Context) error {
	if err := s.watch.start(ctx); err != nil {
		return err
	}
	return s.outbox.Start(ctx)
}

// Close ends deliveries and schedules; the next Start goes on with them.
func (s *Service) Close() {
	s.watch.close()
	s.outbox.Close()
}

// CouldMatch reports whether a rule of the account's default bus could match an event of that source and type. It may be
// called in a transaction; it is never wrong about an event that matches.
func (s *Service) CouldMatch(account, region, source, detailType string) bool {
	return s.watch.couldMatch(account, region, source, detailType)
}

// Call checks the input against the API model, in AWS's words, and runs the operation.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if op := s.model.Operations[r.Operation]; op != nil && op.Input != nil {
		if err := op.Input.Validate(r.Input); err != nil {
			return nil, err
		}
	}
	out, err := s.Service.Call(ctx, r)
	return out, service.Wire(err)
}

const defaultBus = "default"

// address identifies a bus.
type address struct{ account, region, bus string }

func (a address) arn() string {
	return aws.ARN{Service: "events", Region: a.region, Account: a.account, Resource: "event-bus/" + a.bus}.String()
}

func (a address) ruleARN(rule string) string {
	if a.bus != defaultBus {
		rule = a.bus + "/" + rule
	}
	return aws.ARN{Service: "events", Region: a.region, Account: a.account, Resource: "rule/" + rule}.String()
}

// The rows of a bus, keyed by kind, account, region and bus.
const (
	rowBus    byte = 'b' // record (bus); the default bus needs none
	rowRule   byte = 'r' // rule -> record (rule)
	rowTarget byte = 't' // rule, target id -> record (target)
)

func (a address) key(kind byte) store.Key {
	return append(store.K(store.TableBus), kind).Str(a.account).Str(a.region).Str(a.bus)
}

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("events: a row cannot be decoded"))

// busName is the bus that a name or ARN means; "" is the default one.
func busName(text string) string {
	if arn, ok := aws.ParseARN(text); ok {
		text = strings.TrimPrefix(arn.Resource, "event-bus/")
	}
	if text == "" {
		return defaultBus
	}
	return text
}

// addressOf is the bus that a request is about, by its EventBusName.
func addressOf(c *service.Context) (address, error) {
	name, err := keyBus(c.Request)
	return address{c.Account, c.Region, name}, err
}

func keyBus(r *aws.Request) (string, error) {
	var in struct{ EventBusName string }
	err := service.Decode(r, &in)
	return busName(in.EventBusName), err
}

func keyName(r *aws.Request) (string, error) {
	var in struct{ Name string }
	err := service.Decode(r, &in)
	return busName(in.Name), err
}

// resource takes the ARN of a bus or rule apart; rule is "" for a bus.
func resource(r *aws.Request) (bus, rule string, err error) {
	var in struct{ ResourceARN string }
	if err := service.Decode(r, &in); err != nil {
		return "", "", err
	}
	arn, ok := aws.ParseARN(in.ResourceARN)
	kind, name, _ := strings.Cut(arn.Resource, "/")
	switch {
	case !ok || arn.Service != "events" || name == "":
		return "", "", validation("Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.")
	case kind == "event-bus":
		return name, "", nil
	case kind == "rule":
		bus, rule, custom := strings.Cut(name, "/")
		if !custom {
			bus, rule = defaultBus, name
		}
		return bus, rule, nil
	}
	return "", "", validation("Newel does not keep tags of %s.", kind)
}

func keyResource(r *aws.Request) (string, error) {
	bus, _, err := resource(r)
	return bus, err
}

func validation(format string, args ...any) *aws.Error {
	return aws.Errorf("ValidationException", format, args...)
}

func notFound(format string, args ...any) *aws.Error {
	return aws.Errorf("ResourceNotFoundException", format, args...)
}

func set(tx store.Tx, key store.Key, record any) error {
	b, err := json.Marshal(record)
	if err == nil {
		tx.Set(key, b)
	}
	return err
}

// get reads a record; it is not there if ok is false.
func get(rd store.Reader, key store.Key, record any) (ok bool, err error) {
	b, err := rd.Get(key)
	if err != nil || b == nil {
		return false, err
	}
	if json.Unmarshal(b, record) != nil {
		return false, errCorrupt
	}
	return true, nil
}

var resourceName = aws.Lazy(`^[.\-_A-Za-z0-9]{1,64}$`)
