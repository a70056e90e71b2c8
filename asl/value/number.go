package value

import (
	"math"
	"strconv"
	"strings"
)

// Int makes a Number of an integer.
func Int(n int64) Number { return Number(strconv.FormatInt(n, 10)) }

// Int64 is the number as an integer, if it is one without a loss ("3", "3.0", "3e2").
func (n Number) Int64() (int64, bool) {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i, true
	}
	d := decimalOf(n)
	if d.digits == "" {
		return 0, true
	}
	if d.exp < int64(len(d.digits)) || d.exp > 19 {
		return 0, false
	}
	text := d.digits + strings.Repeat("0", int(d.exp)-len(d.digits))
	if d.neg {
		text = "-" + text
	}
	i, err := strconv.ParseInt(text, 10, 64)
	return i, err == nil
}

// Float64 is the number as a double, infinite if it is too large.
func (n Number) Float64() float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// decimal is sign * 0.digits * 10^exp; digits have no zero at either end, and are empty for zero.
type decimal struct {
	neg    bool
	digits string
	exp    int64
}

func decimalOf(n Number) decimal {
	s, neg := strings.CutPrefix(string(n), "-")
	var exp int64
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, _ = strconv.ParseInt(strings.TrimPrefix(s[i+1:], "+"), 10, 64) // saturates
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimRight(whole+fraction, "0")
	zeros := len(digits)
	digits = strings.TrimLeft(digits, "0")
	zeros -= len(digits)
	if digits == "" {
		return decimal{}
	}
	const far = 1 << 60 // keeps sums of exponents from wrapping around
	exp = max(-far, min(far, exp))
	return decimal{neg, digits, exp + int64(len(whole)-zeros)}
}

// Compare compares two numbers by value, without going through a double: -1, 0 or 1.
func Compare(a, b Number) int {
	if len(a) < 16 && len(b) < 16 {
		i, err1 := strconv.ParseInt(string(a), 10, 64)
		j, err2 := strconv.ParseInt(string(b), 10, 64)
		if err1 == nil && err2 == nil {
			switch {
			case i < j:
				return -1
			case i > j:
				return 1
			}
			return 0
		}
	}
	x, y := decimalOf(a), decimalOf(b)
	if sx, sy := x.sign(), y.sign(); sx != sy {
		return compareInts(sx, sy)
	}
	c := compareInts(x.exp, y.exp)
	if c == 0 {
		c = strings.Compare(x.digits, y.digits)
	}
	if x.neg {
		return -c
	}
	return c
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.neg:
		return -1
	}
	return 1
}

func compareInts[T int | int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Equal compares two values deeply: numbers by value (1 equals 1.0), objects without regard to order.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case Number:
		b, ok := b.(Number)
		return ok && (a == b || Compare(a, b) == 0)
	case Array:
		b, ok := b.(Array)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case *Object:
		b, ok := b.(*Object)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for name, v := range a.All() {
			w, ok := b.Get(name)
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case Array, *Object:
		return false
	}
	return a == b
}

// Float makes a Number of a double; ok is false for an infinite one and for NaN.
func Float(f float64) (Number, bool) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	return Number(strconv.FormatFloat(f, 'g', -1, 64)), true
}
