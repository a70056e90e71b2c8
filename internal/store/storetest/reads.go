package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/newel-run/newel/internal/store"
)

func testGetSetDelete(t *testing.T, h Harness) {
	s := Open(t, h)
	update(t, s, 3, func(tx store.Tx) {
		key, value := []byte("k"), []byte("v")
		if _, ok := get(t, tx, "k"); ok {
			t.Error("an absent key has a value")
		}
		tx.Set(key, value)
		tx.Set([]byte("empty"), nil)
		key[0], value[0] = 'x', 'x' // Set has copied them
		if v, ok := get(t, tx, "k"); !ok || v != "v" {
			t.Errorf("own write: got %q, %v", v, ok)
		}
	})
	view(t, s, 3, func(r store.Reader) {
		if v, ok := get(t, r, "k"); !ok || v != "v" {
			t.Errorf("after commit: got %q, %v", v, ok)
		}
		if v, ok := get(t, r, "empty"); !ok || v != "" {
			t.Errorf("empty value: got %q, %v, want an empty slice that is not nil", v, ok)
		}
		if _, ok := get(t, r, "x"); ok {
			t.Error("Set has kept the caller's key")
		}
	})
	update(t, s, 3, func(tx store.Tx) {
		tx.Delete([]byte("k"))
		tx.Delete([]byte("never there"))
		if _, ok := get(t, tx, "k"); ok {
			t.Error("own delete is not seen")
		}
	})
	view(t, s, 3, func(r store.Reader) {
		if _, ok := get(t, r, "k"); ok {
			t.Error("a deleted key has a value")
		}
	})
}

// awkward keys: empty, zero bytes, 0xff, one a prefix of the other.
var awkward = []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "a", "a\x00", "a\x00\x01", "ab", "b", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff"}

func testScanOrder(t *testing.T, h Harness) {
	s := Open(t, h)
	update(t, s, 0, func(tx store.Tx) {
		for i := range awkward {
			k := awkward[(i*5)%len(awkward)] // 5 and 14 have no common divisor: every key, out of order
			tx.Set([]byte(k), []byte("v"))
		}
	})
	want := slices.Clone(awkward)
	slices.Sort(want)
	view(t, s, 0, func(r store.Reader) {
		for _, reverse := range []bool{false, true} {
			var got []string
			for k := range r.Scan(nil, nil, reverse) {
				got = append(got, string(k))
			}
			if !slices.Equal(got, want) {
				t.Errorf("reverse %v:\n got %q\nwant %q", reverse, got, want)
			}
			slices.Reverse(want)
		}
	})
}

func testScanRanges(t *testing.T, h Harness) {
	s := Open(t, h)
	update(t, s, 0, func(tx store.Tx) {
		for _, k := range awkward {
			tx.Set([]byte(k), nil)
		}
	})
	sorted := slices.Clone(awkward)
	slices.Sort(sorted)
	bounds := [][]byte{nil}
	for _, k := range awkward {
		bounds = append(bounds, []byte(k))
	}
	view(t, s, 0, func(r store.Reader) {
		for _, lo := range bounds {
			for _, hi := range bounds {
				checkRange(t, r, sorted, lo, hi)
			}
		}
	})
}

func checkRange(t *testing.T, r store.Reader, sorted []string, lo, hi []byte) {
	t.Helper()
	var want []string
	for _, k := range sorted {
		if k >= string(lo) && (hi == nil || k < string(hi)) {
			want = append(want, k+"=")
		}
	}
	if got := list(r, lo, hi, false); !slices.Equal(got, want) {
		t.Errorf("[%q, %q): got %q, want %q", lo, hi, got, want)
	}
	slices.Reverse(want)
	if got := list(r, lo, hi, true); !slices.Equal(got, want) {
		t.Errorf("[%q, %q) in reverse: got %q, want %q", lo, hi, got, want)
	}
}

const many = 20_000

func testScanLarge(t *testing.T, h Harness) {
	s := Open(t, h)
	for from := 0; from < many; from += many / 10 {
		update(t, s, 1, func(tx store.Tx) {
			for i := from; i < from+many/10; i++ {
				tx.Set(store.K('x', "large").U32(uint32(i)), fmt.Appendf(nil, "%d", i))
			}
		})
	}
	prefix := store.K('x', "large")
	view(t, s, 1, func(r store.Reader) {
		i := 0
		for k, v := range r.Scan(prefix, prefix.End(), false) {
			if want := prefix.U32(uint32(i)); !bytes.Equal(k, want) || string(v) != fmt.Sprint(i) {
				t.Fatalf("row %d is %q=%q", i, k, v)
			}
			i++
		}
		for k := range r.Scan(prefix.U32(many/2), prefix.End(), true) {
			i--
			if !bytes.Equal(k, prefix.U32(uint32(i))) {
				t.Fatalf("row %d in reverse is %q", i, k)
			}
		}
		if i != many/2 {
			t.Fatalf("the reverse scan has ended at %d", i)
		}
		for range r.Scan(nil, nil, false) {
			break // the loop may end early
		}
	})
}

func testScanKeepsSlices(t *testing.T, h Harness) {
	s := Open(t, h)
	update(t, s, 1, func(tx store.Tx) {
		for i := range 5000 {
			tx.Set(fmt.Appendf(nil, "k%05d", i), fmt.Appendf(nil, "value %d", i))
		}
		var keys, values [][]byte
		for k, v := range tx.Scan(nil, nil, false) {
			keys, values = append(keys, k), append(values, v)
		}
		got, err := tx.Get([]byte("k00017"))
		if err != nil || len(keys) != 5000 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for i := range keys {
			if string(keys[i]) != fmt.Sprintf("k%05d", i) || string(values[i]) != fmt.Sprintf("value %d", i) {
				t.Fatalf("row %d has become %q=%q", i, keys[i], values[i])
			}
		}
		if string(got) != "value 17" {
			t.Errorf("the value of a Get has become %q", got)
		}
	})
}

func testScanWhileWriting(t *testing.T, h Harness) {
	s := Open(t, h)
	update(t, s, 1, func(tx store.Tx) {
		for i := range 10 {
			tx.Set(fmt.Appendf(nil, "k%d", i), nil)
		}
		seen := 0
		for k := range tx.Scan(nil, nil, false) {
			tx.Delete(k)
			tx.Set(append([]byte("z"), k...), nil)
			tx.DeleteRange([]byte("k5"), []byte("k9"))
			seen++
		}
		if seen != 10 {
			t.Errorf("the loop has seen %d rows, want those from its beginning, 10", seen)
		}
		if got := list(tx, nil, nil, false); len(got) != 10 || got[0] != "zk0=" {
			t.Errorf("afterwards: %q", got)
		}
	})
}

func testPrefixFree(t *testing.T, h Harness) {
	s := Open(t, h)
	names := []string{"e-1", "e-10", "e-1\x00", "e-1\x00\x01", "e", "", "e-\xff"}
	update(t, s, 1, func(tx store.Tx) {
		for _, name := range names {
			tx.Set(store.K('h', name).U32(7), []byte(name))
		}
	})
	update(t, s, 1, func(tx store.Tx) {
		for _, name := range names {
			prefix := store.K('h', name)
			rows := 0
			for k, v := range tx.Scan(prefix, prefix.End(), false) {
				if part, _, ok := store.CutStr(k[1:]); !ok || part != name || string(v) != name {
					t.Errorf("the rows of %q contain %q=%q", name, k, v)
				}
				rows++
			}
			if rows != 1 {
				t.Errorf("%q has %d rows", name, rows)
			}
			tx.DeleteRange(prefix, prefix.End())
		}
		if left := list(tx, nil, nil, false); len(left) > 0 {
			t.Errorf("left after deletion: %q", left)
		}
	})
}

func testPartitionsApart(t *testing.T, h Harness) {
	s := Open(t, h)
	last := store.Partition(s.Partitions() - 1)
	for _, p := range []store.Partition{0, 1, last - 1, last} {
		update(t, s, p, func(tx store.Tx) {
			tx.Set([]byte("k"), fmt.Appendf(nil, "%d", p))
			tx.Set([]byte("\xff\xff\xff"), nil)
			tx.Set(nil, nil)
		})
	}
	update(t, s, 1, func(tx store.Tx) { tx.DeleteRange(nil, nil) })
	for p, want := range map[store.Partition]int{0: 3, 1: 0, 2: 0, last - 1: 3, last: 3} {
		view(t, s, p, func(r store.Reader) {
			if got := list(r, nil, nil, true); len(got) != want {
				t.Errorf("partition %d: %q", p, got)
			}
		})
	}
}

func testDeleteRange(t *testing.T, h Harness) {
	s := Open(t, h)
	fill := func(tx store.Tx) {
		for c := 'a'; c <= 'f'; c++ {
			tx.Set([]byte(string(c)), nil)
		}
	}
	update(t, s, 1, fill)
	update(t, s, 1, func(tx store.Tx) {
		tx.DeleteRange([]byte("b"), []byte("d"))
		tx.DeleteRange([]byte("e"), []byte("e"))
		tx.DeleteRange([]byte("f"), []byte("a"))
		tx.Set([]byte("c"), []byte("again"))
		if got := list(tx, nil, nil, false); !slices.Equal(got, []string{"a=", "c=again", "d=", "e=", "f="}) {
			t.Errorf("own view: %q", got)
		}
		if _, ok := get(t, tx, "b"); ok {
			t.Error("b is still there")
		}
		tx.DeleteRange([]byte("d"), nil)
	})
	view(t, s, 1, func(r store.Reader) {
		if got := list(r, nil, nil, true); !slices.Equal(got, []string{"c=again", "a="}) {
			t.Errorf("after commit: %q", got)
		}
	})
}

func testLargeValues(t *testing.T, h Harness) {
	s := Open(t, h)
	big := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	for i := range 4 {
		update(t, s, 2, func(tx store.Tx) {
			tx.Set(fmt.Appendf(nil, "%d", i), big[i:])
			tx.Set(fmt.Appendf(nil, "%d+", i), big[:1<<20])
		})
	}
	view(t, s, 2, func(r store.Reader) {
		n := 0
		for k, v := range r.Scan(nil, nil, false) {
			if want := big[n/2:]; n%2 == 0 && !bytes.Equal(v, want) {
				t.Errorf("%s has changed: %d bytes", k, len(v))
			}
			n++
		}
		if n != 8 {
			t.Errorf("%d rows", n)
		}
	})
}
