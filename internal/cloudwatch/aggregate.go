package cloudwatch

import (
	"encoding/binary"
	"math"
	"sort"
	"strconv"
	"strings"
)

// aggregate is what is kept of the values of a period: the statistics, and how often each value came, from which
// percentiles follow. Beyond exactMost different values they are rounded to steps of one percent.
type aggregate struct {
	count, sum, min, max float64
	values               map[float64]float64 // value -> how often; nil: all are alike (min == max), or opaque
	opaque               bool                // a statistic set is in it: percentiles are not known
	rounded              bool
}

const (
	exactMost = 100
	step      = 1.01
)

func single(v, n float64) *aggregate {
	return &aggregate{count: n, sum: v * n, min: v, max: v}
}

func (a *aggregate) add(v float64) { a.merge(&aggregate{count: 1, sum: v, min: v, max: v}) }

// spread gives the values where all are alike the form of a table.
func (a *aggregate) spread() {
	if a.values == nil && !a.opaque && a.count > 0 {
		a.values = map[float64]float64{a.min: a.count}
	}
}

func (a *aggregate) merge(b *aggregate) {
	if b.count == 0 {
		return
	}
	if a.count == 0 {
		*a = aggregate{min: b.min, max: b.max, opaque: b.opaque}
	} else if a.min != b.min || a.max != b.max || a.min != a.max || a.values != nil || b.values != nil {
		a.spread()
	}
	if b.opaque || a.opaque {
		a.opaque, a.values = true, nil
	} else if a.values != nil || b.values != nil {
		if a.values == nil {
			a.values = map[float64]float64{}
		}
		if b.values == nil {
			a.values[a.slot(b.min)] += b.count
		}
		for v, n := range b.values {
			a.values[a.slot(v)] += n
		}
		a.bound()
	}
	a.count, a.sum = a.count+b.count, a.sum+b.sum
	a.min, a.max = min(a.min, b.min), max(a.max, b.max)
}

func (a *aggregate) slot(v float64) float64 {
	if !a.rounded || v == 0 {
		return v
	}
	r := math.Pow(step, math.Round(math.Log(math.Abs(v))/math.Log(step)))
	return math.Copysign(r, v)
}

func (a *aggregate) bound() {
	if a.rounded || len(a.values) <= exactMost {
		return
	}
	exact := a.values
	a.rounded, a.values = true, map[float64]float64{}
	for v, n := range exact {
		a.values[a.slot(v)] += n
	}
}

const (
	flagOpaque  = 1
	flagRounded = 2
)

func (a *aggregate) encode() []byte {
	b := make([]byte, 0, 2+32+8+16*len(a.values))
	flags := byte(0)
	if a.opaque {
		flags |= flagOpaque
	}
	if a.rounded {
		flags |= flagRounded
	}
	b = append(b, recordVersion, flags)
	for _, f := range []float64{a.count, a.sum, a.min, a.max} {
		b = appendFloat(b, f)
	}
	for _, v := range a.sorted() {
		b = appendFloat(appendFloat(b, v), a.values[v])
	}
	return b
}

func appendFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(b, math.Float64bits(f))
}

func (a *aggregate) sorted() []float64 {
	vs := make([]float64, 0, len(a.values))
	for v := range a.values {
		vs = append(vs, v)
	}
	sort.Float64s(vs)
	return vs
}

func decodeAggregate(b []byte) (*aggregate, error) {
	if len(b) < 34 || b[0] != recordVersion || (len(b)-34)%16 != 0 {
		return nil, errCorrupt
	}
	a := &aggregate{opaque: b[1]&flagOpaque != 0, rounded: b[1]&flagRounded != 0}
	b = b[2:]
	next := func() float64 {
		f := math.Float64frombits(binary.BigEndian.Uint64(b))
		b = b[8:]
		return f
	}
	a.count, a.sum, a.min, a.max = next(), next(), next(), next()
	for len(b) > 0 {
		if a.values == nil {
			a.values = map[float64]float64{}
		}
		v := next()
		a.values[v] = next()
	}
	return a, nil
}

// statistic is a statistic's value; it is not ok if the aggregate does not have it.
func (a *aggregate) statistic(name string) (v float64, ok bool) {
	switch name {
	case "SampleCount":
		return a.count, true
	case "Sum":
		return a.sum, true
	case "Minimum":
		return a.min, true
	case "Maximum":
		return a.max, true
	case "Average":
		return a.sum / a.count, a.count > 0
	}
	p, isPercentile := percentile(name)
	if !isPercentile || a.opaque && a.min != a.max {
		return 0, false
	}
	return a.percentile(p), true
}

// percentile parses "p99.9".
func percentile(name string) (float64, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok {
		return 0, false
	}
	p, err := strconv.ParseFloat(digits, 64)
	return p, err == nil && p >= 0 && p <= 100 && strings.Trim(digits, "0123456789.") == ""
}

// percentile is the smallest value that p percent of the values do not exceed.
func (a *aggregate) percentile(p float64) float64 {
	if a.values == nil {
		return a.max
	}
	rank := p / 100 * a.count
	seen := 0.0
	for _, v := range a.sorted() {
		if seen += a.values[v]; seen >= rank {
			return min(max(v, a.min), a.max)
		}
	}
	return a.max
}

var statistics = []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum"}

func knownStatistic(name string) bool {
	for _, s := range statistics {
		if s == name {
			return true
		}
	}
	_, ok := percentile(name)
	return ok
}
