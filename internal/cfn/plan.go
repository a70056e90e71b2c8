package cfn

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Plan is a template with its parameters' values: conditions are decided, Fn::If is gone, what is left is deployed.
type Plan struct {
	Template  *Template
	Resources []*Resource // each after what it refers to
	Outputs   []Output
	Scope     *Scope              // without Resource and Import
	Follows   map[string][]string // logical ids that a resource must follow
}

// bind decides a template's conditions and rules and leaves out what they exclude. scope has everything but the
// template's own: mappings, parameters, conditions. The error is a Problems or says which rule is not met.
func (t *Template) bind(values []ParameterValue, scope Scope) (*Plan, error) {
	scope.Mappings, scope.Parameters, scope.Conditions = t.Mappings, map[string]value.Value{}, map[string]bool{}
	for _, v := range values {
		scope.Parameters[v.ParameterKey] = parameterValue(t, v)
	}
	p := &Plan{Template: t, Scope: &scope, Follows: map[string][]string{}}
	if err := p.decide(); err != nil {
		return nil, err
	}
	if err := p.rules(); err != nil {
		return nil, err
	}
	var active []*Resource
	for _, r := range t.Resources {
		if r.Condition != "" && !scope.Conditions[r.Condition] {
			continue
		}
		c := *r
		c.Properties = chosen(r.Properties, scope.Conditions)
		active = append(active, &c)
	}
	for _, o := range t.Outputs {
		if o.Condition == "" || scope.Conditions[o.Condition] {
			o.Value, o.Export = chosen(o.Value, scope.Conditions), chosen(o.Export, scope.Conditions)
			p.Outputs = append(p.Outputs, o)
		}
	}
	var err error
	if p.Resources, err = order(t.File, active); err != nil {
		return nil, err
	}
	for _, r := range p.Resources {
		p.Follows[r.ID] = dependencies(p.Resources, r)
	}
	return p, p.unresolved()
}

// decide computes the conditions, each after those that it refers to; Parse has refused circles.
func (p *Plan) decide() error {
	var visit func(name string) error
	visit = func(name string) error {
		if _, done := p.Scope.Conditions[name]; done {
			return nil
		}
		n := p.Template.condition(name)
		for _, ref := range conditionReferences(n) {
			if err := visit(ref); err != nil {
				return err
			}
		}
		v, err := p.Scope.Test(n)
		if err != nil {
			return fmt.Errorf("condition %s: %w", name, err)
		}
		p.Scope.Conditions[name] = v
		return nil
	}
	for _, c := range p.Template.Conditions {
		if err := visit(c.Name); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) rules() error {
	for _, r := range p.Template.Rules {
		if c := r.Value.Get("RuleCondition"); c != nil {
			if applies, err := p.Scope.Test(c); err != nil || !applies {
				if err != nil {
					return err
				}
				continue
			}
		}
		for _, a := range r.Value.Get("Assertions").Items {
			holds, err := p.Scope.Test(a.Get("Assert"))
			if err != nil {
				return err
			}
			if !holds {
				about, _ := a.Get("AssertDescription").Text()
				return fmt.Errorf("Template error: Rule %s failed: assertion failed: %s (%s:%d)", r.Name, about, p.Template.File, a.Line)
			}
		}
	}
	return nil
}

// unresolved reports references to resources that conditions have left out.
func (p *Plan) unresolved() error {
	missing := map[string]bool{}
	check := func(n *Node) {
		for _, name := range references(n) {
			if p.Template.Resource(name) != nil && find(p.Resources, name) == nil {
				missing[name] = true
			}
		}
	}
	for _, r := range p.Resources {
		check(r.Properties)
	}
	if len(missing) > 0 {
		return fmt.Errorf("Unresolved resource dependencies [%s] in the Resources block of the template", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	for _, o := range p.Outputs {
		check(o.Value)
	}
	if len(missing) > 0 {
		return fmt.Errorf("Unresolved resource dependencies [%s] in the Outputs block of the template", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	return nil
}

// chosen is a tree with the branch of each Fn::If that counts in its place.
func chosen(n *Node, conditions map[string]bool) *Node {
	if n == nil || n.Kind == Scalar {
		return n
	}
	if n.Kind == Function && n.Fn == "Fn::If" {
		name, _ := n.Arg.Items[0].Text()
		if conditions[name] {
			return chosen(n.Arg.Items[1], conditions)
		}
		return chosen(n.Arg.Items[2], conditions)
	}
	c := *n
	c.Arg = chosen(n.Arg, conditions)
	c.Items, c.Fields = nil, nil
	for _, item := range n.Items {
		c.Items = append(c.Items, chosen(item, conditions))
	}
	for _, f := range n.Fields {
		f.Value = chosen(f.Value, conditions)
		c.Fields = append(c.Fields, f)
	}
	return &c
}

// symbolic resolves a tree with every resource standing for itself: for comparing two templates before anything is
// made. Values that only a deployment knows are equal if they are written alike.
func (p *Plan) symbolic(n *Node) (value.Value, error) {
	if n == nil {
		return value.NewObject(), nil
	}
	s := *p.Scope
	s.Resource = nil
	return s.Resolve(symbols(n, p.Template))
}

// symbols replaces what refers to resources and imports by a text of it.
func symbols(n *Node, t *Template) *Node {
	if n.Kind == Function && (n.Fn == "Fn::ImportValue" || slices.ContainsFunc(references(n), func(name string) bool { return t.Resource(name) != nil })) {
		return &Node{Kind: Scalar, Value: "{" + string(value.Append(nil, n.Plain())) + "}", Line: n.Line, Column: n.Column}
	}
	c := *n
	if n.Arg != nil {
		c.Arg = symbols(n.Arg, t)
	}
	c.Items, c.Fields = nil, nil
	for _, item := range n.Items {
		c.Items = append(c.Items, symbols(item, t))
	}
	for _, f := range n.Fields {
		f.Value = symbols(f.Value, t)
		c.Fields = append(c.Fields, f)
	}
	return &c
}
