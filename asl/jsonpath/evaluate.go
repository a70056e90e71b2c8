package jsonpath

import (
	"github.com/newel-run/newel/asl/value"
)

// evaluation collects what a path matches, in document order.
type evaluation struct {
	path    *Path
	root    value.Value
	results []value.Value
	reason  string // the first miss on the definite part of the path
	budget  *int   // steps that may still be taken, shared with the paths in filters
}

// maxVisits bounds the work of one evaluation: "$..*..*..*" of a deep document would not end in this century.
const maxVisits = 1 << 20

func (e *evaluation) miss(definite bool, reason func() string) {
	if definite && e.reason == "" {
		e.reason = reason()
	}
}

// run applies steps to v. definite says that all steps before these were; only there a miss has a reason.
func (e *evaluation) run(steps []step, v value.Value, definite bool) {
	if *e.budget--; *e.budget < 0 {
		return
	}
	if len(steps) == 0 {
		e.results = append(e.results, v)
		return
	}
	s, rest := &steps[0], steps[1:]
	at := func() string { return written(e.path.steps[:len(e.path.steps)-len(steps)]) }
	switch s.kind {
	case fieldStep, fieldsStep:
		o, ok := v.(*value.Object)
		if !ok {
			e.miss(definite, func() string { return noObject(s, at(), v) })
			return
		}
		e.fields(s, rest, o, definite, at)
	case indexStep, indexesStep, sliceStep:
		a, ok := v.(value.Array)
		if !ok {
			e.miss(definite, func() string { return noArray(s, at(), v) })
			return
		}
		e.elements(s, rest, a, definite)
	case wildcardStep:
		e.children(v, func(child value.Value) { e.run(rest, child, false) })
	case filterStep:
		e.filtered(s, rest, v, definite)
	case deepStep:
		e.descend(rest, v)
	case functionStep:
		e.results = append(e.results, v)
	}
}

func (e *evaluation) fields(s *step, rest []step, o *value.Object, definite bool, at func() string) {
	if s.kind == fieldStep {
		v, ok := o.Get(s.names[0])
		switch {
		case ok:
			e.run(rest, v, definite)
		case len(rest) > 0:
			e.miss(definite, func() string { return "Missing property in path " + at() + s.String() })
		}
		return
	}
	if len(rest) == 0 { // a union of names at the end gives one object
		merged := &value.Object{}
		for _, name := range s.names {
			if v, ok := o.Get(name); ok {
				merged.Set(name, v)
			}
		}
		e.results = append(e.results, merged)
		return
	}
	for _, name := range s.names {
		if v, ok := o.Get(name); ok {
			e.run(rest, v, false)
		}
	}
}

func (e *evaluation) elements(s *step, rest []step, a value.Array, definite bool) {
	definite = definite && s.kind == indexStep
	pick := func(n int) {
		if n < 0 {
			n += len(a)
		}
		if n >= 0 && n < len(a) {
			e.run(rest, a[n], definite)
		}
	}
	if s.kind != sliceStep {
		for _, n := range s.indexes {
			pick(n)
		}
		return
	}
	from, to := 0, len(a)
	switch {
	case s.from != nil && s.to != nil: // bounds of either sign, not normalised: [1:-1] is empty, as it is in AWS
		from, to = *s.from, min(to, *s.to)
		from = max(from, -len(a))
	case s.from != nil:
		if from = *s.from; from < 0 {
			from = max(0, from+len(a))
		}
	case s.to != nil:
		if to = min(to, *s.to); to < 0 {
			to += len(a)
		}
	}
	for n := from; n < to; n++ {
		pick(n)
	}
}

// children visits the values in an object or array.
func (e *evaluation) children(v value.Value, visit func(value.Value)) {
	switch v := v.(type) {
	case *value.Object:
		for _, child := range v.All() {
			visit(child)
		}
	case value.Array:
		for _, child := range v {
			visit(child)
		}
	}
}

// filtered keeps the elements of an array, or an object itself, that the filter accepts.
func (e *evaluation) filtered(s *step, rest []step, v value.Value, definite bool) {
	switch v := v.(type) {
	case *value.Object:
		if s.filter.accepts(e, v) {
			e.run(rest, v, false)
		}
	case value.Array:
		for _, element := range v {
			if s.filter.accepts(e, element) {
				e.run(rest, element, false)
			}
		}
	default:
		e.miss(definite, func() string {
			return "Filter: " + s.String() + " can not be applied to primitives. Current context is: " +
				string(value.Append(nil, v))
		})
	}
}

// descend applies the step after ".." to v and to everything below it, parents first.
func (e *evaluation) descend(steps []step, v value.Value) {
	switch v.(type) {
	case *value.Object, value.Array:
	default:
		return
	}
	if *e.budget--; *e.budget < 0 {
		return
	}
	s := &steps[0]
	_, isArray := v.(value.Array)
	switch {
	case s.kind == filterStep && isArray: // its elements are visited below
	case (s.kind == fieldStep || s.kind == fieldsStep) && !hasFields(v, s.names):
	default:
		e.run(steps, v, false)
	}
	e.children(v, func(child value.Value) { e.descend(steps, child) })
}

func hasFields(v value.Value, names []string) bool {
	o, ok := v.(*value.Object)
	for i := 0; ok && i < len(names); i++ {
		_, ok = o.Get(names[i])
	}
	return ok
}
