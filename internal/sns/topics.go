package sns

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("sns: a row cannot be decoded"))

// topic is a topic's record.
type topic struct {
	Version    int
	Attributes map[string]string `json:",omitempty"` // as they were set; "" is not kept
	Tags       map[string]string `json:",omitempty"`
}

func (t *topic) fifo() bool { return t.Attributes["FifoTopic"] == "true" }

func (a address) topic(rd store.Reader) (*topic, error) {
	b, err := rd.Get(a.key(rowTopic))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, noTopic()
	}
	t := &topic{}
	if json.Unmarshal(b, t) != nil || t.Version != recordVersion {
		return nil, errCorrupt
	}
	return t, nil
}

// find reads the topic that a request names.
func find(c *service.Context, rd store.Reader) (address, *topic, error) {
	a, _, err := topicOf(c.Request)
	if err != nil {
		return a, nil, err
	}
	a.account, a.region = c.Account, c.Region
	t, err := a.topic(rd)
	return a, t, err
}

var (
	topicName = aws.Lazy(`^[A-Za-z0-9_-]{1,256}$`)
	fifoName  = aws.Lazy(`^[A-Za-z0-9_-]{1,251}\.fifo$`)
)

func checkName(name string, fifo bool) error {
	if fifo {
		if !fifoName.MatchString(name) {
			return invalid("Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.")
		}
		return nil
	}
	if !topicName.MatchString(name) {
		return invalid("Topic Name")
	}
	return nil
}

// tag is a tag as the API writes it.
type tag struct{ Key, Value string }

func (s *Service) createTopic(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Name       string
		Attributes map[string]string
		Tags       []tag
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if raw := policyMember(c.Input, "DataProtectionPolicy"); raw != "" {
		return nil, invalid("DataProtectionPolicy Reason: Newel does not implement data protection policies yet.")
	}
	if fifo := in.Attributes["FifoTopic"]; fifo != "" && fifo != "true" && fifo != "false" {
		return nil, invalid("Attributes Reason: FifoTopic: %s", fifo)
	}
	if err := checkName(in.Name, in.Attributes["FifoTopic"] == "true"); err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, in.Name}
	t := &topic{Version: recordVersion, Attributes: map[string]string{}, Tags: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		if err := t.set(name, in.Attributes[name], true); err != nil {
			return nil, err
		}
	}
	if t.Attributes["ContentBasedDeduplication"] == "true" && !t.fifo() {
		return nil, invalid("ContentBasedDeduplication Reason: Content-based deduplication can only be set for FIFO topics")
	}
	if err := t.tag(in.Tags); err != nil {
		return nil, err
	}
	old, err := a.topic(tx)
	var e *aws.Error
	switch {
	case err == nil:
		for name, v := range in.Attributes {
			if v != "" && old.attribute(a, name) != v {
				return nil, invalid("Attributes Reason: Topic already exists with different attributes")
			}
		}
		if len(in.Tags) > 0 && !maps.Equal(old.Tags, t.Tags) {
			return nil, invalid("Tags Reason: Topic already exists with different tags")
		}
	case !errors.As(err, &e):
		return nil, err
	default:
		if err := set(tx, a.key(rowTopic), t); err != nil {
			return nil, err
		}
	}
	return map[string]string{"TopicArn": a.arn()}, nil
}

// policyMember is a text member of an input, "" if it is not there.
func policyMember(input []byte, name string) string {
	var in map[string]json.RawMessage
	var s string
	if json.Unmarshal(input, &in) != nil || json.Unmarshal(in[name], &s) != nil {
		return ""
	}
	return s
}

func (s *Service) deleteTopic(c *service.Context, tx store.Tx) (any, error) {
	a, _, err := topicOf(c.Request)
	if err != nil {
		return nil, err
	}
	a.account, a.region = c.Account, c.Region
	for _, kind := range []byte{rowTopic, rowSubscription, rowDeleted, rowSequence, rowSent, rowSentTime} {
		tx.DeleteRange(a.key(kind), a.key(kind).End())
	}
	return nil, nil
}

// listMax is the size of AWS's pages.
const listMax = 100

func (s *Service) listTopics(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct{ NextToken string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	var arns []string
	err := s.each(ctx, c, rowTopic, func(a address, _ string, _ []byte) error {
		arns = append(arns, a.arn())
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(arns)
	part, next, err := page(arns, in.NextToken, func(s string) string { return s })
	if err != nil {
		return nil, err
	}
	topics := make([]map[string]string, len(part))
	for i, arn := range part {
		topics[i] = map[string]string{"TopicArn": arn}
	}
	return service.Answer(withToken(map[string]any{"Topics": topics}, next)), nil
}

// each calls fn with every row of a kind that the caller's account has in the region; id is the row's last part.
func (s *Service) each(ctx context.Context, c *service.Context, kind byte, fn func(a address, id string, row []byte) error) error {
	prefix := append(store.K(store.TableTopic), kind).Str(c.Account).Str(c.Region)
	type found struct {
		a   address
		id  string
		row []byte
	}
	for p := range s.Env.Store.Partitions() {
		var rows []found
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			rows = rows[:0]
			for k, v := range rd.Scan(prefix, prefix.End(), false) {
				name, rest, ok := store.CutStr(k[len(prefix):])
				if !ok {
					return errCorrupt
				}
				id, _, _ := store.CutStr(rest)
				rows = append(rows, found{address{c.Account, c.Region, name}, id, slices.Clone(v)})
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := fn(r.a, r.id, r.row); err != nil {
				return err
			}
		}
	}
	return nil
}

// page cuts a list that is sorted by its keys into AWS's pages; the token names the last key given.
func page[T any](all []T, token string, key func(T) string) (part []T, next string, err error) {
	after, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", invalid("NextToken")
	}
	at, exact := slices.BinarySearchFunc(all, string(after), func(v T, k string) int { return strings.Compare(key(v), k) })
	if exact {
		at++
	}
	part = all[at:]
	if len(part) > listMax {
		part = part[:listMax]
		next = base64.URLEncoding.EncodeToString([]byte(key(part[listMax-1])))
	}
	return part, next, nil
}

func withToken(out map[string]any, next string) map[string]any {
	if next != "" {
		out["NextToken"] = next
	}
	return out
}

func (s *Service) getTopicAttributes(c *service.Context, rd store.Reader) (any, error) {
	a, t, err := find(c, rd)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(t.Attributes)
	if out == nil {
		out = map[string]string{}
	}
	for name := range shown {
		if v := t.attribute(a, name); v != "" || name == "DisplayName" {
			out[name] = v
		}
	}
	out["TopicArn"], out["Owner"] = a.arn(), a.account
	confirmed, pending, deleted := 0, 0, 0
	subscriptions, err := a.subscriptions(rd)
	if err != nil {
		return nil, err
	}
	for _, sub := range subscriptions {
		if sub.pending() {
			pending++
		} else {
			confirmed++
		}
	}
	for range rd.Scan(a.key(rowDeleted), a.key(rowDeleted).End(), false) {
		deleted++
	}
	out["SubscriptionsConfirmed"], out["SubscriptionsPending"], out["SubscriptionsDeleted"] = strconv.Itoa(confirmed), strconv.Itoa(pending), strconv.Itoa(deleted)
	return map[string]any{"Attributes": out}, nil
}

func (s *Service) setTopicAttributes(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ AttributeName, AttributeValue string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, t, err := find(c, tx)
	if err != nil {
		return nil, err
	}
	if err := t.set(in.AttributeName, in.AttributeValue, false); err != nil {
		return nil, err
	}
	return nil, set(tx, a.key(rowTopic), t)
}

// tagsMax is AWS's limit of tags on a topic.
const tagsMax = 50

func (t *topic) tag(tags []tag) error {
	if t.Tags == nil {
		t.Tags = map[string]string{}
	}
	seen := map[string]bool{}
	for _, g := range tags {
		switch {
		case seen[g.Key]:
			return invalid("Duplicated keys are not allowed.")
		case g.Key == "" || len(g.Key) > 128 || len(g.Value) > 256 || strings.HasPrefix(strings.ToLower(g.Key), "aws:"):
			return aws.Errorf("InvalidParameter", "Invalid parameter: Tags Reason: %s", fmt.Sprintf("the tag %q is not valid", g.Key))
		}
		seen[g.Key] = true
		t.Tags[g.Key] = g.Value
	}
	if len(t.Tags) > tagsMax {
		return aws.Errorf("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
	}
	return nil
}

// tagged is find for the tag operations, whose error about a missing topic is another one.
func tagged(c *service.Context, rd store.Reader) (address, *topic, error) {
	a, t, err := find(c, rd)
	var e *aws.Error
	if errors.As(err, &e) && e.Code == "NotFound" {
		err = &aws.Error{Code: "ResourceNotFound", Message: "Resource does not exist", Status: 404}
	}
	return a, t, err
}

func (s *Service) tagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Tags []tag }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, t, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	if err := t.tag(in.Tags); err != nil {
		return nil, err
	}
	return nil, set(tx, a.key(rowTopic), t)
}

func (s *Service) untagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, t, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(t.Tags, k)
	}
	return nil, set(tx, a.key(rowTopic), t)
}

func (s *Service) listTags(c *service.Context, rd store.Reader) (any, error) {
	_, t, err := tagged(c, rd)
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	for _, k := range slices.Sorted(maps.Keys(t.Tags)) {
		tags = append(tags, tag{k, t.Tags[k]})
	}
	return map[string]any{"Tags": tags}, nil
}
