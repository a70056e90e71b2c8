package sqs

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The rows of a queue. Each is keyed by kind, account, region and name; those of messages go on with a message id, those
// of the waiting index with the time (ms) when the message becomes visible and the id, those of the outbox with a number.
const (
	rowQueue   byte = 'q' // record (queue)
	rowTally   byte = 't' // tally
	rowBody    byte = 'm' // id -> message: written once
	rowState   byte = 's' // id -> state, for every message
	rowReady   byte = 'r' // id -> nothing: can be received now (of a FIFO queue: see fifo.go)
	rowWaiting byte = 'v' // visible-at, id -> nothing: delayed or in flight
	rowOutbox  byte = 'x' // number -> id: on its way to the dead-letter queue
	rowPending byte = 'p' // there while the outbox is not empty
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("sqs: a row cannot be decoded"))

func (a address) key(kind byte) store.Key {
	return append(store.K(store.TableQueue), kind).Str(a.account).Str(a.region).Str(a.name)
}

// id orders messages by the time they were sent, then by their number in the queue.
type id struct {
	sent int64 // ms
	seq  uint64
}

const idLen = 16

func (k id) append(key store.Key) store.Key { return key.U64(uint64(k.sent)).U64(k.seq) }

func parseID(b []byte) id {
	return id{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}
}

// queue is a queue's record.
type queue struct {
	Version    int
	Generation uint64 // random: tells a queue from an earlier one of the same name in receipt handles and tokens
	Created    int64  // s
	Modified   int64  // s
	Attributes map[string]string
	Tags       map[string]string
}

// tally counts a queue's messages. ready + inFlight + delayed + outbox is the number of its state rows.
type tally struct {
	ready, inFlight, delayed, outbox uint64
	nextSeq, nextOutbox              uint64
}

func (t *tally) fields() []*uint64 {
	return []*uint64{&t.ready, &t.inFlight, &t.delayed, &t.outbox, &t.nextSeq, &t.nextOutbox}
}

func (t *tally) encode() []byte {
	b := []byte{recordVersion}
	for _, f := range t.fields() {
		b = binary.AppendUvarint(b, *f)
	}
	return b
}

func decodeTally(b []byte) (t tally, err error) {
	if len(b) == 0 || b[0] != recordVersion {
		return t, errCorrupt
	}
	b = b[1:]
	for _, f := range t.fields() {
		n, used := binary.Uvarint(b)
		if used <= 0 {
			return t, errCorrupt
		}
		*f, b = n, b[used:]
	}
	return t, nil
}

// state is what changes about a message.
type state struct {
	where     byte  // rowReady, rowWaiting or rowOutbox: the index that has the message
	delayed   bool  // waiting for its first delivery, not in flight
	kept      bool  // its dead-letter queue could not take it: deliver it once more
	visibleAt int64 // ms, rowWaiting only
	received  uint32
	first     int64  // ms, first receive
	last      int64  // ms, last receive
	group     string // message group; FIFO queues only
}

const stateLen = 2 + 1 + 8 + 4 + 8 + 8 // without the group

func (s *state) encode() []byte {
	b := make([]byte, 0, stateLen+len(s.group))
	flags := byte(0)
	if s.delayed {
		flags |= 1
	}
	if s.kept {
		flags |= 2
	}
	b = append(b, recordVersion, s.where, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(s.visibleAt))
	b = binary.BigEndian.AppendUint32(b, s.received)
	b = binary.BigEndian.AppendUint64(b, uint64(s.first))
	b = binary.BigEndian.AppendUint64(b, uint64(s.last))
	return append(b, s.group...)
}

func decodeState(b []byte) (*state, error) {
	if len(b) < stateLen || b[0] != recordVersion {
		return nil, errCorrupt
	}
	return &state{
		where: b[1], delayed: b[2]&1 != 0, kept: b[2]&2 != 0,
		visibleAt: int64(binary.BigEndian.Uint64(b[3:])),
		received:  binary.BigEndian.Uint32(b[11:]),
		first:     int64(binary.BigEndian.Uint64(b[15:])),
		last:      int64(binary.BigEndian.Uint64(b[23:])),
		group:     string(b[stateLen:]),
	}, nil
}

// box is a queue within one transaction.
type box struct {
	address
	queue
	tally
	traffic
	env *service.Env
	tx  store.Tx
	now int64 // ms

	woken     int   // messages that became ready: as many receivers are woken
	visibleAt int64 // earliest visible-at that was written, 0 for none
	before    tally
	changed   bool           // the record was changed
	deleted   bool           // the queue was deleted: nothing is written back
	groups    map[string]int // FIFO: groups with changes, and by how much their messages in flight
}

func open(env *service.Env, tx store.Tx, a address, now int64) (*box, error) {
	b := &box{address: a, env: env, tx: tx, now: now}
	record, err := tx.Get(a.key(rowQueue))
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, queueDoesNotExist()
	}
	if b.queue, err = decodeQueue(record); err != nil {
		return nil, err
	}
	t, err := tx.Get(a.key(rowTally))
	if err != nil {
		return nil, err
	}
	if b.tally, err = decodeTally(t); err != nil {
		return nil, err
	}
	b.before = b.tally
	return b, nil
}

func decodeQueue(record []byte) (q queue, err error) {
	if json.Unmarshal(record, &q) != nil || q.Version != recordVersion {
		return q, errCorrupt
	}
	return q, nil
}

// close writes back what changed of the record and the tally.
func (b *box) close() error {
	if b.deleted {
		return nil
	}
	if err := b.settle(); err != nil {
		return err
	}
	if b.changed {
		record, err := json.Marshal(b.queue)
		if err != nil {
			return err
		}
		b.tx.Set(b.key(rowQueue), record)
	}
	if b.tally != b.before {
		b.tx.Set(b.key(rowTally), b.tally.encode())
	}
	return nil
}

func (b *box) state(k id) (*state, error) {
	row, err := b.tx.Get(k.append(b.key(rowState)))
	if err != nil || row == nil {
		return nil, err
	}
	return decodeState(row)
}

// count is the counter of the place where a message is.
func (b *box) count(s *state) *uint64 {
	switch {
	case s.where == rowReady:
		return &b.ready
	case s.where == rowOutbox:
		return &b.outbox
	case s.delayed:
		return &b.delayed
	}
	return &b.inFlight
}

// enter puts a message where its state says.
func (b *box) enter(k id, s *state) {
	switch s.where {
	case rowReady:
		if s.group == "" {
			b.tx.Set(k.append(b.key(rowReady)), nil)
			b.woken++
		}
	case rowWaiting:
		b.tx.Set(k.append(b.key(rowWaiting).U64(uint64(s.visibleAt))), nil)
		if b.visibleAt == 0 || s.visibleAt < b.visibleAt {
			b.visibleAt = s.visibleAt
		}
	}
	*b.count(s)++
	b.tx.Set(k.append(b.key(rowState)), s.encode())
	if s.group != "" {
		b.join(k, s)
	}
}

// leave takes a message from where its state says.
func (b *box) leave(k id, s *state) {
	switch s.where {
	case rowReady:
		if s.group == "" {
			b.tx.Delete(k.append(b.key(rowReady)))
		}
	case rowWaiting:
		b.tx.Delete(k.append(b.key(rowWaiting).U64(uint64(s.visibleAt))))
	}
	*b.count(s)--
	if s.group != "" {
		b.part(k, s)
	}
}

// drop removes a message.
func (b *box) drop(k id, s *state) {
	b.leave(k, s)
	b.tx.Delete(k.append(b.key(rowState)))
	b.tx.Delete(k.append(b.key(rowBody)))
}

// tendMax bounds the messages that one transaction expires, and that it makes ready.
const tendMax = 1000

// tend does what time has brought: it drops expired messages and makes ready those whose delay or visibility timeout is
// over.
func (b *box) tend() error {
	cutoff := b.now - b.seconds("MessageRetentionPeriod")*1000
	n := 0
	states := b.key(rowState)
	for k, v := range b.tx.Scan(states, states.U64(uint64(max(cutoff+1, 0))), false) {
		s, err := decodeState(v)
		if err != nil {
			return err
		}
		if s.where == rowOutbox {
			continue
		}
		b.drop(parseID(k[len(states):]), s)
		if n++; n == tendMax {
			break
		}
	}
	n = 0
	waiting := b.key(rowWaiting)
	for k := range b.tx.Scan(waiting, waiting.U64(uint64(b.now+1)), false) {
		m := parseID(k[len(waiting)+8:])
		s, err := b.state(m)
		if err != nil {
			return err
		}
		if s == nil {
			return errCorrupt
		}
		b.leave(m, s)
		s.where, s.delayed, s.visibleAt = rowReady, false, 0
		b.enter(m, s)
		if n++; n == tendMax {
			break
		}
	}
	if err := b.forgetSent(); err != nil {
		return err
	}
	return b.settle()
}

// next is the time (ms) when the queue can next be received from: now or earlier if a message is ready, 0 if only
// something else than time can make one ready.
func (b *box) next() int64 {
	ready := b.key(rowReady)
	for range b.tx.Scan(ready, ready.End(), false) {
		return b.now
	}
	waiting := b.key(rowWaiting)
	for k := range b.tx.Scan(waiting, waiting.End(), false) {
		return int64(binary.BigEndian.Uint64(k[len(waiting):]))
	}
	return 0
}
