package jsonata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

var numericFunctions = map[string]builtin{
	"sum":        {1, "<a<n>:n>", defined(func(e *evaluation, args []any) any { return e.sum(args[0]) })},
	"count":      {1, "<a:n>", count},
	"max":        {1, "<a<n>:n>", extreme(math.Max)},
	"min":        {1, "<a<n>:n>", extreme(math.Min)},
	"average":    {1, "<a<n>:n>", average},
	"number":     {1, "<(nsb)-:n>", defined(toNumber)},
	"floor":      {1, "<n-:n>", onNumber(func(_ *evaluation, n float64, _ []any) any { return math.Floor(n) })},
	"ceil":       {1, "<n-:n>", onNumber(func(_ *evaluation, n float64, _ []any) any { return math.Ceil(n) })},
	"abs":        {1, "<n-:n>", onNumber(func(_ *evaluation, n float64, _ []any) any { return math.Abs(n) })},
	"round":      {2, "<n-n?:n>", onNumber(round)},
	"sqrt":       {1, "<n-:n>", onNumber(sqrt)},
	"power":      {2, "<n-n:n>", onNumber(powerOf)},
	"formatBase": {2, "<n-n?:s>", onNumber(formatBase)},
	"boolean":    {1, "<x-:b>", defined(func(e *evaluation, args []any) any { return e.boolean(args[0]) })},
	"not":        {1, "<x-:b>", defined(func(e *evaluation, args []any) any { return !e.boolean(args[0]) })},
}

// boolean is truthy for arguments, of which no function is true.
func (e *evaluation) boolean(v any) bool {
	if _, ok := v.(*function); ok {
		return false
	}
	return e.truthy(v)
}

func (e *evaluation) sum(v any) float64 {
	items, _ := elements(v)
	e.step(len(items))
	total := 0.0
	for _, item := range items {
		n, _ := isNumber(item)
		total += n
	}
	return total
}

func count(_ *evaluation, args []any) any {
	if isUndefined(args[0]) {
		return 0.0
	}
	return float64(len(list(args[0])))
}

func extreme(f func(a, b float64) float64) func(e *evaluation, args []any) any {
	return func(e *evaluation, args []any) any {
		items, _ := elements(args[0])
		if len(items) == 0 {
			return undefined
		}
		e.step(len(items))
		best, _ := isNumber(items[0])
		for _, item := range items[1:] {
			n, _ := isNumber(item)
			best = f(best, n)
		}
		return best
	}
}

func average(e *evaluation, args []any) any {
	items, _ := elements(args[0])
	if len(items) == 0 {
		return undefined
	}
	return e.sum(args[0]) / float64(len(items))
}

var (
	decimalText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?$`)
	basedText   = regexp.MustCompile(`^(0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+)$`)
)

func toNumber(e *evaluation, args []any) any {
	switch v := args[0].(type) {
	case string:
		e.step(len(v) >> 3)
		if decimalText.MatchString(v) {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				return f
			}
		} else if basedText.MatchString(v) {
			base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[v[1]|0x20]
			f := 0.0
			for _, d := range v[2:] {
				n, _ := strconv.ParseInt(string(d), base, 8)
				f = f*float64(base) + float64(n)
			}
			return f
		}
		e.fail("D3030", detail{"value": v})
	case bool:
		if v {
			return 1.0
		}
		return 0.0
	}
	return args[0]
}

// whole is an integer parameter: AWS rounds it down. ok is false when it is undefined.
func whole(v any) (n int, ok bool) {
	f, ok := isNumber(v)
	if !ok || math.IsNaN(f) {
		return 0, false
	}
	return int(math.Max(-1<<53, math.Min(1<<53, math.Floor(f)))), true
}

func round(_ *evaluation, n float64, args []any) any {
	precision, _ := whole(args[1])
	return roundEven(n, max(-1000, min(1000, precision)))
}

func sqrt(e *evaluation, n float64, _ []any) any {
	if n < 0 {
		e.fail("D3060", detail{"value": n})
	}
	return math.Sqrt(n)
}

func powerOf(e *evaluation, n float64, args []any) any {
	exp, ok := isNumber(args[1])
	result := math.Pow(n, exp)
	if !ok || math.IsInf(result, 0) || math.IsNaN(result) {
		e.fail("D3061", detail{"value": n, "exp": args[1]})
	}
	return result
}

func formatBase(e *evaluation, n float64, args []any) any {
	n = roundEven(n, 0)
	radix := 10.0
	if f, ok := isNumber(args[1]); ok {
		radix = roundEven(f, 0)
	}
	if !(radix >= 2 && radix <= 36) {
		e.fail("D3100", detail{"value": radix})
	}
	if radix == 10 {
		return formatDouble(n)
	}
	if math.Abs(n) < 1<<53 {
		return strconv.FormatInt(int64(n), int(radix))
	}
	return bigBase(n, radix)
}

// bigBase writes an integer beyond 2^53 with as many digits as the double determines.
func bigBase(n, radix float64) string {
	var digits []string
	for a := math.Abs(n); a >= 1; a = math.Floor(a / radix) {
		digits = append(digits, strconv.FormatInt(int64(math.Mod(a, radix)), int(radix)))
	}
	var b strings.Builder
	if n < 0 {
		b.WriteByte('-')
	}
	for i := len(digits) - 1; i >= 0; i-- {
		b.WriteString(digits[i])
	}
	return b.String()
}
