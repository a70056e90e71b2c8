package cfn

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// run is the work on one stack: one at a time for each stack. Its stack is the record in memory while it works; every
// change is stored before anything follows from it.
type run struct {
	s     *Service
	done  chan struct{}
	again bool  // there may be more to do; held by Service.mu
	err   error // why the work stands still; set before done is closed

	mu     sync.Mutex
	stack  *Stack             // nil until it is read
	cancel context.CancelFunc // of the operation that is under way, not of calls that are out
}

// errStopped: the server stops; the work goes on at its next start.
var errStopped = errors.New("cfn: the server stops")

// change changes the record and stores it with its events. On an error memory and store may differ: the work stops.
func (r *run) change(ctx context.Context, fn func(s *Stack, log func(Event))) error {
	return r.transact(ctx, nil, fn)
}

// transact is change with other rows: rows may read and write them, and refuse; it may run more than once. fn runs once,
// after rows.
func (r *run) transact(ctx context.Context, rows func(s *Stack, tx store.Tx) error, fn func(s *Stack, log func(Event))) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []Event
	changed := false
	before := r.stack.Events
	err := r.s.env.Store.Update(context.WithoutCancel(ctx), r.s.partition(r.stack.Account, r.stack.Region), func(tx store.Tx) error {
		if rows != nil {
			if err := rows(r.stack, tx); err != nil {
				return err
			}
		}
		if !changed {
			fn(r.stack, func(e Event) { events = append(events, e) })
			changed = true
		}
		r.stack.Events = before
		return put(tx, r.stack, events)
	})
	return service.Wire(err)
}

// put writes a stack's record and events.
func put(tx store.Tx, s *Stack, events []Event) error {
	for _, e := range events {
		s.Events++
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		tx.Set(eventKey(s.Account, s.Region, s.ID).U64(s.Events), b)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tx.Set(stackKey(s.Account, s.Region, s.ID), b)
	return nil
}

// status moves the stack on and writes the event of it.
func status(s *Stack, to, reason string, now time.Time, log func(Event)) {
	s.Status, s.Reason = to, reason
	log(Event{ID: eventID(s, to), LogicalID: s.Name, PhysicalID: s.ID, Type: stackType, Status: to, Reason: reason, At: now, Token: s.Token})
}

// mark moves a resource on and writes the event of it.
func (r *run) mark(s *Stack, rec *Record, to, reason string, log func(Event)) {
	now := r.s.env.Now()
	rec.Status, rec.Reason, rec.Updated = to, reason, now
	r.note(s, rec, to, reason, log)
}

func (r *run) note(s *Stack, rec *Record, to, reason string, log func(Event)) {
	now := r.s.env.Now()
	log(Event{ID: fmt.Sprintf("%s-%s-%s", rec.ID, to, now.UTC().Format("2006-01-02T15:04:05.000Z")), LogicalID: rec.ID, PhysicalID: rec.Ref,
		Type: rec.Type, Status: to, Reason: reason, At: now, Token: s.Token, Properties: string(firstNonEmpty(rec.Shown, rec.Attempt, rec.Properties))})
}

func firstNonEmpty(list ...json.RawMessage) json.RawMessage {
	for _, b := range list {
		if len(b) > 0 {
			return b
		}
	}
	return nil
}

func eventID(s *Stack, what string) string {
	return uuidOf(fmt.Sprintf("%s/%d/%s", s.ID, s.Events, what))
}

// blockSize is how many calls one creation, update or deletion of a resource may make.
const blockSize = 256

// reserve gives an operation on a resource its sequence numbers, in the transaction that announces it.
func (r *run) reserve(tx store.Tx, s *Stack, rec *Record) error {
	key := sequenceKey(s.Account, s.Region)
	b, err := tx.Get(key)
	if err != nil {
		return err
	}
	last := uint64(0)
	if len(b) == 8 {
		last = binary.BigEndian.Uint64(b)
	}
	rec.Block = last + 1
	tx.Set(key, binary.BigEndian.AppendUint64(nil, last+blockSize))
	return nil
}

// blocks are the sequence numbers under way by source: what is below the lowest is answered.
type blocks struct {
	mu   sync.Mutex
	live map[string][]uint64
}

func (b *blocks) add(source string, n uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live == nil {
		b.live = map[string][]uint64{}
	}
	if !slices.Contains(b.live[source], n) {
		b.live[source] = append(b.live[source], n)
	}
}

func (b *blocks) remove(source string, n uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live[source] = slices.DeleteFunc(b.live[source], func(o uint64) bool { return o == n })
}

func (b *blocks) low(source string, own uint64) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.live[source] {
		own = min(own, n)
	}
	return own
}

func source(s *Stack) string { return "cfn/" + s.Account + "/" + s.Region }

// request is a call of the n-th number of a block; block 0 stands for calls that change nothing.
func (r *run) request(block, n uint64) aws.Request {
	s := r.stack
	req := aws.Request{Account: s.Account, Region: s.Region, Principal: s.Principal}
	if block > 0 {
		req.Token = aws.Token{Source: source(s), Seq: block + n, Low: r.s.blocks.low(source(s), block)}
	}
	return req
}
