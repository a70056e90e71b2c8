package maprun

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestIntervalsAreASet compares the set with a plain one.
func TestIntervalsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s intervals
		plain := map[uint64]bool{}
		for _, n := range rapid.SliceOf(rapid.Uint64Range(0, 40)).Draw(t, "added") {
			if added := s.add(n); added == plain[n] {
				t.Fatalf("add(%d) = %v in %v", n, added, s)
			}
			plain[n] = true
		}
		missing := map[uint64]bool{}
		for _, n := range s.missing(41) {
			missing[n] = true
		}
		for n := range uint64(42) {
			if s.has(n) != plain[n] || n < 41 && missing[n] == plain[n] {
				t.Fatalf("%d in %v, missing %v", n, s, s.missing(41))
			}
		}
		for i := range s {
			if s[i][0] >= s[i][1] || i > 0 && s[i][0] <= s[i-1][1] {
				t.Fatalf("intervals touch: %v", s)
			}
		}
	})
}

// TestChildNames gives every index of a run a name of its own, from which it can be told again.
func TestChildNames(t *testing.T) {
	const run, other = "c23b3680-ae14-4346-9ddc-e984eb7768c9", "c23b3680-ae14-4346-8ddc-e984eb7768c9"
	seen := map[string]bool{run: true}
	for index := range uint64(1000) {
		name := childName(run, index)
		if seen[name] || len(name) != 36 || name[:sharedDigits] != run[:sharedDigits] {
			t.Fatal(index, name)
		}
		seen[name] = true
		if got, ok := childIndex(run, name); !ok || got != index {
			t.Fatal(index, got, ok)
		}
		if got, ok := childIndex(other, name); ok && got < 1000 {
			t.Fatal("a child of another run", got)
		}
	}
}

// TestHashOrder has the orders that AWS has answered in.
func TestHashOrder(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"H1", ""}, "[1 0]"},
		{[]string{"0", "True", "{}"}, "[0 2 1]"},
		{[]string{"H1", "H2", "H3"}, "[0 1 2]"},
	} {
		if got := fmt.Sprint(hashOrder(c.names)); got != c.want {
			t.Errorf("%q: %s, want %s", c.names, got, c.want)
		}
	}
}
