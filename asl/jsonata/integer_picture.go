package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// numbering is a way to write integers.
type numbering uint8

const (
	decimalNumbers numbering = iota
	letterNumbers
	romanNumbers
	wordNumbers
	otherNumbers // a sequence that is not supported
)

// letterCase is how words and letters are written.
type letterCase uint8

const (
	lowerCase letterCase = iota
	upperCase
	titleCase
)

// integerPicture is how to write an integer (XPath F&O 4.6).
type integerPicture struct {
	numbering numbering
	letters   letterCase
	ordinal   bool
	token     string // as written

	zero       rune // of the family of digits
	mandatory  int  // digits
	optional   int
	separators []separator // from the right
	every      int         // the distance of separators that go on to the left, or 0
}

// separator stands before so many digits.
type separator struct {
	digits int
	char   rune
}

// decimalZeros are the zeros of the families of decimal digits.
var decimalZeros = []rune{0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
	0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0,
	0xA9F0, 0xAA50, 0xABF0, 0xFF10}

// zeroOf is the zero of a digit's family.
func zeroOf(r rune) (rune, bool) {
	i, exact := slices.BinarySearch(decimalZeros, r)
	if exact {
		return r, true
	}
	if i == 0 || r > decimalZeros[i-1]+9 {
		return 0, false
	}
	return decimalZeros[i-1], true
}

// integerPicture reads a picture; what follows its last semicolon is the modifier.
func (e *evaluation) integerPicture(picture string) *integerPicture {
	p := &integerPicture{token: picture, zero: '0'}
	if i := strings.LastIndexByte(picture, ';'); i >= 0 {
		p.token, p.ordinal = picture[:i], strings.HasPrefix(picture[i+1:], "o")
	}
	switch p.token {
	case "A":
		p.numbering, p.letters = letterNumbers, upperCase
	case "a":
		p.numbering = letterNumbers
	case "I":
		p.numbering, p.letters = romanNumbers, upperCase
	case "i":
		p.numbering = romanNumbers
	case "W":
		p.numbering, p.letters = wordNumbers, upperCase
	case "w":
		p.numbering = wordNumbers
	case "Ww":
		p.numbering, p.letters = wordNumbers, titleCase
	default:
		e.decimalPicture(p)
	}
	return p
}

// decimalPicture reads digits, optional ones and, as anything else, separators.
func (e *evaluation) decimalPicture(p *integerPicture) {
	for _, r := range p.token {
		zero, isDigit := zeroOf(r)
		switch {
		case isDigit:
			if p.mandatory > 0 && zero != p.zero {
				e.fail("D3131", nil)
			}
			p.zero = zero
			p.mandatory++
		case r == '#':
			p.optional++
		default:
			p.separators = append(p.separators, separator{p.mandatory + p.optional, r})
		}
	}
	if p.mandatory == 0 {
		p.numbering = otherNumbers
		return
	}
	slices.Reverse(p.separators)
	var positions []int
	for i := range p.separators {
		p.separators[i].digits = p.mandatory + p.optional - p.separators[i].digits
		positions = append(positions, p.separators[i].digits)
		if p.separators[i].char != p.separators[0].char {
			return
		}
	}
	p.every = interval(positions)
}

func (e *evaluation) formatInteger(f float64, p *integerPicture) string {
	n := math.Abs(f)
	var text string
	switch p.numbering {
	case decimalNumbers:
		text = p.decimal(formatDouble(n))
	case letterNumbers:
		text = p.letters.write(toLetters(n))
	case romanNumbers:
		e.hold(int(math.Min(n/1000, 1e9)))
		text = p.letters.write(toRoman(n))
	case wordNumbers:
		text = p.letters.write(toWords(n, p.ordinal))
	default:
		e.fail("D3130", detail{"value": p.token})
	}
	if f < 0 {
		return "-" + text
	}
	return text
}

func (c letterCase) write(text string) string {
	switch c {
	case lowerCase:
		return strings.ToLower(text)
	case upperCase:
		return strings.ToUpper(text)
	}
	return text
}

// decimal writes digits with their separators and their ordinal ending.
func (p *integerPicture) decimal(digits string) string {
	digits = atLeast(digits, min(p.mandatory, 1<<16), true)
	var out strings.Builder
	for i, r := range digits {
		p.separate(&out, len(digits)-i, i == 0)
		if r >= '0' && r <= '9' {
			r += p.zero - '0'
		}
		out.WriteRune(r)
	}
	p.separate(&out, 0, false)
	if p.ordinal {
		out.WriteString(ordinalEnding(out.String()))
	}
	return out.String()
}

// separate writes the separators that stand before the last so many digits.
func (p *integerPicture) separate(out *strings.Builder, rest int, first bool) {
	if p.every > 0 {
		if !first && rest > 0 && rest%p.every == 0 {
			out.WriteRune(p.separators[0].char)
		}
		return
	}
	for _, s := range slices.Backward(p.separators) {
		if s.digits == rest {
			out.WriteRune(s.char)
		}
	}
}

func ordinalEnding(text string) string {
	if !strings.HasSuffix(text[:len(text)-1], "1") {
		switch text[len(text)-1] {
		case '1':
			return "st"
		case '2':
			return "nd"
		case '3':
			return "rd"
		}
	}
	return "th"
}

// toLetters counts a, b, ... z, aa, ab and so on.
func toLetters(n float64) string {
	var letters []byte
	for ; n >= 1; n = math.Floor((n - 1) / 26) {
		letters = append(letters, 'a'+byte(math.Mod(n-1, 26)))
	}
	slices.Reverse(letters)
	return string(letters)
}

func fromLetters(text string, first byte) float64 {
	n := 0.0
	for i := range len(text) {
		n = 26*n + float64(int(text[i])-int(first)+1)
	}
	return n
}

// romanDigits are the digits of a decimal place by the letters for one, five and ten.
var romanDigits = []string{"", "1", "11", "111", "15", "5", "51", "511", "5111", "1X"}

func toRoman(n float64) string {
	thousands := math.Floor(n / 1000)
	text := strings.Repeat("M", int(thousands))
	rest := int(n - 1000*thousands)
	for _, place := range []struct {
		value   int
		letters *strings.Replacer
	}{{100, hundreds}, {10, tenths}, {1, ones}} {
		text += place.letters.Replace(romanDigits[rest/place.value%10])
	}
	return text
}

var (
	hundreds = strings.NewReplacer("1", "C", "5", "D", "X", "M")
	tenths   = strings.NewReplacer("1", "X", "5", "L", "X", "C")
	ones     = strings.NewReplacer("1", "I", "5", "V", "X", "X")
)

var romanValues = map[byte]float64{'M': 1000, 'D': 500, 'C': 100, 'L': 50, 'X': 10, 'V': 5, 'I': 1}

// fromRoman adds the letters up; one that stands before a larger one is taken away.
func fromRoman(text string) float64 {
	total, before := 0.0, 0.0
	for i := range len(text) {
		v := romanValues[text[i]]
		if total += v; before < v {
			total -= 2 * before
		}
		before = v
	}
	return total
}

// parseInteger reads an integer that was written with a picture.
func (e *evaluation) parseInteger(text string, p *integerPicture) float64 {
	switch p.numbering {
	case letterNumbers:
		if p.letters == upperCase {
			return fromLetters(text, 'A')
		}
		return fromLetters(text, 'a')
	case romanNumbers:
		return fromRoman(strings.ToUpper(text))
	case wordNumbers:
		return fromWords(strings.ToLower(text))
	case otherNumbers:
		e.fail("D3130", detail{"value": p.token})
	}
	if p.ordinal {
		text = text[:max(0, len(text)-2)]
	}
	return leadingNumber(strings.Map(func(r rune) rune {
		if p.every > 0 && r == ',' || p.every == 0 && p.separates(r) {
			return -1
		}
		return r - p.zero + '0'
	}, text))
}

func (p *integerPicture) separates(r rune) bool {
	return slices.ContainsFunc(p.separators, func(s separator) bool { return s.char == r })
}

// leadingNumber is the integer that a text begins with, or NaN.
func leadingNumber(text string) float64 {
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && text[end] == '-') {
		end++
	}
	f, err := strconv.ParseFloat(text[:end], 64)
	if err != nil {
		return math.NaN()
	}
	return f
}
