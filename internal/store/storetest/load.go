package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/newel-run/newel/internal/store"
)

// loadPartitions are few, so that transactions of one partition often build on one that is not durable yet.
const loadPartitions = 6

// window is how many rows a partition of the load keeps.
const window = 20

// load runs transactions on a store and writes down what the store has promised.
//
// Transaction number n of a partition sets its counter to n, adds row n, deletes row n-window, and notes how far another
// partition was known to be. So a partition is whole if it has exactly the rows up to its counter, and partitions are in
// order if no note is ahead of the partition that it is about.
type load struct {
	t        *testing.T
	store    store.Store
	promised [loadPartitions]atomic.Uint64 // the highest counter that a caller was told of, by whatever kind of call
	calls    atomic.Int64
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// startLoad starts workers that go on until the store fails or finish is called.
func startLoad(t *testing.T, s store.Store, seed uint64) *load {
	l := &load{t: t, store: s}
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	for w := range 12 {
		l.done.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for ctx.Err() == nil {
				err := l.call(ctx, r)
				l.calls.Add(1)
				if errors.Is(err, store.ErrFailed) {
					return
				}
				if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errRollBack) {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
			}
		})
	}
	return l
}

// finish stops the workers and waits for their last calls.
func (l *load) finish() {
	l.stop()
	l.done.Wait()
}

// waitCalls returns when n more calls have ended, or when there will be no more. It spins: calls are short.
func (l *load) waitCalls(n int64) {
	for target := l.calls.Load() + n; l.calls.Load() < target && l.store.Err() == nil && !l.t.Failed(); {
		_ = l.store.View(context.Background(), 0, func(store.Reader) error { return nil })
	}
}

func (l *load) call(ctx context.Context, r *rand.Rand) error {
	p, other := store.Partition(r.IntN(loadPartitions)), r.IntN(loadPartitions)
	known := l.promised[other].Load()
	size := r.IntN(2000)
	kind := r.IntN(10)
	var n uint64
	var err error
	switch {
	case kind == 0:
		err = l.store.View(ctx, p, func(v store.Reader) (err error) { n, err = count(v, "n"); return err })
	case kind == 1:
		err = l.store.Update(ctx, p, func(tx store.Tx) (err error) { n, err = count(tx, "n"); return err })
	case kind == 2:
		err = l.store.Update(ctx, p, func(tx store.Tx) (err error) {
			n, err = count(tx, "n")
			tx.Set(loadRow(n+1), nil)
			return errors.Join(err, errRollBack)
		})
	default:
		err = l.store.Update(ctx, p, func(tx store.Tx) (err error) { n, err = loadStep(tx, other, known, size); return err })
	}
	if err == nil || errors.Is(err, errRollBack) {
		raise(&l.promised[p], n)
	}
	return err
}

func loadStep(tx store.Tx, other int, known uint64, size int) (uint64, error) {
	n, err := count(tx, "n")
	n++
	tx.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, n))
	tx.Set(loadRow(n), loadValue(n, size))
	tx.Set(loadNote(other), binary.BigEndian.AppendUint64(nil, known))
	if n > window {
		if n%2 == 0 {
			tx.Delete(loadRow(n - window))
		} else {
			tx.DeleteRange(loadRow(0), loadRow(n-window+1))
		}
	}
	return n, err
}

func loadRow(n uint64) store.Key   { return store.K('x', "row").U64(n) }
func loadNote(other int) store.Key { return store.K('x', "note").U32(uint32(other)) }
func loadHead(n uint64) string     { return fmt.Sprintf("row %d ", n) }
func loadValue(n uint64, size int) []byte {
	return append([]byte(loadHead(n)), make([]byte, size)...)
}

func raise(to *atomic.Uint64, n uint64) {
	for {
		old := to.Load()
		if n <= old || to.CompareAndSwap(old, n) {
			return
		}
	}
}

// promises is how far each partition must be at least.
type promises [loadPartitions]uint64

func (l *load) promises() (p promises) {
	for i := range p {
		p[i] = l.promised[i].Load()
	}
	return p
}

// checkLoad checks a recovered store against what was promised.
func checkLoad(t *testing.T, s store.Store, promised promises) {
	t.Helper()
	var counters promises
	for p := range store.Partition(loadPartitions) {
		view(t, s, p, func(r store.Reader) {
			n, err := count(r, "n")
			if err != nil {
				t.Fatal(err)
			}
			counters[p] = n
			if n < promised[p] {
				t.Errorf("partition %d: lost: transaction %d was acknowledged, the last one is %d", p, promised[p], n)
			}
			checkRows(t, r, p, n)
		})
	}
	for p := range store.Partition(loadPartitions) {
		view(t, s, p, func(r store.Reader) {
			for other, n := range counters {
				known, err := count(r, string(loadNote(other)))
				if err != nil || known > n {
					t.Errorf("out of order: partition %d knows transaction %d of partition %d, whose last one is %d (%v)", p, known, other, n, err)
				}
			}
		})
	}
}

func checkRows(t *testing.T, r store.Reader, p store.Partition, n uint64) {
	t.Helper()
	want := uint64(1)
	if n > window {
		want = n - window + 1
	}
	prefix := store.K('x', "row")
	for k, v := range r.Scan(prefix, prefix.End(), false) {
		if string(k) != string(loadRow(want)) || len(v) < len(loadHead(want)) || string(v[:len(loadHead(want))]) != loadHead(want) {
			t.Errorf("partition %d at %d: half a transaction: row %q = %.20q, want row %d", p, n, k, v, want)
			return
		}
		want++
	}
	if want != n+1 {
		t.Errorf("partition %d at %d: half a transaction: the last row is %d", p, n, want-1)
	}
}
