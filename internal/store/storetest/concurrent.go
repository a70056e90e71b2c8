package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/newel-run/newel/internal/store"
)

func testErrorRollsBack(t *testing.T, h Harness) {
	s := Open(t, h)
	update(t, s, 1, func(tx store.Tx) { tx.Set([]byte("kept"), []byte("1")) })
	boom := errors.New("boom")
	err := s.Update(t.Context(), 1, func(tx store.Tx) error {
		tx.Set([]byte("kept"), []byte("2"))
		tx.Set([]byte("new"), nil)
		list(tx, nil, nil, false)
		tx.DeleteRange(nil, nil)
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("update: %v", err)
	}
	update(t, s, 1, func(tx store.Tx) {
		if got := list(tx, nil, nil, false); !slices.Equal(got, []string{"kept=1"}) {
			t.Errorf("after a failed transaction: %q", got)
		}
	})
	if err := s.View(t.Context(), 1, func(store.Reader) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("view: %v", err)
	}
}

func testPanicRollsBack(t *testing.T, h Harness) {
	s := Open(t, h)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = s.Update(t.Context(), 1, func(tx store.Tx) error {
			tx.Set([]byte("k"), nil)
			panic("bug")
		})
	}()
	update(t, s, 1, func(tx store.Tx) { // the partition is not left locked
		if _, ok := get(t, tx, "k"); ok {
			t.Error("a transaction that panicked has written")
		}
	})
}

// testRerunHasNoEffect runs a function several times on purpose, as a store may: what it has read is the same each time
// and only the last run counts.
func testRerunHasNoEffect(t *testing.T, h Harness) {
	s := Open(t, h)
	again := errors.New("again")
	fn := func(fail bool) func(store.Tx) error {
		return func(tx store.Tx) error {
			n := len(list(tx, nil, nil, false))
			if n != 0 {
				t.Errorf("a run sees %d rows of an earlier run", n)
			}
			tx.Set(fmt.Appendf(nil, "row %d", n), nil)
			if fail {
				return again
			}
			return nil
		}
	}
	for range 3 {
		if err := s.Update(t.Context(), 1, fn(true)); !errors.Is(err, again) {
			t.Fatal(err)
		}
	}
	if err := s.Update(t.Context(), 1, fn(false)); err != nil {
		t.Fatal(err)
	}
	view(t, s, 1, func(r store.Reader) {
		if got := list(r, nil, nil, false); !slices.Equal(got, []string{"row 0="}) {
			t.Errorf("%q", got)
		}
	})
}

func count(r store.Reader, key string) (uint64, error) {
	v, err := r.Get([]byte(key))
	if err != nil || v == nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}

func increment(tx store.Tx, key string) error {
	n, err := count(tx, key)
	tx.Set([]byte(key), binary.BigEndian.AppendUint64(nil, n+1))
	return err
}

func testIncrements(t *testing.T, h Harness) {
	s := Open(t, h)
	const callers, each = 16, 50
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				if err := s.Update(t.Context(), 5, func(tx store.Tx) error { return increment(tx, "n") }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	view(t, s, 5, func(r store.Reader) {
		if n, err := count(r, "n"); n != callers*each || err != nil {
			t.Errorf("%d increments, want %d: %v", n, callers*each, err)
		}
	})
}

func testManyCallers(t *testing.T, h Harness) {
	s := Open(t, h)
	const callers, each = 64, 20
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			own := fmt.Sprintf("caller %d", c)
			for i := range each {
				p := store.Partition((c*7 + i) % s.Partitions())
				err := s.Update(t.Context(), p, func(tx store.Tx) error {
					return errors.Join(increment(tx, own), increment(tx, "all"))
				})
				if err != nil {
					t.Error(err)
					return
				}
				// What a caller was told is there for everyone, and a View of it is whole.
				err = s.View(t.Context(), p, func(r store.Reader) error {
					mine, err := count(r, own)
					all, err2 := count(r, "all")
					if mine == 0 || all < mine {
						t.Errorf("caller %d sees %d of its own and %d in all", c, mine, all)
					}
					return errors.Join(err, err2)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var sum uint64
	for p := range s.Partitions() {
		view(t, s, store.Partition(p), func(r store.Reader) {
			n, _ := count(r, "all")
			sum += n
		})
	}
	if sum != callers*each {
		t.Errorf("%d updates, want %d", sum, callers*each)
	}
}

func testViewIsolation(t *testing.T, h Harness) {
	s := Open(t, h)
	set := func(v string) {
		update(t, s, 9, func(tx store.Tx) {
			tx.Set([]byte("a"), []byte(v))
			tx.Set([]byte("b"), []byte(v))
		})
	}
	set("old")
	begun, changed := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.View(t.Context(), 9, func(r store.Reader) error {
			_, _ = get(t, r, "a")
			close(begun)
			<-changed
			if got := list(r, nil, nil, false); !slices.Equal(got, []string{"a=old", "b=old"}) {
				t.Errorf("a View sees a later commit: %q", got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	set("new") // returns although the View is still there
	close(changed)
	wg.Wait()
	view(t, s, 9, func(r store.Reader) {
		if got := list(r, nil, nil, false); !slices.Equal(got, []string{"a=new", "b=new"}) {
			t.Errorf("%q", got)
		}
	})
}

func testContextDone(t *testing.T, h Harness) {
	s := Open(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Update(ctx, 0, func(tx store.Tx) error { tx.Set([]byte("k"), nil); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	if err := s.View(ctx, 0, func(store.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("view: %v", err)
	}
	view(t, s, 0, func(r store.Reader) {
		if _, ok := get(t, r, "k"); ok {
			t.Error("a cancelled update has written")
		}
	})
}

func testClosed(t *testing.T, h Harness) {
	s := Open(t, h)
	if err := s.Err(); err != nil {
		t.Errorf("Err: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := s.Update(t.Context(), 0, func(store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("update: %v", err)
	}
	if err := s.View(t.Context(), 0, func(store.Reader) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("view: %v", err)
	}
	select {
	case <-s.Failed():
		t.Error("a closed store has not failed")
	default:
	}
}

func testCloseWaits(t *testing.T, h Harness) {
	s := Open(t, h)
	begun := make(chan struct{})
	var wg sync.WaitGroup
	for p := range store.Partition(8) {
		wg.Go(func() {
			for n := 0; ; n++ {
				err := s.Update(t.Context(), p, func(tx store.Tx) error { return increment(tx, "n") })
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if p == 0 && n == 3 {
					close(begun)
				}
			}
		})
	}
	<-begun
	if err := s.Close(); err != nil {
		t.Errorf("close among updates: %v", err)
	}
	wg.Wait()
}
