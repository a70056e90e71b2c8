package sim

import (
	"hash"
	"hash/fnv"
	"iter"

	"github.com/tidwall/btree"

	"github.com/newel-run/newel/internal/store"
)

type tree = btree.Map[string, []byte]

// disk is what outlives a process: the durable state of each partition, and what is staged above it.
type disk struct {
	parts []*diskPart
	epoch int // of the process that owns the disk; one with a smaller epoch is fenced
}

// diskPart is one partition. Its staged commits become durable in their order.
type diskPart struct {
	durable *tree
	before  *tree // what was durable before the last sync
	staged  []*staged
	synced  int // commits that are durable, counted from the beginning
	syncing bool
	waiters []*waiter
}

// staged is a commit that the partition's next transaction sees and that a crash may lose.
type staged struct{ after *tree }

// waiter is answered once as many commits of its partition are durable as there were when it read.
type waiter struct {
	upTo int
	call *call
	err  error
}

func newDisk(partitions int) *disk {
	d := &disk{}
	for range partitions {
		d.parts = append(d.parts, &diskPart{durable: &tree{}})
	}
	return d
}

// applied is the state that the partition's next transaction sees.
func (p *diskPart) applied() *tree {
	if n := len(p.staged); n > 0 {
		return p.staged[n-1].after
	}
	return p.durable
}

// position is how many commits there are, durable or not.
func (p *diskPart) position() int { return p.synced + len(p.staged) }

// sync makes the first n staged commits durable and returns who may be answered.
func (p *diskPart) sync(n int) (ready []*waiter) {
	if n > 0 {
		p.before, p.durable = p.durable, p.staged[n-1].after
		p.staged = p.staged[n:]
		p.synced += n
	}
	rest := p.waiters[:0]
	for _, w := range p.waiters {
		if w.upTo <= p.synced {
			ready = append(ready, w)
		} else {
			rest = append(rest, w)
		}
	}
	p.waiters = rest
	return ready
}

// lose is what the end of the owner does: of what is staged, the first n commits had reached the disk. It returns those
// whose commits had, and the others.
func (p *diskPart) lose(n int) (ready, lost []*waiter) {
	ready = p.sync(n)
	lost = p.waiters
	p.synced += len(p.staged) // numbers are not used again
	p.staged, p.waiters, p.syncing = nil, nil, false
	return ready, lost
}

// tx reads and writes one tree. What it hands out is overwritten when the transaction's function has returned, so that
// nobody keeps it.
type tx struct {
	base    *tree
	changed *tree
	lent    [][]byte
	mutant  Mutant
	print   hash.Hash32 // nil unless the transaction is only looked at: what it reads and writes
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

func (t *tx) note(what byte, parts ...[]byte) {
	if t.print == nil {
		return
	}
	t.print.Write([]byte{what})
	for _, p := range parts {
		t.print.Write(p)
		t.print.Write([]byte{0})
	}
}

func (t *tx) lend(b []byte) []byte {
	c := append(make([]byte, 0, len(b)), b...)
	t.lent = append(t.lent, c)
	return c
}

// end takes back what was handed out.
func (t *tx) end() {
	for _, b := range t.lent {
		for i := range b {
			b[i] = 0xdb
		}
	}
}

func (t *tx) Get(key []byte) ([]byte, error) {
	t.note('g', key)
	b, ok := t.current().Get(string(key))
	if !ok {
		return nil, nil
	}
	return t.lend(b), nil
}

func (t *tx) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		t.note('s', lo, hi)
		at := t.current()
		if t.changed != nil {
			at = at.Copy()
		}
		if t.mutant == UnsortedScan && len(lo) > 0 && lo[0] == store.TableHistory {
			reverse = !reverse
		}
		step := func(k string, v []byte) bool {
			if k < string(lo) || hi != nil && k >= string(hi) {
				return reverse && k >= string(lo)
			}
			return yield(t.lend([]byte(k)), t.lend(v))
		}
		switch {
		case !reverse:
			at.Ascend(string(lo), step)
		case hi == nil:
			at.Reverse(step)
		default:
			at.Descend(string(hi), step)
		}
	}
}

func (t *tx) Set(key, value []byte) {
	t.note('w', key, value)
	if t.mutant == StaleList && key[0] == store.TableIndex {
		if _, there := t.current().Get(string(key)); there {
			return
		}
	}
	if !t.mutant.drops(key, false) {
		t.writable().Set(string(key), append([]byte{}, value...))
	}
}

func (t *tx) Delete(key []byte) {
	t.note('d', key)
	if !t.mutant.drops(key, true) {
		t.writable().Delete(string(key))
	}
}

func (t *tx) DeleteRange(lo, hi []byte) {
	t.note('r', lo, hi)
	var doomed []string
	for k := range t.Scan(lo, hi, false) {
		doomed = append(doomed, string(k))
	}
	for _, k := range doomed {
		t.writable().Delete(k)
	}
}

// fingerprint says what a transaction does on a tree.
func fingerprint(at *tree, fn func(store.Tx) error) uint32 {
	t := &tx{base: at, print: fnv.New32a()}
	if err := fn(t); err != nil {
		t.note('e', []byte(err.Error()))
	}
	t.end()
	return t.print.Sum32()
}
