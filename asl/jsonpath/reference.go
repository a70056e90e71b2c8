package jsonpath

import (
	"strconv"

	"github.com/newel-run/newel/asl/value"
)

// Conflict says that a reference path cannot be followed to the place it names: a step meets a value of another type,
// or, when reading, nothing.
type Conflict struct {
	Step  string      // "items", "[0]"
	Input value.Value // what it was to be applied to
}

// Error is AWS's wording for States.ReferencePathConflict.
func (e *Conflict) Error() string {
	return `Unable to apply step "` + e.Step + `" to input ` + string(value.Append(nil, e.Input))
}

func (s *step) reference() string {
	if s.kind == fieldStep {
		return s.names[0]
	}
	return "[" + strconv.Itoa(s.indexes[0]) + "]"
}

// Put returns root with v at the place that a reference path names. Objects that are missing on the way are made;
// elements of an array can be replaced, not added. root and what is in it stay as they are.
func (p *Path) Put(root, v value.Value) (value.Value, error) {
	return put(p.steps, root, v)
}

func put(steps []step, at, v value.Value) (value.Value, error) {
	if len(steps) == 0 {
		return v, nil
	}
	s := &steps[0]
	if s.kind == indexStep {
		a, ok := at.(value.Array)
		n := s.indexes[0]
		if !ok || n < 0 || n >= len(a) {
			return nil, &Conflict{s.reference(), at}
		}
		child, err := put(steps[1:], a[n], v)
		if err != nil {
			return nil, err
		}
		a = append(value.Array(nil), a...)
		a[n] = child
		return a, nil
	}
	o, ok := at.(*value.Object)
	if !ok {
		return nil, &Conflict{s.reference(), at}
	}
	inside, ok := o.Get(s.names[0])
	if !ok {
		inside = &value.Object{}
	}
	child, err := put(steps[1:], inside, v)
	if err != nil {
		return nil, err
	}
	o = o.Clone()
	o.Set(s.names[0], child)
	return o, nil
}

// Resolve reads the place that a reference path names; its error is a *Conflict.
func (p *Path) Resolve(root value.Value) (value.Value, error) {
	for i := range p.steps {
		s := &p.steps[i]
		one := Path{steps: p.steps[i : i+1]}
		next, err := one.follow(root)
		if err != nil {
			return nil, &Conflict{s.reference(), root}
		}
		root = next
	}
	return root, nil
}

// Field is the name in a path of one field, such as "$.name".
func (p *Path) Field() (name string, ok bool) {
	if len(p.steps) != 1 || p.steps[0].kind != fieldStep {
		return "", false
	}
	return p.steps[0].names[0], true
}
