package asl

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
)

// Variable is a workflow variable with its value.
type Variable struct {
	Name  string
	Value *value.Doc
}

// assignment is the Assign of an exit. Its right sides are worked out together, before any of the variables changes.
type assignment struct {
	names  []string
	values []*template
}

// AWS's bound of a variable's name, in characters.
const maxVariableName = 80

func (a *assignment) evaluate(env *Env) ([]Variable, error) {
	set := make([]Variable, len(a.names))
	for i, t := range a.values {
		doc, err := t.render(env)
		if err != nil {
			return nil, err
		}
		set[i] = Variable{a.names[i], doc}
	}
	return set, nil
}

// assigned is a variable that the definition sets, with the place where it does.
type assigned struct {
	name  string
	scope *Scope
	place place
}

// assignment compiles Assign. Only whole variables are set.
func (c *compiler) assignment(p place, s *State, at moment) *assignment {
	if !p.is('{', "Object") {
		return nil
	}
	a := &assignment{}
	for i, m := range p.members {
		name, isPath := strings.CutSuffix(m.name, ".$")
		if isPath = isPath && s.Language == JSONPath; !isPath {
			name = m.name
		}
		switch here := p.near(i); {
		case name == "states":
			here.report(CodeReservedVariable, "Variable name 'states' is reserved")
		case !validVariable(name):
			here.report(CodeInvalidVariable, "Invalid variable name: "+name)
		case slices.Contains(a.names, name):
			here.fail("Duplicate field '%s'", name)
		default:
			c.assigned = append(c.assigned, assigned{name, s.Scope, here})
			a.names, a.values = append(a.names, name), append(a.values, p.memberTemplate(m, isPath, s.Language, at))
		}
	}
	return a
}

// validVariable reports whether a name is an identifier by Unicode: a letter, then letters, marks, digits and connectors.
func validVariable(name string) bool {
	if name == "" || utf8.RuneCountInString(name) > maxVariableName {
		return false
	}
	for i, r := range name {
		start := unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) || unicode.Is(unicode.Other_ID_Start, r) || r == '_'
		more := start || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
		if i == 0 && !start || !more {
			return false
		}
	}
	return true
}

// checkScopes reports variables that an inner scope sets though an outer one has them: a Parallel's branches and an inline
// Map's iterations may read what is outside, not hide it. The children of a distributed Map see nothing of it.
func (c *compiler) checkScopes() {
	set := map[*Scope]map[string]bool{}
	for _, a := range c.assigned {
		if set[a.scope] == nil {
			set[a.scope] = map[string]bool{}
		}
		set[a.scope][a.name] = true
	}
	for _, a := range c.assigned {
		for owner := a.scope.Owner; owner != nil; owner = owner.Scope.Owner {
			if owner.Map != nil && owner.Map.Distributed {
				break
			}
			if set[owner.Scope][a.name] {
				a.place.fail("Variable '%s' is already assigned in an outer scope and cannot be assigned here", a.name)
				break
			}
		}
	}
}

// refer notes that the state under compilation reads a variable.
func (c *compiler) refer(name string) {
	if c.current.State == nil {
		return
	}
	if c.references[c.current.State.Name] == nil {
		c.references[c.current.State.Name] = map[string]bool{}
	}
	c.references[c.current.State.Name][name] = true
}

// variableReferences are the variables that each state reads, sorted; nil if none does.
func (c *compiler) variableReferences() map[string][]string {
	if len(c.references) == 0 {
		return nil
	}
	all := map[string][]string{}
	for state, names := range c.references {
		all[state] = slices.Sorted(maps.Keys(names))
	}
	return all
}
