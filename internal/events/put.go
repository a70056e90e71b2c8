package events

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// event is an event in its envelope.
type event struct {
	id       string
	text     []byte
	ingested time.Time
	parsed   value.Value
	trace    string
	// protection is how the event is kept until it is delivered, nil for as it is.
	protection *service.Protection
	about      string // execution whose status it tells: a target gets those of one execution in their order
}

// value is the event as a value.
func (e *event) value() value.Value {
	if e.parsed == nil {
		v, err := value.Parse(e.text)
		if err != nil {
			panic("events: an envelope that is no JSON: " + err.Error())
		}
		e.parsed = v
	}
	return e.parsed
}

// envelope writes an event as its targets see it.
func envelope(a address, e *entry, id string, at time.Time) []byte {
	b := value.AppendString([]byte(`{"version":"0","id":`), id)
	for _, m := range [][2]string{{"detail-type", e.DetailType}, {"source", e.Source}, {"account", a.account}, {"time", at.UTC().Format("2006-01-02T15:04:05Z")}, {"region", a.region}} {
		b = append(value.AppendString(append(b, ','), m[0]), ':')
		b = value.AppendString(b, m[1])
	}
	b = append(b, `,"resources":[`...)
	for i, r := range e.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		b = value.AppendString(b, r)
	}
	b = append(b, `],"detail":`...)
	return append(value.Compact(b, []byte(e.Detail)), '}')
}

// entry is an entry of PutEvents.
type entry struct {
	Source, DetailType, Detail, EventBusName, TraceHeader string
	Time                                                  *json.Number // epoch seconds
	Resources                                             []string
	// Protection is for services of this server: the event holds data of a resource with a KMS key.
	Protection *service.Protection
}

// result is the answer about one entry.
type result struct {
	EventId      string `json:",omitempty"` //nolint:revive // AWS's name
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// sizeMax is AWS's limit of the entries of one call together.
const sizeMax = 256 << 10

// size is an entry's size as AWS counts it.
func (e *entry) size() int {
	n := len(e.Source) + len(e.DetailType) + len(e.Detail)
	if e.Time != nil {
		n += 14
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

// internal reports whether a service of this server calls: a client is an ARN or the account's root.
func internal(principal string) bool { return strings.HasSuffix(principal, ".amazonaws.com") }

// check is AWS's verdict about an entry, nil for a good one.
func (e *entry) check(trusted bool) *result {
	for _, m := range [][2]string{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if m[1] == "" {
			return &result{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter " + m[0] + " is not valid. Reason: " + m[0] + " is a required argument."}
		}
	}
	if strings.HasPrefix(e.Source, "aws.") && !trusted {
		return &result{ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source."}
	}
	if text := strings.TrimSpace(e.Detail); value.Valid([]byte(text)) != nil || text[0] != '{' {
		return &result{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	return nil
}

// at is the event's time, to the second.
func (e *entry) at(now time.Time) time.Time {
	if e.Time == nil {
		return now
	}
	f, err := e.Time.Float64()
	if err != nil {
		return now
	}
	return time.Unix(int64(f), 0)
}

func (s *Service) putEvents(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		Entries    []entry
		EndpointID string `json:"EndpointId"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	trusted, size := internal(c.Principal), 0
	for i := range in.Entries {
		size += in.Entries[i].size()
	}
	switch {
	case in.EndpointID != "":
		return nil, validation("Newel does not implement global endpoints.")
	case size > sizeMax && !trusted:
		return nil, validation("Total size of the entries in the request is over the limit.")
	}
	results := make([]result, len(in.Entries))
	byBus := map[string][]int{}
	var buses []string
	for i := range in.Entries {
		if !trusted {
			in.Entries[i].Protection = nil
		}
		if bad := in.Entries[i].check(trusted); bad != nil {
			results[i] = *bad
			continue
		}
		name := busName(in.Entries[i].EventBusName)
		if byBus[name] == nil {
			buses = append(buses, name)
		}
		byBus[name] = append(byBus[name], i)
	}
	for _, name := range buses {
		if err := s.putOn(ctx, c, address{c.Account, c.Region, name}, in.Entries, byBus[name], results); err != nil {
			return nil, err
		}
	}
	failed := 0
	for _, r := range results {
		if r.ErrorCode != "" {
			failed++
		}
	}
	return service.Answer(map[string]any{"FailedEntryCount": failed, "Entries": results}), nil
}

// putOn puts the entries of one bus on it, in one transaction.
func (s *Service) putOn(ctx context.Context, c *service.Context, a address, entries []entry, which []int, results []result) error {
	part := *c.Request
	if part.Token.Seq != 0 {
		part.Token.Source += "/" + a.bus // several buses may share a partition
	}
	own := &service.Context{Request: &part, Env: c.Env, Now: c.Now}
	out, err := s.Update(ctx, own, s.PartitionOf(a.account, a.region, a.bus), func(c *service.Context, tx store.Tx) (any, error) {
		ids := make([]string, 0, len(which))
		_, err := a.find(tx)
		if e, ok := err.(*aws.Error); ok && e.Code == "ResourceNotFoundException" { //nolint:errorlint // made right there
			s.Env.Log.Warn("events for a bus that does not exist are dropped, as on AWS", "bus", a.bus)
			for range which {
				ids = append(ids, aws.NewUUID())
			}
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		rules, err := a.rules(tx)
		if err != nil {
			return nil, err
		}
		for _, i := range which {
			e := &event{id: aws.NewUUID(), ingested: c.Now, trace: entries[i].TraceHeader, protection: entries[i].Protection}
			e.text = envelope(a, &entries[i], e.id, entries[i].at(c.Now))
			if entries[i].Source == "aws.states" && len(entries[i].Resources) > 0 {
				e.about = entries[i].Resources[0]
			}
			ids = append(ids, e.id)
			if err := s.match(c, tx, a, rules, e); err != nil {
				return nil, err
			}
		}
		return ids, nil
	})
	if err != nil {
		return err
	}
	ids, ok := out.([]string)
	if kept, isKept := out.(json.RawMessage); isKept {
		ok = json.Unmarshal(kept, &ids) == nil
	}
	if !ok || len(ids) != len(which) {
		return errCorrupt
	}
	for n, i := range which {
		results[i] = result{EventId: ids[n]}
	}
	return nil
}

// match owes an event to the targets of all rules that it matches.
func (s *Service) match(c *service.Context, tx store.Tx, a address, rules []*rule, e *event) error {
	for _, r := range rules {
		if r.Pattern == "" || !r.enabled() {
			continue
		}
		p, err := compile(r.Pattern)
		if err != nil {
			return err
		}
		if !p.Match(e.value()) {
			continue
		}
		if err := s.owe(c, tx, a, r, e); err != nil {
			return err
		}
	}
	return nil
}

// owe writes what a rule owes its targets for an event.
func (s *Service) owe(c *service.Context, tx store.Tx, a address, r *rule, e *event) error {
	targets, err := a.targets(tx, r.Name)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := s.outbox.Add(c, tx, s.entryFor(a, r, t, e)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) testEventPattern(_ context.Context, c *service.Context) (*aws.Output, error) {
	var in struct{ EventPattern, Event string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	p, err := compile(in.EventPattern)
	if err != nil {
		return nil, err
	}
	v, parseErr := value.Parse([]byte(in.Event))
	if _, isObject := v.(*value.Object); parseErr != nil || !isObject {
		return nil, validation("Parameter Event is not valid.")
	}
	return service.Answer(map[string]bool{"Result": p.Match(v)}), nil
}

// entryFor is the outbox entry that gives an event to a target.
func (s *Service) entryFor(a address, r *rule, t *target, e *event) outbox.Entry {
	arn, _ := aws.ParseARN(t.Arn)
	d := &delivery{s: s, bus: a, rule: r, target: t, arn: arn, event: e, input: t.input(e, a.ruleARN(r.Name), r.Name)}
	made := kindOf(arn).call(d)
	out := outbox.Entry{Request: d.seal(made), Protection: e.protection}
	if e.about != "" {
		out.Chain = r.Name + "/" + t.Id + "/" + e.about
	}
	if p := t.RetryPolicy; p != nil {
		if p.MaximumEventAgeInSeconds != nil {
			out.MaxAge = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
		}
		if p.MaximumRetryAttempts != nil {
			out.MaxTries = *p.MaximumRetryAttempts + 1
		}
	}
	if t.DeadLetterConfig != nil && t.DeadLetterConfig.Arn != "" {
		failed := d.seal(d.deadLetter(t.DeadLetterConfig.Arn))
		out.OnFailure = &failed
	}
	return out
}
