package logs

import (
	"encoding/json"
	"strconv"
	"strings"
)

// matcher says whether an event's message matches a filter pattern.
type matcher func(message string) bool

const patternMax = 1024 // characters; AWS's, and it bounds the recursion

func badPattern(why string) error { return invalid("Invalid filter pattern: %s", why) }

// parsePattern understands the text patterns (terms, "phrases", -exclusions, ?alternatives) and the JSON patterns
// ({ $.a = 1 && $.b = "x*" }). Patterns for space-delimited fields ([a, b]) and regular expressions (%...%) are refused.
func parsePattern(pattern string) (matcher, error) {
	pattern = strings.TrimSpace(pattern)
	switch {
	case len(pattern) > patternMax:
		return nil, constraint("'"+pattern[:20]+"...'", "filterPattern", "Member must have length less than or equal to 1024")
	case pattern == "":
		return func(string) bool { return true }, nil
	case strings.HasPrefix(pattern, "{"):
		return parseJSONPattern(pattern)
	case strings.HasPrefix(pattern, "["):
		return nil, unsupported("filter patterns for space-delimited fields ([...])")
	case strings.HasPrefix(pattern, "%"):
		return nil, unsupported("regular expressions in filter patterns (%...%)")
	}
	return parseTerms(pattern)
}

// parseTerms: every plain term must be there and no excluded one; alternatives count only where they are alone.
func parseTerms(pattern string) (matcher, error) {
	var all, none, some []string
	for rest := pattern; rest != ""; rest = strings.TrimLeft(rest, " \t\n") {
		list := &all
		switch rest[0] {
		case '-':
			list, rest = &none, rest[1:]
		case '?':
			list, rest = &some, rest[1:]
		}
		var term string
		if strings.HasPrefix(rest, `"`) {
			var ok bool
			if term, rest, ok = quoted(rest); !ok {
				return nil, badPattern("a quotation mark is not closed")
			}
		} else {
			end := strings.IndexAny(rest, " \t\n")
			if end < 0 {
				end = len(rest)
			}
			term, rest = rest[:end], rest[end:]
		}
		if term == "" {
			return nil, badPattern("a term is empty")
		}
		*list = append(*list, term)
	}
	return func(message string) bool {
		for _, t := range none {
			if strings.Contains(message, t) {
				return false
			}
		}
		for _, t := range all {
			if !strings.Contains(message, t) {
				return false
			}
		}
		if len(some) == 0 || len(all)+len(none) > 0 {
			return true
		}
		for _, t := range some {
			if strings.Contains(message, t) {
				return true
			}
		}
		return false
	}, nil
}

// quoted reads a string in quotation marks, in which \" and \\ are escapes.
func quoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// condition is a JSON pattern's expression over a decoded message.
type condition func(document any) bool

func parseJSONPattern(pattern string) (matcher, error) {
	if !strings.HasSuffix(pattern, "}") {
		return nil, badPattern("a brace is not closed")
	}
	p := &patternParser{rest: pattern[1 : len(pattern)-1]}
	c := p.either()
	if p.skip(); p.err == nil && p.rest != "" {
		p.fail("unexpected " + strconv.Quote(p.rest))
	}
	if p.err != nil {
		return nil, p.err
	}
	return func(message string) bool {
		if !strings.HasPrefix(strings.TrimLeft(message, " \t\r\n"), "{") {
			return false
		}
		var document any
		d := json.NewDecoder(strings.NewReader(message))
		d.UseNumber()
		return d.Decode(&document) == nil && c(document)
	}, nil
}

// patternParser reads: either = both { "||" both }; both = term { "&&" term }; term = "(" either ")" | selector operator value.
type patternParser struct {
	rest string
	err  error
}

func (p *patternParser) fail(why string) {
	if p.err == nil {
		p.err = badPattern(why)
	}
	p.rest = ""
}

func (p *patternParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *patternParser) accept(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *patternParser) either() condition {
	c := p.both()
	for p.accept("||") {
		a, b := c, p.both()
		c = func(d any) bool { return a(d) || b(d) }
	}
	return c
}

func (p *patternParser) both() condition {
	c := p.term()
	for p.accept("&&") {
		a, b := c, p.term()
		c = func(d any) bool { return a(d) && b(d) }
	}
	return c
}

func (p *patternParser) term() condition {
	if p.accept("(") {
		c := p.either()
		if !p.accept(")") {
			p.fail("a parenthesis is not closed")
		}
		return c
	}
	path := p.selector()
	for _, op := range []string{"!=", ">=", "<=", "=", ">", "<"} {
		if p.accept(op) {
			return p.comparison(path, op)
		}
	}
	word := strings.ToUpper(p.word())
	if word == "IS" || word == "NOT" {
		word += " " + strings.ToUpper(p.word())
	}
	is := func(want any) condition {
		return func(d any) bool { v, ok := path(d); return ok && v == want }
	}
	switch word {
	case "IS NULL":
		return is(nil)
	case "IS TRUE":
		return is(true)
	case "IS FALSE":
		return is(false)
	case "EXISTS":
		return func(d any) bool { _, ok := path(d); return ok }
	case "NOT EXISTS":
		return func(d any) bool { _, ok := path(d); return !ok }
	}
	p.fail("an operator is missing")
	return nil
}

// selector reads $.a.b[0]["c"].
func (p *patternParser) selector() func(any) (any, bool) {
	if !p.accept("$") {
		p.fail("a selector that starts with $ is missing")
	}
	var steps []any // string: member, int: element
	for {
		switch {
		case strings.HasPrefix(p.rest, `["`):
			name, rest, ok := quoted(p.rest[1:])
			if !ok || !strings.HasPrefix(rest, "]") {
				p.fail("a selector's bracket is not closed")
				return nil
			}
			steps, p.rest = append(steps, name), rest[1:]
		case strings.HasPrefix(p.rest, "["):
			index, rest, ok := strings.Cut(p.rest[1:], "]")
			n, err := strconv.Atoi(index)
			if !ok || err != nil || n < 0 {
				p.fail("a selector's index is not a number")
				return nil
			}
			steps, p.rest = append(steps, n), rest
		case strings.HasPrefix(p.rest, "."):
			p.rest = p.rest[1:]
			end := strings.IndexAny(p.rest, ".[ \t\r\n=!<>&|()")
			if end < 0 {
				end = len(p.rest)
			}
			if end == 0 {
				p.fail("a selector's name is empty")
				return nil
			}
			steps, p.rest = append(steps, p.rest[:end]), p.rest[end:]
		default:
			return func(d any) (any, bool) { return follow(d, steps) }
		}
	}
}

func follow(d any, steps []any) (any, bool) {
	for _, s := range steps {
		switch s := s.(type) {
		case string:
			o, _ := d.(map[string]any)
			v, ok := o[s]
			if !ok {
				return nil, false
			}
			d = v
		case int:
			a, _ := d.([]any)
			if s >= len(a) {
				return nil, false
			}
			d = a[s]
		}
	}
	return d, true
}

func (p *patternParser) word() string {
	p.skip()
	end := strings.IndexAny(p.rest, " \t\r\n&|()")
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return w
}

// comparison reads the value after an operator: a number, or text with or without quotation marks in which * stands for
// anything (operators = and != only).
func (p *patternParser) comparison(path func(any) (any, bool), op string) condition {
	p.skip()
	var text string
	isText := strings.HasPrefix(p.rest, `"`)
	if isText {
		var ok bool
		if text, p.rest, ok = quoted(p.rest); !ok {
			p.fail("a quotation mark is not closed")
			return nil
		}
	} else if strings.HasPrefix(p.rest, "%") {
		p.err = unsupported("regular expressions in filter patterns (%...%)")
		return nil
	} else if text = p.word(); text == "" {
		p.fail("a value is missing")
		return nil
	}
	number, err := strconv.ParseFloat(text, 64)
	if isText || err != nil {
		switch op {
		case "=":
			return func(d any) bool { v, ok := path(d); return ok && like(textOf(v), text) }
		case "!=":
			return func(d any) bool { v, ok := path(d); return ok && !like(textOf(v), text) }
		}
		p.fail("operator " + op + " needs a number")
		return nil
	}
	return func(d any) bool {
		v, ok := path(d)
		n, isNumber := v.(json.Number)
		if !ok || !isNumber {
			return ok && op == "!="
		}
		f, err := n.Float64()
		return err == nil && compare(f, op, number)
	}
}

func compare(a float64, op string, b float64) bool {
	switch op {
	case "=":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// like matches text with a pattern in which * stands for any text.
func like(text, pattern string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return text == pattern
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[last])
}
