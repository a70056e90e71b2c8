package postgres

import "sync"

// recent bounds the durable rows that are kept in the partitions' layers, because a transaction is likely to read what
// transactions have just written or read. The oldest go first. Only the owner changes rows, so a kept row is right as
// long as the lease lasts (Store.transact sees to that). Views do not read the layers.
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
