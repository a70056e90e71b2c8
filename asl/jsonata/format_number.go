package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// decimalFormat holds the characters of a number picture (XPath F&O 4.7.1).
type decimalFormat struct {
	decimal, grouping, exponent, minus, percent, perMille, digit, pattern string
	zero                                                                  rune
}

func (e *evaluation) decimalFormat(options any) *decimalFormat {
	f := &decimalFormat{decimal: ".", grouping: ",", exponent: "e", minus: "-", percent: "%", perMille: "‰", digit: "#", pattern: ";", zero: '0'}
	o, ok := options.(*value.Object)
	if !ok {
		return f
	}
	for name, member := range o.All() {
		s, _ := member.(string)
		switch name {
		case "decimal-separator":
			f.decimal = s
		case "grouping-separator":
			f.grouping = s
		case "exponent-separator":
			f.exponent = s
		case "minus-sign":
			f.minus = s
		case "percent":
			f.percent = s
		case "per-mille":
			f.perMille = s
		case "digit":
			f.digit = s
		case "pattern-separator":
			f.pattern = s
		case "zero-digit":
			for _, r := range s {
				f.zero = r
				break
			}
		}
	}
	return f
}

func (f *decimalFormat) isDigit(r rune) bool { return r >= f.zero && r < f.zero+10 }

// isActive tells the characters that take part in a picture from those that only surround it.
func (f *decimalFormat) isActive(r rune) bool {
	s := string(r)
	return f.isDigit(r) || s == f.decimal || s == f.exponent || s == f.grouping || s == f.digit || s == f.pattern
}

func (f *decimalFormat) digits(s string) int {
	n := 0
	for _, r := range s {
		if f.isDigit(r) {
			n++
		}
	}
	return n
}

// places counts mandatory and optional digits.
func (f *decimalFormat) places(s string) int { return f.digits(s) + strings.Count(s, f.digit) }

// subPicture is one half of a picture, cut into its parts.
type subPicture struct {
	text, prefix, suffix, active, mantissa, exponent, integer, fraction string
	hasExponent                                                         bool

	grouping         []int // positions from the right of the integer part
	regular          int
	fractionGrouping []int
	minInteger       int
	scaling          int
	minFraction      int
	maxFraction      int
	minExponent      int
}

func (e *evaluation) subPicture(f *decimalFormat, text string) *subPicture {
	p := &subPicture{text: text}
	first, end := -1, 0
	for i, r := range text {
		if f.isActive(r) && string(r) != f.exponent {
			if first < 0 {
				first = i
			}
			end = i + len(string(r))
		}
	}
	if first < 0 {
		e.fail("D3086", nil)
	}
	p.prefix, p.active, p.suffix = text[:first], text[first:end], text[end:]
	p.mantissa = p.active
	if before, after, ok := strings.Cut(p.active, f.exponent); ok && f.exponent != "" {
		p.mantissa, p.exponent, p.hasExponent = before, after, true
	}
	p.integer, p.fraction, _ = strings.Cut(p.mantissa, f.decimal)
	if !strings.Contains(p.mantissa, f.decimal) {
		p.fraction = p.suffix
	}
	if code := p.invalid(f); code != "" {
		e.fail(code, nil)
	}
	p.analyse(f)
	return p
}

// invalid is the code of the last rule of F&O 4.7.3 that the picture breaks.
func (p *subPicture) invalid(f *decimalFormat) string {
	code := ""
	rule := func(broken bool, c string) {
		if broken {
			code = c
		}
	}
	many := func(s string) bool { return strings.Count(p.text, s) > 1 }
	rule(many(f.decimal), "D3081")
	rule(many(f.percent), "D3082")
	rule(many(f.perMille), "D3083")
	hasPercent, hasPerMille := strings.Contains(p.text, f.percent), strings.Contains(p.text, f.perMille)
	rule(hasPercent && hasPerMille, "D3084")
	rule(f.places(p.mantissa) == 0, "D3085")
	rule(strings.ContainsFunc(p.active, func(r rune) bool { return !f.isActive(r) }), "D3086")
	if strings.Contains(p.text, f.decimal) {
		rule(strings.Contains(p.text, f.grouping+f.decimal) || strings.Contains(p.text, f.decimal+f.grouping), "D3087")
	} else {
		rule(strings.HasSuffix(p.integer, f.grouping), "D3088")
	}
	rule(strings.Contains(p.text, f.grouping+f.grouping), "D3089")
	before, _, ok := strings.Cut(p.integer, f.digit)
	rule(ok && f.digits(before) > 0, "D3090")
	last := strings.LastIndex(p.fraction, f.digit)
	rule(last >= 0 && f.digits(p.fraction[max(0, last):]) > 0, "D3091")
	rule(p.hasExponent && p.exponent != "" && (hasPercent || hasPerMille), "D3092")
	rule(p.hasExponent && (p.exponent == "" || strings.ContainsFunc(p.exponent, func(r rune) bool { return !f.isDigit(r) })), "D3093")
	return code
}

func (p *subPicture) analyse(f *decimalFormat) {
	for i := 0; f.grouping != ""; {
		j := strings.Index(p.integer[i:], f.grouping)
		if j < 0 {
			break
		}
		p.grouping = append(p.grouping, f.places(p.integer[i+j:]))
		i += j + len(f.grouping)
	}
	p.regular = regular(p.grouping)
	if j := strings.Index(p.fraction, f.grouping); j >= 0 && f.grouping != "" {
		p.fractionGrouping = []int{f.places(p.fraction[:j])}
	}
	p.minInteger = f.digits(p.integer)
	p.scaling = p.minInteger
	p.minFraction, p.maxFraction = f.digits(p.fraction), f.places(p.fraction)
	if p.minInteger == 0 && p.maxFraction == 0 {
		if p.hasExponent {
			p.minFraction, p.maxFraction = 1, 1
		} else {
			p.minInteger = 1
		}
	}
	if p.hasExponent && p.minInteger == 0 && strings.Contains(p.integer, f.digit) {
		p.minInteger = 1
	}
	if p.minInteger == 0 && p.minFraction == 0 {
		p.minFraction = 1
	}
	p.minExponent = f.digits(p.exponent)
}

func formatNumber(e *evaluation, n float64, args []any) any {
	picture, _ := args[1].(string)
	f := e.decimalFormat(args[2])
	e.spend(8 * len(picture))
	halves := []string{picture}
	if f.pattern != "" {
		halves = strings.Split(picture, f.pattern)
	}
	if len(halves) > 2 {
		e.fail("D3080", nil)
	}
	p := e.subPicture(f, halves[0])
	switch {
	case len(halves) == 2:
		if negative := e.subPicture(f, halves[1]); n < 0 {
			p = negative
		}
	case n < 0:
		p.prefix = f.minus + p.prefix
	}
	switch {
	case strings.Contains(p.text, f.percent):
		n *= 100
	case strings.Contains(p.text, f.perMille):
		n *= 1000
	}
	exponent := 0
	if p.minExponent > 0 {
		n, exponent = scale(math.Abs(n), p.scaling)
	}
	text := p.prefix + p.number(f, roundEven(n, p.maxFraction))
	if p.minExponent > 0 {
		text += f.exponent
		if exponent < 0 {
			text += f.minus
		}
		digits := strconv.Itoa(max(exponent, -exponent))
		text += f.family(strings.Repeat("0", max(0, p.minExponent-len(digits))) + digits)
	}
	return text + p.suffix
}

// scale brings a number between 10^(size-1) and 10^size.
func scale(n float64, size int) (mantissa float64, exponent int) {
	if n == 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return n, 0
	}
	for ; n < math.Pow10(size-1); exponent-- {
		n *= 10
	}
	for ; n > math.Pow10(size); exponent++ {
		n /= 10
	}
	return n, exponent
}

// family writes ASCII digits in the picture's family of digits.
func (f *decimalFormat) family(s string) string {
	return strings.Map(func(r rune) rune { return r - '0' + f.zero }, s)
}

// number writes the mantissa: its digits, padded and grouped.
func (p *subPicture) number(f *decimalFormat, n float64) string {
	integer, fraction, _ := strings.Cut(strconv.FormatFloat(math.Abs(n), 'f', p.maxFraction, 64), ".")
	integer, fraction = strings.TrimLeft(integer, "0"), strings.TrimRight(fraction, "0")
	digits := []rune(f.family(strings.Repeat("0", max(0, p.minInteger-len(integer))) + integer))
	decimals := []rune(f.family(fraction + strings.Repeat("0", max(0, p.minFraction-len(fraction)))))
	separator := []rune(f.grouping)
	size := len(digits)
	if p.regular > 0 {
		for at := size - p.regular; at > 0; at -= p.regular {
			digits = slices.Insert(digits, at, separator...)
		}
	} else {
		for i := len(p.grouping) - 1; i >= 0; i-- { // from the right, so that the positions still hold
			if at := size - p.grouping[i]; at > 0 {
				digits = slices.Insert(digits, at, separator...)
			}
		}
	}
	for _, at := range p.fractionGrouping {
		if at <= len(decimals) {
			decimals = slices.Insert(decimals, at, separator...)
		}
	}
	if len(decimals) == 0 || !strings.Contains(p.text, f.decimal) {
		return string(digits)
	}
	return string(digits) + f.decimal + string(decimals)
}
