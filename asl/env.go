package asl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

func queryError(field, format string, args ...any) *Error {
	return &Error{Name: ErrorQuery, Field: field, Cause: fmt.Sprintf(format, args...)}
}

func runtimeError(format string, args ...any) *Error {
	return &Error{Name: ErrorRuntime, Cause: fmt.Sprintf(format, args...)}
}

// root is the document that a path looks into.
func (e *Env) root(p *jsonpath.Path) (*value.Doc, error) {
	switch p.Root {
	case jsonpath.Context:
		return e.contextObject(), nil
	case jsonpath.Variable:
		if e.Variables != nil {
			if v, ok := e.Variables(p.Name); ok {
				return v, nil
			}
		}
		return nil, &jsonpath.NotFound{Path: p.String(), Reason: "No results for path: $" + p.Name}
	}
	return e.Input, nil
}

// contextObject is the context object, made when it is first asked for.
func (e *Env) contextObject() *value.Doc {
	if e.context == nil && e.Context != nil {
		e.context = e.Context()
	}
	if e.context == nil {
		e.context = value.Of(&value.Object{})
	}
	return e.context
}

// find follows a path; its error is a *jsonpath.NotFound.
func (e *Env) find(p *jsonpath.Path) (*value.Doc, error) {
	doc, err := e.root(p)
	if err != nil {
		return nil, err
	}
	return p.Find(doc)
}

// resolve follows a reference path that must lead somewhere; its error is an *Error.
func (e *Env) resolve(p *jsonpath.Path) (*value.Doc, error) {
	doc, err := e.root(p)
	if err != nil {
		return nil, runtimeError("%s", err.Error())
	}
	found, err := p.Find(doc)
	if err == nil {
		return found, nil
	}
	if _, err = p.Resolve(doc.Value()); err != nil {
		return nil, &Error{Name: ErrorReferencePath, Cause: err.Error()}
	}
	panic("asl: a path that leads nowhere resolves")
}

// secondsField is a number of the definition, or a path or JSONata expression for it.
type secondsField struct {
	number int64
	name   string // of the Path field or the expression's
	path   *jsonpath.Path
	query  *query
}

// belowLeast says what a number below 0 or 1 is, in the words that AWS has for other fields.
var belowLeast = map[int64]string{0: "negative", 1: "less than 1"}

// get is the number; the path must lead to a whole number that is not below least.
func (f *secondsField) get(env *Env, least int64) (int64, error) {
	if f.query != nil {
		return f.query.whole64(env, f.name, least)
	}
	if f.path == nil {
		return f.number, nil
	}
	doc, err := env.find(f.path)
	if err != nil {
		return 0, runtimeError("%s", err.Error())
	}
	var n int64
	isInteger := false
	switch v := doc.Value().(type) {
	case value.Number:
		n, isInteger = v.Int64()
	case string: // AWS reads the number in it
		n, err = strconv.ParseInt(v, 10, 64)
		isInteger = err == nil
	}
	if isInteger && n < least {
		return 0, runtimeError("%s cannot be %s.", strings.TrimSuffix(f.name, "Path"), belowLeast[least])
	}
	if !isInteger {
		return 0, runtimeError(`The %s field refers to value "%s" which is not a valid integer: %s`, f.name, plainText(doc.Value()), f.path)
	}
	return n, nil
}

// wait is the number of seconds to wait, for which AWS has words of its own.
func (f *secondsField) wait(env *Env) (int64, error) {
	switch {
	case f.query != nil:
		n, err := f.query.whole64(env, f.name, 0)
		if err == nil && n > maxWaitSeconds {
			err = runtimeError("Wait state delay is too long.")
		}
		return n, err
	case f.path == nil:
		return f.number, nil
	}
	doc, err := env.find(f.path)
	if err != nil {
		return 0, runtimeError("The SecondsPath parameter does not reference an input value: %s", f.path)
	}
	v := doc.Value()
	number, isNumber := v.(value.Number)
	n, isInteger := number.Int64()
	switch {
	case v == nil:
		return 0, runtimeError("The SecondsPath parameter does not reference an input value: %s", f.path)
	case !isNumber || !isInteger:
		return 0, runtimeError("The SecondsPath parameter cannot be parsed as a long value: %s == %s", f.path, plainText(v))
	case n < 0:
		return 0, runtimeError("The SecondsPath parameter references a negative value: %s == %d", f.path, n)
	case n > maxWaitSeconds:
		return 0, runtimeError("Wait state delay is too long.")
	}
	return n, nil
}

// plainText is a string as it is, and any other value as JSON.
func plainText(v value.Value) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(value.Append(nil, v))
}
