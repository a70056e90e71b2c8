package pattern

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Error is why a text is no pattern.
type Error struct {
	Reason       string
	Source       string // the whole text
	Line, Column int    // where the parser stood; 0 if no place is known
}

// Error is AWS's text after "Event pattern is not valid. Reason: ".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("%s\n at [Source: (String)\"%s\"; line: %d, column: %d]", e.Reason, e.Source, e.Line, e.Column)
}

// token is a piece of a text and where the parser stands after it.
type token struct {
	v   json.Token
	end int
}

// parser reads a text token by token, so that errors can say where.
type parser struct {
	text string
	dec  *json.Decoder
	last token
}

// Parse compiles a pattern. An error is an *Error.
func Parse(text string) (*Pattern, error) {
	if err := value.Valid([]byte(text)); err != nil {
		return nil, &Error{Reason: err.Error()}
	}
	p := &parser{text: text, dec: json.NewDecoder(strings.NewReader(text))}
	p.dec.UseNumber()
	if p.next().v != json.Delim('{') {
		return nil, p.fail("Filter is not an object")
	}
	root, err := p.object()
	if err != nil {
		return nil, err
	}
	return &Pattern{root}, nil
}

// next reads a token; the text is valid JSON, so there is one.
func (p *parser) next() token {
	before := p.last.end
	v, err := p.dec.Token()
	if err != nil {
		panic("pattern: valid JSON without a token: " + err.Error())
	}
	p.last = token{v, int(p.dec.InputOffset())}
	if _, isText := v.(string); isText {
		// AWS's parser has read no further than a text's opening quote when it complains about it.
		p.last.end = before + strings.IndexByte(p.text[before:], '"') + 1
		if p.last.end <= before {
			p.last.end = int(p.dec.InputOffset())
		}
	}
	return p.last
}

func (p *parser) fail(format string, args ...any) error {
	line, column := 1, 1
	for _, c := range p.text[:min(p.last.end, len(p.text))] {
		if column++; c == '\n' {
			line, column = line+1, 1
		}
	}
	return &Error{fmt.Sprintf(format, args...), p.text, line, column}
}

// skip ends the place of a text token at its real end, so that the next one is looked for behind it.
func (p *parser) skip() { p.last.end = int(p.dec.InputOffset()) }

// object reads the members of an object whose opening brace has been read.
func (p *parser) object() (*node, error) {
	n := &node{}
	at := map[string]int{}
	for p.dec.More() {
		name := p.next().v.(string)
		p.skip()
		if name == "$or" {
			either, rest, err := p.either()
			if err != nil {
				return nil, err
			}
			if either != nil {
				n.either = append(n.either, either)
				continue
			}
			n.set(at, field{name: name, rules: rest})
			continue
		}
		f := field{name: name}
		var err error
		switch p.next().v {
		case json.Delim('{'):
			f.under, err = p.object()
		case json.Delim('['):
			f.rules, err = p.rules()
		default:
			err = p.fail("%q must be an object or an array", name)
		}
		if err != nil {
			return nil, err
		}
		n.set(at, f)
	}
	p.next()
	if len(n.fields) == 0 && len(n.either) == 0 {
		return nil, p.fail("Empty objects are not allowed")
	}
	return n, nil
}

// set adds a member; a name that comes again replaces the one before.
func (n *node) set(at map[string]int, f field) {
	if i, ok := at[f.name]; ok {
		n.fields[i] = f
		return
	}
	at[f.name] = len(n.fields)
	n.fields = append(n.fields, f)
}

// either reads the value of "$or": a list of at least two objects is alternatives, any other list is the rules of a member
// that happens to have that name.
func (p *parser) either() (alternatives []*node, rules []rule, err error) {
	if p.next().v != json.Delim('[') {
		return nil, nil, p.fail("%q must be an object or an array", "$or")
	}
	if !p.alternatives() {
		rules, err = p.rules()
		return nil, rules, err
	}
	for p.dec.More() {
		p.next()
		n, err := p.object()
		if err != nil {
			return nil, nil, err
		}
		alternatives = append(alternatives, n)
	}
	p.next()
	return alternatives, nil, nil
}

// alternatives looks ahead whether the list that has been opened is one of at least two objects that are no rules.
func (p *parser) alternatives() bool {
	var list []json.RawMessage
	d := json.NewDecoder(strings.NewReader(p.text[p.last.end-1:]))
	if d.Decode(&list) != nil || len(list) < 2 {
		return false
	}
	for _, raw := range list {
		var o map[string]json.RawMessage
		if json.Unmarshal(raw, &o) != nil || len(o) == 0 {
			return false
		}
		for name := range o {
			if operators[name] != nil {
				return false
			}
		}
	}
	return true
}

// rules reads a list whose opening bracket has been read.
func (p *parser) rules() ([]rule, error) {
	var rules []rule
	for p.dec.More() {
		t := p.next()
		switch v := t.v.(type) {
		case json.Delim:
			if v != '{' {
				return nil, p.fail("Match value must be String, number, true, false, or null")
			}
			r, err := p.operator()
			if err != nil {
				return nil, err
			}
			rules = append(rules, r)
		default:
			rules = append(rules, rule{match: equal(scalar(v))})
			p.skip()
		}
	}
	p.next()
	if len(rules) == 0 {
		return nil, p.fail("Empty arrays are not allowed")
	}
	return rules, nil
}

// operator reads {"name": ...} whose brace has been read.
func (p *parser) operator() (rule, error) {
	if !p.dec.More() {
		p.next()
		return rule{}, p.fail("Empty objects are not allowed")
	}
	name := p.next().v.(string)
	p.skip()
	op := operators[name]
	if op == nil {
		return rule{}, p.fail("Unrecognized match type %s", name)
	}
	r, err := op(p)
	if err != nil {
		return r, err
	}
	if p.next(); p.last.v != json.Delim('}') {
		return r, p.fail("Only one key allowed in match expression")
	}
	return r, nil
}

func scalar(t json.Token) value.Value {
	if n, ok := t.(json.Number); ok {
		return value.Number(n)
	}
	return t
}
