// Package tally counts what a server does, in memory: distributions of times and sizes for which observing a value is
// one atomic addition and no allocation. Reading copies; a reader subtracts an earlier reading to see what happened in
// between. Nothing here is durable: a restart begins at zero.
package tally

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Values are whole numbers: microseconds of a duration, or bytes, or items. Each power of two is divided into four
// classes, so that a quantile is off by an eighth of its value at most.
const (
	fine    = 2 // bits
	classes = (32-fine)<<fine + 1<<fine
)

// classOf is the class of a value; values of 2^32 and more share the last one.
func classOf(v uint64) int {
	if v < 1<<fine {
		return int(v)
	}
	e := bits.Len64(v) - 1 - fine
	if e > 31-fine {
		return classes - 1
	}
	return e<<fine + int(v>>e)
}

// floorOf is the smallest value of a class.
func floorOf(class int) uint64 {
	if class < 1<<fine {
		return uint64(class)
	}
	e := class>>fine - 1
	return uint64(class-e<<fine) << e
}

// Histogram counts values by class. The zero value is ready; all methods may be called at the same time.
type Histogram struct {
	count [classes]atomic.Uint64
	sum   atomic.Uint64
}

// Add counts a value.
func (h *Histogram) Add(v uint64) {
	h.count[classOf(v)].Add(1)
	h.sum.Add(v)
}

// Since counts the microseconds since a time.
func (h *Histogram) Since(t time.Time) { h.Took(time.Since(t)) }

// Took counts a duration in microseconds.
func (h *Histogram) Took(d time.Duration) { h.Add(uint64(max(d, 0) / time.Microsecond)) }

// Read copies what was counted.
func (h *Histogram) Read() Distribution {
	d := Distribution{Sum: h.sum.Load()}
	for i := range h.count {
		n := h.count[i].Load()
		if n == 0 {
			continue
		}
		for len(d.Classes) < i {
			d.Classes = append(d.Classes, 0)
		}
		d.Classes = append(d.Classes, n)
		d.Count += n
	}
	return d
}

// Distribution is what a Histogram has counted until some time.
type Distribution struct {
	Count   uint64
	Sum     uint64
	Classes []uint64 `json:",omitempty"` // without zeros at the end
}

// Minus is what was counted since an earlier reading. After a restart, when less is counted than before, it is the whole.
func (d Distribution) Minus(earlier Distribution) Distribution {
	if d.Count < earlier.Count || d.Sum < earlier.Sum || len(d.Classes) < len(earlier.Classes) {
		return d
	}
	out := Distribution{Count: d.Count - earlier.Count, Sum: d.Sum - earlier.Sum, Classes: append([]uint64(nil), d.Classes...)}
	for i, n := range earlier.Classes {
		out.Classes[i] -= n
	}
	return out
}

// Plus adds two distributions.
func (d Distribution) Plus(other Distribution) Distribution {
	if len(d.Classes) < len(other.Classes) {
		d, other = other, d
	}
	out := Distribution{Count: d.Count + other.Count, Sum: d.Sum + other.Sum, Classes: append([]uint64(nil), d.Classes...)}
	for i, n := range other.Classes {
		out.Classes[i] += n
	}
	return out
}

// Quantile is the value below which a part q of the values lies: the middle of its class; 0 where nothing was counted.
func (d Distribution) Quantile(q float64) float64 {
	rank, seen := q*float64(d.Count), uint64(0)
	for i, n := range d.Classes {
		seen += n
		if n > 0 && float64(seen) >= rank {
			return float64(floorOf(i)+floorOf(i+1)-1) / 2
		}
	}
	return 0
}

// Mean is the mean value, 0 where nothing was counted.
func (d Distribution) Mean() float64 {
	if d.Count == 0 {
		return 0
	}
	return float64(d.Sum) / float64(d.Count)
}

// Below is how many values are smaller than 2^power.
func (d Distribution) Below(power int) (n uint64) {
	end := classOf(1 << power)
	for i, c := range d.Classes {
		if i < end {
			n += c
		}
	}
	return n
}
