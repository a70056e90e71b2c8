package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenOperator
	tokenName
	tokenVariable
	tokenLiteral
	tokenRegex
)

// token is a word of the text. Its position is where it ends.
type token struct {
	kind    tokenKind
	text    string // operator, or a name without quotes or $
	literal any
	regex   expr
	end     int
}

// scanner cuts a text into tokens.
type scanner struct {
	text string
	pos  int
}

const punctuation = ".[]{}(),@#;:?+-*/%|=<>^&!~"

// isBlank tells white space.
func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' && c != '\f' }

func (s *scanner) fail(code string, position int, token string) {
	panic(fail(code, position, token, nil))
}

// next reads a token. Whether a slash divides or opens a regular expression depends on what stands before it.
func (s *scanner) next(afterOperand bool) token {
	s.skipBlanks()
	if s.pos == len(s.text) {
		return token{kind: tokenEnd, text: "(end)", end: s.pos}
	}
	switch c := s.text[s.pos]; {
	case c == '"' || c == '\'':
		return s.done(token{kind: tokenLiteral, literal: s.quoted(c)})
	case c == '`':
		name, _, closed := strings.Cut(s.text[s.pos+1:], "`")
		if !closed {
			s.fail("S0105", len(s.text), "")
		}
		s.pos += len(name) + 2
		return s.done(token{kind: tokenName, text: name})
	case c >= '0' && c <= '9':
		return s.number()
	case c == '/' && !afterOperand:
		return s.regex()
	case strings.IndexByte(punctuation, c) >= 0:
		return s.operator()
	}
	return s.word()
}

func (s *scanner) done(t token) token {
	t.end = s.pos
	return t
}

// skipBlanks passes over white space and comments.
func (s *scanner) skipBlanks() {
	for s.pos < len(s.text) {
		switch {
		case isBlank(s.text[s.pos]):
			s.pos++
		case strings.HasPrefix(s.text[s.pos:], "/*"):
			comment, _, closed := strings.Cut(s.text[s.pos+2:], "*/")
			if !closed {
				s.fail("S0106", s.pos, "")
			}
			s.pos += len(comment) + 4
		default:
			return
		}
	}
}

func (s *scanner) operator() token {
	size := 1
	if s.pos+1 < len(s.text) {
		switch s.text[s.pos : s.pos+2] {
		case "..", ":=", "!=", ">=", "<=", "**", "~>":
			size = 2
		}
	}
	s.pos += size
	return s.done(token{kind: tokenOperator, text: s.text[s.pos-size : s.pos]})
}

// word reads a name, a variable or a word with a meaning.
func (s *scanner) word() token {
	start := s.pos
	for s.pos < len(s.text) && !isBlank(s.text[s.pos]) && strings.IndexByte(punctuation, s.text[s.pos]) < 0 {
		s.pos++
	}
	t := token{kind: tokenName, text: s.text[start:s.pos]}
	switch t.text {
	case "and", "or", "in":
		t.kind = tokenOperator
	case "true", "false":
		t.kind, t.literal = tokenLiteral, t.text == "true"
	case "null":
		t.kind = tokenLiteral
	default:
		if t.text[0] == '$' {
			t.kind, t.text = tokenVariable, t.text[1:]
		}
	}
	return s.done(t)
}

// number reads a number as JSON has it; what follows a leading zero is another token.
func (s *scanner) number() token {
	start := s.pos
	if s.text[s.pos] == '0' {
		s.pos++
	} else {
		s.digits()
	}
	if integer := s.pos; s.at(".") {
		if s.pos++; !s.digits() {
			s.pos = integer
		}
	}
	if mantissa := s.pos; s.at("eE") {
		if s.pos++; s.at("+-") {
			s.pos++
		}
		if !s.digits() {
			s.pos = mantissa
		}
	}
	text := s.text[start:s.pos]
	if f, _ := strconv.ParseFloat(text, 64); math.IsInf(f, 0) {
		s.fail("S0102", start, text)
	}
	return s.done(token{kind: tokenLiteral, text: text, literal: value.Number(text)})
}

// at says whether the next character is one of some.
func (s *scanner) at(chars string) bool {
	return s.pos < len(s.text) && strings.IndexByte(chars, s.text[s.pos]) >= 0
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.at("0123456789") {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) quoted(quote byte) string {
	var out []byte
	for s.pos++; s.pos < len(s.text); {
		c := s.text[s.pos]
		s.pos++
		switch c {
		case quote:
			return string(out)
		case '\\':
			out = s.escape(out)
		default:
			out = append(out, c)
		}
	}
	s.fail("S0101", s.pos, "")
	return ""
}

// escape reads what follows a backslash.
func (s *scanner) escape(out []byte) []byte {
	if s.pos == len(s.text) {
		return out // the string has no end
	}
	c := s.text[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		return s.unicode(out)
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.pos-1:])
	s.fail("S0103", s.pos-1, string(r))
	return nil
}

// unicode reads four digits, and with the first half of a surrogate pair also its second. Half a pair alone is kept as
// the three bytes that it would be, so that lengths and comparisons know of it.
func (s *scanner) unicode(out []byte) []byte {
	unit, ok := s.hex(s.pos)
	if !ok {
		s.fail("S0104", s.pos-1, "")
	}
	s.pos += 4
	if utf16.IsSurrogate(unit) {
		if strings.HasPrefix(s.text[s.pos:], `\u`) {
			if second, ok := s.hex(s.pos + 2); ok {
				if r := utf16.DecodeRune(unit, second); r != utf8.RuneError {
					s.pos += 6
					return utf8.AppendRune(out, r)
				}
			}
		}
		return append(out, 0xe0|byte(unit>>12), 0x80|byte(unit>>6)&0x3f, 0x80|byte(unit)&0x3f)
	}
	return utf8.AppendRune(out, unit)
}

func (s *scanner) hex(i int) (rune, bool) {
	if i+4 > len(s.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(s.text[i:i+4], 16, 32)
	return rune(n), err == nil
}

// regex reads a regular expression. A slash inside brackets does not end it; a bracket that follows a backslash does not
// count.
func (s *scanner) regex() token {
	s.pos++
	start, brackets, escaped := s.pos, 0, false
	for ; s.pos < len(s.text); s.pos++ {
		c := s.text[s.pos]
		switch {
		case escaped:
			escaped = false
			continue
		case c == '\\':
			escaped = true
		case strings.IndexByte("([{", c) >= 0:
			brackets++
		case strings.IndexByte(")]}", c) >= 0:
			brackets--
		case c == '/' && brackets == 0:
			return s.regexFlags(s.text[start:s.pos])
		}
	}
	s.fail("S0302", s.pos, "")
	return token{}
}

func (s *scanner) regexFlags(text string) token {
	if text == "" {
		s.fail("S0301", s.pos, "")
	}
	s.pos++
	start := s.pos
	for s.at("im") {
		s.pos++
	}
	re, cost := compileRegex(text, s.text[start:s.pos], s.pos)
	return s.done(token{kind: tokenRegex, regex: &pattern{at(s.pos), re, cost}})
}
