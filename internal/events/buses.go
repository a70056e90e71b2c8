package events

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// bus is a bus's record. Times are in epoch milliseconds.
type bus struct {
	Version           int
	Created, Modified int64
	Description       string            `json:",omitempty"`
	KmsKeyIdentifier  string            `json:",omitempty"`
	DeadLetterArn     string            `json:",omitempty"` //nolint:revive // AWS's name
	Policy            string            `json:",omitempty"`
	Tags              map[string]string `json:",omitempty"`
}

// find reads a bus; the default bus is always there.
func (a address) find(rd store.Reader) (*bus, error) {
	b := &bus{Version: recordVersion}
	ok, err := get(rd, a.key(rowBus), b)
	if err == nil && !ok && a.bus != defaultBus {
		err = notFound("Event bus %s does not exist.", a.bus)
	}
	return b, err
}

type busInput struct {
	Name, EventSourceName, Description, KmsKeyIdentifier string
	DeadLetterConfig                                     *struct{ Arn string }
	LogConfig                                            json.RawMessage
	Tags                                                 []tag
}

var busNames = aws.Lazy(`^[/.\-_A-Za-z0-9]{1,256}$`)

func (in *busInput) check() error {
	switch {
	case in.EventSourceName != "" || strings.HasPrefix(in.Name, "aws.partner/"):
		return validation("Newel does not have partner event sources.")
	case len(in.LogConfig) > 0 && string(in.LogConfig) != "null":
		return validation("Newel does not implement LogConfig of event buses yet.")
	}
	return nil
}

func (in *busInput) apply(b *bus) {
	b.Description, b.KmsKeyIdentifier, b.DeadLetterArn = in.Description, in.KmsKeyIdentifier, ""
	if in.DeadLetterConfig != nil {
		b.DeadLetterArn = in.DeadLetterConfig.Arn
	}
}

func (s *Service) createBus(c *service.Context, tx store.Tx) (any, error) {
	var in busInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if !busNames.MatchString(in.Name) || strings.Contains(in.Name, "/") {
		return nil, validation("Event bus name is not valid. Reason: a name has letters, digits, periods, hyphens and underscores.")
	}
	a := address{c.Account, c.Region, in.Name}
	b := &bus{Version: recordVersion, Created: c.Now.UnixMilli(), Modified: c.Now.UnixMilli()}
	if ok, err := get(tx, a.key(rowBus), &bus{}); err != nil || ok || a.bus == defaultBus {
		if err == nil {
			err = aws.Errorf("ResourceAlreadyExistsException", "Event bus %s already exists.", in.Name)
		}
		return nil, err
	}
	in.apply(b)
	b.Tags = tagged(nil, in.Tags)
	out := map[string]any{"EventBusArn": a.arn()}
	b.optional(out)
	return out, set(tx, a.key(rowBus), b)
}

// optional adds the members of a bus that may not be there.
func (b *bus) optional(out map[string]any) {
	for name, v := range map[string]string{"Description": b.Description, "KmsKeyIdentifier": b.KmsKeyIdentifier} {
		if v != "" {
			out[name] = v
		}
	}
	if b.DeadLetterArn != "" {
		out["DeadLetterConfig"] = map[string]string{"Arn": b.DeadLetterArn}
	}
}

func (s *Service) updateBus(c *service.Context, tx store.Tx) (any, error) {
	var in busInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, busName(in.Name)}
	b, err := a.find(tx)
	if err != nil {
		return nil, err
	}
	in.apply(b)
	b.Modified = c.Now.UnixMilli()
	out := map[string]any{"Arn": a.arn(), "Name": a.bus}
	b.optional(out)
	return out, set(tx, a.key(rowBus), b)
}

func (s *Service) deleteBus(c *service.Context, tx store.Tx) (any, error) {
	name, err := keyName(c.Request)
	if err != nil {
		return nil, err
	}
	if name == defaultBus {
		return nil, validation("Cannot delete event bus default.")
	}
	a := address{c.Account, c.Region, name}
	for range tx.Scan(a.key(rowRule), a.key(rowRule).End(), false) {
		return nil, validation("Event bus can't be deleted since it has rules.")
	}
	tx.Delete(a.key(rowBus))
	return nil, nil
}

func (b *bus) view(a address) map[string]any {
	out := map[string]any{"Name": a.bus, "Arn": a.arn()}
	if b.Policy != "" {
		out["Policy"] = b.Policy
	}
	if b.Description != "" {
		out["Description"] = b.Description
	}
	if b.Created != 0 {
		out["CreationTime"], out["LastModifiedTime"] = float64(b.Created)/1000, float64(b.Modified)/1000
	}
	return out
}

func (s *Service) describeBus(c *service.Context, rd store.Reader) (any, error) {
	name, err := keyName(c.Request)
	if err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, name}
	b, err := a.find(rd)
	if err != nil {
		return nil, err
	}
	out := b.view(a)
	b.optional(out)
	return out, nil
}

func (s *Service) listBuses(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		NamePrefix, NextToken string
		Limit                 int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	buses := map[string]*bus{defaultBus: {}}
	prefix := append(store.K(store.TableBus), rowBus).Str(c.Account).Str(c.Region)
	for p := range s.Env.Store.Partitions() {
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			for k, v := range rd.Scan(prefix, prefix.End(), false) {
				name, _, ok := store.CutStr(k[len(prefix):])
				b := &bus{}
				if !ok || json.Unmarshal(v, b) != nil {
					return errCorrupt
				}
				buses[name] = b
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	names, next, err := page(slices.Sorted(maps.Keys(buses)), in.NamePrefix, in.NextToken, in.Limit)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, name := range names {
		list = append(list, buses[name].view(address{c.Account, c.Region, name}))
	}
	return service.Answer(withToken(map[string]any{"EventBuses": list}, next)), nil
}

// page cuts a sorted list of names; the token is the last name given.
func page(names []string, prefix, token string, limit int) (part []string, next string, err error) {
	if limit == 0 {
		limit = 100
	}
	after, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, "", validation("Parameter NextToken is not valid.")
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) || token != "" && name <= string(after) {
			continue
		}
		if len(part) == limit {
			return part, base64.StdEncoding.EncodeToString([]byte(part[limit-1])), nil
		}
		part = append(part, name)
	}
	return part, "", nil
}

func withToken(out map[string]any, next string) map[string]any {
	if next != "" {
		out["NextToken"] = next
	}
	return out
}

// putPermission keeps a bus's policy: the whole, or one statement more.
func (s *Service) putPermission(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Action, Principal, StatementId, Policy string //nolint:revive // AWS's names
		Condition                              *struct{ Type, Key, Value string }
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, b, err := busOf(c, tx)
	if err != nil {
		return nil, err
	}
	if in.Policy != "" {
		if !json.Valid([]byte(in.Policy)) {
			return nil, validation("This policy contains invalid Json")
		}
		b.Policy = in.Policy
		return nil, set(tx, a.key(rowBus), b)
	}
	if in.Action == "" || in.Principal == "" || in.StatementId == "" {
		return nil, validation("Parameters Action, Principal and StatementId, or Policy, must be specified.")
	}
	statement := map[string]any{"Sid": in.StatementId, "Effect": "Allow", "Action": in.Action, "Resource": a.arn(), "Principal": any("*")}
	if in.Principal != "*" {
		statement["Principal"] = map[string]string{"AWS": aws.ARN{Service: "iam", Account: in.Principal, Resource: "root"}.String()}
	}
	if in.Condition != nil {
		statement["Condition"] = map[string]any{in.Condition.Type: map[string]string{in.Condition.Key: in.Condition.Value}}
	}
	p := b.policy()
	p.drop(in.StatementId)
	p.Statement = append(p.Statement, statement)
	return nil, a.setPolicy(tx, b, p)
}

type policy struct {
	Version   string
	Statement []map[string]any
}

func (b *bus) policy() *policy {
	p := &policy{Version: "2012-10-17"}
	if b.Policy != "" && json.Unmarshal([]byte(b.Policy), p) != nil {
		p.Statement = nil // a policy of another form is replaced
	}
	return p
}

func (p *policy) drop(id string) {
	p.Statement = slices.DeleteFunc(p.Statement, func(s map[string]any) bool { return s["Sid"] == id })
}

func (a address) setPolicy(tx store.Tx, b *bus, p *policy) error {
	b.Policy = ""
	if len(p.Statement) > 0 {
		text, err := service.Marshal(p)
		if err != nil {
			return err
		}
		b.Policy = string(text)
	}
	return set(tx, a.key(rowBus), b)
}

func busOf(c *service.Context, rd store.Reader) (address, *bus, error) {
	a, err := addressOf(c)
	if err != nil {
		return a, nil, err
	}
	b, err := a.find(rd)
	return a, b, err
}

func (s *Service) removePermission(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		StatementId          string //nolint:revive // AWS's name
		RemoveAllPermissions bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, b, err := busOf(c, tx)
	if err != nil {
		return nil, err
	}
	p := b.policy()
	before := len(p.Statement)
	if in.RemoveAllPermissions {
		p.Statement = nil
	} else if p.drop(in.StatementId); len(p.Statement) == before {
		return nil, notFound("Statement with the provided id does not exist.")
	}
	return nil, a.setPolicy(tx, b, p)
}

// tag is a tag as the API writes it.
type tag struct{ Key, Value string }

func tagged(have map[string]string, tags []tag) map[string]string {
	if have == nil {
		have = map[string]string{}
	}
	for _, t := range tags {
		have[t.Key] = t.Value
	}
	return have
}

// changeTags applies fn to the tags of the bus or rule that a request names.
func changeTags(c *service.Context, tx store.Tx, fn func(map[string]string) map[string]string) (any, error) {
	busName, ruleName, err := resource(c.Request)
	if err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, busName}
	b, err := a.find(tx)
	if err != nil {
		return nil, err
	}
	if ruleName == "" {
		b.Tags = fn(b.Tags)
		return nil, set(tx, a.key(rowBus), b)
	}
	r, err := a.rule(tx, ruleName)
	if err != nil {
		return nil, err
	}
	r.Tags = fn(r.Tags)
	return nil, set(tx, a.key(rowRule).Str(ruleName), r)
}

func (s *Service) tagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Tags []tag }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return changeTags(c, tx, func(have map[string]string) map[string]string { return tagged(have, in.Tags) })
}

func (s *Service) untagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return changeTags(c, tx, func(have map[string]string) map[string]string {
		for _, k := range in.TagKeys {
			delete(have, k)
		}
		return have
	})
}

func (s *Service) listTags(c *service.Context, rd store.Reader) (any, error) {
	busName, ruleName, err := resource(c.Request)
	if err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, busName}
	b, err := a.find(rd)
	if err != nil {
		return nil, err
	}
	tags := b.Tags
	if ruleName != "" {
		r, err := a.rule(rd, ruleName)
		if err != nil {
			return nil, err
		}
		tags = r.Tags
	}
	list := []tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tag{k, tags[k]})
	}
	return map[string]any{"Tags": list}, nil
}
