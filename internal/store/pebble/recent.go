package pebble

import "github.com/cockroachdb/pebble/v2"

// recent keeps the rows that a partition's transactions have just written or read, which the next one is likely to read: the
// record of an execution, of a queue. A look into the database goes through its memtables and levels and costs more than the
// rest of a small transaction. Only the holder of the partition's writer uses it.
//
// Rows are kept in two generations. When the young one is full the old one is let go; what is read of the old one becomes
// young again.
type recent struct {
	young, old map[string][]byte
	bytes      int // of the young generation
}

const (
	generationBytes = 8 << 10
	recentRow       = 1 << 10 // larger rows are not kept
	rowOverhead     = 64      // bytes that a row takes beside key and value
)

// get returns a row that is kept. It must not be changed.
func (c *recent) get(key []byte) (value []byte, ok bool) {
	if value, ok = c.young[string(key)]; ok {
		return value, true
	}
	if value, ok = c.old[string(key)]; ok {
		delete(c.old, string(key))
		c.keep(key, value)
	}
	return value, ok
}

// keep remembers a row, whose value the caller leaves alone from then on.
func (c *recent) keep(key, value []byte) {
	size := len(key) + len(value) + rowOverhead
	if len(value) > recentRow {
		c.forget(key)
		return
	}
	if c.bytes+size > generationBytes {
		c.old, c.young, c.bytes = c.young, nil, 0
	}
	if c.young == nil {
		c.young = map[string][]byte{}
	}
	c.young[string(key)] = value
	c.bytes += size
}

func (c *recent) forget(key []byte) {
	delete(c.young, string(key))
	delete(c.old, string(key))
}

// applied follows a batch that has become visible.
func (c *recent) applied(b *pebble.Batch) {
	for r := b.Reader(); ; {
		kind, key, value, ok, err := r.Next()
		switch {
		case err != nil || !ok && len(r) > 0:
			*c = recent{} // what cannot be followed is not kept
			return
		case !ok:
			return
		case kind == pebble.InternalKeyKindSet:
			c.keep(key, append(make([]byte, 0, len(value)), value...))
		case kind == pebble.InternalKeyKindDelete:
			c.forget(key)
		default:
			*c = recent{}
		}
	}
}
