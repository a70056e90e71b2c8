package serverless

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// expression is one variable: its sources in the order in which they are asked.
type expression struct{ sources []source }

// source is kind(parameter):address, or a literal.
type source struct {
	kind, parameter, address string
	literal                  *value.Value
	whole                    string // a variable with its braces, in place of a source
}

// parser reads a variable from behind its "${".
type parser struct {
	text string
	at   int // behind what was read
}

var kindName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*`)

// variable reads up to and with the closing brace. nil means that the text is none of the framework's variables, as
// ${AWS::Region} or ${Name}.
func (p *parser) variable() (*expression, error) {
	kind := kindName.FindString(p.text)
	next := strings.TrimPrefix(p.text, kind)
	if kind == "" || !strings.HasPrefix(next, "(") && (!strings.HasPrefix(next, ":") || strings.HasPrefix(next, "::")) {
		return nil, nil
	}
	e := &expression{}
	for {
		s, err := p.source(len(e.sources) == 0)
		if err != nil {
			return nil, err
		}
		e.sources = append(e.sources, s)
		p.space()
		switch {
		case p.take('}'):
			return e, nil
		case p.take(','):
			p.space()
		default:
			return nil, fmt.Errorf("\"${%s\" is not a valid variable: a comma or a closing brace is needed at character %d", p.text, p.at+3)
		}
	}
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) source(isFirst bool) (source, error) {
	rest := p.text[p.at:]
	if s, ok, err := p.fallback(rest); ok && !isFirst || err != nil {
		return s, err
	}
	kind := kindName.FindString(rest)
	if kind == "" {
		return source{}, fmt.Errorf("\"${%s\" is not a valid variable: a source is needed at character %d", p.text, p.at+3)
	}
	p.at += len(kind)
	s := source{kind: kind}
	var err error
	if p.take('(') {
		if s.parameter, err = p.until(")"); err != nil {
			return s, err
		}
		p.at++
		s.parameter = strings.Trim(strings.TrimSpace(s.parameter), `"'`)
	}
	if p.take(':') {
		if s.address, err = p.until(",}"); err != nil {
			return s, err
		}
		s.address = strings.TrimSpace(s.address)
	}
	return s, nil
}

var (
	word   = regexp.MustCompile(`^(true|false|null)\s*([,}])`)
	number = regexp.MustCompile(`^(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)\s*[,}]`)
)

// fallback reads a literal: a string in quotes, a number, true, false, null, or nothing at all, which is an empty
// string; or another variable in its own braces.
func (p *parser) fallback(rest string) (s source, ok bool, err error) {
	var v value.Value
	switch {
	case rest == "":
		return s, false, errors.New("a variable is not closed")
	case rest[0] == '"' || rest[0] == '\'':
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return s, false, fmt.Errorf("\"${%s\" is not a valid variable: a string is not closed", p.text)
		}
		v = rest[1 : end+1]
		p.at += end + 2
	case word.MatchString(rest):
		m := word.FindStringSubmatch(rest)
		v = map[string]value.Value{"true": true, "false": false, "null": nil}[m[1]]
		p.at += len(m[1])
	case number.MatchString(rest):
		m := number.FindStringSubmatch(rest)
		v = value.Number(m[1])
		p.at += len(m[1])
	case strings.HasPrefix(rest, "${"):
		// A whole variable as a fallback: ${opt:a, ${self:b}}; its sources are asked in this place.
		inner, err := nested(rest)
		if err != nil {
			return s, false, err
		}
		p.at += len(inner)
		return source{whole: inner}, true, nil
	default:
		return s, false, nil
	}
	return source{literal: &v}, true, nil
}

// nested is the variable at the beginning of a text, with its braces.
func nested(text string) (string, error) {
	depth := 0
	for i := range len(text) {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
		case text[i] == '}':
			if depth--; depth == 0 {
				return text[:i+1], nil
			}
		}
	}
	return "", fmt.Errorf("%q is not a valid variable: it is not closed", text)
}

// until reads up to one of the closing characters that is not within a nested variable.
func (p *parser) until(closing string) (string, error) {
	start := p.at
	for p.at < len(p.text) {
		if strings.HasPrefix(p.text[p.at:], "${") {
			inner, err := nested(p.text[p.at:])
			if err != nil {
				return "", err
			}
			p.at += len(inner)
			continue
		}
		if strings.IndexByte(closing, p.text[p.at]) >= 0 {
			return p.text[start:p.at], nil
		}
		p.at++
	}
	return "", fmt.Errorf("\"${%s\" is not a valid variable: it is not closed", p.text)
}
