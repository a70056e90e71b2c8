package velocity

import (
	"fmt"
	"strconv"
	"strings"
)

// Template is a parsed template; it may be used by many goroutines.
type Template struct{ body []node }

// node is a text, *reference, *set, *conditional, *loop or a jump.
type node any

type text string

// reference is $name, with what follows it.
type reference struct {
	source string // as it is written, for one that has no value
	quiet  bool   // $!name
	name   string
	steps  []step
}

// step is .name, .name(args) or [index].
type step struct {
	name  string
	call  bool
	index bool
	args  []expr // of a call; an index's only element
}

type set struct {
	target *reference
	value  expr
}

type conditional struct{ arms []arm }

// arm is #if, #elseif or, with no condition, #else.
type arm struct {
	condition expr
	body      []node
}

type loop struct {
	name string
	over expr
	body []node
}

// jump is "stop" or "break".
type jump string

// Error is a template that cannot be parsed or whose evaluation exceeded a limit.
type Error struct {
	Line   int // 0 if it is not about a place
	Reason string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

const depthMax = 64

type parser struct {
	s     string
	i     int
	depth int
}

// Parse parses a template. An error is an *Error.
func Parse(source string) (*Template, error) {
	p := &parser{s: source}
	body, end, err := p.block()
	if err == nil && end != "" {
		err = p.fail("#%s without #if or #foreach", end)
	}
	if err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

func (p *parser) fail(format string, args ...any) *Error {
	return &Error{1 + strings.Count(p.s[:min(p.i, len(p.s))], "\n"), fmt.Sprintf(format, args...)}
}

func (p *parser) enter() error {
	if p.depth++; p.depth > depthMax {
		return p.fail("nested more than %d deep", depthMax)
	}
	return nil
}

// block parses up to the end of the text or a directive that ends a block, whose name it returns.
func (p *parser) block() (body []node, end string, err error) {
	if err = p.enter(); err != nil {
		return nil, "", err
	}
	defer func() { p.depth-- }()
	start := p.i
	flush := func(to int) {
		if to > start {
			body = append(body, text(p.s[start:to]))
		}
	}
	for p.i < len(p.s) {
		at := p.i
		switch p.s[p.i] {
		case '$':
			ref := p.reference()
			if ref == nil {
				p.i = at + 1
				continue
			}
			if ref, ok := ref.(error); ok {
				return nil, "", ref
			}
			flush(at)
			body = append(body, ref)
			start = p.i
		case '#':
			n, stop, err := p.directive()
			if err != nil {
				return nil, "", err
			}
			if n == nil && stop == "" {
				p.i = max(p.i, at+1)
				continue
			}
			if _, quietly := n.(*set); quietly { // a line with nothing but #set leaves nothing
				line := start + strings.LastIndexByte(p.s[start:at], '\n') + 1
				if strings.Trim(p.s[line:at], " \t") == "" && (line > start || start == 0 || p.s[start-1] == '\n') {
					at = line
				}
			}
			flush(at)
			start = p.i
			if stop != "" {
				return body, stop, nil
			}
			if n != nothing {
				body = append(body, n)
			}
		default:
			p.i++
		}
	}
	flush(p.i)
	return body, "", nil
}

// nothing stands for a comment.
var nothing node = text("")

// directive parses what starts with #. Both results are zero if it is text.
func (p *parser) directive() (n node, end string, err error) {
	rest := p.s[p.i:]
	switch {
	case strings.HasPrefix(rest, "##"):
		if j := strings.IndexByte(rest, '\n'); j >= 0 {
			p.i += j + 1
		} else {
			p.i = len(p.s)
		}
		return nothing, "", nil
	case strings.HasPrefix(rest, "#*"):
		j := strings.Index(rest, "*#")
		if j < 0 {
			return nil, "", p.fail("the comment is not closed by *#")
		}
		p.i += j + 2
		return nothing, "", nil
	case strings.HasPrefix(rest, "#[["):
		j := strings.Index(rest, "]]#")
		if j < 0 {
			return nil, "", p.fail("the literal is not closed by ]]#")
		}
		p.i += j + 3
		return text(rest[3:j]), "", nil
	}
	name, formal := rest[1:], false
	if strings.HasPrefix(name, "{") {
		name, formal = name[1:], true
	}
	length := 0
	for length < len(name) && isLetter(name[length]) {
		length++
	}
	name = name[:length]
	after := p.i + 1 + length
	if formal {
		if after++; after >= len(p.s) || p.s[after] != '}' {
			return nil, "", nil
		}
		after++
	}
	switch name {
	case "if", "elseif", "foreach", "set", "else", "end", "stop", "break":
		p.i = after
		return p.known(name)
	case "macro", "define", "include", "parse", "evaluate":
		return nil, "", p.fail("Newel's mapping templates do not have #%s", name)
	}
	return nil, "", nil
}

func (p *parser) known(name string) (node, string, error) {
	switch name {
	case "else", "end", "elseif":
		if name != "elseif" {
			p.endOfLine()
		}
		return nil, name, nil
	case "stop", "break":
		p.endOfLine()
		return jump(name), "", nil
	case "set":
		n, err := p.set()
		return n, "", err
	case "if":
		n, err := p.conditional()
		return n, "", err
	}
	n, err := p.loop()
	return n, "", err
}

// endOfLine skips the rest of a line if nothing is on it.
func (p *parser) endOfLine() {
	i := p.i
	for i < len(p.s) && (p.s[i] == ' ' || p.s[i] == '\t' || p.s[i] == '\r') {
		i++
	}
	if i < len(p.s) && p.s[i] == '\n' {
		p.i = i + 1
	}
}

func (p *parser) set() (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	p.space()
	ref, err := p.need()
	if err != nil {
		return nil, err
	}
	if err = p.expect("="); err != nil {
		return nil, err
	}
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err = p.expect(")"); err != nil {
		return nil, err
	}
	p.endOfLine()
	return &set{ref, value}, nil
}

func (p *parser) condition() (expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err = p.expect(")"); err != nil {
		return nil, err
	}
	p.endOfLine()
	return e, nil
}

func (p *parser) conditional() (node, error) {
	n := &conditional{}
	closed := false // by #else: only #end may follow
	condition, err := p.condition()
	if err != nil {
		return nil, err
	}
	for {
		body, end, err := p.block()
		if err != nil {
			return nil, err
		}
		n.arms = append(n.arms, arm{condition, body})
		switch {
		case end == "end":
			return n, nil
		case end == "":
			return nil, p.fail("#if without #end")
		case closed:
			return nil, p.fail("#%s after #else", end)
		case end == "elseif":
			if condition, err = p.condition(); err != nil {
				return nil, err
			}
		default:
			condition, closed = nil, true
		}
	}
}

func (p *parser) loop() (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	p.space()
	ref, err := p.need()
	if err != nil {
		return nil, err
	}
	if err = p.expect("in"); err != nil {
		return nil, err
	}
	over, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err = p.expect(")"); err != nil {
		return nil, err
	}
	p.endOfLine()
	body, end, err := p.block()
	if err != nil {
		return nil, err
	}
	if end != "end" {
		return nil, p.fail("#foreach without #end")
	}
	return &loop{ref.name, over, body}, nil
}

// need parses a reference that has to be there.
func (p *parser) need() (*reference, error) {
	if p.i < len(p.s) && p.s[p.i] == '$' {
		switch ref := p.reference().(type) {
		case *reference:
			return ref, nil
		case error:
			return nil, ref
		}
	}
	return nil, p.fail("a reference is expected")
}

// reference parses what starts with $: a *reference, an error, or nil if it is text.
func (p *parser) reference() any {
	start := p.i
	p.i++
	ref := &reference{}
	if p.at("!") {
		p.i++
		ref.quiet = true
	}
	formal := p.at("{")
	if formal {
		p.i++
	}
	if ref.name = p.name(); ref.name == "" {
		p.i = start
		return nil
	}
	if err := p.steps(ref); err != nil {
		return err
	}
	if formal {
		if !p.at("}") {
			p.i = start
			return nil
		}
		p.i++
	}
	ref.source = p.s[start:p.i]
	return ref
}

func (p *parser) steps(ref *reference) error {
	for p.i < len(p.s) {
		switch {
		case p.s[p.i] == '.' && p.i+1 < len(p.s) && isLetter(p.s[p.i+1]):
			p.i++
			st := step{name: p.name()}
			if p.at("(") {
				p.i++
				var err error
				if st.args, err = p.list(")"); err != nil {
					return err
				}
				st.call = true
			}
			ref.steps = append(ref.steps, st)
		case p.s[p.i] == '[':
			back := p.i
			p.i++
			args, err := p.list("]")
			if err != nil || len(args) != 1 {
				p.i = back // text: "$name[" of a list in JSON
				return nil //nolint:nilerr // it is no index
			}
			ref.steps = append(ref.steps, step{index: true, args: args})
		default:
			return nil
		}
	}
	return nil
}

func (p *parser) at(s string) bool { return strings.HasPrefix(p.s[p.i:], s) }

func (p *parser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *parser) expect(s string) error {
	p.space()
	if !p.at(s) {
		return p.fail("%q is expected", s)
	}
	p.i += len(s)
	return nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// name parses an identifier, which may contain hyphens.
func (p *parser) name() string {
	start := p.i
	if p.i < len(p.s) && isLetter(p.s[p.i]) {
		for p.i < len(p.s) && (isLetter(p.s[p.i]) || isDigit(p.s[p.i]) || p.s[p.i] == '-') {
			p.i++
		}
	}
	return p.s[start:p.i]
}

func (p *parser) number() (any, error) {
	start := p.i
	if p.at("-") {
		p.i++
	}
	float := false
	for p.i < len(p.s) && (isDigit(p.s[p.i]) || p.s[p.i] == '.' && p.i+1 < len(p.s) && isDigit(p.s[p.i+1])) {
		float = float || p.s[p.i] == '.'
		p.i++
	}
	if float {
		f, err := strconv.ParseFloat(p.s[start:p.i], 64)
		if err != nil {
			return nil, p.fail("%v", err)
		}
		return f, nil
	}
	n, err := strconv.ParseInt(p.s[start:p.i], 10, 64)
	if err != nil {
		return nil, p.fail("%v", err)
	}
	return n, nil
}
