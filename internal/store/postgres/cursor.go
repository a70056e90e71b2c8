package postgres

import (
	"bytes"

	"github.com/tidwall/btree"
)

// cursor yields rows in one direction, in order, until it is not ok.
type cursor interface {
	next() (r row, ok bool)
}

// layerCursor yields a layer's rows in a range, the deleted ones among them.
type layerCursor struct {
	it      btree.IterG[row]
	lo, hi  []byte
	reverse bool
	started bool
}

func (l *layer) cursor(lo, hi []byte, reverse bool) *layerCursor {
	return &layerCursor{it: l.rows.Iter(), lo: lo, hi: hi, reverse: reverse}
}

func (c *layerCursor) next() (row, bool) {
	if !c.move() {
		return row{}, false
	}
	r := c.it.Item()
	if c.reverse {
		return r, bytes.Compare(r.key, c.lo) >= 0
	}
	return r, c.hi == nil || bytes.Compare(r.key, c.hi) < 0
}

func (c *layerCursor) move() bool {
	if c.started {
		if c.reverse {
			return c.it.Prev()
		}
		return c.it.Next()
	}
	c.started = true
	switch {
	case !c.reverse:
		return c.it.Seek(row{key: c.lo})
	case c.hi == nil || !c.it.Seek(row{key: c.hi}):
		return c.it.Last()
	}
	return c.it.Prev()
}

// over yields the living rows of a layer and, where the layer does not decide, of what is below it.
type over struct {
	layer      *layer
	top, below cursor
	reverse    bool
	t, b       row
	tOK, bOK   bool
	primed     bool
}

// cover puts a layer over a cursor.
func cover(l *layer, lo, hi []byte, reverse bool, below cursor) cursor {
	if l.empty() {
		return below
	}
	o := &over{layer: l, below: below, reverse: reverse}
	if l.rows != nil {
		o.top = l.cursor(lo, hi, reverse)
	}
	return o
}

func (o *over) next() (row, bool) {
	if !o.primed {
		o.primed = true
		o.pullTop()
		o.pullBelow()
	}
	for o.tOK || o.bOK {
		order := o.order()
		r := o.b
		if order <= 0 {
			r = o.t
			o.pullTop()
		}
		if order >= 0 {
			o.pullBelow()
		}
		if !r.deleted {
			return r, true
		}
	}
	return row{}, false
}

// order is negative if the layer's row comes first, 0 if both have the same key.
func (o *over) order() int {
	switch {
	case !o.bOK:
		return -1
	case !o.tOK:
		return 1
	case o.reverse:
		return bytes.Compare(o.b.key, o.t.key)
	}
	return bytes.Compare(o.t.key, o.b.key)
}

func (o *over) pullTop() {
	if o.tOK = o.top != nil; o.tOK {
		o.t, o.tOK = o.top.next()
	}
}

func (o *over) pullBelow() {
	for {
		if o.b, o.bOK = o.below.next(); !o.bOK || !o.layer.hides(o.b.key) {
			return
		}
	}
}
