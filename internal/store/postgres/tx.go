package postgres

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/newel-run/newel/internal/store"
)

// maxKey is the longest key in bytes: PostgreSQL's index takes no row of more than 2,704.
const maxKey = 2600

// rows is what the database holds of one partition.
type rows interface {
	get(key []byte) ([]byte, error)
	// page returns the first rows of a range, or its last ones in reverse: limit of them, fewer only at the end.
	page(lo, hi []byte, reverse bool, limit int) ([]row, error)
}

// reader reads one partition: the database, and over it what is not durable yet.
type reader struct {
	rows rows
	err  error // the first error of a read, which ends the transaction
}

var _ store.Reader = (*reader)(nil)

func (r *reader) Get(key []byte) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	v, err := r.rows.get(key)
	r.note(err)
	return v, err
}

func (r *reader) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		if hi != nil && bytes.Compare(lo, hi) >= 0 {
			return
		}
		run(r.pages(lo, hi, reverse), yield)
	}
}

func run(c cursor, yield func(k, v []byte) bool) {
	for {
		r, ok := c.next()
		if !ok || !yield(r.key, r.value) {
			return
		}
	}
}

func (r *reader) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Pages of a scan begin small, since many scans want the first row only, and grow until one has about pageBytes.
const (
	firstPage = 16
	pageRows  = 2048
	pageBytes = 1 << 20
)

// pages yields the database's rows of a range, page by page.
type pages struct {
	r       *reader
	lo, hi  []byte
	reverse bool
	limit   int
	page    []row
	last    bool
}

func (r *reader) pages(lo, hi []byte, reverse bool) *pages {
	if lo == nil {
		lo = []byte{}
	}
	return &pages{r: r, lo: lo, hi: hi, reverse: reverse, limit: firstPage}
}

func (p *pages) next() (row, bool) {
	if len(p.page) == 0 && !p.fetch() {
		return row{}, false
	}
	first := p.page[0]
	p.page = p.page[1:]
	return first, true
}

func (p *pages) fetch() bool {
	if p.last || p.r.err != nil {
		return false
	}
	page, err := p.r.rows.page(p.lo, p.hi, p.reverse, p.limit)
	if err != nil {
		p.r.note(err)
		return false
	}
	p.page, p.last = page, len(page) < p.limit
	if len(page) == 0 {
		return false
	}
	end := page[len(page)-1].key
	if p.reverse {
		p.hi = end
	} else {
		p.lo = append(append(make([]byte, 0, len(end)+1), end...), 0)
	}
	size := 1
	for _, r := range page {
		size += len(r.key) + len(r.value)
	}
	p.limit = max(1, min(4*p.limit, pageRows, pageBytes*len(page)/size))
	return true
}

// tx collects a transaction's writes over what its partition holds.
type tx struct {
	reader
	part   *partition
	recent *recent
	own    layer
}

var _ store.Tx = (*tx)(nil)

func (t *tx) Get(key []byte) ([]byte, error) {
	if r, ok := t.own.get(key); ok {
		return r.value, nil
	}
	if r, ok := t.part.pending(key); ok {
		return r.value, nil
	}
	v, err := t.reader.Get(key)
	if v != nil {
		t.part.keep(row{key: append([]byte{}, key...), value: v}, t.recent)
	}
	return v, err
}

// Scan reads what was there when the iteration began. The layers are copied before the database is read: it can only have
// got what is in the copy, because this transaction holds the partition.
func (t *tx) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		if hi != nil && bytes.Compare(lo, hi) >= 0 {
			return
		}
		own, pending := t.own.snapshot(), t.part.snapshot()
		run(cover(&own, lo, hi, reverse, cover(&pending, lo, hi, reverse, t.pages(lo, hi, reverse))), yield)
	}
}

func (t *tx) Set(key, value []byte) {
	if len(key) > maxKey {
		t.note(fmt.Errorf("store: a key of %d bytes; PostgreSQL's index takes up to %d", len(key), maxKey))
		return
	}
	n := len(key)
	both := append(append(make([]byte, 0, n+len(value)), key...), value...)
	t.own.put(row{key: both[:n:n], value: both[n:]})
}

func (t *tx) Delete(key []byte) { t.own.put(row{key: append([]byte{}, key...), deleted: true}) }

func (t *tx) DeleteRange(lo, hi []byte) {
	if hi != nil && bytes.Compare(lo, hi) >= 0 {
		return
	}
	t.own.deleteRange(span{lo: append([]byte{}, lo...), hi: bytes.Clone(hi)})
}
