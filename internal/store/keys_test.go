package store_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/newel-run/newel/internal/store"
)

// part draws text that is rich in the bytes that terminate and escape.
var part = rapid.Custom(func(r *rapid.T) string {
	return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 1, 2, 'a', 0xfe, 0xff}), 0, 6).Draw(r, "bytes"))
})

var parts = rapid.SliceOfN(part, 1, 3)

func TestKeyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := parts.Draw(r, "a"), parts.Draw(r, "b")
		if got, want := bytes.Compare(store.K('x', a...), store.K('x', b...)), slices.Compare(a, b); got != want {
			r.Fatalf("keys compare as %d, their parts as %d", got, want)
		}
	})
}

func TestKeyPrefixFree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := part.Draw(r, "a"), part.Draw(r, "b")
		row := store.K('x', b).U32(rapid.Uint32().Draw(r, "n"))
		if inside := within(row, store.K('x', a)); inside != (a == b) {
			r.Fatalf("row %q of %q is in the range of %q: %v", row, b, a, inside)
		}
	})
}

func within(row []byte, prefix store.Key) bool {
	end := prefix.End()
	return bytes.Compare(row, prefix) >= 0 && (end == nil || bytes.Compare(row, end) < 0)
}

// The range [k, k.End()) is exactly the keys with prefix k.
func TestKeyEnd(t *testing.T) {
	raw := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xfe, 0xff}), 1, 4)
	rapid.Check(t, func(r *rapid.T) {
		prefix, row := store.Key(raw.Draw(r, "prefix")), raw.Draw(r, "row")
		if got, want := within(row, prefix), bytes.HasPrefix(row, prefix); got != want {
			r.Fatalf("%x in the range of %x: %v, want %v", row, prefix, got, want)
		}
	})
	if end := (store.Key{0xff, 0xff}).End(); end != nil {
		t.Errorf("the end after 0xffff is %x, want none", end)
	}
}

func TestCutStrRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := parts.Draw(r, "parts")
		tail := rapid.SliceOf(rapid.Byte()).Draw(r, "tail")
		rest := []byte(store.K('x', want...).Raw(tail)[1:])
		for _, w := range want {
			got, after, ok := store.CutStr(rest)
			if !ok || got != w {
				r.Fatalf("cut %q: %q, %v", rest, got, ok)
			}
			rest = after
		}
		if !bytes.Equal(rest, tail) {
			r.Fatalf("the tail is %q, want %q", rest, tail)
		}
	})
}

func TestCutStrRefuses(t *testing.T) {
	for _, bad := range []string{"", "a", "a\x00", "\x00", "a\x00\xff", "a\x00\x02b\x00\x01", "a\x00\x00\x01"} {
		if part, _, ok := store.CutStr([]byte(bad)); ok {
			t.Errorf("%q was cut into %q", bad, part)
		}
	}
}

func TestKeyNumbersSortByValue(t *testing.T) {
	numbers := []uint64{0, 1, 255, 256, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64}
	for _, a := range numbers {
		for _, b := range numbers {
			prefix := store.K('t')
			if got := bytes.Compare(prefix.U64(a), prefix.U64(b)); got != cmp.Compare(a, b) {
				t.Errorf("U64: %d and %d compare as %d", a, b, got)
			}
			a32, b32 := uint32(a), uint32(b)
			if got := bytes.Compare(prefix.U32(a32), prefix.U32(b32)); got != cmp.Compare(a32, b32) {
				t.Errorf("U32: %d and %d compare as %d", a32, b32, got)
			}
		}
	}
}

// Keys made from one prefix do not overwrite each other.
func TestKeysShareNothing(t *testing.T) {
	prefixes := []store.Key{store.K('x'), store.K('x', "abc"), store.K('x').Str("abc"), store.K('x').U64(1), store.K('x').Raw([]byte("r"))}
	for _, prefix := range prefixes {
		for range 4 { // longer keys have spare capacity somewhere
			prefix = prefix.U32(9).Str("more")
			a, b := prefix.U64(1), prefix.U64(2)
			c, d := prefix.Str("c"), prefix.Str("d")
			e, f := prefix.Raw([]byte("e")), prefix.Raw([]byte("f"))
			g, h := prefix.U32(3), prefix.U32(4)
			got := bytes.Join([][]byte{tail(a, prefix), tail(b, prefix), tail(c, prefix), tail(d, prefix), tail(e, prefix), tail(f, prefix), tail(g, prefix), tail(h, prefix)}, nil)
			want := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 1), 2)
			want = append(want, "c\x00\x01d\x00\x01ef\x00\x00\x00\x03\x00\x00\x00\x04"...)
			if !bytes.Equal(got, want) {
				t.Fatalf("keys from %q: %q, want %q", prefix, got, want)
			}
		}
	}
}

func tail(k, prefix store.Key) []byte { return k[len(prefix):] }

// Placement is part of the data's format: these values must never change.
func TestPlace(t *testing.T) {
	golden := map[store.Partition][]string{193: {}, 39: {"order"}, 184: {"000000000000", "us-east-1", "order"}}
	for want, name := range golden {
		if got := store.Place(256, name...); got != want {
			t.Errorf("%q is placed on %d, want %d", name, got, want)
		}
	}
	counts := make([]int, 256)
	for i := range 256 * 100 {
		counts[store.Place(256, "execution", string(binary.BigEndian.AppendUint32(nil, uint32(i))))]++
	}
	if low, high := slices.Min(counts), slices.Max(counts); low < 50 || high > 170 {
		t.Errorf("of 100 names each, partitions have from %d to %d", low, high)
	}
	if store.Place(256, "ab", "c") == store.Place(256, "a", "bc") {
		t.Error("parts are not told apart")
	}
}
