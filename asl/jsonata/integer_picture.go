package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// integerPicture is how to write an integer (XPath F&O 4.6): decimal digits, letters, Roman numerals or words.
type integerPicture struct {
	primary   byte // 1 decimal, a letters, i Roman, w words, ? a sequence that is not supported
	letters   byte // u upper, l lower, t title case
	ordinal   bool
	zero      rune // of the family of digits
	mandatory int
	optional  int
	regular   int // distance of grouping separators, 0 if they are not regular
	groups    []separator
	token     string
	width     int // digits of a date's component, 0 if there is no bound
}

// separator stands so many digits from the right.
type separator struct {
	position int
	char     rune
}

// decimalZeros are the zeros of the families of decimal digits.
var decimalZeros = []rune{0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
	0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0,
	0xA9F0, 0xAA50, 0xABF0, 0xFF10}

func zeroOf(r rune) (rune, bool) {
	for _, zero := range decimalZeros {
		if r >= zero && r <= zero+9 {
			return zero, true
		}
	}
	return 0, false
}

func (e *evaluation) integerPicture(picture string) *integerPicture {
	p := &integerPicture{primary: '1', letters: 'l', zero: '0'}
	primary := picture
	if i := strings.LastIndexByte(picture, ';'); i >= 0 {
		primary = picture[:i]
		p.ordinal = strings.HasPrefix(picture[i+1:], "o")
	}
	switch primary {
	case "A", "I", "W":
		p.primary, p.letters = primary[0]|0x20, 'u'
	case "a", "i", "w":
		p.primary = primary[0]
	case "Ww":
		p.primary, p.letters = 'w', 't'
	default:
		e.decimalPicture(p, primary)
	}
	return p
}

func (e *evaluation) decimalPicture(p *integerPicture, primary string) {
	runes := []rune(primary)
	slices.Reverse(runes)
	position := 0
	for _, r := range runes {
		zero, digit := zeroOf(r)
		switch {
		case digit:
			if p.mandatory > 0 && zero != p.zero {
				e.fail("D3131", nil)
			}
			p.zero = zero
			p.mandatory++
			position++
		case r == '#':
			p.optional++
			position++
		default:
			p.groups = append(p.groups, separator{position, r})
		}
	}
	if p.mandatory == 0 {
		p.primary, p.token = '?', primary
		return
	}
	positions := make([]int, len(p.groups))
	for i, g := range p.groups {
		if positions[i] = g.position; g.char != p.groups[0].char {
			return
		}
	}
	p.regular = regular(positions)
}

// regular is the distance of positions that are all multiples of it, without a gap; otherwise 0.
func regular(positions []int) int {
	factor := 0
	for _, p := range positions {
		for a, b := factor, p; ; a, b = b, a%b {
			if b == 0 {
				factor = a
				break
			}
		}
	}
	for i := range positions {
		if !slices.Contains(positions, (i+1)*factor) {
			return 0
		}
	}
	return factor
}

func (e *evaluation) formatInteger(f float64, p *integerPicture) string {
	n := math.Abs(f)
	var s string
	switch p.primary {
	case 'a':
		s = toLetters(n, map[byte]rune{'u': 'A', 'l': 'a'}[p.letters])
	case 'i':
		e.spend(int(math.Min(n/1000, 1e9)))
		s = toRoman(n)
	case 'w':
		s = toWords(n, p.ordinal)
	case '1':
		s = p.decimal(formatDouble(n))
	default:
		e.fail("D3130", detail{"value": p.token})
	}
	switch {
	case p.primary == 'a' || p.primary == '1':
	case p.letters == 'u':
		s = strings.ToUpper(s)
	case p.letters == 'l':
		s = strings.ToLower(s)
	}
	if f < 0 {
		return "-" + s
	}
	return s
}

func (p *integerPicture) decimal(s string) string {
	s = strings.Repeat("0", max(0, min(p.mandatory, 1<<16)-len(s))) + s
	digits := []rune(s)
	for i, r := range digits {
		if r >= '0' && r <= '9' {
			digits[i] = r - '0' + p.zero
		}
	}
	if p.regular > 0 {
		for at := len(digits) - p.regular; at > 0; at -= p.regular {
			digits = slices.Insert(digits, at, p.groups[0].char)
		}
	} else {
		for i := len(p.groups) - 1; i >= 0; i-- {
			if at := len(digits) - p.groups[i].position; at >= 0 {
				digits = slices.Insert(digits, at, p.groups[i].char)
			}
		}
	}
	s = string(digits)
	if p.ordinal {
		suffix := map[byte]string{'1': "st", '2': "nd", '3': "rd"}[s[len(s)-1]]
		if suffix == "" || len(s) > 1 && s[len(s)-2] == '1' {
			suffix = "th"
		}
		s += suffix
	}
	return s
}

func toLetters(n float64, first rune) string {
	var letters []rune
	for ; n >= 1; n = math.Floor((n - 1) / 26) {
		letters = append(letters, rune(math.Mod(n-1, 26))+first)
	}
	slices.Reverse(letters)
	return string(letters)
}

var romans = []struct {
	value float64
	text  string
}{{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"}}

func toRoman(n float64) string {
	var b strings.Builder
	for _, r := range romans {
		for ; n >= r.value; n -= r.value {
			b.WriteString(r.text)
		}
	}
	return b.String()
}

func fromRoman(s string) float64 {
	values := map[byte]float64{'M': 1000, 'D': 500, 'C': 100, 'L': 50, 'X': 10, 'V': 5, 'I': 1}
	total, most := 0.0, 1.0
	for i := len(s) - 1; i >= 0; i-- {
		if v := values[s[i]]; v < most {
			total -= v
		} else {
			most = v
			total += v
		}
	}
	return total
}

// parseInteger reads an integer that was written with a picture.
func (e *evaluation) parseInteger(s string, p *integerPicture) float64 {
	switch p.primary {
	case 'a':
		first := byte('a')
		if p.letters == 'u' {
			first = 'A'
		}
		total := 0.0
		for i := range len(s) {
			total = total*26 + float64(int(s[i])-int(first)+1)
		}
		return total
	case 'i':
		return fromRoman(strings.ToUpper(s))
	case 'w':
		return fromWords(strings.ToLower(s))
	case '?':
		e.fail("D3130", detail{"value": p.token})
	}
	if p.ordinal {
		s = s[:max(0, len(s)-2)]
	}
	if p.regular > 0 {
		s = strings.ReplaceAll(s, ",", "")
	}
	s = strings.Map(func(r rune) rune {
		if p.regular == 0 && slices.ContainsFunc(p.groups, func(g separator) bool { return g.char == r }) {
			return -1
		}
		return r - p.zero + '0'
	}, s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && s[end] == '-') {
		end++
	}
	f, err := strconv.ParseFloat(s[:end], 64)
	if err != nil {
		return math.NaN()
	}
	return f
}
