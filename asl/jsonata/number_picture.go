package jsonata

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// numberSymbols are the characters of a number picture (XPath F&O 4.7.1).
type numberSymbols struct {
	decimal, grouping, exponent, minus, percent, perMille, optional, pattern string

	zero rune
}

func symbolsOf(options any) *numberSymbols {
	s := &numberSymbols{decimal: ".", grouping: ",", exponent: "e", minus: "-", percent: "%", perMille: "‰", optional: "#", pattern: ";", zero: '0'}
	o, _ := options.(*value.Object)
	if o == nil {
		return s
	}
	for name, member := range map[string]*string{"decimal-separator": &s.decimal, "grouping-separator": &s.grouping, "exponent-separator": &s.exponent,
		"minus-sign": &s.minus, "percent": &s.percent, "per-mille": &s.perMille, "digit": &s.optional, "pattern-separator": &s.pattern} {
		if v, ok := o.Get(name); ok {
			*member, _ = v.(string)
		}
	}
	if v, ok := o.Get("zero-digit"); ok {
		if text, _ := v.(string); text != "" {
			s.zero = []rune(text)[0]
		}
	}
	return s
}

// role is what a character does in a picture.
type role uint8

const (
	rolePassive role = iota
	roleDigit
	roleOptional
	rolePoint
	roleGroup
	roleExponent
)

func (s *numberSymbols) role(r rune) role {
	switch text := string(r); {
	case r >= s.zero && r < s.zero+10:
		return roleDigit
	case text == s.optional:
		return roleOptional
	case text == s.decimal:
		return rolePoint
	case text == s.grouping:
		return roleGroup
	case text == s.exponent:
		return roleExponent
	}
	return rolePassive
}

// family writes ASCII digits in the picture's family of digits.
func (s *numberSymbols) family(digits string) string {
	if s.zero == '0' {
		return digits
	}
	return strings.Map(func(r rune) rune { return r - '0' + s.zero }, digits)
}

// numberPicture is how to write a number: one of the at most two sub-pictures of a picture.
type numberPicture struct {
	prefix, suffix string
	shift          int // decimal places of a percentage or a per mille
	hasPoint       bool
	integer        digitRun
	fraction       digitRun
	exponent       int // least digits of the exponent, 0 without one
	scale          int // digits before the point of a number with an exponent
}

// digitRun is the digits before or after the point.
type digitRun struct {
	least, most int   // most counts the optional ones too
	breaks      []int // digits before each grouping separator
}

// pictureReader reads a sub-picture from left to right. Of all rules of F&O 4.7.3 that it breaks, the last counts; their
// codes ascend in the order of the rules.
type pictureReader struct {
	numberPicture
	code     string
	section  role // roleDigit before the point, rolePoint after it, roleExponent in the exponent
	previous role
}

func (r *pictureReader) broken(code string) { r.code = max(r.code, code) }

func (e *evaluation) numberPicture(s *numberSymbols, text string) *numberPicture {
	first, end := -1, 0
	for i, c := range text {
		if role := s.role(c); role != rolePassive && role != roleExponent {
			if first < 0 {
				first = i
			}
			end = i + len(string(c))
		}
	}
	if first < 0 {
		e.fail("D3086", nil)
	}
	r := &pictureReader{section: roleDigit}
	r.prefix, r.suffix = text[:first], text[end:]
	for _, c := range text[first:end] {
		role := s.role(c)
		r.read(role)
		r.previous = role
	}
	r.signs(s, text)
	r.end()
	if r.code != "" {
		e.fail(r.code, nil)
	}
	r.settle()
	return &r.numberPicture
}

// run is the digits of the section.
func (r *pictureReader) run() *digitRun {
	if r.section == rolePoint {
		return &r.fraction
	}
	return &r.integer
}

func (r *pictureReader) read(c role) {
	if r.section == roleExponent {
		r.readExponent(c)
		return
	}
	run := r.run()
	switch c {
	case roleDigit:
		if r.section == rolePoint && run.most > run.least {
			r.broken("D3091")
		}
		run.least++
		run.most++
	case roleOptional:
		if r.section == roleDigit && run.least > 0 {
			r.broken("D3090")
		}
		run.most++
	case rolePoint:
		r.point()
	case roleGroup:
		switch r.previous {
		case roleGroup:
			r.broken("D3089")
		case rolePoint:
			r.broken("D3087")
		}
		run.breaks = append(run.breaks, run.most)
	case roleExponent:
		if r.previous == roleGroup && r.section == roleDigit {
			r.broken("D3088")
		}
		r.section = roleExponent
	default:
		r.broken("D3086")
	}
}

func (r *pictureReader) point() {
	if r.hasPoint {
		r.broken("D3081")
	}
	if r.previous == roleGroup {
		r.broken("D3087")
	}
	r.hasPoint, r.section = true, rolePoint
}

func (r *pictureReader) readExponent(c role) {
	switch c {
	case roleDigit:
		r.exponent++
		return
	case rolePassive:
		r.broken("D3086")
	case rolePoint:
		if r.hasPoint {
			r.broken("D3081")
		}
	}
	r.broken("D3093")
}

// signs looks for percent and per mille signs, which may stand anywhere around the digits.
func (r *pictureReader) signs(s *numberSymbols, text string) {
	percents, perMilles := strings.Count(text, s.percent), strings.Count(text, s.perMille)
	switch {
	case percents > 1:
		r.broken("D3082")
	case perMilles > 1:
		r.broken("D3083")
	}
	switch {
	case percents > 0 && perMilles > 0:
		r.broken("D3084")
	case percents > 0:
		r.shift = 2
	case perMilles > 0:
		r.shift = 3
	}
	if r.shift > 0 && r.section == roleExponent && r.previous != roleExponent {
		r.broken("D3092")
	}
}

func (r *pictureReader) end() {
	if r.integer.most+r.fraction.most == 0 {
		r.broken("D3085")
	}
	if r.section == roleDigit && r.previous == roleGroup {
		r.broken("D3088")
	}
	if r.section == roleExponent && r.exponent == 0 {
		r.broken("D3093")
	}
}

// settle makes sure that some digit is always written (F&O 4.7.4).
func (r *pictureReader) settle() {
	r.scale = r.integer.least
	if r.integer.least == 0 && r.fraction.most == 0 {
		if r.exponent > 0 {
			r.fraction.least, r.fraction.most = 1, 1
		} else {
			r.integer.least = 1
		}
	}
	if r.exponent > 0 && r.integer.least == 0 && r.integer.most > 0 {
		r.integer.least = 1
	}
	if r.integer.least == 0 && r.fraction.least == 0 {
		r.fraction.least = 1
	}
}
