package attr

import (
	"math/big"
	"strconv"
	"strings"
)

// DynamoDB's numbers: up to 38 significant digits, magnitudes from 1E-130 to 9.99...E+125, exact, and given back
// without an exponent, without leading or trailing zeros.
const (
	maxDigits   = 38
	maxExponent = 125
	minExponent = -130
)

const (
	errNumberEmpty     Invalid = "The parameter cannot be converted to a numeric value"
	errNumberDigits    Invalid = "Attempting to store more than 38 significant digits in a Number"
	errNumberOverflow  Invalid = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	errNumberUnderflow Invalid = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
)

// Number checks a number as a client wrote it and gives its normal text; an error is an Invalid.
func Number(text string) (string, error) {
	if text == "" {
		return "", errNumberEmpty
	}
	if isShortInteger(text) {
		return text, nil
	}
	digits, exp, neg, ok := splitNumber(text)
	if !ok {
		return "", errNumberEmpty + Invalid(": "+text)
	}
	return normal(digits, exp, neg)
}

// isShortInteger is the common case: up to 18 digits that are normal as they stand.
func isShortInteger(s string) bool {
	if len(s) > 18 || s[0] == '0' {
		return s == "0"
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// splitNumber reads [+-]digits[.digits][(e|E)[+-]digits] as the integer digits x 10^exp.
func splitNumber(s string) (digits string, exp int, neg, ok bool) {
	if s[0] == '-' || s[0] == '+' {
		neg, s = s[0] == '-', s[1:]
	}
	mantissa, e, hasExp := s, "", false
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, e, hasExp = s[:i], s[i+1:], true
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	if whole == "" && frac == "" || !allDigits(whole) || !allDigits(frac) {
		return "", 0, false, false
	}
	if hasExp {
		sign := e != "" && (e[0] == '+' || e[0] == '-')
		n, err := strconv.ParseInt(e, 10, 32)
		if sign && len(e) == 1 || !allDigits(strings.TrimLeft(e, "+-")) || err != nil {
			return "", 0, false, false
		}
		exp = int(n)
	}
	return whole + frac, exp - len(frac), neg, true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// normal checks digits x 10^exp against DynamoDB's range and writes it in full.
func normal(digits string, exp int, neg bool) (string, error) {
	digits = strings.TrimLeft(digits, "0")
	trimmed := strings.TrimRight(digits, "0")
	exp += len(digits) - len(trimmed)
	if trimmed == "" {
		return "0", nil
	}
	top := exp + len(trimmed) - 1
	switch {
	case top > maxExponent:
		return "", errNumberOverflow
	case top < minExponent:
		return "", errNumberUnderflow
	case len(trimmed) > maxDigits:
		return "", errNumberDigits
	}
	var b strings.Builder
	if neg {
		b.WriteByte('-')
	}
	switch {
	case exp >= 0:
		b.WriteString(trimmed)
		b.WriteString(strings.Repeat("0", exp))
	case top >= 0:
		b.WriteString(trimmed[:top+1])
		b.WriteByte('.')
		b.WriteString(trimmed[top+1:])
	default:
		b.WriteString("0.")
		b.WriteString(strings.Repeat("0", -top-1))
		b.WriteString(trimmed)
	}
	return b.String(), nil
}

// CompareNumbers orders two normal number texts by value.
func CompareNumbers(a, b string) int {
	na, nb := a[0] == '-', b[0] == '-'
	switch {
	case na && nb:
		return compareMagnitudes(b[1:], a[1:])
	case na:
		return -1
	case nb:
		return 1
	}
	return compareMagnitudes(a, b)
}

func compareMagnitudes(a, b string) int {
	aw, af, _ := strings.Cut(a, ".")
	bw, bf, _ := strings.Cut(b, ".")
	if len(aw) != len(bw) {
		if len(aw) < len(bw) {
			return -1
		}
		return 1
	}
	if c := strings.Compare(aw, bw); c != 0 {
		return c
	}
	return strings.Compare(af, bf)
}

// AddNumbers adds two normal number texts, or subtracts the second if minus; the sum obeys the rules of Number.
func AddNumbers(a, b string, minus bool) (string, error) {
	x, xe := bigNumber(a)
	y, ye := bigNumber(b)
	if minus {
		y.Neg(y)
	}
	low := min(xe, ye)
	scale(x, xe-low)
	scale(y, ye-low)
	sum := x.Add(x, y)
	return normal(sum.Text(10)[signLen(sum):], low, sum.Sign() < 0)
}

func signLen(n *big.Int) int {
	if n.Sign() < 0 {
		return 1
	}
	return 0
}

func bigNumber(text string) (n *big.Int, exp int) {
	digits := strings.Replace(text, ".", "", 1)
	if i := strings.IndexByte(text, '.'); i >= 0 {
		exp = i + 1 - len(text)
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic("attr: number text was not normal: " + text)
	}
	return n, exp
}

func scale(n *big.Int, by int) {
	if by > 0 {
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(by)), nil))
	}
}
