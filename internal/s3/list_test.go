package s3

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"pgregory.net/rapid"
)

// naive is list by S3's definition: over all keys, in order.
func naive(keys []string, q query) (found []string, truncated bool) {
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		name := k
		if !strings.HasPrefix(k, q.prefix) || k <= q.after || q.afterGroup && strings.HasPrefix(k, q.after) {
			continue
		}
		if i := strings.Index(k[len(q.prefix):], q.delimiter); q.delimiter != "" && i >= 0 {
			name = k[:len(q.prefix)+i+len(q.delimiter)]
			if len(found) > 0 && found[len(found)-1] == name+"*" {
				continue
			}
			name += "*"
		}
		if len(found) == q.max {
			return found, true
		}
		found = append(found, name)
	}
	return found, false
}

func names(p page) (out []string) {
	for _, e := range p.entries {
		if e.prefix {
			out = append(out, e.key+"*")
		} else {
			out = append(out, e.key)
		}
	}
	return out
}

func TestListModel(t *testing.T) {
	part := rapid.StringOfN(rapid.SampledFrom([]rune("ab/\x00\xff+é")), 0, 5, -1)
	rapid.Check(t, func(t *rapid.T) {
		st := memory.New(memory.Options{})
		defer st.Close() //nolint:errcheck // nothing is kept
		keys := rapid.SliceOfN(part, 0, 30).Draw(t, "keys")
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" })
		q := query{prefix: rapid.OneOf(rapid.Just(""), part).Draw(t, "prefix"), delimiter: rapid.SampledFrom([]string{"", "/", "b", "//", "ab"}).Draw(t, "delimiter"),
			after: rapid.OneOf(rapid.Just(""), part).Draw(t, "after"), max: rapid.IntRange(1, 5).Draw(t, "max")}
		err := st.Update(context.Background(), 0, func(tx store.Tx) error {
			for _, k := range keys {
				tx.Set(row(rowObject, "b", k), []byte("{}"))
				tx.Set(row(rowObject, "b2", k), []byte("{}")) // a neighbour
			}
			tx.Set(row(rowObject, "a", "x"), []byte("{}"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// Page by page, each must be what the definition says, and the pages together everything once.
		for pages := 0; ; pages++ {
			var got page
			err := st.View(context.Background(), 0, func(rd store.Reader) (err error) { got, err = list(rd, rowObject, "b", q); return err })
			want, truncated := naive(slices.Clone(keys), q)
			if err != nil || !slices.Equal(names(got), want) || got.truncated != truncated {
				t.Fatalf("%+v over %q: %q, %v, %v; want %q, %v", q, keys, names(got), got.truncated, err, want, truncated)
			}
			if !got.truncated {
				return
			}
			token := makeToken(got.last())
			if q.after, q.afterGroup, err = parseToken(token); err != nil {
				t.Fatal(err)
			}
			if pages > len(keys) {
				t.Fatal("the pages do not end")
			}
		}
	})
}

// A NextMarker that is a common prefix does not come again.
func TestMarkerGroup(t *testing.T) {
	for _, c := range []struct {
		after, prefix, delimiter string
		want                     bool
	}{{"a/", "", "/", true}, {"a/b", "", "/", false}, {"a/b/", "a/", "/", true}, {"a/", "a/", "/", false}, {"a", "", "/", false}, {"a", "", "", false},
		{"x", "", "--", false}, {"b/", "a/", "/", false}, {"a/b/", "", "/", false}} {
		q := query{after: c.after, prefix: c.prefix, delimiter: c.delimiter}
		if q.markerGroup() != c.want {
			t.Errorf("%+v", c)
		}
	}
}

// A page of a large bucket reads what it answers, not the bucket.
func TestListReadsAPage(t *testing.T) {
	st := memory.New(memory.Options{})
	defer st.Close() //nolint:errcheck // nothing is kept
	err := st.Update(context.Background(), 0, func(tx store.Tx) error {
		for i := range 100_000 {
			tx.Set(row(rowObject, "b", fmt.Sprintf("k/%06d", i)), []byte("{}"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	err = st.View(context.Background(), 0, func(rd store.Reader) error {
		p, err := list(counting{rd, &read}, rowObject, "b", query{after: "k/050000", max: 1000})
		if len(p.entries) != 1000 || p.entries[0].key != "k/050001" || !p.truncated {
			t.Errorf("%d entries", len(p.entries))
		}
		if err != nil {
			return err
		}
		p, err = list(counting{rd, &read}, rowObject, "b", query{delimiter: "/", max: 1000})
		if len(p.entries) != 1 || !p.entries[0].prefix {
			t.Errorf("%v", names(p))
		}
		return err
	})
	if err != nil || read > 1003 {
		t.Errorf("%d rows were read, %v", read, err)
	}
}

type counting struct {
	store.Reader
	n *int
}

func (c counting) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range c.Reader.Scan(lo, hi, reverse) {
			*c.n++
			if !yield(k, v) {
				return
			}
		}
	}
}
