package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Error says why a text is no path.
type Error struct {
	Text   string
	Reason string
}

func (e *Error) Error() string { return "invalid path '" + e.Text + "': " + e.Reason }

// maxSteps bounds a path, and with it the work and the depth of an evaluation.
const maxSteps = 200

// Parse compiles a path that starts with "$", "$$" or "$name".
func Parse(text string) (*Path, error) {
	p := parser{text: text}
	path, reason := p.path()
	if reason == "" && p.i < len(text) {
		reason = fmt.Sprintf("unexpected '%s' at position %d", text[p.i:], p.i)
	}
	if reason != "" {
		return nil, &Error{text, reason}
	}
	return path, nil
}

// parser reads paths and filters; its methods return a reason, "" for success.
type parser struct {
	text  string
	i     int
	depth int // of nested filters
}

func (p *parser) more() bool { return p.i < len(p.text) }

func (p *parser) peek() byte {
	if p.i < len(p.text) {
		return p.text[p.i]
	}
	return 0
}

func (p *parser) spaces() {
	for p.peek() == ' ' {
		p.i++
	}
}

func (p *parser) path() (*Path, string) {
	start := p.i
	if p.peek() != '$' {
		return nil, "path must start with '$'"
	}
	p.i++
	path := &Path{}
	switch c := p.peek(); {
	case c == '$':
		p.i++
		path.Root = Context
	case c != 0 && c != '.' && c != '[':
		path.Root, path.Name = Variable, p.identifier()
		if path.Name == "" {
			return nil, "'$' must be followed by '.', '[' or the name of a variable"
		}
	}
	return path, p.steps(path, start)
}

func (p *parser) identifier() string {
	start := p.i
	for n, r := range p.text[p.i:] {
		if r != '_' && !unicode.IsLetter(r) && (n == 0 || !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)) {
			break
		}
		p.i = start + n + len(string(r))
	}
	return p.text[start:p.i]
}

// steps reads what follows a path's root.
func (p *parser) steps(path *Path, start int) string {
	for p.more() {
		s, reason := p.step()
		if reason != "" {
			return reason
		}
		if s == nil {
			break
		}
		if n := len(path.steps); n > 0 && path.steps[n-1].kind == functionStep {
			return "a function must be the end of a path"
		}
		if path.steps = append(path.steps, *s); len(path.steps) > maxSteps {
			return "path is too long"
		}
	}
	if n := len(path.steps); n > 0 && path.steps[n-1].kind == deepStep {
		return "path must not end with a '.' or '..'"
	}
	path.text = p.text[start:p.i]
	path.plain, path.definite = true, true
	for i, s := range path.steps {
		switch s.kind {
		case fieldStep, indexStep:
		case fieldsStep:
			path.plain, path.definite = false, path.definite && i == len(path.steps)-1
		case functionStep:
			path.plain = false
		default:
			path.plain, path.definite = false, false
		}
	}
	if path.isFunction() {
		path.definite = true
	}
	return ""
}

// step reads the next step; nil where the path ends (inside a filter).
func (p *parser) step() (*step, string) {
	switch p.peek() {
	case '[':
		return p.bracket()
	case '.':
	default:
		return nil, ""
	}
	p.i++
	switch p.peek() {
	case '.':
		p.i++
		if !p.more() || p.peek() == '.' {
			return nil, "path must not end with a '.' or '..'"
		}
		if p.peek() != '[' {
			p.i-- // the name after ".." reads as one after "."
		}
		return &step{kind: deepStep}, ""
	case '[':
		return p.bracket()
	case '*':
		p.i++
		return &step{kind: wildcardStep}, ""
	case 0:
		return nil, "path must not end with a '.' or '..'"
	}
	return p.dotted()
}

// dotted reads a name after a dot: everything up to the next step. Inside a filter it ends at an operator too.
func (p *parser) dotted() (*step, string) {
	start := p.i
	for p.more() {
		c := p.peek()
		if c == '.' || c == '[' {
			break
		}
		if c == '(' {
			return p.call(p.text[start:p.i])
		}
		if p.depth > 0 && strings.IndexByte(" )=!<>&|,~", c) >= 0 {
			break
		}
		if c == ' ' {
			return nil, fmt.Sprintf("Use bracket notion ['my prop'] if your property contains blank characters. position: %d", p.i)
		}
		p.i++
	}
	if p.i == start {
		return nil, fmt.Sprintf("property name expected at position %d", p.i)
	}
	return &step{kind: fieldStep, names: []string{p.text[start:p.i]}}, ""
}

func (p *parser) call(name string) (*step, string) {
	p.i++
	p.spaces()
	if p.peek() != ')' {
		return nil, "function '" + name + "' takes no arguments here"
	}
	p.i++
	if _, ok := functions[name]; !ok {
		return nil, "Function with name: " + name + " does not exist."
	}
	return &step{kind: functionStep, function: name}, ""
}

// bracket reads a step in brackets.
func (p *parser) bracket() (*step, string) {
	start := p.i
	p.i++
	p.spaces()
	switch c := p.peek(); {
	case c == '*':
		p.i++
		return &step{kind: wildcardStep}, p.closing()
	case c == '\'' || c == '"':
		return p.names()
	case c == '?':
		p.i++
		return p.filterStep(start)
	case c == ':' || c == '-' || c-'0' <= 9:
		return p.indexes()
	}
	return nil, fmt.Sprintf("Could not parse token starting at position %d. Expected ?, ', 0-9, * ", p.i)
}

func (p *parser) closing() string {
	p.spaces()
	if p.peek() != ']' {
		return fmt.Sprintf("']' expected at position %d", p.i)
	}
	p.i++
	return ""
}

func (p *parser) names() (*step, string) {
	s := &step{kind: fieldStep}
	for {
		p.spaces()
		name, reason := p.quoted()
		if reason != "" {
			return nil, reason
		}
		s.names = append(s.names, name)
		p.spaces()
		if p.peek() != ',' {
			break
		}
		p.i++
	}
	if len(s.names) > 1 {
		s.kind = fieldsStep
	}
	return s, p.closing()
}

// quoted reads a string in single or double quotes; a backslash takes the next character as it is.
func (p *parser) quoted() (string, string) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", fmt.Sprintf("quoted name expected at position %d", p.i)
	}
	var b strings.Builder
	for p.i++; p.more(); p.i++ {
		switch c := p.peek(); c {
		case quote:
			p.i++
			return b.String(), ""
		case '\\':
			if p.i++; p.more() {
				b.WriteByte(p.peek())
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "quoted name is not closed"
}

func (p *parser) indexes() (*step, string) {
	end := strings.IndexByte(p.text[p.i:], ']')
	if end < 0 {
		return nil, "']' is missing"
	}
	inside := p.text[p.i : p.i+end]
	p.i += end + 1
	if strings.Contains(inside, ":") {
		return slice(inside)
	}
	s := &step{kind: indexStep}
	for part := range strings.SplitSeq(inside, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, "'" + part + "' is not an index"
		}
		s.indexes = append(s.indexes, n)
	}
	if len(s.indexes) > 1 {
		s.kind = indexesStep
	}
	return s, ""
}

// slice reads "from:to"; a third part, the step, is allowed and has no effect, as in Jayway.
func slice(inside string) (*step, string) {
	s := &step{kind: sliceStep}
	for i, part := range strings.Split(inside, ":") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil || i > 2 {
			return nil, "'" + inside + "' is not a slice"
		}
		switch i {
		case 0:
			s.from = &n
		case 1:
			s.to = &n
		}
	}
	if s.from == nil && s.to == nil {
		s.from = new(int)
	}
	return s, ""
}
