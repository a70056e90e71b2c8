package jsonpath

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// filter is a condition on an element.
type filter interface {
	accepts(e *evaluation, element value.Value) bool
}

type (
	orFilter  []filter
	andFilter []filter
	notFilter struct{ f filter }
	// existsFilter is a path alone: the element has it, whatever its value is.
	existsFilter struct{ path operand }
	comparison   struct {
		left, right operand
		compare     func(left, right value.Value) bool
	}
	matching struct {
		left    operand
		pattern *regexp.Regexp
	}
)

func (f orFilter) accepts(e *evaluation, element value.Value) bool {
	for _, g := range f {
		if g.accepts(e, element) {
			return true
		}
	}
	return false
}

func (f andFilter) accepts(e *evaluation, element value.Value) bool {
	for _, g := range f {
		if !g.accepts(e, element) {
			return false
		}
	}
	return true
}

func (f notFilter) accepts(e *evaluation, element value.Value) bool { return !f.f.accepts(e, element) }

func (f existsFilter) accepts(e *evaluation, element value.Value) bool {
	_, undefined := f.path.get(e, element).(missing)
	return !undefined
}

func (f comparison) accepts(e *evaluation, element value.Value) bool {
	return f.compare(f.left.get(e, element), f.right.get(e, element))
}

func (f matching) accepts(e *evaluation, element value.Value) bool {
	s, ok := f.left.get(e, element).(string)
	return ok && f.pattern.MatchString(s)
}

// missing is the value of a path that leads nowhere; it equals nothing.
type missing struct{}

// operand is a literal, or a path from the element (@) or the document ($).
type operand struct {
	literal  value.Value
	path     *Path
	fromRoot bool
}

func (o operand) get(e *evaluation, element value.Value) value.Value {
	if o.path == nil {
		return o.literal
	}
	from := element
	if o.fromRoot {
		from = e.root
	}
	v, err := o.path.get(from, e.budget)
	if err != nil {
		return missing{}
	}
	return v
}

// maxFilterDepth bounds parentheses and filters within filters.
const maxFilterDepth = 20

// filterStep reads "(...)]" after "[?"; start is the index of the bracket.
func (p *parser) filterStep(start int) (*step, string) {
	p.spaces()
	if p.peek() != '(' {
		return nil, fmt.Sprintf("'(' expected at position %d", p.i)
	}
	p.i++
	if p.depth++; p.depth > maxFilterDepth {
		return nil, "filter is nested too deep"
	}
	f, reason := p.or()
	if reason != "" {
		return nil, reason
	}
	p.depth--
	p.spaces()
	if p.peek() != ')' {
		return nil, fmt.Sprintf("')' expected at position %d", p.i)
	}
	p.i++
	reason = p.closing()
	return &step{kind: filterStep, filter: f, text: p.text[start:p.i]}, reason
}

func (p *parser) take(token string) bool {
	p.spaces()
	if !strings.HasPrefix(p.text[p.i:], token) {
		return false
	}
	p.i += len(token)
	return true
}

func (p *parser) or() (filter, string) {
	f, reason := p.and()
	all := orFilter{f}
	for reason == "" && p.take("||") {
		f, reason = p.and()
		all = append(all, f)
	}
	if len(all) == 1 {
		return f, reason
	}
	return all, reason
}

func (p *parser) and() (filter, string) {
	f, reason := p.term()
	all := andFilter{f}
	for reason == "" && p.take("&&") {
		f, reason = p.term()
		all = append(all, f)
	}
	if len(all) == 1 {
		return f, reason
	}
	return all, reason
}

func (p *parser) term() (filter, string) {
	p.spaces()
	switch p.peek() {
	case '!':
		p.i++
		if p.depth++; p.depth > maxFilterDepth {
			return nil, "filter is nested too deep"
		}
		f, reason := p.term()
		p.depth--
		return notFilter{f}, reason
	case '(':
		p.i++
		if p.depth++; p.depth > maxFilterDepth {
			return nil, "filter is nested too deep"
		}
		f, reason := p.or()
		p.depth--
		if reason == "" && !p.take(")") {
			reason = fmt.Sprintf("')' expected at position %d", p.i)
		}
		return f, reason
	}
	return p.comparison()
}

// operators in an order in which no one hides a longer one.
var operators = []struct {
	token   string
	compare func(left, right value.Value) bool
}{
	{"===", strictlyEqual},
	{"!==", func(a, b value.Value) bool { return !strictlyEqual(a, b) }},
	{"==", looselyEqual},
	{"!=", func(a, b value.Value) bool { return !looselyEqual(a, b) }},
	{"<=", ordered(func(c int) bool { return c <= 0 })},
	{">=", ordered(func(c int) bool { return c >= 0 })},
	{"<", ordered(func(c int) bool { return c < 0 })},
	{">", ordered(func(c int) bool { return c > 0 })},
	{"in ", contained},
	{"nin ", func(a, b value.Value) bool { return !contained(a, b) }},
	{"contains ", contains},
	{"size ", sameSize},
	{"empty ", isEmpty},
	{"anyof ", func(a, b value.Value) bool { return countIn(a, b) > 0 }},
	{"noneof ", func(a, b value.Value) bool { return countIn(a, b) == 0 }},
	{"subsetof ", func(a, b value.Value) bool { l, ok := a.(value.Array); return ok && countIn(a, b) == len(l) }},
}

func (p *parser) comparison() (filter, string) {
	left, reason := p.operand()
	if reason != "" {
		return nil, reason
	}
	if p.take("=~") {
		pattern, reason := p.pattern()
		return matching{left, pattern}, reason
	}
	for _, op := range operators {
		if p.take(op.token) {
			right, reason := p.operand()
			return comparison{left, right, op.compare}, reason
		}
	}
	if left.path == nil {
		return nil, fmt.Sprintf("operator expected at position %d", p.i)
	}
	return existsFilter{left}, ""
}

func (p *parser) operand() (operand, string) {
	p.spaces()
	switch c := p.peek(); {
	case c == '@' || c == '$':
		start := p.i
		p.i++
		path := &Path{}
		reason := p.steps(path, start)
		return operand{path: path, fromRoot: c == '$'}, reason
	case c == '\'' || c == '"':
		s, reason := p.quoted()
		return operand{literal: s}, reason
	case c == '[' || c == '{':
		end := p.closingMark()
		v, err := value.Parse([]byte(strings.ReplaceAll(p.text[p.i:end], "'", `"`)))
		if err != nil {
			return operand{}, fmt.Sprintf("JSON value expected at position %d", p.i)
		}
		p.i = end
		return operand{literal: v}, ""
	}
	end := p.i
	for end < len(p.text) && strings.IndexByte(" )=!<>&|", p.text[end]) < 0 {
		end++
	}
	v, err := value.Parse([]byte(p.text[p.i:end]))
	if err != nil {
		return operand{}, fmt.Sprintf("value expected at position %d", p.i)
	}
	p.i = end
	return operand{literal: v}, ""
}

// closingMark is the index after the mark that closes the array or object at the current position.
func (p *parser) closingMark() int {
	depth := 0
	var quote byte
	for i := p.i; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(p.text)
}

// pattern reads /expression/flags. The whole string must match, as in Java's Matcher.matches.
func (p *parser) pattern() (*regexp.Regexp, string) {
	p.spaces()
	if p.peek() != '/' {
		return nil, fmt.Sprintf("regular expression expected at position %d", p.i)
	}
	start := p.i + 1
	for p.i = start; p.more() && p.peek() != '/'; p.i++ {
		if p.peek() == '\\' {
			p.i++
		}
	}
	if !p.more() {
		return nil, "regular expression is not closed"
	}
	source := p.text[start:p.i]
	p.i++
	flags := ""
	for p.more() && strings.IndexByte("imsxuUd", p.peek()) >= 0 {
		if c := p.peek(); c == 'i' || c == 'm' || c == 's' {
			flags += string(c)
		}
		p.i++
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	r, err := regexp.Compile(flags + "^(?:" + source + ")$")
	if err != nil {
		return nil, "regular expression: " + err.Error()
	}
	return r, ""
}

// looselyEqual is Jayway's ==: a number equals the string that writes it.
func looselyEqual(a, b value.Value) bool {
	if _, ok := a.(missing); ok {
		return false
	}
	switch x := a.(type) {
	case value.Number:
		if s, ok := b.(string); ok {
			v, err := value.Parse([]byte(s))
			n, isNumber := v.(value.Number)
			return err == nil && isNumber && value.Compare(x, n) == 0
		}
	case string:
		if n, ok := b.(value.Number); ok {
			return x == string(n)
		}
	}
	return strictlyEqual(a, b)
}

func strictlyEqual(a, b value.Value) bool {
	if _, ok := a.(missing); ok {
		return false
	}
	if _, ok := b.(missing); ok {
		return false
	}
	return value.Equal(a, b)
}

// ordered compares two numbers or two strings; anything else is false.
func ordered(accept func(int) bool) func(a, b value.Value) bool {
	return func(a, b value.Value) bool {
		switch x := a.(type) {
		case value.Number:
			y, ok := b.(value.Number)
			return ok && accept(value.Compare(x, y))
		case string:
			y, ok := b.(string)
			return ok && accept(strings.Compare(x, y))
		}
		return false
	}
}

func contained(a, b value.Value) bool {
	list, _ := b.(value.Array)
	for _, e := range list {
		if looselyEqual(a, e) {
			return true
		}
	}
	return false
}

func contains(a, b value.Value) bool {
	if s, ok := a.(string); ok {
		part, ok := b.(string)
		return ok && strings.Contains(s, part)
	}
	return contained(b, a)
}

func sameSize(a, b value.Value) bool {
	n, _ := length(a)
	m, ok := b.(value.Number)
	return ok && n != nil && value.Compare(n.(value.Number), m) == 0
}

func isEmpty(a, b value.Value) bool {
	n, _ := length(a)
	return n != nil && (n == value.Number("0")) == (b == true)
}

// countIn counts the elements of a that are in b.
func countIn(a, b value.Value) int {
	list, _ := a.(value.Array)
	n := 0
	for _, e := range list {
		if contained(e, b) {
			n++
		}
	}
	return n
}
