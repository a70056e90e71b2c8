package postgres

import (
	"bytes"
	"slices"

	"github.com/tidwall/btree"
)

// degree is small because a copy that is written to copies every node that it touches.
const degree = 8

// row is a written key. A deleted one hides the row of the same key below its layer.
type row struct {
	key, value []byte
	deleted    bool
	group      uint64 // the group that carries it, in a partition's layer
	kept       uint64 // not 0: the database has it too, and this copy of it has this number
}

func before(a, b row) bool { return bytes.Compare(a.key, b.key) < 0 }

// span is a deleted range, lo <= key < hi (hi nil: to the end).
type span struct {
	lo, hi []byte
	group  uint64
}

func (s span) covers(key []byte) bool {
	return bytes.Compare(s.lo, key) <= 0 && (s.hi == nil || bytes.Compare(key, s.hi) < 0)
}

// layer is what was written on top of something else: ranges that were deleted, and then rows. The zero value is empty.
type layer struct {
	rows  *btree.BTreeG[row]
	spans []span
}

func (l *layer) empty() bool { return (l.rows == nil || l.rows.Len() == 0) && len(l.spans) == 0 }

// get returns the row of a key; it is ok if the layer decides about the key.
func (l *layer) get(key []byte) (r row, ok bool) {
	if l.rows != nil {
		if r, ok = l.rows.Get(row{key: key}); ok {
			return r, true
		}
	}
	return row{deleted: true}, l.hides(key)
}

// hides tells whether a deleted range of the layer covers a key.
func (l *layer) hides(key []byte) bool {
	return slices.ContainsFunc(l.spans, func(s span) bool { return s.covers(key) })
}

func (l *layer) put(r row) {
	if l.rows == nil {
		l.rows = btree.NewBTreeGOptions(before, btree.Options{NoLocks: true, Degree: degree})
	}
	l.rows.Set(r)
}

func (l *layer) deleteRange(s span) {
	if l.rows != nil {
		var doomed []row
		l.rows.Ascend(row{key: s.lo}, func(r row) bool {
			if s.covers(r.key) {
				doomed = append(doomed, r)
				return true
			}
			return false
		})
		for _, r := range doomed {
			l.rows.Delete(r)
		}
	}
	l.spans = append(l.spans, s)
}

// each calls fn with every row, in key order.
func (l *layer) each(fn func(r row)) {
	if l.rows != nil {
		l.rows.Scan(func(r row) bool { fn(r); return true })
	}
}

// add puts a layer on top, as the work of a group.
func (l *layer) add(top *layer, group uint64) {
	for _, s := range top.spans {
		s.group = group
		l.deleteRange(s)
	}
	top.each(func(r row) {
		r.group = group
		l.put(r)
	})
}

// settle takes out what a group has made durable with top, unless later groups have written it again. Rows that keep wants
// stay, as copies of what the database has.
func (l *layer) settle(top *layer, group uint64, keep func(r *row) bool) {
	top.each(func(r row) {
		mine, ok := l.rows.Get(r)
		switch {
		case !ok || mine.group != group || mine.kept != 0:
		case keep(&mine):
			l.rows.Set(mine)
		default:
			l.rows.Delete(mine)
		}
	})
	if len(top.spans) > 0 {
		l.spans = slices.DeleteFunc(slices.Clone(l.spans), func(s span) bool { return s.group <= group })
	}
}

// snapshot returns the layer as it is now; both may be changed independently.
func (l *layer) snapshot() layer {
	s := layer{spans: slices.Clip(l.spans)}
	if l.rows != nil && l.rows.Len() > 0 {
		s.rows = l.rows.Copy()
	}
	return s
}
