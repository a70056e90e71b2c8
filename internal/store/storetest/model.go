package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/newel-run/newel/internal/store"
)

// testModel runs random transactions, some of which fail, beside a sorted map. Every read inside and after them must
// agree with it.
func testModel(t *testing.T, h Harness) {
	s := Open(t, h)
	next := 0
	rapid.Check(t, func(r *rapid.T) {
		p := store.Partition(next % s.Partitions())
		next++
		update(t, s, p, func(tx store.Tx) { tx.DeleteRange(nil, nil) })
		committed := map[string]string{}
		for range rapid.IntRange(1, 6).Draw(r, "transactions") {
			committed = modelTransaction(t, r, s, p, committed)
			view(t, s, p, func(v store.Reader) { compareWithModel(r, v, committed) })
		}
	})
}

var errRollBack = errors.New("roll back")

func modelTransaction(t *testing.T, r *rapid.T, s store.Store, p store.Partition, before map[string]string) map[string]string {
	ops := rapid.SliceOfN(rapid.IntRange(0, 6), 0, 12).Draw(r, "operations")
	fails := rapid.Bool().Draw(r, "fails")
	after := maps.Clone(before)
	err := s.Update(t.Context(), p, func(tx store.Tx) error {
		after = maps.Clone(before)
		for _, op := range ops {
			modelOperation(r, tx, after, op)
		}
		compareWithModel(r, tx, after)
		if fails {
			return errRollBack
		}
		return nil
	})
	if fails {
		if !errors.Is(err, errRollBack) {
			r.Fatalf("update: %v, want the function's error", err)
		}
		return before
	}
	if err != nil {
		r.Fatalf("update: %v", err)
	}
	return after
}

var modelKey = rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 'ÿ'}), 0, 3, -1)

func modelOperation(r *rapid.T, tx store.Tx, m map[string]string, op int) {
	k := modelKey.Draw(r, "key")
	switch op {
	case 0, 1, 2:
		v := fmt.Sprint(rapid.IntRange(0, 99).Draw(r, "value"))
		tx.Set([]byte(k), []byte(v))
		m[k] = v
	case 3:
		tx.Delete([]byte(k))
		delete(m, k)
	case 4:
		hi := modelKey.Draw(r, "end")
		tx.DeleteRange([]byte(k), []byte(hi))
		maps.DeleteFunc(m, func(key, _ string) bool { return key >= k && key < hi })
	case 5:
		v, err := tx.Get([]byte(k))
		want, ok := m[k]
		if err != nil || (v != nil) != ok || string(v) != want {
			r.Fatalf("get %q: %q, %v, want %q, %v", k, v, err, want, ok)
		}
		if missing, err := store.Missing(tx, []byte(k)); err != nil || missing == ok {
			r.Fatalf("%q is missing: %v, %v, want %v", k, missing, err, !ok)
		}
	case 6:
		hi := modelKey.Draw(r, "end")
		reverse := rapid.Bool().Draw(r, "reverse")
		got, want := list(tx, []byte(k), []byte(hi), reverse), modelRange(m, k, hi, reverse)
		if !slices.Equal(got, want) {
			r.Fatalf("scan [%q, %q) reverse %v: %q, want %q", k, hi, reverse, got, want)
		}
	}
}

func modelRange(m map[string]string, lo, hi string, reverse bool) []string {
	var rows []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k >= lo && k < hi {
			rows = append(rows, k+"="+m[k])
		}
	}
	if reverse {
		slices.Reverse(rows)
	}
	return rows
}

func compareWithModel(r *rapid.T, got store.Reader, want map[string]string) {
	const beyond = "\xff\xff"
	for _, reverse := range []bool{false, true} {
		rows, model := list(got, nil, nil, reverse), modelRange(want, "", beyond, reverse)
		if !slices.Equal(rows, model) {
			r.Fatalf("reverse %v: %q, want %q", reverse, rows, model)
		}
	}
}
