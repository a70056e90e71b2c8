package jsonata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
)

type lexer struct {
	text string
	pos  int
}

const (
	space      = " \t\n\r\v"
	singleOps  = ".[]{}(),@#;:?+-*/%|=<>^&!~"
	escapeFrom = `"\/bfnrt`
	escapeTo   = "\"\\/\b\f\n\r\t"
)

var (
	doubleOps = []string{"..", ":=", "!=", ">=", "<=", "**", "~>"}
	number    = regexp.MustCompile(`^-?(0|([1-9][0-9]*))(\.[0-9]+)?([Ee][-+]?[0-9]+)?`)
)

func (l *lexer) fail(code string, position int, token string) {
	panic(fail(code, position, token, nil))
}

func (l *lexer) node(k kind, text string) *node { return &node{kind: k, text: text, pos: l.pos} }

// next reads a token; nil is the end. Where an operand has just ended, infix is true and "/" divides.
func (l *lexer) next(infix bool) *node {
	l.skip()
	if l.pos >= len(l.text) {
		return nil
	}
	rest := l.text[l.pos:]
	c := rest[0]
	if c == '/' && !infix {
		l.pos++
		return l.regex()
	}
	for _, op := range doubleOps {
		if strings.HasPrefix(rest, op) {
			l.pos += 2
			return l.node(kindOperator, op)
		}
	}
	if strings.IndexByte(singleOps, c) >= 0 {
		l.pos++
		return l.node(kindOperator, string(c))
	}
	if c == '"' || c == '\'' {
		return l.str(c)
	}
	if text := number.FindString(rest); text != "" {
		f, _ := strconv.ParseFloat(text, 64)
		if math.IsInf(f, 0) {
			l.fail("S0102", l.pos, text)
		}
		l.pos += len(text)
		n := l.node(kindNumber, text)
		n.value = value.Number(text)
		return n
	}
	if c == '`' {
		end := strings.IndexByte(rest[1:], '`')
		if end < 0 {
			l.fail("S0105", len(l.text), "")
		}
		l.pos += end + 2
		return l.node(kindName, rest[1:end+1])
	}
	return l.word(rest)
}

// skip passes over white space and comments.
func (l *lexer) skip() {
	for {
		for l.pos < len(l.text) && strings.IndexByte(space, l.text[l.pos]) >= 0 {
			l.pos++
		}
		if !strings.HasPrefix(l.text[l.pos:], "/*") {
			return
		}
		end := strings.Index(l.text[l.pos+2:], "*/")
		if end < 0 {
			l.fail("S0106", l.pos, "")
		}
		l.pos += end + 4
	}
}

func (l *lexer) word(rest string) *node {
	end := strings.IndexAny(rest, space+singleOps)
	if end < 0 {
		end = len(rest)
	}
	l.pos += end
	word := rest[:end]
	if name, ok := strings.CutPrefix(word, "$"); ok {
		return l.node(kindVariable, name)
	}
	switch word {
	case "or", "in", "and":
		return l.node(kindOperator, word)
	case "true", "false":
		n := l.node(kindValue, word)
		n.value = word == "true"
		return n
	case "null":
		return l.node(kindValue, word)
	}
	return l.node(kindName, word)
}

func (l *lexer) str(quote byte) *node {
	var out []byte
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch c := l.text[l.pos]; c {
		case quote:
			l.pos++
			n := l.node(kindString, string(out))
			n.value = n.text
			return n
		case '\\':
			l.pos++
			out = l.escape(out)
		default:
			out = append(out, c)
		}
	}
	l.fail("S0101", l.pos, "")
	return nil
}

// escape decodes the escape sequence that l.pos stands on, and leaves l.pos on its last byte. A surrogate without its
// partner stays what it is, in three bytes that are not valid UTF-8, so that URL encoding can refuse it.
func (l *lexer) escape(out []byte) []byte {
	if l.pos >= len(l.text) {
		return out
	}
	c := l.text[l.pos]
	if i := strings.IndexByte(escapeFrom, c); i >= 0 {
		return append(out, escapeTo[i])
	}
	if c != 'u' {
		r, _ := utf8.DecodeRuneInString(l.text[l.pos:])
		l.fail("S0103", l.pos, string(r))
	}
	unit := l.hex(l.pos + 1)
	if unit < 0 {
		l.fail("S0104", l.pos, "")
	}
	l.pos += 4
	if utf16.IsSurrogate(unit) {
		if strings.HasPrefix(l.text[l.pos+1:], `\u`) {
			if r := utf16.DecodeRune(unit, l.hex(l.pos+3)); r != utf8.RuneError {
				l.pos += 6
				return utf8.AppendRune(out, r)
			}
		}
		return append(out, 0xe0|byte(unit>>12), 0x80|byte(unit>>6)&0x3f, 0x80|byte(unit)&0x3f)
	}
	return utf8.AppendRune(out, unit)
}

// hex is the value of four hexadecimal digits, or -1.
func (l *lexer) hex(i int) rune {
	if i+4 > len(l.text) {
		return -1
	}
	n, err := strconv.ParseUint(l.text[i:i+4], 16, 32)
	if err != nil {
		return -1
	}
	return rune(n)
}

// regex reads a regular expression after its slash. A slash inside brackets does not end it.
func (l *lexer) regex() *node {
	start, depth := l.pos, 0
	for ; l.pos < len(l.text); l.pos++ {
		c := l.text[l.pos]
		if c == '/' && depth == 0 && !l.escaped() {
			pattern := l.text[start:l.pos]
			if pattern == "" {
				l.fail("S0301", l.pos, "")
			}
			l.pos++
			flags := l.pos
			for l.pos < len(l.text) && (l.text[l.pos] == 'i' || l.text[l.pos] == 'm') {
				l.pos++
			}
			n := l.node(kindRegex, pattern)
			n.regex = compileRegex(pattern, l.text[flags:l.pos], l.pos)
			return n
		}
		if l.text[l.pos-1] != '\\' {
			switch c {
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth--
			}
		}
	}
	l.fail("S0302", l.pos, "")
	return nil
}

func (l *lexer) escaped() bool {
	n := 0
	for l.text[l.pos-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}
