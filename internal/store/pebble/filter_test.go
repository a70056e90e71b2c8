package pebble

import (
	"fmt"
	"testing"

	"github.com/newel-run/newel/internal/store"
)

// TestAbsentNamesAreAnsweredByFilters: of rows in the lowest level it is known which are there, and for names that are not a
// filter says so in place of a block of rows.
func TestAbsentNamesAreAnsweredByFilters(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Partitions: 1, Ballast: 1 << 20, Watermark: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const rows = 5000
	name := func(i int) []byte { return append(store.K(store.TableExecution, fmt.Sprint("execution ", i)), 'r') }
	other := func(i int) []byte { return store.K(store.TableHistory, fmt.Sprint("execution ", i)) }
	err = s.Update(t.Context(), 0, func(tx store.Tx) error {
		for i := range rows {
			tx.Set(name(2*i), []byte("x"))
			tx.Set(other(2*i), []byte("x"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.compacting.Reset(0)
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{0xff, 0xff, 0xff}, false); err != nil {
		t.Fatal(err)
	}
	if m := s.db.Metrics(); m.Levels[6].TablesCount == 0 {
		t.Fatalf("nothing is in the lowest level: %s", m)
	}
	before := s.db.Metrics().Filter
	err = s.Update(t.Context(), 0, func(tx store.Tx) error {
		for i := range 2 * rows {
			for _, key := range [][]byte{name(i), other(i)} {
				if missing, err := store.Missing(tx, key); err != nil || missing != (i%2 == 1) {
					return fmt.Errorf("row %d is missing: %v, %w", i, missing, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if hits := s.db.Metrics().Filter.Hits - before.Hits; hits < rows*9/10 {
		t.Errorf("filters have answered for %d of %d absent names", hits, rows)
	}
}
