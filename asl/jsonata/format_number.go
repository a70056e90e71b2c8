package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// formatNumber writes a number by a picture; the second half of the picture, if there is one, is for negative numbers.
func formatNumber(e *evaluation, n float64, args []any) any {
	text, _ := args[1].(string)
	s := symbolsOf(args[2])
	e.spend(16 * len(text))
	halves := []string{text}
	if s.pattern != "" {
		halves = strings.Split(text, s.pattern)
	}
	if len(halves) > 2 {
		e.fail("D3080", nil)
	}
	pictures := make([]*numberPicture, len(halves))
	for i, half := range halves {
		pictures[i] = e.numberPicture(s, half)
	}
	p := pictures[0]
	if n < 0 {
		if p = pictures[len(pictures)-1]; len(pictures) == 1 {
			p.prefix = s.minus + p.prefix
		}
	}
	e.spend(p.integer.least + p.fraction.most)
	return p.prefix + p.number(s, n*math.Pow10(p.shift)) + p.suffix
}

// number writes the digits of a number, without its sign.
func (p *numberPicture) number(s *numberSymbols, n float64) string {
	power := 0
	if p.exponent > 0 {
		n, power = normalized(math.Abs(n), p.scale)
	}
	rounded := math.Abs(roundEven(n, p.fraction.most))
	integer, fraction, _ := strings.Cut(strconv.FormatFloat(rounded, 'f', p.fraction.most, 64), ".")
	integer = atLeast(strings.TrimLeft(integer, "0"), p.integer.least, true)
	fraction = atLeast(strings.TrimRight(fraction, "0"), p.fraction.least, false)

	var out strings.Builder
	p.writeInteger(&out, s, integer)
	if p.hasPoint && fraction != "" {
		out.WriteString(s.decimal)
		p.writeFraction(&out, s, fraction)
	}
	if p.exponent > 0 {
		out.WriteString(s.exponent)
		if power < 0 {
			out.WriteString(s.minus)
		}
		out.WriteString(s.family(atLeast(strconv.Itoa(max(power, -power)), p.exponent, true)))
	}
	return out.String()
}

// atLeast fills digits up with zeros, before or after them.
func atLeast(digits string, size int, before bool) string {
	zeros := strings.Repeat("0", max(0, size-len(digits)))
	if before {
		return zeros + digits
	}
	return digits + zeros
}

// writeInteger writes the digits before the point with their separators: where the picture has them at equal distances,
// they go on to the left.
func (p *numberPicture) writeInteger(out *strings.Builder, s *numberSymbols, digits string) {
	var fromRight []int
	for _, before := range slices.Backward(p.integer.breaks) {
		fromRight = append(fromRight, p.integer.most-before)
	}
	every := interval(fromRight)
	for i := range len(digits) {
		rest := len(digits) - i
		if i > 0 && (every > 0 && rest%every == 0 || every == 0 && slices.Contains(fromRight, rest)) {
			out.WriteString(s.grouping)
		}
		out.WriteString(s.family(digits[i : i+1]))
	}
}

func (p *numberPicture) writeFraction(out *strings.Builder, s *numberSymbols, digits string) {
	for i := range len(digits) {
		if slices.Contains(p.fraction.breaks, i) {
			out.WriteString(s.grouping)
		}
		out.WriteString(s.family(digits[i : i+1]))
	}
	if slices.Contains(p.fraction.breaks, len(digits)) {
		out.WriteString(s.grouping)
	}
}

// interval is the distance of positions, ascending, that are all the multiples of the first; otherwise 0.
func interval(positions []int) int {
	for i, position := range positions {
		if position != (i+1)*positions[0] {
			return 0
		}
	}
	if len(positions) == 0 {
		return 0
	}
	return positions[0]
}

// normalized brings a number to so many digits before its point.
func normalized(n float64, size int) (mantissa float64, power int) {
	if n == 0 || n-n != 0 {
		return n, 0
	}
	for ; n < math.Pow10(size-1); power-- {
		n *= 10
	}
	for ; n > math.Pow10(size); power++ {
		n /= 10
	}
	return n, power
}
