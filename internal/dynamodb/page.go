package dynamodb

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
	"github.com/newel-run/newel/internal/store"
)

// pageBytes ends a page of Query or Scan once the items read so far reach it.
const pageBytes = 1 << 20

// reading is one page to be read: of the table, or of an index if ix is not nil.
type reading struct {
	tb         *table
	ix         *index
	lo, hi     store.Key
	reverse    bool
	limit      int // 0 for none
	filter     *expr.Node
	projection *expr.Projection
	countOnly  bool
	whole      bool // of a local index: all attributes, though it projects fewer
}

// page is what a reading gives. Size is that of the items read, before the filter.
type page struct {
	items          []json.RawMessage
	count, scanned int
	size           int
	last           *attr.Map // key to go on after, nil at the end
}

// keys is the key schema that orders the reading.
func (r *reading) keys() keySchema {
	if r.ix != nil {
		return r.ix.Keys
	}
	return r.tb.Keys
}

// base begins the keys of all rows of the reading's table or index.
func (r *reading) base() store.Key {
	if r.ix != nil {
		return indexOf(r.tb.Number, r.ix.Number)
	}
	return itemsOf(r.tb.Number)
}

func (t *txn) readPage(r *reading) (*page, error) {
	p := &page{items: []json.RawMessage{}}
	var last *item
	for key, value := range t.Scan(r.lo, r.hi, r.reverse) {
		it, err := t.rowItem(r, key, value)
		if err != nil {
			return nil, err
		}
		if it == nil {
			continue
		}
		if p.size >= pageBytes {
			return p, r.stop(p, last)
		}
		if err := p.take(r, it); err != nil {
			return nil, err
		}
		if last = it; p.scanned == r.limit {
			return p, r.stop(p, last)
		}
	}
	return p, nil
}

// rowItem gives the item of a row, nil if it has expired.
func (t *txn) rowItem(r *reading, key, value []byte) (*item, error) {
	if r.ix != nil {
		return t.load(r.tb, value)
	}
	if r.tb.TTL != "" {
		return t.load(r.tb, key[len(r.base()):])
	}
	return t.decodeItem(r.tb, value)
}

func (r *reading) stop(p *page, last *item) error {
	m, err := last.attributes()
	if err != nil {
		return err
	}
	p.last = &attr.Map{}
	names := r.tb.Keys.names()
	if r.ix != nil {
		names = append(names, r.ix.Keys.names()...)
	}
	for _, n := range names {
		p.last.Set(n, m.Get(n))
	}
	return nil
}

// take counts an item and keeps what is wanted of it.
func (p *page) take(r *reading, it *item) error {
	p.scanned++
	size, partial := it.size, r.ix != nil && r.ix.Projection.ProjectionType != "ALL" && !r.whole
	if !partial && r.filter == nil && r.projection == nil {
		p.size += size
		p.count++
		if !r.countOnly {
			p.items = append(p.items, bytes.Clone(it.json))
		}
		return nil
	}
	m, err := it.attributes()
	if err != nil {
		return err
	}
	if partial {
		m = r.ix.project(r.tb, m)
		size = m.Size()
	}
	p.size += size
	if !r.filter.Holds(m) {
		return nil
	}
	p.count++
	if r.countOnly {
		return nil
	}
	if r.projection != nil {
		m = r.projection.Of(m)
	}
	p.items = append(p.items, m.AppendJSON(nil))
	return nil
}

// project gives the attributes that an index projects.
func (ix *index) project(tb *table, m *attr.Map) *attr.Map {
	if ix.Projection.ProjectionType == "ALL" {
		return m
	}
	out := &attr.Map{}
	for i := range m.Len() {
		if e := m.At(i); ix.projects(tb, e.Name) {
			out.Set(e.Name, e.Value)
		}
	}
	return out
}

func (ix *index) projects(tb *table, name string) bool {
	return ix.Projection.ProjectionType == "ALL" || tb.Keys.has(name) || ix.Keys.has(name) || slices.Contains(ix.Projection.NonKeyAttributes, name)
}

// after narrows a reading to what follows an exclusive start key.
func (r *reading) after(start *attr.Map) {
	key := r.base()
	if r.ix != nil {
		key = append(key, itemKey(start.Get(r.ix.Keys.Hash), start.Get(r.ix.Keys.Range))...)
	}
	key = append(key, itemKey(start.Get(r.tb.Keys.Hash), start.Get(r.tb.Keys.Range))...)
	if r.reverse {
		if bytes.Compare(key, r.hi) < 0 {
			r.hi = key
		}
	} else if next := key.End(); bytes.Compare(next, r.lo) > 0 {
		r.lo = next
	}
}
