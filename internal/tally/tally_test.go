package tally

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestClasses: every value lies in the class whose bounds it is between.
func TestClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Range(0, 1<<32-1).Draw(t, "v") >> rapid.IntRange(0, 31).Draw(t, "shift")
		c := classOf(v)
		if floorOf(c) > v || floorOf(c+1) <= v {
			t.Fatalf("%d is in class %d: %d to %d", v, c, floorOf(c), floorOf(c+1))
		}
	})
	if classOf(1<<40) != classes-1 || classOf(1<<32-1) != classes-1 {
		t.Errorf("the largest values are in class %d, %d of %d", classOf(1<<40), classOf(1<<32-1), classes)
	}
}

// TestQuantile compares with the sorted values.
func TestQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Uint64Range(0, 1<<24), 1, 200).Draw(t, "values")
		var h Histogram
		for _, v := range values {
			h.Add(v)
		}
		slices.Sort(values)
		d := h.Read()
		for _, q := range []float64{0.01, 0.5, 0.99, 1} {
			want := float64(values[max(0, min(len(values)-1, int(float64(len(values))*q+0.999999)-1))])
			if got := d.Quantile(q); got < want*0.87-1 || got > want*1.13+1 {
				t.Fatalf("quantile %v of %v is %v, want about %v", q, values, got, want)
			}
		}
	})
}

func TestDifferences(t *testing.T) {
	var h Histogram
	h.Took(3 * time.Millisecond)
	first := h.Read()
	h.Took(3 * time.Second)
	h.Took(-time.Second) // the clock was set back
	second := h.Read()
	between := second.Minus(first)
	if between.Count != 2 || between.Sum != 3_000_000 || between.Below(12) != 1 || between.Below(22) != 2 {
		t.Errorf("%+v", between)
	}
	if again := between.Plus(first); again.Count != second.Count || !slices.Equal(again.Classes, second.Classes) {
		t.Errorf("%+v is not %+v", again, second)
	}
	if restarted := first.Minus(second); restarted.Count != first.Count {
		t.Errorf("after a restart: %+v", restarted)
	}
}

func BenchmarkTook(b *testing.B) {
	var h Histogram
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		d := time.Microsecond
		for pb.Next() {
			h.Took(d)
			d = d*3 + 1
		}
	})
}
