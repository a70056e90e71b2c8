package machine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/newel-run/newel/asl/value"
)

// A chunk is all the history events of one commit, in its stored form:
//
//	version byte
//	uvarint n, then n texts as uvarint length and bytes: each text of the events once
//	uvarint n, then n events
//
// An event is its type byte, a varint of each of ID, Prev and Time as the difference to the event before, a uvarint of
// the members that are there (bits below), and those members: texts by their place in the list, numbers as varints.
const historyVersion = 1

const (
	hasName = 1 << iota
	hasResource
	hasResourceType
	hasRegion
	hasInput
	hasOutput
	hasParameters
	hasError
	hasCause
	hasTimeout
	hasHeartbeat
	hasLength
	hasIndex
	hasRedriveCount
	hasWorker
	hasRoleARN
	hasTaskRoleARN
	hasMapRunARN
	hasLocation
	hasAssigned
	hasEnd
)

// texts collects the texts of a chunk, each once.
type texts struct {
	list  []string
	place map[string]int
	docs  map[*value.Doc]int // so that a shared document is hashed once
}

func (t *texts) of(s string) uint64 {
	i, ok := t.place[s]
	if !ok {
		i = len(t.list)
		t.list = append(t.list, s)
		t.place[s] = i
	}
	return uint64(i)
}

func (t *texts) ofDoc(d *value.Doc) uint64 {
	i, ok := t.docs[d]
	if !ok {
		i = int(t.of(d.String()))
		t.docs[d] = i
	}
	return uint64(i)
}

// AppendHistory appends the stored form of one commit's events.
func AppendHistory(dst []byte, events []HistoryEvent) []byte {
	t := &texts{place: make(map[string]int, 16), docs: make(map[*value.Doc]int, 16)}
	body := make([]byte, 0, 16*len(events)+64)
	var prev HistoryEvent
	for i := range events {
		body = t.appendEvent(body, &events[i], &prev)
		prev = events[i]
	}
	dst = append(dst, historyVersion)
	dst = binary.AppendUvarint(dst, uint64(len(t.list)))
	for _, s := range t.list {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(events)))
	return append(dst, body...)
}

func (t *texts) appendEvent(b []byte, e, prev *HistoryEvent) []byte {
	b = append(b, byte(e.Type))
	b = binary.AppendVarint(b, e.ID-prev.ID)
	b = binary.AppendVarint(b, e.ID-e.Prev)
	b = binary.AppendVarint(b, e.Time-prev.Time)
	at := len(b)
	b = append(b, 0, 0, 0) // the member bits, as a three-byte uvarint
	var has uint32
	str := func(bit uint32, s string) {
		if s != "" {
			has |= bit
			b = binary.AppendUvarint(b, t.of(s))
		}
	}
	doc := func(bit uint32, d *value.Doc) {
		if d != nil {
			has |= bit
			b = binary.AppendUvarint(b, t.ofDoc(d))
		}
	}
	ptr := func(bit uint32, s *string) {
		if s != nil {
			has |= bit
			b = binary.AppendUvarint(b, t.of(*s))
		}
	}
	num := func(bit uint32, n int64) {
		if n != 0 {
			has |= bit
			b = binary.AppendVarint(b, n)
		}
	}
	str(hasName, e.Name)
	str(hasResource, e.Resource)
	str(hasResourceType, e.ResourceType)
	str(hasRegion, e.Region)
	doc(hasInput, e.Input)
	doc(hasOutput, e.Output)
	doc(hasParameters, e.Parameters)
	ptr(hasError, e.Error)
	ptr(hasCause, e.Cause)
	num(hasTimeout, e.TimeoutSeconds)
	num(hasHeartbeat, e.HeartbeatSeconds)
	num(hasLength, e.Length)
	num(hasIndex, e.Index)
	num(hasRedriveCount, e.RedriveCount)
	str(hasWorker, e.Worker)
	str(hasRoleARN, e.RoleARN)
	str(hasTaskRoleARN, e.TaskRoleARN)
	str(hasMapRunARN, e.MapRunARN)
	str(hasLocation, e.Location)
	doc(hasAssigned, e.Assigned)
	b[at], b[at+1], b[at+2] = byte(has)|0x80, byte(has>>7)|0x80, byte(has>>14)
	return b
}

var errHistory = errors.New("machine: history chunk is damaged")

// DecodeHistory decodes one chunk. Equal documents of the chunk become the same *value.Doc.
func DecodeHistory(b []byte) ([]HistoryEvent, error) {
	if len(b) == 0 {
		return nil, errHistory
	}
	if b[0] != historyVersion {
		return nil, fmt.Errorf("machine: history chunk has version %d, not %d", b[0], historyVersion)
	}
	r := &reader{b: b[1:]}
	list := make([]string, r.count())
	for i := range list {
		list[i] = r.str()
	}
	docs := make([]*value.Doc, len(list))
	events := make([]HistoryEvent, r.count())
	var prev HistoryEvent
	for i := range events {
		r.event(&events[i], &prev, list, docs)
		prev = events[i]
	}
	if r.bad || len(r.b) != 0 {
		return nil, errHistory
	}
	return events, nil
}

func (r *reader) event(e, prev *HistoryEvent, list []string, docs []*value.Doc) {
	e.Type = EventType(r.byte())
	if e.Type == 0 || e.Type >= eventTypesEnd {
		r.fail()
	}
	e.ID = prev.ID + r.varint()
	e.Prev = e.ID - r.varint()
	e.Time = prev.Time + r.varint()
	m := memberReader{r, list, docs, r.uvarint()}
	if m.has >= hasEnd {
		r.fail()
	}
	e.Name = m.str(hasName)
	e.Resource = m.str(hasResource)
	e.ResourceType = m.str(hasResourceType)
	e.Region = m.str(hasRegion)
	e.Input = m.doc(hasInput)
	e.Output = m.doc(hasOutput)
	e.Parameters = m.doc(hasParameters)
	e.Error = m.ptr(hasError)
	e.Cause = m.ptr(hasCause)
	e.TimeoutSeconds = m.num(hasTimeout)
	e.HeartbeatSeconds = m.num(hasHeartbeat)
	e.Length = m.num(hasLength)
	e.Index = m.num(hasIndex)
	e.RedriveCount = m.num(hasRedriveCount)
	e.Worker = m.str(hasWorker)
	e.RoleARN = m.str(hasRoleARN)
	e.TaskRoleARN = m.str(hasTaskRoleARN)
	e.MapRunARN = m.str(hasMapRunARN)
	e.Location = m.str(hasLocation)
	e.Assigned = m.doc(hasAssigned)
}

// memberReader reads the members of one event that its bits say are there.
type memberReader struct {
	r    *reader
	list []string
	docs []*value.Doc
	has  uint64
}

// place is the place in the list of a member's text, -1 if the member is not there.
func (m *memberReader) place(bit uint64) int {
	if m.has&bit == 0 {
		return -1
	}
	i := m.r.uvarint()
	if i >= uint64(len(m.list)) {
		m.r.fail()
		return -1
	}
	return int(i)
}

func (m *memberReader) str(bit uint64) string {
	if i := m.place(bit); i >= 0 {
		return m.list[i]
	}
	return ""
}

func (m *memberReader) ptr(bit uint64) *string {
	if i := m.place(bit); i >= 0 {
		return &m.list[i]
	}
	return nil
}

func (m *memberReader) doc(bit uint64) *value.Doc {
	i := m.place(bit)
	if i < 0 {
		return nil
	}
	if m.docs[i] == nil {
		m.docs[i] = value.TextString(m.list[i])
	}
	return m.docs[i]
}

func (m *memberReader) num(bit uint64) int64 {
	if m.has&bit == 0 {
		return 0
	}
	return m.r.varint()
}
