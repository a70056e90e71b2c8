package cfn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Template is a template that Parse has checked: every type, property, attribute, function and reference in it is known.
type Template struct {
	File        string
	Description string
	Parameters  []Parameter
	Resources   []*Resource // in the order in which they are to be made
	Outputs     []Output
	root        *Node
}

// Parameter is one of the template's parameters.
type Parameter struct {
	Name          string
	Type          string      // String, Number, CommaDelimitedList
	Default       value.Value // nil for none: a value must be given
	AllowedValues []string
	at            Field
}

// Resource is one resource of a template.
type Resource struct {
	ID           string // logical id
	Type         *Type
	Properties   *Node // Map or nil
	DependsOn    []string
	Retain       bool // DeletionPolicy: Retain
	Line, Column int
}

// Output is one of the template's outputs.
type Output struct {
	Name        string
	Description string
	Value       *Node
}

// Parse reads and checks a template. The error is of type Problems and holds everything that is wrong.
func Parse(file string, text []byte) (*Template, error) {
	root, err := ParseNode(file, text)
	if err != nil {
		return nil, err
	}
	return ParseTree(file, root)
}

// ParseTree checks a template that was already read.
func ParseTree(file string, root *Node) (*Template, error) {
	p := parser{t: &Template{File: file, root: root}}
	p.sections(root)
	if len(p.problems) == 0 {
		p.references()
	}
	if len(p.problems) > 0 {
		return nil, p.problems.sorted()
	}
	order, err := order(p.t)
	if err != nil {
		return nil, err
	}
	p.t.Resources = order
	return p.t, nil
}

// Text is the template as JSON text, with functions in their long form.
func (t *Template) Text() []byte { return value.Append(nil, t.root.Plain()) }

// Resource finds a resource by its logical id.
func (t *Template) Resource(id string) *Resource {
	for _, r := range t.Resources {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (t *Template) parameter(name string) *Parameter {
	for i := range t.Parameters {
		if t.Parameters[i].Name == name {
			return &t.Parameters[i]
		}
	}
	return nil
}

type parser struct {
	t        *Template
	problems Problems
}

func (p *parser) fail(line, column int, format string, args ...any) {
	p.problems = append(p.problems, Problem{p.t.File, line, column, fmt.Sprintf(format, args...)})
}

var (
	sectionNames   = []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Resources", "Outputs"}
	resourceNames  = []string{"Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}
	parameterNames = []string{"Type", "Default", "AllowedValues", "Description", "NoEcho", "ConstraintDescription"}
	parameterTypes = []string{"String", "Number", "CommaDelimitedList"}
	outputNames    = []string{"Description", "Value", "Export"}
)

// known reports each member of a map that is not among the supported ones.
func (p *parser) known(n *Node, what string, names []string) {
	for _, f := range n.Fields {
		if !slices.Contains(names, f.Name) {
			p.fail(f.Line, f.Column, "%s %q is not supported; supported: %s", what, f.Name, strings.Join(names, ", "))
		}
	}
}

// asMap reports a node that should be a map and is none.
func (p *parser) asMap(f Field, what string) bool {
	if f.Value.Kind != Map {
		p.fail(f.Line, f.Column, "%s must be an object", what)
		return false
	}
	return true
}

func (p *parser) sections(root *Node) {
	if root.Kind != Map {
		p.fail(root.Line, root.Column, "a template must be an object")
		return
	}
	p.known(root, "template section", sectionNames)
	p.t.Description, _ = root.Get("Description").Text()
	resources := false
	for _, f := range root.Fields {
		var each func(Field)
		switch f.Name {
		case "Parameters":
			each = p.parameter
		case "Resources":
			each, resources = p.resource, true
		case "Outputs":
			each = p.output
		default:
			continue
		}
		if !p.asMap(f, f.Name) {
			continue
		}
		for _, m := range f.Value.Fields {
			if p.asMap(m, strings.TrimSuffix(f.Name, "s")+" "+m.Name) {
				each(m)
			}
		}
	}
	if !resources {
		p.fail(root.Line, root.Column, "at least one resource is needed: the template has no Resources section")
	}
}

func (p *parser) parameter(f Field) {
	p.known(f.Value, "parameter attribute", parameterNames)
	q := Parameter{Name: f.Name, at: f}
	q.Type, _ = f.Value.Get("Type").Text()
	if !slices.Contains(parameterTypes, q.Type) {
		p.fail(f.Line, f.Column, "parameter %s: type %q is not supported; supported: %s", f.Name, q.Type, strings.Join(parameterTypes, ", "))
	}
	if d := f.Value.Get("Default"); d != nil {
		if d.Kind != Scalar || d.Value == nil {
			p.fail(d.Line, d.Column, "parameter %s: Default must be a string or number", f.Name)
		} else {
			q.Default = d.Value
		}
	}
	if a := f.Value.Get("AllowedValues"); a != nil {
		for _, v := range a.Items {
			q.AllowedValues = append(q.AllowedValues, textOf(v.Value))
		}
	}
	p.t.Parameters = append(p.t.Parameters, q)
}

func (p *parser) resource(f Field) {
	n := f.Value
	p.known(n, "resource attribute", resourceNames)
	r := &Resource{ID: f.Name, Properties: n.Get("Properties"), Line: f.Line, Column: f.Column}
	name, _ := n.Get("Type").Text()
	if r.Type = typeNamed(name); r.Type == nil {
		p.fail(f.Line, f.Column, "resource %s: type %q is not supported; supported: %s", f.Name, name, strings.Join(TypeNames(), ", "))
	}
	switch d := n.Get("DependsOn"); {
	case d == nil:
	case d.Kind == List:
		for _, i := range d.Items {
			s, _ := i.Text()
			r.DependsOn = append(r.DependsOn, s)
		}
	default:
		s, _ := d.Text()
		r.DependsOn = []string{s}
	}
	for _, attr := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		a := n.Get(attr)
		if a == nil {
			continue
		}
		s, _ := a.Text()
		if s != "Delete" && s != "Retain" {
			p.fail(a.Line, a.Column, "resource %s: %s %q is not supported; supported: Delete, Retain", f.Name, attr, s)
		}
		r.Retain = r.Retain || attr == "DeletionPolicy" && s == "Retain"
	}
	if r.Type != nil {
		p.properties(r)
	}
	p.t.Resources = append(p.t.Resources, r)
}

func (p *parser) properties(r *Resource) {
	if r.Properties != nil && r.Properties.Kind != Map {
		p.fail(r.Properties.Line, r.Properties.Column, "resource %s: Properties must be an object", r.ID)
		return
	}
	if r.Properties != nil {
		for _, f := range r.Properties.Fields {
			if r.Type.property(f.Name) == nil {
				p.fail(f.Line, f.Column, "resource %s: property %q of %s is not supported; supported: %s",
					r.ID, f.Name, r.Type.Name, strings.Join(r.Type.propertyNames(), ", "))
			}
		}
	}
	for _, q := range r.Type.Properties {
		if q.Required && r.Properties.Get(q.Name) == nil {
			p.fail(r.Line, r.Column, "resource %s: property %s of %s is required", r.ID, q.Name, r.Type.Name)
		}
	}
}

func (p *parser) output(f Field) {
	p.known(f.Value, "output attribute", outputNames)
	o := Output{Name: f.Name, Value: f.Value.Get("Value")}
	o.Description, _ = f.Value.Get("Description").Text()
	if o.Value == nil {
		p.fail(f.Line, f.Column, "output %s has no Value", f.Name)
		return
	}
	if e := f.Value.Get("Export"); e != nil {
		p.fail(e.Line, e.Column, "output %s: Export is not supported", f.Name)
	}
	p.t.Outputs = append(p.t.Outputs, o)
}

// references checks every function in the template: known, well formed, and naming things that are there.
func (p *parser) references() {
	check := func(n *Node) {
		err := walk(n, func(f *Node) error {
			if msg := p.t.checkFunction(f); msg != "" {
				p.fail(f.Line, f.Column, "%s", msg)
			}
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	for _, r := range p.t.Resources {
		check(r.Properties)
		for _, d := range r.DependsOn {
			if p.t.Resource(d) == nil {
				p.fail(r.Line, r.Column, "resource %s: DependsOn names %q, which is no resource of the template", r.ID, d)
			}
		}
	}
	for _, o := range p.t.Outputs {
		check(o.Value)
	}
}
