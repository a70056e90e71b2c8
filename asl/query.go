package asl

import (
	"errors"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/jsonata"
	"github.com/newel-run/newel/asl/value"
)

// moment is how far a state has come when an expression of it is evaluated, which decides what $states has.
type moment uint8

const (
	onInput  moment = iota // input and context
	onResult               // also result: Output and Assign of Task, Parallel and Map
	onError                // also errorOutput: Output and Assign of a catcher
)

// query is a JSONata expression of a field, without the {% %} around it.
type query struct {
	field string // as AWS names it: "Output/values[0]", "Choices[1]/Condition"
	expr  *jsonata.Expr
	whole bool // it looks at more of $states than input, result and errorOutput
}

// isQuery reports whether a string of a JSONata state is an expression.
func isQuery(text string) bool {
	return len(text) >= len("{%%}") && strings.HasPrefix(text, "{%") && strings.HasSuffix(text, "%}")
}

// query compiles a string that is an expression. ok is false for any other string, which stands for itself, and for an
// expression that is not valid, which is reported.
func (p place) query(at moment) (q *query, ok bool) {
	text, _ := p.scalar.(string)
	if !isQuery(text) {
		if strings.HasPrefix(text, "{%") || strings.HasSuffix(text, "%}") {
			p.fail("A JSONata expression must start with '{%%' and end with '%%}', without white space around them")
		}
		return nil, false
	}
	expr, err := jsonata.Compile(strings.TrimSpace(text[2 : len(text)-2]))
	if err != nil {
		p.report(CodeJSONata, jsonataMessage(err))
		return nil, false
	}
	q = &query{field: strings.TrimPrefix(p.path, p.current.path+"/"), expr: expr}
	p.checkReferences(q, at)
	return q, true
}

// onlyQuery compiles a string that must be an expression.
func (p place) onlyQuery(at moment, expected string) *query {
	q, ok := p.query(at)
	if text, _ := p.scalar.(string); !ok && !isQuery(text) {
		p.fail("Expected value of type %s or JSONata expression", expected)
	}
	return q
}

// value is the expression's value, which must be there; its error is an *Error.
func (q *query) value(env *Env) (value.Value, error) {
	v, defined, err := q.expr.Eval(jsonata.Env{
		Absent: true, Bindings: func(name string) (value.Value, bool) { return env.binding(name, q.whole) },
		Now: env.Now.UnixMilli(), Random: env.Random,
	})
	switch {
	case errors.Is(err, jsonata.ErrUnsupportedResult):
		return nil, q.error("returned an unsupported result type.")
	case err != nil:
		return nil, q.error("threw an error during evaluation" + jsonataEnding(err))
	case !defined:
		return nil, q.error("returned nothing (undefined).")
	}
	return v, nil
}

// jsonataMessage is an expression's error without its code, as AWS shows it when a definition is checked.
func jsonataMessage(err error) string {
	var e *jsonata.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// jsonataEnding is how AWS goes on after "threw an error during evaluation".
func jsonataEnding(err error) string {
	var e *jsonata.Error
	if errors.As(err, &e) {
		return e.Ending()
	}
	return ". " + err.Error()
}

func (q *query) error(what string) *Error {
	return &Error{Name: ErrorQuery, Field: q.field, Cause: "The JSONata expression '" + q.expr.String() + "' specified for the field '" + q.field + "' " + what}
}

// unexpected is the error of a value that is not of the type that the field needs.
func (q *query) unexpected(expected string, v value.Value) *Error {
	return q.error("returned an unexpected result type. Expected '" + expected + "', but was '" + typeName(v) + "' for value: " + string(value.Append(nil, v)))
}

// typed is the expression's value, which must be of the type that of tells.
func typed[T any](q *query, env *Env, expected string) (T, error) {
	v, err := q.value(env)
	if err != nil {
		var none T
		return none, err
	}
	t, ok := v.(T)
	if !ok {
		return t, q.unexpected(expected, v)
	}
	return t, nil
}

// whole is the expression's value, which must be a whole number that is not below least; name is the field's.
func (q *query) whole64(env *Env, name string, least int64) (int64, error) {
	number, err := typed[value.Number](q, env, "number")
	if err != nil {
		return 0, err
	}
	n, ok := number.Int64()
	switch {
	case !ok:
		return 0, queryError(q.field, "The %s field cannot be parsed as a long value: %s", name, number)
	case n < least:
		return 0, queryError(q.field, "The %s field cannot be %s: %s", name, belowLeast[least], number)
	}
	return n, nil
}

// typeName is a value's type in JSONata's words.
func typeName(v value.Value) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case value.Number:
		return "number"
	case value.Array:
		return "array"
	}
	return "object"
}

// binding is what a variable means in a JSONata expression.
func (e *Env) binding(name string, whole bool) (value.Value, bool) {
	if name == "states" {
		return e.statesObject(whole), true
	}
	if e.Variables != nil {
		if doc, ok := e.Variables(name); ok {
			return doc.Value(), true
		}
	}
	return nil, false
}

// statesObject is the value of $states. The context object, which costs something to make, is in it only if whole.
func (e *Env) statesObject(whole bool) value.Value {
	if e.states == nil {
		e.states = value.NewObject(value.Member{Name: "input", Value: e.Input.Value()})
		if e.result != nil {
			e.states.Set("result", e.result.Value())
		}
		if e.errorOutput != nil {
			e.states.Set("errorOutput", e.errorOutput.Value())
		}
	}
	if whole && !e.statesWhole {
		e.states, e.statesWhole = e.states.Clone(), true
		e.states.Set("context", e.contextObject().Value())
	}
	return e.states
}

// queryItems are the items of a JSONata Map.
func (m *MapFields) queryItems(env *Env) ([]*value.Doc, error) {
	doc := env.Input
	switch {
	case m.itemsQuery != nil:
		array, err := typed[value.Array](m.itemsQuery, env, "array")
		if err != nil {
			return nil, err
		}
		doc = value.Of(array)
	case m.itemsFixed != nil:
		var err error
		if doc, err = m.itemsFixed.render(env); err != nil {
			return nil, err
		}
	}
	items, ok := value.Elements(doc.Bytes())
	if !ok {
		return nil, queryError("", "Map state input must be an array but was: %s", doc)
	}
	return items, nil
}

// timestamp is the expression's value as a point in time.
func (q *query) timestamp(env *Env) (time.Time, error) {
	text, err := typed[string](q, env, "string")
	if err != nil {
		return time.Time{}, err
	}
	t, ok := parseTimestamp(text)
	if !ok {
		return t, queryError(q.field, "The %s field cannot be parsed as an ISO-8601 extended offset date-time format string: %s", q.field, text)
	}
	return t, nil
}

// checkReferences notes the variables that an expression reads, and reports what it may not look at: there is no input for
// $, $$ and names that nothing precedes, and $states has result and errorOutput in some places only.
func (p place) checkReferences(q *query, at moment) {
	r := q.expr.References()
	for _, name := range r.Variables {
		p.refer(name)
	}
	for _, member := range r.States {
		switch {
		case member == "" || member == "context":
			q.whole = true
		case member == "result" && at != onResult, member == "errorOutput" && at != onError:
			p.report(CodeJSONataReference, "Field '$states."+member+"' does not exist.")
		}
	}
	if r.Root {
		p.report(CodeJSONataReference, "Reference to '$$' is not supported.")
	}
	for _, name := range r.Context {
		p.report(CodeJSONataReference, "Reference to '"+name+"' at the top level is not supported.")
	}
}
