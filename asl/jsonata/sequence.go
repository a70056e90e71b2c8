package jsonata

import (
	"github.com/newel-run/newel/asl/value"
)

// Inside an evaluation a value is one of nil (null), bool, value.Number, float64, string, value.Array, *sequence,
// *value.Object (whose members are such values), *function, or undefined.

type missing struct{}

// undefined is the value of what is not there.
var undefined any = missing{}

func isUndefined(v any) bool { _, ok := v.(missing); return ok }

// sequence is an array that remembers how it came about.
type sequence struct {
	items  []any
	plain  bool // an array constructor's result, not a sequence that unwraps
	keep   bool // do not unwrap a single item
	cons   bool // do not flatten into a path's result
	outer  bool // holds an input that is itself an array
	tuples bool // the items are *tuple
}

func (s *sequence) add(v any) { s.items = append(s.items, v) }

// tuple is an item of a path together with the variables that its steps have bound.
type tuple struct {
	item  any
	names []string
	vals  []any
}

func (t *tuple) clone() *tuple {
	return &tuple{t.item, append([]string(nil), t.names...), append([]any(nil), t.vals...)}
}

func (t *tuple) set(name string, v any) {
	for i, n := range t.names {
		if n == name {
			t.vals[i] = v
			return
		}
	}
	t.names, t.vals = append(t.names, name), append(t.vals, v)
}

// elements are the items of an array.
func elements(v any) ([]any, bool) {
	switch v := v.(type) {
	case value.Array:
		return v, true
	case *sequence:
		return v.items, true
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

func isSequence(v any) (*sequence, bool) {
	s, ok := v.(*sequence)
	return s, ok && !s.plain
}

// function is a lambda, a built-in function, or a regular expression.
type function struct {
	name   string
	sig    *signature
	arity  int
	native func(e *evaluation, args []any) any

	lambda *node
	params []string
	input  any
	env    *frame
}

// frame is a scope.
type frame struct {
	outer *frame
	names []string
	vals  []any
}

func (f *frame) bind(name string, v any) {
	for i, n := range f.names {
		if n == name {
			f.vals[i] = v
			return
		}
	}
	f.names, f.vals = append(f.names, name), append(f.vals, v)
}

// withTuple is a scope with a tuple's variables.
func (f *frame) withTuple(t *tuple) *frame {
	n := len(t.names)
	return &frame{outer: f, names: t.names[:n:n], vals: append([]any(nil), t.vals...)}
}

func (e *evaluation) lookup(f *frame, name string) any {
	for ; f != nil; f = f.outer {
		for i, n := range f.names {
			if n == name {
				return f.vals[i]
			}
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
	for _, item := range items {
		if e.truthy(item) {
			return true
		}
	}
	return false
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

// concat joins two values into a plain array, unless one is undefined.
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

// lookupMember is the member of an object, or of all objects of an array.
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
	return result
}
