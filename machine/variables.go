package machine

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// variable is a workflow variable of a frame's scope. Frames of inner scopes read it through their parent, whose
// variables do not change while it waits for them.
type variable struct {
	name  string
	value slot
	size  uint32 // bytes of the value's text
}

// AWS's limits of variables (spec.md B.8).
const (
	variableBytes  = 256 << 10 // one variable, and all that one exit sets
	variablesBytes = 10 << 20  // all of an execution
)

func (f *Frame) variable(name string) (i int, found bool) {
	return slices.BinarySearchFunc(f.vars, name, func(v variable, name string) int { return strings.Compare(v.name, name) })
}

// lookUp finds a variable for the evaluation under way: in its frame, then in those around it.
func (w *run) lookUp(name string) (*value.Doc, bool) {
	for f := w.at.frame; f != nil; f = w.peek(f.parent) {
		if i, ok := f.variable(name); ok {
			s := &f.vars[i].value
			if s.doc != nil {
				return s.doc, true
			}
			return w.payload(s.n), true
		}
	}
	return nil, false
}

// assign sets variables of a frame's scope; the failure is nil unless they are too large.
func (w *run) assign(f *Frame, s *asl.State, set []asl.Variable) *failure {
	total := 0
	for _, v := range set {
		total += v.Value.Size()
	}
	if total > variableBytes {
		x := dataLimit(s.Name)
		return &x
	}
	for _, v := range set {
		i, found := f.variable(v.Name)
		if !found {
			f.vars = slices.Insert(f.vars, i, variable{name: v.Name})
		}
		w.root.variables += uint64(v.Value.Size()) - uint64(f.vars[i].size)
		f.vars[i].size = uint32(v.Value.Size())
		w.write(&f.vars[i].value, v.Value)
	}
	if w.root.variables > variablesBytes {
		x := dataLimit(s.Name)
		return &x
	}
	return nil
}

// dropVariables forgets the variables of a frame that ends.
func (w *run) dropVariables(f *Frame) {
	for i := range f.vars {
		w.root.variables -= uint64(f.vars[i].size)
		w.clear(&f.vars[i].value)
	}
	f.vars = nil
}

// assigned is what a history event shows of variables that were set: an object of their JSON texts, nil for none.
func assigned(set []asl.Variable) *value.Doc {
	if len(set) == 0 {
		return nil
	}
	o := &value.Object{}
	for _, v := range set {
		o.Set(v.Name, string(value.Compact(nil, v.Value.Bytes())))
	}
	return value.Of(o)
}
