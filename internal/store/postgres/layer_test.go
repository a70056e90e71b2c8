package postgres

import "testing"

func set(key, value string) *layer {
	var l layer
	l.put(row{key: []byte(key), value: []byte(value), deleted: value == ""})
	return &l
}

// A group that becomes durable takes nothing out of the layer that a later one has written.
func TestSettle(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		keep := func(r *row) bool {
			if keeps && !r.deleted {
				r.kept = 1
			}
			return r.kept != 0
		}
		first, second := set("k", "old"), set("k", "")
		ranges := &layer{spans: []span{{lo: []byte("a"), hi: []byte("z")}}}
		var l layer
		l.add(first, 1)
		l.add(second, 2)
		l.settle(first, 1, keep)
		if r, ok := l.get([]byte("k")); !ok || !r.deleted {
			t.Errorf("keep %v: the deletion that is on its way is lost: %v, %v", keeps, r, ok)
		}
		l.settle(second, 2, keep)
		if _, ok := l.get([]byte("k")); ok {
			t.Errorf("keep %v: the layer still decides about a deleted row", keeps)
		}
		l.add(first, 3)
		l.add(ranges, 4)
		l.settle(first, 3, keep)
		if r, ok := l.get([]byte("k")); !ok || !r.deleted {
			t.Errorf("keep %v: the deleted range is lost: %v, %v", keeps, r, ok)
		}
		l.settle(ranges, 4, keep)
		l.add(set("k", "new"), 5)
		l.add(set("k", "newer"), 6)
		l.settle(set("k", "new"), 5, keep)
		if r, ok := l.get([]byte("k")); !ok || string(r.value) != "newer" || r.kept != 0 {
			t.Errorf("keep %v: what is on its way counts as durable: %v, %v", keeps, r, ok)
		}
	}
}
