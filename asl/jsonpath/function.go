package jsonpath

import (
	"math"
	"strconv"

	"github.com/newel-run/newel/asl/value"
)

// functions are the functions that may end a path; ok is false where one does not apply to its value.
var functions = map[string]func(value.Value) (result value.Value, ok bool){
	"length": length,
	"size":   length,
	"keys":   keys,
	"first":  func(v value.Value) (value.Value, bool) { return element(v, 0) },
	"last":   func(v value.Value) (value.Value, bool) { return element(v, -1) },
	"min":    aggregate(func(ns []float64) float64 { return fold(ns, math.Min) }),
	"max":    aggregate(func(ns []float64) float64 { return fold(ns, math.Max) }),
	"sum":    aggregate(sum),
	"avg":    aggregate(func(ns []float64) float64 { return sum(ns) / float64(len(ns)) }),
	"stddev": aggregate(deviation),
}

func (p *Path) isFunction() bool {
	return len(p.steps) > 0 && p.steps[len(p.steps)-1].kind == functionStep
}

// call applies the path's function to what the steps before it have matched: to the value if they are definite, to the
// array of matches otherwise.
func (p *Path) call(results []value.Value, reason string) (value.Value, error) {
	if reason != "" {
		return nil, p.notFound(reason)
	}
	var arg value.Value = append(value.Array{}, results...)
	definite := true
	for _, s := range p.steps[:len(p.steps)-1] {
		definite = definite && (s.kind == fieldStep || s.kind == indexStep)
	}
	if definite {
		if len(results) == 0 {
			return nil, p.notFound("No results for path: " + written(p.steps))
		}
		arg = results[0]
	}
	v, ok := functions[p.steps[len(p.steps)-1].function](arg)
	if !ok {
		return nil, p.notFound("Aggregation function attempted to calculate value using empty array")
	}
	return v, nil
}

func length(v value.Value) (value.Value, bool) {
	switch v := v.(type) {
	case value.Array:
		return value.Int(int64(len(v))), true
	case *value.Object:
		return value.Int(int64(v.Len())), true
	case string:
		return value.Int(int64(len([]rune(v)))), true
	}
	return nil, true
}

func keys(v value.Value) (value.Value, bool) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil, true
	}
	names := value.Array{}
	for name := range o.All() {
		names = append(names, name)
	}
	return names, true
}

func element(v value.Value, n int) (value.Value, bool) {
	a, ok := v.(value.Array)
	if !ok || len(a) == 0 {
		return nil, false
	}
	return a[(n+len(a))%len(a)], true
}

// aggregate makes a function over the numbers of an array; other elements are passed over.
func aggregate(f func([]float64) float64) func(value.Value) (value.Value, bool) {
	return func(v value.Value) (value.Value, bool) {
		a, _ := v.(value.Array)
		var numbers []float64
		for _, e := range a {
			if n, ok := e.(value.Number); ok {
				numbers = append(numbers, n.Float64())
			}
		}
		if len(numbers) == 0 {
			return nil, false
		}
		text := strconv.FormatFloat(f(numbers), 'f', -1, 64)
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			text += ".0" // Jayway's aggregates are doubles
		}
		if _, err := value.Parse([]byte(text)); err != nil {
			return nil, false // infinite
		}
		return value.Number(text), true
	}
}

func fold(ns []float64, f func(a, b float64) float64) float64 {
	r := ns[0]
	for _, n := range ns[1:] {
		r = f(r, n)
	}
	return r
}

func sum(ns []float64) float64 { return fold(ns, func(a, b float64) float64 { return a + b }) }

func deviation(ns []float64) float64 {
	mean, squares := sum(ns)/float64(len(ns)), 0.0
	for _, n := range ns {
		squares += (n - mean) * (n - mean)
	}
	return math.Sqrt(squares / float64(len(ns)))
}
