package postgres

import (
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// recent bounds the durable rows that are kept in the partitions' layers, because a transaction is likely to read what
// transactions have just written or read. The oldest go first. Only the owner changes rows, so a kept row is right as
// long as the lease lasts: Store.transact and viewKept see to that.
type recent struct {
	mu    sync.Mutex
	ring  []keptRow
	first int
	n     int
	bytes int
	last  uint64 // number of the last copy
}

type keptRow struct {
	part *partition
	row  row
}

const (
	recentBytes = 16 << 20
	recentRow   = 4 << 10 // longer values are not worth it
	rowOverhead = 150     // bytes of a kept row beside key and value
)

func (r *row) size() int { return len(r.key) + len(r.value) + rowOverhead }

// keep numbers a durable row that is about to be put into its partition's layer; it is false if the row is not worth it.
func (c *recent) keep(part *partition, r *row) bool {
	if r.deleted || len(r.value) > recentRow {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	r.kept = c.last
	if c.n == len(c.ring) {
		c.grow()
	}
	c.ring[(c.first+c.n)%len(c.ring)] = keptRow{part, *r}
	c.n++
	c.bytes += r.size()
	return true
}

func (c *recent) grow() {
	larger := make([]keptRow, max(64, 2*len(c.ring)))
	for i := range c.n {
		larger[i] = c.ring[(c.first+i)%len(c.ring)]
	}
	c.ring, c.first = larger, 0
}

// trim takes the oldest rows out of their layers until the others fit. No partition is locked by the caller.
func (c *recent) trim() {
	for {
		oldest, ok := c.pop()
		if !ok {
			return
		}
		oldest.part.forget(oldest.row)
	}
}

func (c *recent) pop() (oldest keptRow, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes <= recentBytes {
		return oldest, false
	}
	oldest, c.ring[c.first] = c.ring[c.first], keptRow{}
	c.first = (c.first + 1) % len(c.ring)
	c.n--
	c.bytes -= oldest.row.size()
	return oldest, true
}

// forget takes a kept row out of the layer, unless it has been written or kept again since.
func (p *partition) forget(r row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mine, ok := p.layer.rows.Get(r); ok && mine.kept == r.kept {
		p.layer.rows.Delete(mine)
	}
}

var errNotKept = errors.New("store: not in memory")

// keptReader reads a partition's layer alone.
type keptReader struct {
	part    *partition
	missed  bool
	pending bool // something that was read is not durable yet
}

var _ store.Reader = (*keptReader)(nil)

func (k *keptReader) Get(key []byte) ([]byte, error) {
	if r, ok := k.part.pending(key); ok && !k.missed {
		k.pending = k.pending || r.kept == 0
		return r.value, nil
	}
	k.missed = true
	return nil, errNotKept
}

// Scan has nothing to go by: what is not in the layer may be in the database.
func (k *keptReader) Scan([]byte, []byte, bool) iter.Seq2[[]byte, []byte] {
	return func(func(k, v []byte) bool) { k.missed = true }
}

// viewKept tries a View in the layer. It is done if all that fn reads is there, the partition does not change
// meanwhile, and the lease lasts; its result is given out when what it has read is durable.
func (s *Store) viewKept(part *partition, fn func(store.Reader) error) (done bool, err error) {
	version, last := part.state()
	k := &keptReader{part: part}
	err = fn(k)
	if now, _ := part.state(); k.missed || now != version {
		return false, nil
	}
	if k.pending {
		<-last.done
		if last.err != nil {
			return true, last.err
		}
	}
	return time.Since(s.link.start) < time.Duration(s.committer.until.Load()), err
}

func (p *partition) state() (version uint64, last *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version, p.last.Load()
}
