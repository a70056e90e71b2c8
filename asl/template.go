package asl

import (
	"strings"

	"github.com/newel-run/newel/asl/intrinsic"
	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// expression is the value of a field that is worked out when the state runs: a path or an intrinsic function, a JSONata
// expression, or a text that stands for itself.
type expression struct {
	name    string // of the field, as AWS's messages name it ("total.$")
	literal string
	path    *jsonpath.Path
	call    *intrinsic.Call
	query   *query
}

// expression compiles the text of the field name, which is p itself or a member of p.
func (p place) expression(name, text string) *expression {
	e := &expression{name: name}
	var err error
	if strings.HasPrefix(text, "$") {
		if e.path, err = jsonpath.Parse(text); err == nil {
			p.refersTo(e.path)
		}
	} else if e.call, err = intrinsic.Parse(text, parsePath); err == nil {
		for path := range e.call.Paths() {
			p.refersTo(path.(*jsonpath.Path))
		}
	}
	if err != nil {
		p.fail("The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", name)
		return nil
	}
	return e
}

func parsePath(text string) (intrinsic.Path, error) { return jsonpath.Parse(text) }

// evaluate gives the expression's value; its error is an *Error.
func (e *expression) evaluate(env *Env) (*value.Doc, error) {
	if e.query != nil {
		v, err := e.query.value(env)
		if err != nil {
			return nil, err
		}
		return value.Of(v), nil
	}
	if e.call != nil {
		v, err := e.call.Eval(intrinsic.Env{Find: func(p intrinsic.Path) (value.Value, error) { return env.argument(p.(*jsonpath.Path)) }, Random: env.Random})
		if err != nil {
			return nil, intrinsicError(err)
		}
		return value.Of(v), nil
	}
	if e.path.Root == jsonpath.Input && isNull(env.Input) {
		return nil, runtimeError("Unable to apply Path transformation to null or empty input.")
	}
	doc, err := env.find(e.path)
	if err != nil {
		return nil, runtimeError("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'", e.path, e.name, env.Input)
	}
	return doc, nil
}

func isNull(d *value.Doc) bool {
	return d.Decoded() && d.Value() == nil || !d.Decoded() && value.KindOf(d.Bytes()) == 'n'
}

// argument looks up a path among the arguments of an intrinsic function.
func (e *Env) argument(p *jsonpath.Path) (value.Value, error) {
	doc, err := e.find(p)
	if miss, ok := err.(*jsonpath.NotFound); ok && miss.WrongType {
		return nil, runtimeError("%s", miss.Reason)
	}
	if err != nil {
		return nil, runtimeError("The JsonPath argument for the field '%s' could not be found in the input '%s'", p, e.Input)
	}
	return doc.Value(), nil
}

// intrinsicError names an error of a function. AWS reports States.Runtime for all of them, which nothing catches; the
// States.IntrinsicFailure of its documentation has not been seen.
func intrinsicError(err error) *Error {
	failure := err.(*intrinsic.Failure)
	reason := failure.Reason.Error()
	if missing, ok := failure.Reason.(*Error); ok {
		reason = missing.Cause
	}
	return runtimeError("The function '%s' had the following error: %s", failure.Call, reason)
}

// text is the expression's value, which must be a string.
func (e *expression) text(env *Env) (string, error) {
	switch {
	case e.query != nil:
		return typed[string](e.query, env, "string")
	case e.path == nil && e.call == nil:
		return e.literal, nil
	}
	doc, err := e.evaluate(env)
	if err != nil {
		return "", err
	}
	s, ok := doc.Value().(string)
	if !ok {
		return "", runtimeError("The %s field must reference a string: %s", e.name, doc)
	}
	return s, nil
}

// optional is the text of an expression that may not be there.
func (e *expression) optional(env *Env) (*string, error) {
	if e == nil {
		return nil, nil
	}
	s, err := e.text(env)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// template is a payload template: a JSON text with holes. It renders to text, so that nothing is decoded that only
// passes through.
type template struct {
	pieces []piece
	fixed  *value.Doc // the result of a template without holes
}

// piece is literal text and the hole after it (nil for the last).
type piece struct {
	text string
	hole *expression
}

// template compiles a payload template. In JSONPath its holes are the members whose names end in ".$", in JSONata the
// strings that are expressions; at says what these may look at.
func (p place) template(language QueryLanguage, at moment) *template {
	b := templateBuilder{language: language, at: at}
	b.add(p)
	return b.template()
}

// memberTemplate compiles one member of a place as a template of its own. isPath says that its name ends in ".$".
func (p place) memberTemplate(m member, isPath bool, language QueryLanguage, at moment) *template {
	b := templateBuilder{language: language, at: at}
	if isPath {
		b.hole(p, m)
	} else {
		b.add(p.child(m))
	}
	return b.template()
}

type templateBuilder struct {
	language QueryLanguage
	at       moment
	pieces   []piece
	text     []byte
}

func (b *templateBuilder) template() *template {
	t := &template{pieces: append(b.pieces, piece{string(b.text), nil})}
	if len(t.pieces) == 1 {
		t.fixed = value.TextString(t.pieces[0].text)
	}
	return t
}

// put makes a hole after the text so far.
func (b *templateBuilder) put(e *expression) {
	b.pieces = append(b.pieces, piece{string(b.text), e})
	b.text = nil
}

func (b *templateBuilder) add(p place) {
	switch p.kind {
	case '{':
		b.object(p)
	case '[':
		b.text = append(b.text, '[')
		for i := range p.elems {
			if i > 0 {
				b.text = append(b.text, ',')
			}
			b.add(p.element(i))
		}
		b.text = append(b.text, ']')
	case '"':
		if b.language == JSONata {
			if q, ok := p.query(b.at); ok {
				b.put(&expression{query: q})
				return
			}
		}
		b.text = value.Append(b.text, p.scalar)
	default:
		b.text = value.Append(b.text, p.scalar)
	}
}

func (b *templateBuilder) object(p place) {
	b.text = append(b.text, '{')
	names := map[string]bool{}
	for i, m := range p.members {
		name, isHole := m.name, false
		if b.language == JSONPath {
			name, isHole = strings.CutSuffix(m.name, ".$")
		}
		if names[name] {
			p.near(i).fail("Duplicate field '%s'", name)
		}
		names[name] = true
		if i > 0 {
			b.text = append(b.text, ',')
		}
		b.text = value.AppendString(b.text, name)
		b.text = append(b.text, ':')
		if isHole {
			b.hole(p, m)
			continue
		}
		b.add(p.child(m))
	}
	b.text = append(b.text, '}')
}

// hole compiles a member whose name ends in ".$".
func (b *templateBuilder) hole(p place, m member) {
	f := p.child(m)
	f.path = p.path // AWS's place is the object
	if f.kind != '"' {
		f.fail("The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", m.name)
		return
	}
	b.put(f.expression(m.name, f.scalar.(string)))
}

// render fills the holes.
func (t *template) render(env *Env) (*value.Doc, error) {
	if t.fixed != nil {
		return t.fixed, nil
	}
	out := make([]byte, 0, 256)
	for _, p := range t.pieces {
		out = append(out, p.text...)
		if p.hole == nil {
			break
		}
		doc, err := p.hole.evaluate(env)
		if err != nil {
			return nil, err
		}
		out = value.Compact(out, doc.Bytes())
	}
	return value.Text(out), nil
}
