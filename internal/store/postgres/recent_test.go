package postgres

import (
	"encoding/binary"
	"testing"
)

// Kept rows are bounded, and the newest stay.
func TestRecent(t *testing.T) {
	var c recent
	var p partition
	p.init(0)
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	const n = 20_000
	for i := range n {
		p.keep(row{key: key(i), value: make([]byte, 2<<10)}, &c)
		p.keep(row{key: []byte("again and again"), value: []byte("v")}, &c)
		c.trim()
	}
	if c.bytes > recentBytes || c.bytes < recentBytes/2 {
		t.Errorf("%d bytes are kept, the bound is %d", c.bytes, recentBytes)
	}
	for _, want := range []struct {
		key  []byte
		kept bool
	}{{key(n - 1), true}, {key(0), false}, {[]byte("again and again"), true}} {
		if _, ok := p.pending(want.key); ok != want.kept {
			t.Errorf("row %q is kept: %v", want.key, ok)
		}
	}
	if rows := p.layer.rows.Len(); rows > c.n {
		t.Errorf("%d rows in the layer, %d are known to be kept", rows, c.n)
	}
	p.keep(row{key: []byte("long"), value: make([]byte, recentRow+1)}, &c)
	if _, ok := p.pending([]byte("long")); ok {
		t.Error("a long value is kept")
	}
}
