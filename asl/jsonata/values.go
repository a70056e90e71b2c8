package jsonata

import (
	"github.com/newel-run/newel/asl/value"
)

// Inside an evaluation a value is one of nil (null), bool, value.Number, float64, string, *value.Object (whose members
// are such values), *function, undefined, or one of the arrays, which differ in what becomes of them:
//
//	value.Array  an array as JSON has it: it stays one whatever its length, and a path flattens it into its result
//	*sequence    what a selection has found: nothing becomes undefined, and a single item becomes that item
//	*fixed       what an array constructor in a path has made: an array that a path does not flatten
//	*stream      the items of a path together with the variables that its steps have bound
//	*document    the context of a program whose input is an array: that array as one item

type missing struct{}

// undefined is the value of what is not there.
var undefined any = missing{}

func isUndefined(v any) bool { _, ok := v.(missing); return ok }

type sequence struct {
	items []any
	keep  bool // [] follows: a single item stays in its array
}

func (s *sequence) add(v any) { s.items = append(s.items, v) }

// unwrapped is what a sequence stands for outside of a selection.
func (s *sequence) unwrapped() any {
	switch {
	case len(s.items) == 0:
		return undefined
	case len(s.items) == 1 && !s.keep:
		return s.items[0]
	}
	return s
}

type fixed struct{ items []any }

type document struct{ whole value.Array }

type stream struct{ tuples []*tuple }

// values are the items without their variables.
func (s *stream) values() []any {
	items := make([]any, len(s.tuples))
	for i, t := range s.tuples {
		items[i] = t.item
	}
	return items
}

// tuple is an item of a path together with the variables that its steps have bound.
type tuple struct {
	item any
	vars variables
}

// variables are names with their values; there are few.
type variables []variableValue

type variableValue struct {
	name  string
	value any
}

func (v variables) get(name string) (any, bool) {
	for i := range v {
		if v[i].name == name {
			return v[i].value, true
		}
	}
	return nil, false
}

// set is for a list that nothing else holds.
func (v *variables) set(name string, x any) {
	for i := range *v {
		if (*v)[i].name == name {
			(*v)[i].value = x
			return
		}
	}
	*v = append(*v, variableValue{name, x})
}

// copied is a copy with room for some more.
func (v variables) copied(room int) variables {
	return append(make(variables, 0, len(v)+room), v...)
}

// elements are the items of an array.
func elements(v any) ([]any, bool) {
	switch v := v.(type) {
	case value.Array:
		return v, true
	case *sequence:
		return v.items, true
	case *fixed:
		return v.items, true
	case *document:
		return []any{v.whole}, true
	case *stream:
		return v.values(), true
	}
	return nil, false
}

// list is elements, or the value alone.
func list(v any) []any {
	if items, ok := elements(v); ok {
		return items
	}
	return []any{v}
}

func isSequence(v any) bool { _, ok := v.(*sequence); return ok }

// function is a lambda, a built-in function, or a regular expression.
type function struct {
	name   string
	sig    *signature
	arity  int
	native func(e *evaluation, args []any) any

	lambda *lambda // for the rest
	params []string
	input  any
	env    *frame
}

// frame is a scope.
type frame struct {
	outer *frame
	vars  variables
}

// withTuple is a scope with a tuple's variables, whose changes do not reach the tuple.
func (f *frame) withTuple(t *tuple) *frame {
	if len(t.vars) == 0 {
		return &frame{outer: f}
	}
	return &frame{outer: f, vars: t.vars.copied(0)}
}

// lookup is a variable's value: of the program, of the environment, or a function.
func (e *evaluation) lookup(f *frame, name string) any {
	for ; f != nil; f = f.outer {
		e.step(len(f.vars) >> 3)
		if v, ok := f.vars.get(name); ok {
			return v
		}
	}
	if name == "$" {
		return e.root
	}
	if e.env.Bindings != nil {
		if v, ok := e.env.Bindings(name); ok {
			return v
		}
	}
	if b := builtins[name]; b != nil {
		return b
	}
	return undefined
}

// truthy is the value's effective boolean.
func (e *evaluation) truthy(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case value.Number, float64:
		f, ok := e.numeric(v)
		return ok && f != 0
	case *value.Object:
		return v.Len() > 0
	case *function:
		return v.lambda != nil
	}
	items, _ := elements(v)
	e.into()
	found := false
	for i := 0; i < len(items) && !found; i++ {
		found = e.truthy(items[i])
	}
	e.nested--
	return found
}

// equal compares deeply; objects without regard to order.
func equal(a, b any) bool {
	if x, ok := isNumber(a); ok {
		y, ok := isNumber(b)
		return ok && x == y
	}
	if x, ok := elements(a); ok {
		y, ok := elements(b)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	if x, ok := a.(*value.Object); ok {
		y, ok := b.(*value.Object)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for name, v := range x.All() {
			if w, ok := y.Get(name); !ok || !equal(v, w) {
				return false
			}
		}
		return true
	}
	if _, ok := elements(b); ok {
		return false
	}
	return a == b
}

// concat joins two values into an array, unless one is undefined.
func (e *evaluation) concat(a, b any) any {
	if isUndefined(a) {
		return b
	}
	if isUndefined(b) {
		return a
	}
	x, y := list(a), list(b)
	e.spend(16 * (len(x) + len(y)))
	return value.Array(append(x[:len(x):len(x)], y...))
}

// member is the member of an object, or those of all objects of an array.
func (e *evaluation) member(v any, name string) any {
	if o, ok := v.(*value.Object); ok {
		if m, ok := o.Get(name); ok {
			return m
		}
		return undefined
	}
	items, ok := elements(v)
	if !ok {
		return undefined
	}
	e.into()
	result := &sequence{}
	for _, item := range items {
		m := e.member(item, name)
		if isUndefined(m) {
			continue
		}
		if inner, ok := elements(m); ok {
			e.spend(16 * len(inner))
			result.items = append(result.items, inner...)
		} else {
			e.spend(16)
			result.add(m)
		}
	}
	e.nested--
	return result
}
