package events

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/events/pattern"
	"github.com/newel-run/newel/internal/events/schedule"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// rule is a rule's record.
type rule struct {
	Version     int
	Name        string
	Pattern     string `json:",omitempty"`
	Schedule    string `json:",omitempty"`
	State       string
	Description string            `json:",omitempty"`
	RoleArn     string            `json:",omitempty"` //nolint:revive // AWS's name
	CreatedBy   string            // account
	Tags        map[string]string `json:",omitempty"`
	Next        int64             `json:",omitempty"` // ms: when the schedule fires next; 0 for never
}

func (r *rule) enabled() bool { return r.State != "DISABLED" }

func (a address) rule(rd store.Reader, name string) (*rule, error) {
	r := &rule{}
	ok, err := get(rd, a.key(rowRule).Str(name), r)
	if err == nil && !ok {
		err = notFound("Rule %s does not exist on EventBus %s.", name, a.bus)
	}
	return r, err
}

func (a address) rules(rd store.Reader) (list []*rule, err error) {
	for _, v := range rd.Scan(a.key(rowRule), a.key(rowRule).End(), false) {
		r := &rule{}
		if json.Unmarshal(v, r) != nil {
			return nil, errCorrupt
		}
		list = append(list, r)
	}
	return list, nil
}

// patterns keeps compiled patterns by their text.
var patterns pattern.Cache[string]

func compile(text string) (*pattern.Pattern, error) {
	if p := patterns.Get(text); p != nil {
		return p, nil
	}
	p, err := pattern.Parse(text)
	var e *pattern.Error
	if errors.As(err, &e) {
		return nil, aws.Errorf("InvalidEventPatternException", "Event pattern is not valid. Reason: %s", e)
	}
	patterns.Put(text, p)
	return p, nil
}

// plan sets when the schedule fires next after now; last is when it fired or was begun.
func (r *rule) plan(last, now time.Time) error {
	r.Next = 0
	if r.Schedule == "" || !r.enabled() {
		return nil
	}
	e, err := schedule.Parse(r.Schedule)
	if err != nil {
		return validation("Parameter ScheduleExpression is not valid.")
	}
	if next, ok := e.Next(last, now); ok {
		r.Next = next.UnixMilli()
	}
	return nil
}

func (s *Service) putRule(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Name, EventPattern, ScheduleExpression, State, Description, RoleArn string //nolint:revive // AWS's names
		Tags                                                                []tag
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, _, err := busOf(c, tx)
	if err != nil {
		return nil, err
	}
	switch {
	case in.EventPattern == "" && in.ScheduleExpression == "":
		return nil, validation("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.ScheduleExpression != "" && a.bus != defaultBus:
		return nil, validation("ScheduleExpression is supported only on the default event bus.")
	case !resourceName.MatchString(in.Name):
		return nil, validation("Parameter Name is not valid.")
	}
	if in.EventPattern != "" {
		if _, err := compile(in.EventPattern); err != nil {
			return nil, err
		}
	}
	r := &rule{}
	there, err := get(tx, a.key(rowRule).Str(in.Name), r)
	if err != nil {
		return nil, err
	}
	again := there && r.Schedule == in.ScheduleExpression && r.enabled()
	if !there {
		r.Tags = tagged(nil, in.Tags)
	}
	r.Version, r.Name, r.Pattern, r.Schedule, r.Description, r.RoleArn, r.CreatedBy = recordVersion, in.Name, in.EventPattern, in.ScheduleExpression, in.Description, in.RoleArn, c.Account
	if r.State = in.State; r.State == "" {
		r.State = "ENABLED"
	}
	if !again || !r.enabled() {
		if err := r.plan(c.Now, c.Now); err != nil {
			return nil, err
		}
	}
	return map[string]any{"RuleArn": a.ruleARN(r.Name)}, s.put(c, tx, a, r)
}

// put writes a rule and has the memory of it renewed.
func (s *Service) put(c *service.Context, tx store.Tx, a address, r *rule) error {
	c.After = append(c.After, func() { s.watch.changed(a) })
	return set(tx, a.key(rowRule).Str(r.Name), r)
}

func (s *Service) deleteRule(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Name string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, _, err := busOf(c, tx)
	if err != nil {
		return nil, err
	}
	targets := a.key(rowTarget).Str(in.Name)
	for range tx.Scan(targets, targets.End(), false) {
		return nil, validation("Rule can't be deleted since it has targets.")
	}
	tx.Delete(a.key(rowRule).Str(in.Name))
	c.After = append(c.After, func() { s.watch.changed(a) })
	return nil, nil
}

// namedRule reads the rule that a request names.
func namedRule(c *service.Context, rd store.Reader) (address, *rule, error) {
	var in struct{ Name, Rule string }
	if err := service.Decode(c.Request, &in); err != nil {
		return address{}, nil, err
	}
	a, _, err := busOf(c, rd)
	if err != nil {
		return a, nil, err
	}
	r, err := a.rule(rd, in.Name+in.Rule)
	return a, r, err
}

func (s *Service) enableRule(c *service.Context, tx store.Tx) (any, error) {
	return s.switchRule(c, tx, "ENABLED")
}

func (s *Service) disableRule(c *service.Context, tx store.Tx) (any, error) {
	return s.switchRule(c, tx, "DISABLED")
}

func (s *Service) switchRule(c *service.Context, tx store.Tx, state string) (any, error) {
	a, r, err := namedRule(c, tx)
	if err != nil || r.State == state {
		return nil, err
	}
	r.State = state
	if err := r.plan(c.Now, c.Now); err != nil {
		return nil, err
	}
	return nil, s.put(c, tx, a, r)
}

func (r *rule) view(a address) map[string]any {
	out := map[string]any{"Name": r.Name, "Arn": a.ruleARN(r.Name), "State": r.State, "EventBusName": a.bus}
	for name, v := range map[string]string{"EventPattern": r.Pattern, "ScheduleExpression": r.Schedule, "Description": r.Description, "RoleArn": r.RoleArn} {
		if v != "" {
			out[name] = v
		}
	}
	return out
}

func (s *Service) describeRule(c *service.Context, rd store.Reader) (any, error) {
	a, r, err := namedRule(c, rd)
	if err != nil {
		return nil, err
	}
	out := r.view(a)
	out["CreatedBy"] = r.CreatedBy
	return out, nil
}

func (s *Service) listRules(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		NamePrefix, NextToken string
		Limit                 int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, _, err := busOf(c, rd)
	if err != nil {
		return nil, err
	}
	rules, err := a.rules(rd)
	if err != nil {
		return nil, err
	}
	byName, names := map[string]*rule{}, []string{}
	for _, r := range rules {
		byName[r.Name], names = r, append(names, r.Name)
	}
	part, next, err := page(names, in.NamePrefix, in.NextToken, in.Limit)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, name := range part {
		list = append(list, byName[name].view(a))
	}
	return withToken(map[string]any{"Rules": list}, next), nil
}

func (s *Service) listRuleNamesByTarget(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		TargetArn, NextToken string //nolint:revive // AWS's name
		Limit                int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, _, err := busOf(c, rd)
	if err != nil {
		return nil, err
	}
	names := []string{}
	prefix := a.key(rowTarget)
	for k, v := range rd.Scan(prefix, prefix.End(), false) {
		var t target
		name, _, ok := store.CutStr(k[len(prefix):])
		if !ok || json.Unmarshal(v, &t) != nil {
			return nil, errCorrupt
		}
		if strings.EqualFold(t.Arn, in.TargetArn) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	part, next, err := page(names, "", in.NextToken, in.Limit)
	if err != nil {
		return nil, err
	}
	if part == nil {
		part = []string{}
	}
	return withToken(map[string]any{"RuleNames": part}, next), nil
}
