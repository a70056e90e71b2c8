package sqs

import (
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// sendEntry is one message to be sent: SendMessage's input, or an entry of SendMessageBatch.
type sendEntry struct {
	ID                      string `json:"Id"`
	MessageBody             string
	DelaySeconds            *int64
	MessageAttributes       map[string]attribute
	MessageSystemAttributes map[string]attribute
	MessageDeduplicationID  string `json:"MessageDeduplicationId"`
	MessageGroupID          string `json:"MessageGroupId"`
}

// size is the message's size as AWS counts it: body, and names, types and values of its attributes.
func (e *sendEntry) size() int {
	n := len(e.MessageBody)
	for name, a := range e.MessageAttributes {
		n += len(name) + a.size()
	}
	return n
}

func (e *sendEntry) check(b *box) error {
	if e.MessageBody == "" {
		return missingParameter("MessageBody")
	}
	if d := e.DelaySeconds; d != nil && (*d < 0 || *d > delayMax) {
		return invalidValue(*d, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	}
	if b.isFIFO() {
		if err := e.checkFIFO(&b.queue); err != nil {
			return err
		}
	} else if e.MessageDeduplicationID != "" {
		return invalidValue(e.MessageDeduplicationID, "MessageDeduplicationId", "The request include parameter that is not valid for this queue type.")
	}
	if bad, ok := invalidRune(e.MessageBody); ok {
		return invalidContents("message body", bad)
	}
	if err := checkMessageAttributes(e.MessageAttributes, "user"); err != nil {
		return err
	}
	for name, a := range e.MessageSystemAttributes {
		if name != "AWSTraceHeader" {
			return invalidParameter("Message system attribute name '%s' is invalid.", name)
		}
		if a.DataType != "String" {
			return invalidParameter("The data type of message system attribute '%s' is invalid. You must use 'String'.", name)
		}
	}
	if err := checkMessageAttributes(e.MessageSystemAttributes, "system"); err != nil {
		return err
	}
	if limit := b.seconds("MaximumMessageSize"); int64(e.size()) > limit {
		return invalidParameter("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit)
	}
	return nil
}

// sent is the answer about a message that was sent.
type sent struct {
	ID                 string `json:"Id,omitempty"`
	BodyMD5            string `json:"MD5OfMessageBody"`
	AttributesMD5      string `json:"MD5OfMessageAttributes,omitempty"`
	SystemAttributeMD5 string `json:"MD5OfMessageSystemAttributes,omitempty"`
	MessageID          string `json:"MessageId"`
	SequenceNumber     string `json:",omitempty"`
}

// send puts one message into the queue; a FIFO queue answers a repeated one with what it answered first.
func (b *box) send(c *service.Context, e *sendEntry) (*sent, error) {
	if err := b.forgetSent(); err != nil {
		return nil, err
	}
	if err := e.check(b); err != nil {
		return nil, err
	}
	out := &sent{e.ID, hexMD5(e.MessageBody), attributesMD5(e.MessageAttributes), attributesMD5(e.MessageSystemAttributes), aws.NewUUID(), ""}
	st := &state{where: rowReady}
	if b.isFIFO() {
		messageID, sequence, err := b.repeated(e)
		if err != nil {
			return nil, err
		}
		if messageID != "" {
			out.MessageID, out.SequenceNumber = messageID, sequence
			return out, nil
		}
		st.group, out.SequenceNumber = e.MessageGroupID, sequenceNumber(b.nextSeq)
		b.remember(e, out.MessageID, out.SequenceNumber)
	}
	m := &message{ID: out.MessageID, Body: e.MessageBody, BodyMD5: out.BodyMD5, Group: e.MessageGroupID,
		Dedup: e.MessageDeduplicationID, Sequence: out.SequenceNumber, Sender: aws.PrincipalID(c.Principal, c.Account), Attributes: e.MessageAttributes}
	if trace, ok := e.MessageSystemAttributes["AWSTraceHeader"]; ok {
		m.Trace = *trace.StringValue
	}
	delay := b.seconds("DelaySeconds")
	if e.DelaySeconds != nil {
		delay = *e.DelaySeconds
	}
	if delay > 0 {
		st.where, st.delayed, st.visibleAt = rowWaiting, true, b.now+delay*1000
	}
	if err := b.put(b.now, m, st); err != nil {
		return nil, err
	}
	b.sent++
	b.sentBytes += e.size()
	return out, nil
}

// put stores a message that was sent at a time (ms) under the queue's next number.
func (b *box) put(at int64, m *message, st *state) error {
	row, err := b.encodeRow(m)
	if err != nil {
		return err
	}
	k := id{at, b.nextSeq}
	b.nextSeq++
	b.tx.Set(k.append(b.key(rowBody)), row)
	b.enter(k, st)
	return nil
}

func (s *Service) sendMessage(c *service.Context, b *box) (any, error) {
	var in sendEntry
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	in.ID = ""
	out, err := b.send(c, &in)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// failed is the answer about a batch's entry that could not be done.
type failed struct {
	ID          string `json:"Id"`
	SenderFault bool
	Code        string
	Message     string
}

const batchMax = 10

var batchID = aws.Lazy(`^[a-zA-Z0-9_-]{1,80}$`)

// batch runs one function for each entry of a batch. Errors of an entry are its own; any other error ends the batch.
func batch[E, R any](entries []E, request string, idOf func(*E) string, one func(*E) (R, error)) (any, error) {
	if len(entries) == 0 {
		return nil, wire("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest",
			"There should be at least one %s in the request.", request)
	}
	if len(entries) > batchMax {
		return nil, wire("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
			"Maximum number of entries per request are %d. You have sent %d.", batchMax, len(entries))
	}
	seen := map[string]bool{}
	for i := range entries {
		switch id := idOf(&entries[i]); {
		case !batchID.MatchString(id):
			return nil, wire("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId",
				"A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		case seen[id]:
			return nil, wire("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		default:
			seen[id] = true
		}
	}
	var out struct {
		Successful []R      `json:",omitempty"`
		Failed     []failed `json:",omitempty"`
	}
	for i := range entries {
		r, err := one(&entries[i])
		if err == nil {
			out.Successful = append(out.Successful, r)
			continue
		}
		e, ok := asError(err)
		if !ok {
			return nil, err
		}
		code := e.QueryCode
		if code == "" {
			code = e.Code
		}
		out.Failed = append(out.Failed, failed{idOf(&entries[i]), !e.Fault, code, e.Message})
	}
	return out, nil
}

func (s *Service) sendBatch(c *service.Context, b *box) (any, error) {
	var in struct{ Entries []sendEntry }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	total := 0
	for i := range in.Entries {
		total += in.Entries[i].size()
	}
	if total > messageBytesMax {
		return nil, wire("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong",
			"Batch requests cannot be longer than %d bytes. You have sent %d bytes.", messageBytesMax, total)
	}
	return batch(in.Entries, "SendMessageBatchRequestEntry", func(e *sendEntry) string { return e.ID },
		func(e *sendEntry) (*sent, error) { return b.send(c, e) })
}
