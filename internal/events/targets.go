package events

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// target is a target as it was put.
type target struct {
	Id, Arn          string                           //nolint:revive // AWS's names
	RoleArn          string                           `json:",omitempty"` //nolint:revive // AWS's name
	Input            *string                          `json:",omitempty"`
	InputPath        *string                          `json:",omitempty"`
	InputTransformer *transformer                     `json:",omitempty"`
	SqsParameters    *struct{ MessageGroupId string } `json:",omitempty"` //nolint:revive // AWS's name
	RetryPolicy      *retryPolicy                     `json:",omitempty"`
	HttpParameters   *httpParameters                  `json:",omitempty"` //nolint:revive // AWS's name
	DeadLetterConfig *struct {
		Arn string `json:",omitempty"`
	} `json:",omitempty"`
}

// httpParameters are what a target adds to the requests to its API destination.
type httpParameters struct {
	PathParameterValues   []string          `json:",omitempty"`
	HeaderParameters      map[string]string `json:",omitempty"`
	QueryStringParameters map[string]string `json:",omitempty"`
}

type retryPolicy struct {
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds *int `json:",omitempty"`
}

// carried are the members of a target that are here; any other is refused by its name.
var carried = []string{"Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer", "SqsParameters", "HttpParameters", "RetryPolicy", "DeadLetterConfig"}

// kinds is the table of what can be a target: how its ARN is told, and the call that gives it an event.
var kinds = []targetKind{
	{"states", "stateMachine:", toStateMachine},
	{"lambda", "function:", toFunction},
	{"sqs", "", toQueue},
	{"sns", "", toTopic},
	{"events", "event-bus/", toBus},
	{"events", "api-destination/", toDestination},
	{"logs", "log-group:", toLogGroup},
}

type targetKind struct {
	service, prefix string // of the ARN and its resource
	call            func(d *delivery) call
}

func kindOf(arn aws.ARN) *targetKind {
	for i := range kinds {
		if kinds[i].service == arn.Service && strings.HasPrefix(arn.Resource, kinds[i].prefix) {
			return &kinds[i]
		}
	}
	return nil
}

var targetID = aws.Lazy(`^[.\-_A-Za-z0-9]{1,64}$`)

func (t *target) check(a address) error {
	arn, ok := aws.ParseARN(t.Arn)
	if !ok {
		return validation("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.Arn)
	}
	given := 0
	for _, there := range []bool{t.Input != nil, t.InputPath != nil, t.InputTransformer != nil} {
		if there {
			given++
		}
	}
	kind := kindOf(arn)
	switch {
	case !targetID.MatchString(t.Id):
		return validation("Value '%s' at 'targets.1.member.id' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+", t.Id)
	case kind == nil:
		return validation("Newel does not deliver events to %s yet; targets can be Step Functions state machines, Lambda functions, SQS queues, SNS topics, event buses, API destinations and CloudWatch Logs groups.", t.Arn)
	case given > 1:
		return validation("Only one of Input, InputPath, or InputTransformer must be provided for target %s.", t.Id)
	case (arn.Service == "states" || strings.HasPrefix(arn.Resource, "api-destination/")) && t.RoleArn == "":
		return validation("RoleArn is required for target %s.", t.Arn)
	case arn.Service == "events" && arn == busARN(a):
		return validation("The event bus cannot be a target of its own rules.")
	case strings.HasSuffix(arn.Resource, ".fifo") && arn.Service == "sqs" && (t.SqsParameters == nil || t.SqsParameters.MessageGroupId == ""):
		return validation("Parameter(s) SqsParameters must be specified for target: %s.", t.Id)
	case t.HttpParameters != nil && !strings.HasPrefix(arn.Resource, "api-destination/"):
		return validation("Newel does not implement HttpParameters of targets other than API destinations yet (target %s).", t.Id)
	case t.Input != nil && !json.Valid([]byte(*t.Input)):
		return validation("JSON syntax error in input for target %s", t.Id)
	}
	if p := t.RetryPolicy; p != nil && (p.MaximumRetryAttempts != nil && (*p.MaximumRetryAttempts < 0 || *p.MaximumRetryAttempts > 185) ||
		p.MaximumEventAgeInSeconds != nil && (*p.MaximumEventAgeInSeconds < 60 || *p.MaximumEventAgeInSeconds > 86400)) {
		return validation("Parameter RetryPolicy is not valid for target %s.", t.Id)
	}
	if t.DeadLetterConfig != nil && t.DeadLetterConfig.Arn != "" {
		if dead, ok := aws.ParseARN(t.DeadLetterConfig.Arn); !ok || dead.Service != "sqs" || strings.HasSuffix(dead.Resource, ".fifo") {
			return validation("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.DeadLetterConfig.Arn)
		}
	}
	if err := checkPath(t.InputPath, t.Id); err != nil {
		return err
	}
	return t.InputTransformer.check(t.Id)
}

func busARN(a address) aws.ARN {
	arn, _ := aws.ParseARN(a.arn())
	return arn
}

func (s *Service) putTargets(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Targets []json.RawMessage }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, r, err := namedRule(c, tx)
	if err != nil {
		return nil, err
	}
	for _, raw := range in.Targets {
		var members map[string]json.RawMessage
		t := &target{}
		if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, t) != nil {
			return nil, validation("Parameter Targets is not valid.")
		}
		for name, v := range members {
			if !slices.Contains(carried, name) && string(v) != "null" {
				return nil, validation("Newel does not implement %s of a target yet (target %s).", name, t.Id)
			}
		}
		if err := t.check(a); err != nil {
			return nil, err
		}
		if err := set(tx, a.key(rowTarget).Str(r.Name).Str(t.Id), t); err != nil {
			return nil, err
		}
	}
	return map[string]any{"FailedEntryCount": 0, "FailedEntries": []any{}}, nil
}

func (s *Service) removeTargets(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Ids []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, r, err := namedRule(c, tx)
	if err != nil {
		return nil, err
	}
	failed := []any{}
	for _, id := range in.Ids {
		key := a.key(rowTarget).Str(r.Name).Str(id)
		if b, err := tx.Get(key); err != nil {
			return nil, err
		} else if b == nil {
			failed = append(failed, map[string]string{"TargetId": id, "ErrorCode": "ResourceNotFoundException",
				"ErrorMessage": fmt.Sprintf("Rule %s does not have a target with the Id %s.", r.Name, id)})
		}
		tx.Delete(key)
	}
	return map[string]any{"FailedEntryCount": len(failed), "FailedEntries": failed}, nil
}

func (a address) targets(rd store.Reader, rule string) (list []*target, err error) {
	prefix := a.key(rowTarget).Str(rule)
	for _, v := range rd.Scan(prefix, prefix.End(), false) {
		t := &target{}
		if json.Unmarshal(v, t) != nil {
			return nil, errCorrupt
		}
		list = append(list, t)
	}
	return list, nil
}

func (s *Service) listTargetsByRule(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		NextToken string
		Limit     int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, r, err := namedRule(c, rd)
	if err != nil {
		return nil, err
	}
	targets, err := a.targets(rd, r.Name)
	if err != nil {
		return nil, err
	}
	byID, ids := map[string]*target{}, []string{}
	for _, t := range targets {
		byID[t.Id], ids = t, append(ids, t.Id)
	}
	part, next, err := page(ids, "", in.NextToken, in.Limit)
	if err != nil {
		return nil, err
	}
	list := []*target{}
	for _, id := range part {
		list = append(list, byID[id])
	}
	return withToken(map[string]any{"Targets": list}, next), nil
}
