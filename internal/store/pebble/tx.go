package pebble

import (
	"bytes"
	"errors"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/newel-run/newel/internal/store"
)

// prefixLen is the length of the partition's number in front of every key.
const prefixLen = 2

// arenaChunk is how much is allocated at once for the keys and values of a Scan. Chunks are not kept: what the caller lets
// go of is garbage, so a scan of any length runs in little memory.
const arenaChunk = 16 << 10

// reader reads one partition from a snapshot, or from the database itself while the partition's writer is held.
type reader struct {
	source pebble.Reader
	part   *partition
	err    error // the first error of a read, which ends the transaction
	key    []byte
	arena  []byte
}

var _ store.Reader = (*reader)(nil)

func (r *reader) Get(key []byte) ([]byte, error) {
	r.key = append(append(r.key[:0], r.part.lower[:]...), key...)
	value, closer, err := r.source.Get(r.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, r.fail(err)
	}
	out := append(make([]byte, 0, len(value)), value...)
	if err := closer.Close(); err != nil {
		return nil, r.fail(err)
	}
	return out, nil
}

// Missing is store.Missing. Pebble's Get does not ask the filters of the lowest level, where most rows are.
func (r *reader) Missing(key []byte) (bool, error) {
	r.key = append(append(r.key[:0], r.part.lower[:]...), key...)
	it, err := r.source.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return false, r.fail(err)
	}
	missing := !it.SeekPrefixGE(r.key)
	if err := it.Close(); err != nil { // tells of errors of the iteration too
		return false, r.fail(err)
	}
	return missing, nil
}

func (r *reader) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) { r.scan(lo, hi, reverse, yield) }
}

func (r *reader) scan(lo, hi []byte, reverse bool, yield func(k, v []byte) bool) {
	if hi != nil && bytes.Compare(lo, hi) >= 0 {
		return
	}
	lower, upper := r.part.bounds(lo, hi)
	it, err := r.source.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		r.fail(err)
		return
	}
	defer func() { r.fail(it.Close()) }()
	first, next := it.First, it.Next
	if reverse {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		value, err := it.ValueAndErr()
		if err != nil {
			r.fail(err)
			return
		}
		k, v := r.keep(it.Key()[prefixLen:], value)
		if !yield(k, v) {
			return
		}
	}
	r.fail(it.Error())
}

// keep copies a pair, which lives on until the caller lets go of it.
func (r *reader) keep(key, value []byte) (k, v []byte) {
	n := len(key) + len(value)
	if n > cap(r.arena)-len(r.arena) {
		r.arena = make([]byte, 0, max(n, min(arenaChunk, 2*cap(r.arena)+256)))
	}
	start := len(r.arena)
	r.arena = append(append(r.arena, key...), value...)
	mid, end := start+len(key), start+n
	return r.arena[start:mid:mid], r.arena[mid:end:end]
}

func (r *reader) fail(err error) error {
	err = readError(err)
	if r.err == nil {
		r.err = err
	}
	return err
}

// bounds puts the partition's prefix before a range.
func (p *partition) bounds(lo, hi []byte) (lower, upper []byte) {
	lower = append(append(make([]byte, 0, prefixLen+len(lo)), p.lower[:]...), lo...)
	if hi == nil {
		return lower, p.upper[:]
	}
	return lower, append(append(make([]byte, 0, prefixLen+len(hi)), p.lower[:]...), hi...)
}

// tx collects writes in a batch. The batch gets an index, which costs, when something is read after a write.
type tx struct {
	reader
	db      *pebble.DB
	batch   *pebble.Batch
	indexed bool
}

var _ store.Tx = (*tx)(nil)

func (t *tx) empty() bool { return t.batch == nil || t.batch.Empty() }

// take hands the batch over to the commit.
func (t *tx) take() *pebble.Batch {
	b := t.batch
	t.batch = nil
	return b
}

func (t *tx) close() {
	if t.batch != nil {
		t.batch.Close()
	}
}

func (t *tx) writable() *pebble.Batch {
	if t.batch == nil {
		t.batch = t.db.NewBatch()
	}
	return t.batch
}

// seeWrites makes reads go through the batch if there is something in it.
func (t *tx) seeWrites() {
	if t.indexed || t.empty() {
		return
	}
	b := t.db.NewIndexedBatch()
	t.note(b.Apply(t.batch, nil))
	t.note(t.batch.Close())
	t.batch, t.source, t.indexed = b, b, true
}

func (t *tx) note(err error) {
	if err != nil && t.err == nil {
		t.err = err
	}
}

func (t *tx) Get(key []byte) ([]byte, error) {
	if !t.empty() {
		t.seeWrites()
		return t.reader.Get(key)
	}
	t.key = append(append(t.key[:0], t.part.lower[:]...), key...)
	if value, ok := t.part.recent.get(t.key); ok {
		return value, nil
	}
	value, err := t.reader.Get(key)
	if value != nil {
		t.part.recent.keep(t.key, value)
	}
	return value, err
}

func (t *tx) Missing(key []byte) (bool, error) {
	if t.empty() {
		return t.reader.Missing(key)
	}
	value, err := t.Get(key)
	return value == nil, err
}

func (t *tx) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		t.seeWrites()
		t.scan(lo, hi, reverse, yield)
	}
}

func (t *tx) Set(key, value []byte) {
	op := t.writable().SetDeferred(prefixLen+len(key), len(value))
	copy(op.Key, t.part.lower[:])
	copy(op.Key[prefixLen:], key)
	copy(op.Value, value)
	t.note(op.Finish())
}

func (t *tx) Delete(key []byte) {
	op := t.writable().DeleteDeferred(prefixLen + len(key))
	copy(op.Key, t.part.lower[:])
	copy(op.Key[prefixLen:], key)
	t.note(op.Finish())
}

func (t *tx) DeleteRange(lo, hi []byte) {
	if hi != nil && bytes.Compare(lo, hi) >= 0 {
		return
	}
	lower, upper := t.part.bounds(lo, hi)
	t.note(t.writable().DeleteRange(lower, upper, nil))
}
