package cfn

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
)

// hidden is what is shown in the place of a NoEcho parameter's value.
const hidden = "****"

// hiding is the scope with the values of the template's NoEcho parameters hidden; nil if there are none.
func (s *Scope) hiding(t *Template) *Scope {
	out := *s
	out.Parameters = map[string]value.Value{}
	any := false
	for name, v := range s.Parameters {
		if q := t.parameter(name); q != nil && q.NoEcho {
			any = true
			list, _ := v.(value.Array)
			if v = value.Value(hidden); list != nil {
				v = slices.Repeat(value.Array{hidden}, len(list))
			}
		}
		out.Parameters[name] = v
	}
	if !any {
		return nil
	}
	return &out
}

// shown resolves properties for people to see. What cannot be computed from hidden values is left out.
func (s *Scope) shown(n *Node) *value.Object {
	if s == nil {
		return nil
	}
	out := value.NewObject()
	for _, f := range n.Fields {
		if v, err := s.resolve(f.Value); err == nil && v != (noValue{}) {
			out.Set(f.Name, v)
		}
	}
	return out
}

// attempt notes what an instance is to become.
func (r *Record) attempt(t *Type, next *Instance) {
	r.Attempt, r.Shown = value.Append(nil, digestOf(t, next.Properties)), nil
	if next.Shown != nil {
		r.Shown = value.Append(nil, digestOf(t, next.Shown))
	}
}
