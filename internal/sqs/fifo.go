package sqs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
)

// A FIFO queue orders the messages of each message group, and gives none of a group out while one of them is in flight.
// Its ready index therefore holds at most one message of a group, the first, and only while the group is free; which one
// that is stands in the group's row. Whatever changes the messages of a group marks the group, and settle brings its entry
// in the ready index up to date before the transaction ends.

const (
	rowMember   byte = 'g' // group, number -> id: every message of a FIFO queue that is not in the outbox
	rowGroup    byte = 'G' // group -> group, while it has messages
	rowSent     byte = 'd' // scope, deduplication id -> sent: what was sent within the last five minutes
	rowSentTime byte = 'D' // time when that is forgotten, scope, deduplication id -> nothing
)

const deduplicationMs = 5 * 60 * 1000

// isFIFO reports whether an address is one of a FIFO queue: the type is a part of the name.
func (a address) isFIFO() bool { return strings.HasSuffix(a.name, ".fifo") }

// group is a message group's row.
type group struct {
	inFlight uint64
	free     bool // the first message is in the ready index
	first    id
}

func (g *group) encode() []byte {
	b := binary.AppendUvarint([]byte{recordVersion}, g.inFlight)
	if g.free {
		b = g.first.append(b)
	}
	return b
}

func (b *box) group(name string) (g group, err error) {
	row, err := b.tx.Get(b.key(rowGroup).Str(name))
	if err != nil || row == nil {
		return g, err
	}
	if row[0] != recordVersion {
		return g, errCorrupt
	}
	n, used := binary.Uvarint(row[1:])
	if used <= 0 {
		return g, errCorrupt
	}
	g.inFlight = n
	switch rest := row[1+used:]; len(rest) {
	case 0:
	case idLen:
		g.free, g.first = true, parseID(rest)
	default:
		return g, errCorrupt
	}
	return g, nil
}

// member is the key of a message in its group: in the order of sending, whatever the clock did in between.
func (b *box) member(k id, s *state) store.Key { return b.key(rowMember).Str(s.group).U64(k.seq) }

// join and part keep a group's rows while a message enters or leaves a place.
func (b *box) join(k id, s *state) {
	if s.where != rowOutbox {
		b.tx.Set(b.member(k, s), k.append(nil))
	}
	b.mark(s, +1)
}

func (b *box) part(k id, s *state) {
	b.tx.Delete(b.member(k, s))
	b.mark(s, -1)
}

func (b *box) mark(s *state, by int) {
	if b.groups == nil {
		b.groups = map[string]int{}
	}
	if s.where != rowWaiting || s.delayed {
		by = 0
	}
	b.groups[s.group] += by
}

// settle brings the rows of the marked groups up to date.
func (b *box) settle() error {
	for _, name := range slices.Sorted(maps.Keys(b.groups)) {
		if err := b.settleGroup(name, b.groups[name]); err != nil {
			return err
		}
	}
	b.groups = nil
	return nil
}

func (b *box) settleGroup(name string, by int) error {
	old, err := b.group(name)
	if err != nil {
		return err
	}
	g := group{inFlight: old.inFlight + uint64(by)}
	members := b.key(rowMember).Str(name)
	empty := true
	for _, v := range b.tx.Scan(members, members.End(), false) {
		empty = false
		first := parseID(v)
		st, err := b.state(first)
		if err != nil {
			return err
		}
		if st == nil {
			return errCorrupt
		}
		if g.inFlight == 0 && st.where == rowReady {
			g.free, g.first = true, first
		}
		break
	}
	if old.free && (!g.free || old.first != g.first) {
		b.tx.Delete(old.first.append(b.key(rowReady)))
	}
	if g.free && (!old.free || old.first != g.first) {
		b.tx.Set(g.first.append(b.key(rowReady)), nil)
		b.woken++
	}
	if empty {
		b.tx.Delete(b.key(rowGroup).Str(name))
		return nil
	}
	b.tx.Set(b.key(rowGroup).Str(name), g.encode())
	return nil
}

// candidates yields the messages that can be received, in order: of a FIFO queue, group after group, the run of
// visible messages that a free group begins with.
func (b *box) candidates(yield func(id, *state) error) error {
	ready := b.key(rowReady)
	for key := range b.tx.Scan(ready, ready.End(), false) {
		k := parseID(key[len(ready):])
		st, err := b.state(k)
		if err != nil {
			return err
		}
		if st == nil {
			return errCorrupt
		}
		if st.group == "" {
			if err := yield(k, st); err != nil {
				return err
			}
			continue
		}
		if err := b.run(st.group, yield); err != nil {
			return err
		}
	}
	return nil
}

func (b *box) run(group string, yield func(id, *state) error) error {
	members := b.key(rowMember).Str(group)
	for _, v := range b.tx.Scan(members, members.End(), false) {
		k := parseID(v)
		st, err := b.state(k)
		if err != nil {
			return err
		}
		if st == nil {
			return errCorrupt
		}
		if st.where != rowReady {
			return nil
		}
		if err := yield(k, st); err != nil {
			return err
		}
	}
	return nil
}

var fifoID = aws.Lazy("^[a-zA-Z0-9!\"#$%&'()*+,\\-./:;<=>?@[\\\\\\]^_`{|}~]{1,128}$")

// checkFIFO validates what a FIFO queue asks of a message, and fills in the deduplication id that follows from its body.
func (e *sendEntry) checkFIFO(q *queue) error {
	if e.MessageGroupID == "" {
		return missingParameter("MessageGroupId")
	}
	if !fifoID.MatchString(e.MessageGroupID) {
		return invalidValue(e.MessageGroupID, "MessageGroupId", "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	if d := e.DelaySeconds; d != nil && *d != 0 {
		return invalidValue(*d, "DelaySeconds", "The request include parameter that is not valid for this queue type.")
	}
	if e.MessageDeduplicationID == "" {
		if q.attribute("ContentBasedDeduplication") != "true" {
			return invalidParameter("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
		}
		sum := sha256.Sum256([]byte(e.MessageBody))
		e.MessageDeduplicationID = hex.EncodeToString(sum[:])
	}
	if !fifoID.MatchString(e.MessageDeduplicationID) {
		return invalidValue(e.MessageDeduplicationID, "MessageDeduplicationId", "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return nil
}

// sequenceNumber is what AWS shows of a message's place in a FIFO queue: 20 digits that grow.
func sequenceNumber(seq uint64) string { return fmt.Sprintf("188%017d", seq) }

// scope is the part of the key of earlier messages that says how far their deduplication ids reach.
func (e *sendEntry) scope(q *queue) string {
	if q.attribute("DeduplicationScope") == "messageGroup" {
		return e.MessageGroupID
	}
	return ""
}

// repeated finds the message that a deduplication id stands for already.
func (b *box) repeated(e *sendEntry) (messageID, sequence string, err error) {
	row, err := b.tx.Get(b.key(rowSent).Str(e.scope(&b.queue)).Str(e.MessageDeduplicationID))
	if err != nil || row == nil {
		return "", "", err
	}
	messageID, rest, ok := store.CutStr(row[1:])
	sequence, _, ok2 := store.CutStr(rest)
	if row[0] != recordVersion || !ok || !ok2 {
		return "", "", errCorrupt
	}
	return messageID, sequence, nil
}

// remember keeps a deduplication id for five minutes.
func (b *box) remember(e *sendEntry, messageID, sequence string) {
	scope := e.scope(&b.queue)
	b.tx.Set(b.key(rowSent).Str(scope).Str(e.MessageDeduplicationID), store.Key{recordVersion}.Str(messageID).Str(sequence))
	b.tx.Set(b.key(rowSentTime).U64(uint64(b.now+deduplicationMs)).Str(scope).Str(e.MessageDeduplicationID), nil)
}

// forgetSent drops deduplication ids whose five minutes are over.
func (b *box) forgetSent() error {
	if !b.isFIFO() {
		return nil
	}
	due := b.key(rowSentTime)
	n := 0
	for k := range b.tx.Scan(due, due.U64(uint64(b.now+1)), false) {
		tail := slices.Clone(k[len(due)+8:]) // scope and id, as in the key of the other row
		b.tx.Delete(b.key(rowSent).Raw(tail))
		b.tx.Delete(k)
		if n++; n == tendMax {
			break
		}
	}
	return nil
}
