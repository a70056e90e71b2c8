package outbox

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// Entries of no chain are delivered at the same time, a bounded number of them; the others wait in line, by their numbers and
// as long as there is room with what they say, which is in the store anyway.

// line is what waits; guarded by Outbox.mu.
type line struct {
	queue   []parcel // oldest first
	running int
	bytes   int64 // of the entries in it
}

// parcel is an entry on its way.
type parcel struct {
	part     store.Partition
	n        uint64
	attempts int    // so far
	entry    *Entry // nil: read it from the store
}

// lineBytes bounds the entries that wait in line with what they say.
const lineBytes = 16 << 20

func (e *Entry) size() int64 {
	return int64(len(e.Request.Input)+len(e.Request.Body)+len(e.Sealed)) + 512
}

func (o *Outbox) enqueue(p parcel) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return
	}
	l := &o.line
	if l.running < atOnce {
		l.running++
		o.work.Go(func() { o.carry(p) })
		return
	}
	if p.entry != nil && l.bytes+p.entry.size() > lineBytes {
		p.entry = nil
	}
	if p.entry != nil {
		l.bytes += p.entry.size()
	}
	l.queue = append(l.queue, p)
}

// next takes the first of the line, or gives up a place.
func (o *Outbox) next() (p parcel, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := &o.line
	if len(l.queue) == 0 || o.ctx.Err() != nil {
		l.running--
		return p, false
	}
	p, l.queue[0] = l.queue[0], parcel{}
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil
	}
	if p.entry != nil {
		l.bytes -= p.entry.size()
	}
	return p, true
}

// carry delivers a parcel, and then what is in line.
func (o *Outbox) carry(p parcel) {
	for ok := true; ok; p, ok = o.next() {
		again, err := o.try(&p)
		switch {
		case o.ctx.Err() != nil:
		case again:
			later := p
			time.AfterFunc(backoff(p.attempts), func() { o.enqueue(later) })
		case err != nil:
			o.env.Log.Error("an outbox entry could not be settled", "service", o.name, "error", err)
		}
	}
}

// try makes a parcel's call once. One that is to be tried again is read back then: until then it takes no memory.
func (o *Outbox) try(p *parcel) (again bool, err error) {
	e := p.entry
	if e == nil {
		if e, err = o.read(p.part, p.n); err != nil || e == nil {
			return false, err
		}
		e.Attempts = p.attempts
	}
	again, err = o.attempt(p.part, p.n, e)
	p.attempts, p.entry = e.Attempts, nil
	return again, err
}

// read reads an entry, nil if it was settled.
func (o *Outbox) read(p store.Partition, n uint64) (e *Entry, err error) {
	err = o.env.Store.View(o.ctx, p, func(rd store.Reader) error {
		b, err := rd.Get(o.key(n))
		if err == nil && b != nil {
			e, err = o.decode(b)
		}
		return err
	})
	return e, err
}

func (o *Outbox) decode(b []byte) (*Entry, error) {
	e := &Entry{}
	if err := json.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("%w: outbox of %s: %w", store.ErrCorrupt, o.name, err)
	}
	return e, nil
}
