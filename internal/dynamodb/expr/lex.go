package expr

import (
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokName
	tokNameRef  // #name
	tokValueRef // :value
	tokNumber
	tokPunct // = <> < <= > >= + - , ( ) [ ] . or a character that no expression may contain
)

type token struct {
	kind       tokenKind
	text       string
	start, end int
}

// maxExpression is the longest expression in bytes.
const maxExpression = 4096

func isNameStart(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isNamePart(c byte) bool  { return isNameStart(c) || isDigit(c) }

// lex splits an expression into tokens; the last is the end. It cannot fail: the parser meets what does not belong.
func lex(text string) []token {
	var toks []token
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		start, kind := i, tokPunct
		i++
		switch {
		case isNameStart(c):
			kind, i = tokName, span(text, i, isNamePart)
		case isDigit(c):
			kind, i = tokNumber, span(text, i, isDigit)
		case (c == '#' || c == ':') && i < len(text) && isNamePart(text[i]):
			kind = tokNameRef
			if c == ':' {
				kind = tokValueRef
			}
			i = span(text, i, isNamePart)
		case c == '<' && i < len(text) && (text[i] == '=' || text[i] == '>'), c == '>' && i < len(text) && text[i] == '=':
			i++
		case c >= 0x80:
			i = span(text, i, func(b byte) bool { return b >= 0x80 && b < 0xc0 })
		}
		toks = append(toks, token{kind, text[start:i], start, i})
	}
	return append(toks, token{tokEnd, "<EOF>", len(text), len(text)})
}

func span(text string, i int, in func(byte) bool) int {
	for i < len(text) && in(text[i]) {
		i++
	}
	return i
}

// syntaxError shows the offending token with the one before and the one after it.
func syntaxError(text string, toks []token, at int) error {
	from, to := max(at-1, 0), min(at+1, len(toks)-1)
	near := strings.TrimRight(text[toks[from].start:toks[to].end], " \t\r\n")
	return attr.Invalid("Syntax error; token: " + `"` + toks[at].text + `", near: "` + near + `"`)
}

func sizeError(n int) error {
	return attr.Invalid("Expression size has exceeded the maximum allowed size; expression size: " + strconv.Itoa(n))
}
