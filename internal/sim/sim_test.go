package sim

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// run makes a run in a bubble of its own.
func run(t *testing.T, o Options) (r Report) {
	synctest.Test(t, func(*testing.T) { r = Run(o) })
	return r
}

// TestSimulation runs seeds, of calm and of wild definitions, and some of them twice: the traces are the same.
//
// NEWEL_SIM_SEEDS=N runs N seeds; NEWEL_SIM_SEED=S only that one, whose trace -v shows; both together N seeds from S on.
func TestSimulation(t *testing.T) {
	seeds, first := 100, 1
	if n, err := strconv.Atoi(os.Getenv("NEWEL_SIM_SEED")); err == nil {
		first, seeds = n, 1
	}
	if n, err := strconv.Atoi(os.Getenv("NEWEL_SIM_SEEDS")); err == nil {
		seeds = n
	}
	trace := seeds == 1
	counts, steps := map[string]int{}, 0
	for seed := first; seed < first+seeds; seed++ {
		for _, wild := range []bool{false, true} {
			o := Options{Seed: uint64(seed), Wild: wild, Trace: trace}
			r := run(t, o)
			if trace {
				t.Logf("wild %v:\n%s\n%s", wild, r.Texts, strings.Join(r.Lines, "\n"))
			}
			if r.Failure != nil {
				t.Fatalf("NEWEL_SIM_SEED=%d shows it again (wild %v): %v\n%s", seed, wild, r.Failure, strings.Join(r.Lines, "\n"))
			}
			if seed%10 == 1 || trace {
				if again := run(t, o); again.Hash != r.Hash || again.Steps != r.Steps {
					t.Fatalf("seed %d (wild %v) runs otherwise the second time: %d and %d actions; %s", seed, wild, r.Steps, again.Steps, difference(r, again))
				}
			}
			for what, n := range r.Counts {
				counts[what] += n
			}
			steps += r.Steps
		}
	}
	var list []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprint(what, " ", counts[what]))
	}
	t.Logf("%d seeds, %d actions: %s", seeds, steps, strings.Join(list, ", "))
}

// difference is the first line of two traces that differs, if it is among those that were kept.
func difference(a, b Report) string {
	for i := range min(len(a.Lines), len(b.Lines)) {
		if a.Lines[i] != b.Lines[i] {
			return fmt.Sprintf("%q and %q", a.Lines[i], b.Lines[i])
		}
	}
	return "NEWEL_SIM_SEED keeps the whole trace"
}

// mutantSeeds is how many seeds a mutant may survive.
const mutantSeeds = 400

// TestMutants makes the system faulty, in one way each: the checks notice.
func TestMutants(t *testing.T) {
	for _, m := range Mutants() {
		t.Run(m.String(), func(t *testing.T) {
			for seed := range uint64(mutantSeeds) {
				for _, wild := range []bool{false, true} {
					if r := run(t, Options{Seed: seed + 1, Wild: wild, Mutant: m}); r.Failure != nil {
						t.Logf("found by seed %d (wild %v): %v", seed+1, wild, r.Failure)
						return
					}
				}
			}
			t.Errorf("nobody notices in %d seeds", mutantSeeds)
		})
	}
}
