package sqs

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
)

// message is what never changes about a message.
type message struct {
	ID         string // UUID
	Body       string
	BodyMD5    string // hex
	Sender     string
	Trace      string // AWSTraceHeader
	Group      string // MessageGroupId
	Dedup      string // MessageDeduplicationId
	Sequence   string // SequenceNumber; FIFO queues only
	Source     string // DeadLetterQueueSourceArn
	Attributes map[string]attribute
}

// fields are the texts of a message in the order in which they are stored, each with its length before it.
func (m *message) fields(attributes *string) []*string {
	return []*string{&m.ID, &m.BodyMD5, &m.Sender, &m.Trace, &m.Group, &m.Dedup, &m.Sequence, &m.Source, attributes, &m.Body}
}

func (m *message) encode() ([]byte, error) {
	var attributes string
	if len(m.Attributes) > 0 {
		text, err := json.Marshal(m.Attributes)
		if err != nil {
			return nil, err
		}
		attributes = string(text)
	}
	b := make([]byte, 0, len(m.Body)+len(attributes)+160)
	b = append(b, recordVersion)
	for _, f := range m.fields(&attributes) {
		b = binary.AppendUvarint(b, uint64(len(*f)))
		b = append(b, *f...)
	}
	return b, nil
}

func decodeMessage(b []byte) (*message, error) {
	if len(b) == 0 || b[0] != recordVersion {
		return nil, errCorrupt
	}
	b = b[1:]
	m := &message{}
	var attributes string
	for _, f := range m.fields(&attributes) {
		n, used := binary.Uvarint(b)
		if used <= 0 || uint64(len(b)-used) < n {
			return nil, errCorrupt
		}
		*f = string(b[used : used+int(n)])
		b = b[used+int(n):]
	}
	if attributes != "" && json.Unmarshal([]byte(attributes), &m.Attributes) != nil {
		return nil, errCorrupt
	}
	return m, nil
}

// handle is a receipt handle: which message of which queue, and which receive of it.
type handle struct {
	generation uint64
	id         id
	received   uint32
}

const handleLen = 1 + 8 + idLen + 4

func (h handle) String() string {
	b := make([]byte, 0, handleLen)
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, h.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(h.id.sent))
	b = binary.BigEndian.AppendUint64(b, h.id.seq)
	b = binary.BigEndian.AppendUint32(b, h.received)
	return base64.StdEncoding.EncodeToString(b)
}

func (b *box) parseHandle(text string) (handle, error) {
	if text == "" {
		return handle{}, missingParameter("ReceiptHandle")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != handleLen || raw[0] != recordVersion {
		return handle{}, invalidHandle(text)
	}
	h := handle{binary.BigEndian.Uint64(raw[1:]), parseID(raw[9:]), binary.BigEndian.Uint32(raw[9+idLen:])}
	if h.generation != b.Generation {
		return handle{}, invalidHandle(text)
	}
	return h, nil
}
