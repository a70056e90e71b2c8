// Package intrinsic is the States.* functions of JSONPath mode: their syntax and the eighteen functions.
//
// A call is parsed and its arguments are counted when the definition is compiled. What goes wrong when it runs is a
// *Failure, which names the whole call as it was written.
package intrinsic

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Path is a parsed path among a call's arguments. The package knows no path language: Parse is given its parser, Env its
// evaluator.
type Path interface{ String() string }

// Env is what the arguments of a call look at.
type Env struct {
	// Find is the value that a path leads to. Its error is handed on as a Failure's Reason.
	Find func(Path) (value.Value, error)
	// Random is the source of States.UUID and States.MathRandom.
	Random func() uint64
}

// Call is a parsed call; it is immutable.
type Call struct {
	text     string
	name     string
	function function
	args     []argument
}

// argument is a literal, a path or a call.
type argument struct {
	literal value.Value
	raw     string // a quoted literal with its escapes, which States.Format asks for
	path    Path
	call    *Call
}

// Failure says why a call gave no value.
type Failure struct {
	Call   string // as written
	Reason error
}

// Error is AWS's wording.
func (f *Failure) Error() string {
	return "The function '" + f.Call + "' had the following error: " + f.Reason.Error()
}

func (f *Failure) Unwrap() error { return f.Reason }

// String is the call as it was written.
func (c *Call) String() string { return c.text }

// Paths yields every path among the arguments, at any depth.
func (c *Call) Paths() iter.Seq[Path] {
	return func(yield func(Path) bool) { c.paths(yield) }
}

func (c *Call) paths(yield func(Path) bool) bool {
	for _, a := range c.args {
		if a.path != nil && !yield(a.path) || a.call != nil && !a.call.paths(yield) {
			return false
		}
	}
	return true
}

// Eval gives the call's value; its error is a *Failure.
func (c *Call) Eval(env Env) (value.Value, error) {
	v, err := c.eval(env)
	if err != nil {
		return nil, &Failure{c.text, err}
	}
	return v, nil
}

func (c *Call) eval(env Env) (value.Value, error) {
	args := make([]value.Value, len(c.args))
	for i, a := range c.args {
		var err error
		switch {
		case a.path != nil:
			args[i], err = env.Find(a.path)
		case a.call != nil:
			args[i], err = a.call.eval(env)
		case i == 0 && c.name == "States.Format" && a.raw != "":
			args[i] = a.raw
		default:
			args[i] = a.literal
		}
		if err != nil {
			return nil, err
		}
	}
	v, err := c.function.apply(env, args)
	var bad templateError
	switch {
	case errors.As(err, &bad):
		return nil, fmt.Errorf("Invalid template in %s: %w", c.name, err) //nolint:staticcheck // AWS's wording
	case err != nil:
		return nil, fmt.Errorf("Invalid arguments in %s: %w", c.name, err) //nolint:staticcheck // AWS's wording
	}
	if s, ok := v.(string); ok && len(s) > maxResult {
		return nil, fmt.Errorf("Invalid arguments in %s: the result is longer than %d bytes", c.name, maxResult) //nolint:staticcheck // like the others
	}
	return v, nil
}

// maxResult bounds a text that a function makes; every level of JsonToString in JsonToString could double it.
const maxResult = 4 << 20

// maxNesting is AWS's bound of calls within calls.
const maxNesting = 10

// Parse compiles a call such as States.Format('Hello {}', $.name).
func Parse(text string, path func(string) (Path, error)) (*Call, error) {
	p := parser{text: text, parsePath: path}
	p.spaces()
	call, err := p.call(1)
	if err != nil {
		return nil, err
	}
	if p.spaces(); p.i < len(text) {
		return nil, p.failed("unexpected text after the call")
	}
	return call, nil
}

type parser struct {
	text      string
	parsePath func(string) (Path, error)
	i         int
}

func (p *parser) failed(reason string) error {
	return fmt.Errorf("invalid intrinsic function '%s': %s at position %d", p.text, reason, p.i)
}

func (p *parser) spaces() {
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.i]) >= 0 {
		p.i++
	}
}

func (p *parser) peek() byte {
	if p.i < len(p.text) {
		return p.text[p.i]
	}
	return 0
}

func (p *parser) call(depth int) (*Call, error) {
	if depth > maxNesting {
		return nil, p.failed("calls are nested too deep")
	}
	start := p.i
	for c := p.peek(); c == '.' || c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z'; c = p.peek() {
		p.i++
	}
	c := &Call{name: p.text[start:p.i]}
	var known bool
	if c.function, known = functions[c.name]; !known {
		return nil, p.failed("'" + c.name + "' is not an intrinsic function")
	}
	p.spaces()
	if p.peek() != '(' {
		return nil, p.failed("'(' expected")
	}
	p.i++
	if p.spaces(); p.peek() == ')' {
		p.i++
	} else if err := p.arguments(c, depth); err != nil {
		return nil, err
	}
	c.text = p.text[start:p.i]
	if n := len(c.args); n < c.function.least || c.function.most >= 0 && n > c.function.most {
		return nil, p.failed("wrong number of arguments")
	}
	return c, nil
}

func (p *parser) arguments(c *Call, depth int) error {
	for {
		p.spaces()
		a, err := p.argument(depth)
		if err != nil {
			return err
		}
		c.args = append(c.args, a)
		p.spaces()
		switch p.peek() {
		case ',':
			p.i++
			continue
		case ')':
			p.i++
			return nil
		}
		return p.failed("',' or ')' expected")
	}
}

func (p *parser) argument(depth int) (argument, error) {
	switch c := p.peek(); {
	case c == '\'':
		start := p.i + 1
		s, err := p.quoted()
		if err != nil {
			return argument{}, err
		}
		return argument{literal: s, raw: p.text[start : p.i-1]}, nil
	case c == '$':
		return p.path()
	case c == 'S':
		call, err := p.call(depth + 1)
		return argument{call: call}, err
	}
	start := p.i
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n,)", p.text[p.i]) < 0 {
		p.i++
	}
	v, err := value.Parse([]byte(p.text[start:p.i]))
	if err != nil {
		return argument{}, p.failed("argument expected")
	}
	return argument{literal: v}, nil
}

// quoted reads a string in single quotes, in which a backslash may stand before a quote, brace or backslash only.
func (p *parser) quoted() (string, error) {
	var b strings.Builder
	for p.i++; p.i < len(p.text); p.i++ {
		switch c := p.text[p.i]; c {
		case '\'':
			p.i++
			return b.String(), nil
		case '\\':
			p.i++
			e := p.peek()
			if e == 0 || strings.IndexByte(`'{}\`, e) < 0 {
				return "", p.failed("a backslash may stand before ', {, } and \\ only")
			}
			b.WriteByte(e)
		default:
			b.WriteByte(c)
		}
	}
	return "", p.failed("string is not closed")
}

// path reads a path up to the comma or parenthesis that ends the argument.
func (p *parser) path() (argument, error) {
	start, depth := p.i, 0
	var quote byte
	for ; p.i < len(p.text); p.i++ {
		c := p.text[p.i]
		if quote != 0 {
			if c == '\\' {
				p.i++
			} else if c == quote {
				quote = 0
			}
			continue
		}
		if depth == 0 && (c == ',' || c == ')') {
			break
		}
		switch c {
		case '\'', '"':
			quote = c
		case '[', '(':
			depth++
		case ']', ')':
			depth--
		}
	}
	p.i = min(p.i, len(p.text))
	path, err := p.parsePath(strings.TrimRight(p.text[start:p.i], " \t\r\n"))
	if err != nil {
		return argument{}, err
	}
	return argument{path: path}, nil
}
