package sns

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// attribute is a message attribute.
type attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// content is what a publisher says.
type content struct {
	Message                string
	Subject                *string
	MessageStructure       string
	MessageAttributes      map[string]attribute
	MessageGroupID         string `json:"MessageGroupId"`
	MessageDeduplicationID string `json:"MessageDeduplicationId"`
}

// message is a message on its way to the subscriptions.
type message struct {
	content
	ID         string
	At         time.Time
	Sequence   string            // FIFO topics
	ByProtocol map[string]string // MessageStructure json: protocol -> text
	signatures map[string]string // text -> signature
}

// bytesMax is AWS's limit of a message with its attributes, and of a batch.
const bytesMax = 262144

func (m *content) size() int {
	n := len(m.Message)
	for name, a := range m.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

// prepare checks a message and makes it one that can be sent.
func prepare(in content, now time.Time) (*message, error) {
	m := &message{content: in, ID: aws.NewUUID(), At: now.UTC(), signatures: map[string]string{}}
	switch {
	case in.Message == "":
		return nil, invalid("Empty message")
	case in.size() > bytesMax:
		return nil, invalid("Message too long")
	case in.Subject != nil && !validSubject(*in.Subject):
		return nil, invalid("Subject")
	case in.MessageStructure != "" && in.MessageStructure != "json":
		return nil, invalid("MessageStructure")
	}
	if in.MessageStructure == "json" {
		var members map[string]json.RawMessage
		if json.Unmarshal([]byte(in.Message), &members) != nil || members == nil {
			return nil, invalid("Message Structure - JSON message body failed to parse")
		}
		m.ByProtocol = map[string]string{}
		for protocol, raw := range members {
			var text string
			if json.Unmarshal(raw, &text) == nil {
				m.ByProtocol[protocol] = text
			}
		}
		if _, ok := m.ByProtocol["default"]; !ok {
			return nil, invalid("Message Structure - No default entry in JSON message body")
		}
	}
	return m, checkAttributes(in.MessageAttributes)
}

func validSubject(s string) bool {
	if s == "" || utf8.RuneCountInString(s) > 100 || s[0] == ' ' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// text is what a protocol's subscribers get.
func (m *message) text(protocol string) string {
	if m.ByProtocol == nil {
		return m.Message
	}
	if t, ok := m.ByProtocol[protocol]; ok {
		return t
	}
	return m.ByProtocol["default"]
}

var attributeName = aws.Lazy(`^[A-Za-z0-9_\-.]{1,256}$`)

func checkAttributes(attributes map[string]attribute) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		kind, _, _ := strings.Cut(a.DataType, ".")
		value := func(format string, args ...any) error {
			return aws.Errorf("ParameterValueInvalid", format, args...)
		}
		switch {
		case !attributeName.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
			return value("The message attribute name '%s' is invalid. It can only include alphanumeric characters, hyphens, underscores and periods, must not start or end with a period, and must not have periods in succession.", name)
		case a.DataType == "":
			return value("The message attribute '%s' must contain non-empty message attribute type.", name)
		case kind != "String" && kind != "Number" && kind != "Binary":
			return value("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
		case kind == "Binary" && len(a.BinaryValue) == 0, kind != "Binary" && a.StringValue == "":
			return value("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
		case kind == "Number":
			if _, err := strconv.ParseFloat(a.StringValue, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
				return value("Could not cast message attribute '%s' value to number.", name)
			}
		}
	}
	return nil
}

func (s *Service) publish(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		TopicArn, TargetArn, PhoneNumber string //nolint:revive // AWS's names
		content
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.PhoneNumber != "" && in.TopicArn == "" && in.TargetArn == "" {
		return s.publishToPhone(ctx, c, in.PhoneNumber, in.content)
	}
	if in.PhoneNumber != "" || in.TopicArn != "" && in.TargetArn != "" || in.TopicArn == "" && in.TargetArn == "" {
		return nil, invalid("TopicArn or TargetArn Reason: no value for required parameter")
	}
	if arn, ok := aws.ParseARN(in.TargetArn); ok && strings.HasPrefix(arn.Resource, "endpoint/") {
		return nil, invalid("TargetArn Reason: Newel does not implement platform applications.")
	}
	a, _, err := topicOf(c.Request)
	if err != nil {
		return nil, err
	}
	a.account, a.region = c.Account, c.Region
	m, err := prepare(in.content, c.Now)
	if err != nil {
		return nil, err
	}
	if err := s.presign(ctx, a, []*message{m}); err != nil {
		return nil, err
	}
	out, err := s.Update(ctx, c, s.PartitionOf(a.account, a.region, a.name), func(c *service.Context, tx store.Tx) (any, error) {
		t, err := a.topic(tx)
		if err != nil {
			return nil, err
		}
		return s.accept(c, tx, a, t, m)
	})
	if err != nil {
		return nil, err
	}
	return service.Answer(out), nil
}

// receipt is the answer about one message.
type receipt struct {
	MessageId      string //nolint:revive // AWS's name
	SequenceNumber string `json:",omitempty"`
}

// accept takes a message into a topic: it is owed to every subscription that wants it.
func (s *Service) accept(c *service.Context, tx store.Tx, a address, t *topic, m *message) (*receipt, error) {
	if t.fifo() {
		repeated, err := s.order(c, tx, a, t, m)
		if err != nil || repeated != nil {
			return repeated, err
		}
	} else if m.MessageDeduplicationID != "" {
		return nil, invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	}
	if err := t.protectable(c, a); err != nil {
		return nil, err
	}
	subscriptions, err := a.subscriptions(tx)
	if err != nil {
		return nil, err
	}
	for _, sub := range subscriptions {
		if sub.pending() {
			continue
		}
		wants, err := sub.wants(m)
		if err != nil {
			return nil, err
		}
		if !wants {
			continue
		}
		entry, err := s.delivery(c, a, t, sub, m)
		if err != nil {
			return nil, err
		}
		entry.Protection = t.protection(a)
		if err := s.outbox.Add(c, tx, entry); err != nil {
			return nil, err
		}
	}
	return &receipt{m.ID, m.Sequence}, nil
}

type failure struct {
	Id, Code, Message string //nolint:revive // AWS's name
	SenderFault       bool
}

type success struct {
	Id string //nolint:revive // AWS's name
	receipt
}

// batchMax is how many messages a batch may have.
const batchMax = 10

var batchID = aws.Lazy(`^[A-Za-z0-9_-]{1,80}$`)

type batchEntry struct {
	Id string //nolint:revive // AWS's name
	content
}

func checkBatch(entries []batchEntry) error {
	seen, size := map[string]bool{}, 0
	for _, e := range entries {
		size += e.size()
		switch {
		case !batchID.MatchString(e.Id):
			return aws.Errorf("InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification.")
		case seen[e.Id]:
			return aws.Errorf("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		seen[e.Id] = true
	}
	switch {
	case len(entries) == 0:
		return aws.Errorf("EmptyBatchRequest", "The batch request doesn't contain any entries.")
	case len(entries) > batchMax:
		return aws.Errorf("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	case size > bytesMax:
		return aws.Errorf("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
	}
	return nil
}

func (s *Service) publishBatch(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		PublishBatchRequestEntries []batchEntry
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, _, err := topicOf(c.Request)
	if err != nil {
		return nil, err
	}
	a.account, a.region = c.Account, c.Region
	entries := in.PublishBatchRequestEntries
	if err := checkBatch(entries); err != nil {
		return nil, err
	}
	messages := make([]*message, len(entries))
	problems := make([]error, len(entries))
	var sound []*message
	for i, e := range entries {
		if messages[i], problems[i] = prepare(e.content, c.Now); problems[i] == nil {
			sound = append(sound, messages[i])
		}
	}
	if err := s.presign(ctx, a, sound); err != nil {
		return nil, err
	}
	out, err := s.Update(ctx, c, s.PartitionOf(a.account, a.region, a.name), func(c *service.Context, tx store.Tx) (any, error) {
		t, err := a.topic(tx)
		if err != nil {
			return nil, err
		}
		done, failed := []success{}, []failure{}
		for i, e := range entries {
			err := problems[i]
			var r *receipt
			if err == nil {
				r, err = s.accept(c, tx, a, t, messages[i])
			}
			var wire *aws.Error
			switch {
			case err == nil:
				done = append(done, success{e.Id, *r})
			case errors.As(err, &wire):
				failed = append(failed, failure{e.Id, wire.Code, wire.Message, !wire.Fault})
			default:
				return nil, err
			}
		}
		return map[string]any{"Successful": done, "Failed": failed}, nil
	})
	if err != nil {
		return nil, err
	}
	return service.Answer(out), nil
}

// deduplication is how long FIFO topics know their messages.
const deduplication = 5 * time.Minute

// sent is a FIFO topic's memory of a message.
type sent struct {
	At int64 // ms
	receipt
}

// order gives a FIFO topic's message its sequence number, or answers with the receipt of the one that it repeats.
func (s *Service) order(c *service.Context, tx store.Tx, a address, t *topic, m *message) (*receipt, error) {
	if m.MessageGroupID == "" {
		return nil, invalid("The MessageGroupId parameter is required for FIFO topics")
	}
	if m.MessageDeduplicationID == "" {
		if t.Attributes["ContentBasedDeduplication"] != "true" {
			return nil, invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
		}
		m.MessageDeduplicationID = digest(m.Message)
	}
	id := m.MessageDeduplicationID
	if t.Attributes["FifoThroughputScope"] == "MessageGroup" {
		id = m.MessageGroupID + "\x00" + id
	}
	now := c.Now.UnixMilli()
	old := a.key(rowSentTime)
	for k := range tx.Scan(old, old.U64(uint64(now-deduplication.Milliseconds())), false) {
		gone, _, _ := store.CutStr(k[len(old)+8:])
		tx.Delete(k)
		tx.Delete(a.key(rowSent).Str(gone))
	}
	b, err := tx.Get(a.key(rowSent).Str(id))
	if err != nil {
		return nil, err
	}
	if b != nil {
		var known sent
		if json.Unmarshal(b, &known) != nil {
			return nil, errCorrupt
		}
		return &known.receipt, nil
	}
	last, err := tx.Get(a.key(rowSequence))
	if err != nil {
		return nil, err
	}
	n := uint64(1)
	if len(last) == 8 {
		n = binary.BigEndian.Uint64(last) + 1
	}
	tx.Set(a.key(rowSequence), binary.BigEndian.AppendUint64(nil, n))
	m.Sequence = strconv.FormatUint(10_000_000_000_000_000_000+1000*n, 10)
	tx.Set(old.U64(uint64(now)).Str(id), []byte{})
	return nil, set(tx, a.key(rowSent).Str(id), sent{now, receipt{m.ID, m.Sequence}})
}

// publishToPhone puts a text message into the mail sink.
func (s *Service) publishToPhone(ctx context.Context, c *service.Context, number string, in content) (*aws.Output, error) {
	if !phone.MatchString(number) {
		return nil, invalid("PhoneNumber Reason: %s is not valid to publish to", number)
	}
	m, err := prepare(in, c.Now)
	if err != nil {
		return nil, err
	}
	out, err := s.Update(ctx, c, s.PartitionOf(c.Account, c.Region, ""), func(c *service.Context, tx store.Tx) (any, error) {
		entry, err := textMessage(c, number, "", m, nil)
		if err == nil {
			err = s.outbox.Add(c, tx, entry)
		}
		return &receipt{MessageId: m.ID}, err
	})
	if err != nil {
		return nil, err
	}
	return service.Answer(out), nil
}
