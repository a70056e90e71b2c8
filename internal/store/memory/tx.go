package memory

import (
	"bytes"
	"iter"

	"github.com/tidwall/btree"
)

// degree is small because a transaction copies every node it touches.
const degree = 8

type pair struct{ key, value []byte }

type tree = btree.BTreeG[pair]

func newTree() *tree {
	return btree.NewBTreeGOptions(func(a, b pair) bool { return bytes.Compare(a.key, b.key) < 0 },
		btree.Options{NoLocks: true, Degree: degree})
}

// reader reads one tree, which nobody changes any more.
type reader struct{ tree *tree }

func (r reader) Get(key []byte) ([]byte, error) {
	p, ok := r.tree.Get(pair{key: key})
	if !ok {
		return nil, nil
	}
	return p.value, nil
}

func (r reader) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	if reverse {
		return func(yield func(k, v []byte) bool) { descend(r.tree, lo, hi, yield) }
	}
	return func(yield func(k, v []byte) bool) { ascend(r.tree, lo, hi, yield) }
}

func ascend(t *tree, lo, hi []byte, yield func(k, v []byte) bool) {
	t.Ascend(pair{key: lo}, func(p pair) bool {
		return (hi == nil || bytes.Compare(p.key, hi) < 0) && yield(p.key, p.value)
	})
}

func descend(t *tree, lo, hi []byte, yield func(k, v []byte) bool) {
	step := func(p pair) bool {
		if hi != nil && bytes.Equal(p.key, hi) {
			return true
		}
		return bytes.Compare(p.key, lo) >= 0 && yield(p.key, p.value)
	}
	if hi == nil {
		t.Reverse(step)
		return
	}
	t.Descend(pair{key: hi}, step)
}

// tx reads base until its first write makes a copy to change.
type tx struct {
	base    *tree
	changed *tree
}

func (t *tx) current() *tree {
	if t.changed != nil {
		return t.changed
	}
	return t.base
}

func (t *tx) writable() *tree {
	if t.changed == nil {
		t.changed = t.base.Copy()
	}
	return t.changed
}

func (t *tx) Get(key []byte) ([]byte, error) { return reader{t.current()}.Get(key) }

// Scan iterates over what was there when the iteration began, so that the loop may write.
func (t *tx) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		at := t.base
		if t.changed != nil {
			at = t.changed.Copy()
		}
		reader{at}.Scan(lo, hi, reverse)(yield)
	}
}

func (t *tx) Set(key, value []byte) {
	both := make([]byte, 0, len(key)+len(value))
	both = append(append(both, key...), value...)
	n := len(key)
	t.writable().Set(pair{key: both[:n:n], value: both[n:]})
}

func (t *tx) Delete(key []byte) { t.writable().Delete(pair{key: key}) }

func (t *tx) DeleteRange(lo, hi []byte) {
	var doomed [][]byte
	for k := range t.Scan(lo, hi, false) {
		doomed = append(doomed, k)
	}
	for _, k := range doomed {
		t.Delete(k)
	}
}
