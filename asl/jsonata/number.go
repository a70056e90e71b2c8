package jsonata

import (
	"math"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

func numberOf(text string) value.Number { return value.Number(text) }

// isNumber tells a number in either of its forms: as written, or computed.
func isNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case value.Number:
		return v.Float64(), true
	}
	return 0, false
}

// numeric is isNumber for operands: NaN is no number, infinity is an error.
func (e *evaluation) numeric(v any) (float64, bool) {
	f, ok := isNumber(v)
	if !ok || math.IsNaN(f) {
		return 0, false
	}
	if math.IsInf(f, 0) {
		e.fail("D1001", detail{"value": f})
	}
	return f, true
}

// formatNumber writes a double as JavaScript does: the shortest digits that give it back, an exponent from 1e21 on and
// below 1e-6.
func formatDouble(f float64) string {
	switch {
	case f == 0:
		return "0"
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a >= 1e21 || a < 1e-6 {
		mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		return mantissa + "e" + exp[:1] + strings.TrimLeft(exp[1:], "0")
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// appendRounded writes a number as $string does on AWS: a whole number with all its digits, any other rounded down to 15
// of them.
func appendRounded(dst []byte, f float64) []byte {
	if f == math.Trunc(f) {
		return append(dst, formatDouble(f)...)
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(math.Abs(f), 'e', -1, 64), "e")
	power, _ := strconv.Atoi(exp)
	digits := strings.Replace(mantissa, ".", "", 1)
	if len(digits) > 15 {
		n, _ := strconv.ParseInt(digits[:15], 10, 64)
		if f < 0 {
			n++
		}
		digits = strconv.FormatInt(n, 10)
		power += len(digits) - 15 // nines may have become one more digit
	}
	digits = strings.TrimRight(digits, "0")
	if f < 0 {
		dst = append(dst, '-')
	}
	switch {
	case power < -6 || power >= len(digits):
		return appendScientific(dst, digits, power)
	case power < 0:
		return append(append(append(dst, "0."...), strings.Repeat("0", -power-1)...), digits...)
	case power == len(digits)-1:
		return append(dst, digits...)
	}
	return append(append(append(dst, digits[:power+1]...), '.'), digits[power+1:]...)
}

func appendScientific(dst []byte, digits string, power int) []byte {
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	if dst = append(dst, 'e'); power > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(power), 10)
}

// roundEven rounds half to even at a number of decimals, in decimal as it is written.
func roundEven(f float64, precision int) float64 {
	f = shift(f, precision)
	result := math.Floor(f + 0.5)
	if math.Abs(f) >= 1<<52 {
		result = f
	}
	if math.Abs(result-f) == 0.5 && math.Abs(math.Mod(result, 2)) == 1 {
		result--
	}
	result = shift(result, -precision)
	if result == 0 {
		return 0
	}
	return result
}

// shift moves the decimal point of a number's shortest text.
func shift(f float64, places int) float64 {
	if places == 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return f
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(exp)
	f, _ = strconv.ParseFloat(mantissa+"e"+strconv.Itoa(n+places), 64)
	return f
}

// exportNumber is a number of the input in a result. As on AWS, an integer that fits into 64 bits keeps its digits, and
// anything else is a double.
func exportNumber(n value.Number) value.Value {
	plain := len(n) <= 18
	for i := 0; i < len(n) && plain; i++ {
		plain = n[i] >= '0' && n[i] <= '9' || i == 0 && n[i] == '-' && n != "-0"
	}
	if plain {
		return n
	}
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return value.Int(i)
	}
	return exportDouble(n.Float64())
}

// exportDouble writes a double as AWS does: a whole number as an integer as long as it fits into 64 bits, others as Java
// writes them; JSON has no infinity and no NaN, which become text.
func exportDouble(f float64) value.Value {
	switch {
	case f-f != 0:
		return formatDouble(f)
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		return value.Int(int64(f))
	}
	if a := math.Abs(f); a >= 1e-3 && a < 1e7 {
		return value.Number(strconv.FormatFloat(f, 'f', -1, 64))
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exp)
	return value.Number(mantissa + "E" + strconv.Itoa(n))
}
