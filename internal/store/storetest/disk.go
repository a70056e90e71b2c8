package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/newel-run/newel/internal/store"
)

// diskTests need a store that keeps data. They make harnesses as they need them.
var diskTests = []struct {
	name  string
	needs func(d *Disk) bool
	run   func(t *testing.T, harness func(t *testing.T) Harness)
}{
	{"Reopen", nil, testReopen},
	{"SecondOpener", nil, testSecondOpener},
	{"ReadsWaitForDurability", func(d *Disk) bool { return d.HoldSync != nil }, testReadsWait},
	{"NextTransactionDoesNotWait", func(d *Disk) bool { return d.HoldSync != nil }, testPipelining},
	{"Crash", func(d *Disk) bool { return d.Crash != nil }, testCrash},
	{"Faults", func(d *Disk) bool { return len(d.Faults) > 0 }, testFaults},
	{"FullDisk", func(d *Disk) bool { return d.SetFree != nil }, testFullDisk},
}

func testReopen(t *testing.T, harness func(t *testing.T) Harness) {
	h := harness(t)
	s := Open(t, h)
	partitions := s.Partitions()
	var promised promises
	for round := range uint64(3) {
		l := startLoad(t, s, round)
		for i, n := range promised {
			raise(&l.promised[i], n)
		}
		l.waitCalls(500)
		l.finish()
		promised = l.promises()
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		s = Open(t, h)
		if s.Partitions() != partitions {
			t.Errorf("%d partitions have become %d", partitions, s.Partitions())
		}
		checkLoad(t, s, promised)
	}
}

func testSecondOpener(t *testing.T, harness func(t *testing.T) Harness) {
	h := harness(t)
	s := Open(t, h)
	if _, err := h.Open(); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("a second opener gets %v, want ErrLocked", err)
	}
	update(t, s, 0, func(tx store.Tx) { tx.Set([]byte("k"), nil) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	Open(t, h)
}

// testReadsWait holds the fsync of one update and looks at who waits for it: whoever could have read it, and nobody else. A
// View may as well read what was durable before, and then waits for nothing.
func testReadsWait(t *testing.T, harness func(t *testing.T) Harness) {
	h := harness(t)
	s := Open(t, h)
	release := h.Disk.HoldSync()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var ended []string
	call := func(name string, run func(ran func()) error) {
		ran := make(chan struct{})
		wg.Go(func() {
			err := run(sync.OnceFunc(func() { close(ran) }))
			mu.Lock()
			defer mu.Unlock()
			if ended = append(ended, name); err != nil && !errors.Is(err, errRollBack) {
				t.Errorf("%s: %v", name, err)
			}
		})
		<-ran
	}
	read := func(r store.Reader) {
		if _, ok := get(t, r, "k"); !ok {
			t.Error("the next transaction does not see the write")
		}
	}
	call("update", func(ran func()) error {
		return s.Update(t.Context(), 1, func(tx store.Tx) error { tx.Set([]byte("k"), nil); ran(); return nil })
	})
	call("read-only update", func(ran func()) error {
		return s.Update(t.Context(), 1, func(tx store.Tx) error { read(tx); ran(); return nil })
	})
	call("failing update", func(ran func()) error {
		return s.Update(t.Context(), 1, func(tx store.Tx) error { read(tx); ran(); return errRollBack })
	})
	saw := false
	call("view", func(ran func()) error {
		return s.View(t.Context(), 1, func(r store.Reader) error { _, saw = get(t, r, "k"); ran(); return nil })
	})
	view(t, s, 2, func(store.Reader) {}) // another partition has nothing to wait for
	mu.Lock()
	early := fmt.Sprint(ended)
	mu.Unlock()
	if early != "[]" && (saw || early != "[view]") {
		t.Errorf("returned before the fsync: %s", early)
	}
	release()
	wg.Wait()
}

// testPipelining runs many transactions of one partition during one held fsync: each sees the one before.
func testPipelining(t *testing.T, harness func(t *testing.T) Harness) {
	h := harness(t)
	s := Open(t, h)
	release := h.Disk.HoldSync()
	const n = 50
	var wg, ran sync.WaitGroup
	ran.Add(n)
	for range n {
		wg.Go(func() {
			err := s.Update(t.Context(), 1, func(tx store.Tx) error {
				ran.Done()
				return pipelined(t, tx)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	ran.Wait() // all have run while none is durable
	release()
	wg.Wait()
	view(t, s, 1, func(r store.Reader) {
		if got, err := count(r, "n"); got != n || err != nil {
			t.Errorf("%d, %v", got, err)
		}
	})
}

// pipelined counts up, keeps a row for each of the last ten counts, and looks whether those before it are there.
func pipelined(t *testing.T, tx store.Tx) error {
	n, err := count(tx, "n")
	rows := 0
	for _, reverse := range []bool{false, true} {
		for k := range tx.Scan(loadRow(0), loadRow(1<<32), reverse) {
			if rows++; bytes.Compare(k, loadRow(n)) >= 0 {
				t.Errorf("transaction %d sees row %q", n, k)
			}
		}
	}
	if want := 2 * int(min(n, 10)); rows != want {
		t.Errorf("transaction %d sees %d rows in two scans, want %d", n, rows, want)
	}
	tx.Set(loadRow(n), nil)
	if n >= 10 {
		tx.Delete(loadRow(n - 10))
	}
	return errors.Join(err, increment(tx, "n"))
}

// testCrash cuts the power at random points under load, several times in a row.
func testCrash(t *testing.T, harness func(t *testing.T) Harness) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			h := harness(t)
			var promised promises
			for generation := range uint64(3) {
				h, promised = crashOnce(t, h, promised, r.Uint64(), int64(r.IntN(600)))
				s := Open(t, h)
				checkLoad(t, s, promised)
				if t.Failed() {
					t.Fatalf("seed %d, generation %d", seed, generation)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func crashOnce(t *testing.T, h Harness, before promises, seed uint64, calls int64) (Harness, promises) {
	s := Open(t, h)
	l := startLoad(t, s, seed)
	for i, n := range before {
		raise(&l.promised[i], n)
	}
	l.waitCalls(calls)
	promised := l.promises() // what is promised from here on may be lost: the power may be gone already
	after := h.Disk.Crash(seed)
	l.finish()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return after, promised
}

// testFaults makes each kind of operation fail, early and late, and recovers by a restart, without and with a power cut.
func testFaults(t *testing.T, harness func(t *testing.T) Harness) {
	for _, fault := range harness(t).Disk.Faults {
		for _, n := range []int{1, 2, 7} {
			t.Run(fmt.Sprintf("%s/%d", fault, n), func(t *testing.T) {
				h := harness(t)
				s := Open(t, h)
				l := startLoad(t, s, uint64(n))
				l.waitCalls(100)
				h.Disk.Inject(fault, n)
				<-s.Failed()
				l.done.Wait()
				l.stop()
				checkFailed(t, s)
				promised := l.promises()
				crashed := h.Disk.Crash(uint64(n))
				if err := s.Close(); !errors.Is(err, store.ErrFailed) {
					t.Errorf("close: %v", err)
				}
				checkLoad(t, Open(t, h), promised)
				checkLoad(t, Open(t, crashed), promised)
			})
		}
	}
}

func checkFailed(t *testing.T, s store.Store) {
	t.Helper()
	if err := s.Err(); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Err: %v", err)
	}
	t.Logf("message: %v", s.Err())
	ran := false
	if err := s.Update(t.Context(), 0, func(store.Tx) error { ran = true; return nil }); !errors.Is(err, store.ErrFailed) {
		t.Errorf("update: %v", err)
	}
	if err := s.View(t.Context(), 0, func(store.Reader) error { ran = true; return nil }); !errors.Is(err, store.ErrFailed) {
		t.Errorf("view: %v", err)
	}
	if ran {
		t.Error("a failed store has run a function")
	}
}

func testFullDisk(t *testing.T, harness func(t *testing.T) Harness) {
	h := harness(t)
	s := Open(t, h)
	set := func(tx store.Tx) error { return increment(tx, "n") }
	update(t, s, 1, func(tx store.Tx) { _ = set(tx) })
	h.Disk.SetFree(false)
	if err := s.Update(t.Context(), 1, set); !errors.Is(err, store.ErrFull) {
		t.Errorf("new work: %v, want ErrFull", err)
	}
	if err := s.Update(store.Finishing(t.Context()), 1, set); err != nil {
		t.Errorf("finishing work: %v", err)
	}
	update(t, s, 1, func(tx store.Tx) { _, _ = get(t, tx, "n") }) // reads go on
	view(t, s, 1, func(r store.Reader) {
		if n, err := count(r, "n"); n != 2 || err != nil {
			t.Errorf("%d, %v: want the first and the finishing update", n, err)
		}
	})
	h.Disk.SetFree(true)
	update(t, s, 1, func(tx store.Tx) { _ = set(tx) })
	if err := s.Err(); err != nil {
		t.Errorf("a full disk is no failure: %v", err)
	}
}
