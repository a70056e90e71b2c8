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
	Transforms  []string // names of the Transform section that are left: AWS::LanguageExtensions
	Parameters  []Parameter
	Mappings    *Node       // Map of Maps of Maps, or nil
	Conditions  []Field     // in the order of the text
	Rules       []Field     // in the order of the text
	Resources   []*Resource // each after what it refers to outside Fn::If, otherwise in the order of the text
	Outputs     []Output
	root        *Node
}

// Resource is one resource of a template.
type Resource struct {
	ID             string // logical id
	Type           *Type
	TypeName       string // as the template has it: Custom::Thing
	Properties     *Node  // Map or nil
	DependsOn      []string
	Condition      string // "" for none
	DeletionPolicy string // Delete, Retain, RetainExceptOnCreate
	ReplacePolicy  string // UpdateReplacePolicy: Delete, Retain
	Line, Column   int
}

// Output is one of the template's outputs.
type Output struct {
	Name        string
	Description string
	Condition   string
	Value       *Node
	Export      *Node // name, nil for none
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
	ordered, err := order(file, p.t.Resources)
	if err != nil {
		return nil, err
	}
	p.t.Resources = ordered
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

func (t *Template) condition(name string) *Node {
	for _, f := range t.Conditions {
		if f.Name == name {
			return f.Value
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

func (p *parser) failAt(n *Node, format string, args ...any) {
	p.fail(n.Line, n.Column, format, args...)
}

var (
	sectionNames = []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Transform", "Parameters", "Rules", "Mappings",
		"Conditions", "Resources", "Outputs"}
	resourceNames  = []string{"Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}
	outputNames    = []string{"Description", "Value", "Export", "Condition"}
	languageNames  = []string{"AWS::LanguageExtensions"}
	formatVersions = []string{"2010-09-09"}
)

// atMost is how many members AWS allows in a section.
var atMost = map[string]int{"Parameters": 200, "Resources": 500, "Outputs": 200, "Mappings": 200}

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
		p.failAt(root, "a template must be an object")
		return
	}
	p.known(root, "template section", sectionNames)
	p.t.Description, _ = root.Get("Description").Text()
	if v := root.Get("AWSTemplateFormatVersion"); v != nil && (v.Kind != Scalar || !slices.Contains(formatVersions, textOf(v.Value))) {
		p.failAt(v, "AWSTemplateFormatVersion must be %s", formatVersions[0])
	}
	p.transforms(root.Get("Transform"))
	each := map[string]func(Field){
		"Parameters": p.parameter, "Resources": p.resource, "Outputs": p.output, "Mappings": p.mapping, "Rules": p.rule,
		"Conditions": func(f Field) { p.t.Conditions = append(p.t.Conditions, f) },
	}
	for _, f := range root.Fields {
		member := each[f.Name]
		if member == nil || !p.asMap(f, f.Name) {
			continue
		}
		if f.Name == "Mappings" {
			p.t.Mappings = f.Value
		}
		if most := atMost[f.Name]; most > 0 && len(f.Value.Fields) > most {
			p.fail(f.Line, f.Column, "Number of %s, %d, is greater than maximum allowed, %d", strings.ToLower(f.Name), len(f.Value.Fields), most)
			continue
		}
		for _, m := range f.Value.Fields {
			if f.Name == "Conditions" || p.asMap(m, strings.TrimSuffix(f.Name, "s")+" "+m.Name) {
				member(m)
			}
		}
	}
	if r := root.Get("Resources"); r == nil || r.Kind == Map && len(r.Fields) == 0 {
		p.failAt(root, "At least one Resources member must be defined.")
	}
}

// transforms keeps the language extensions; every other transform must have been expanded before.
func (p *parser) transforms(n *Node) {
	if n == nil {
		return
	}
	for _, name := range transformNames(n) {
		if !slices.Contains(languageNames, name) {
			p.failAt(n, "No transform named %s found.", name)
			continue
		}
		p.t.Transforms = append(p.t.Transforms, name)
	}
}

func (p *parser) mapping(f Field) {
	for _, top := range f.Value.Fields {
		if !p.asMap(top, "Mapping "+f.Name+"."+top.Name) {
			continue
		}
		for _, v := range top.Value.Fields {
			if v.Value.Kind != Scalar && v.Value.Kind != List {
				p.fail(v.Line, v.Column, "Every Mappings attribute must be a String or a List: %s.%s.%s", f.Name, top.Name, v.Name)
			}
		}
	}
}

func (p *parser) rule(f Field) {
	p.known(f.Value, "rule attribute", []string{"RuleCondition", "Assertions"})
	a := f.Value.Get("Assertions")
	if a == nil || a.Kind != List {
		p.fail(f.Line, f.Column, "rule %s needs a list of Assertions", f.Name)
		return
	}
	for _, item := range a.Items {
		if item.Get("Assert") == nil {
			p.failAt(item, "rule %s: an assertion needs Assert", f.Name)
		}
	}
	p.t.Rules = append(p.t.Rules, f)
}

func (p *parser) resource(f Field) {
	n := f.Value
	p.known(n, "resource attribute", resourceNames)
	r := &Resource{ID: f.Name, Properties: n.Get("Properties"), Line: f.Line, Column: f.Column, DeletionPolicy: "Delete", ReplacePolicy: "Delete"}
	if !alphanumeric(f.Name) {
		p.fail(f.Line, f.Column, "Resource name %s is non alphanumeric.", f.Name)
	}
	r.TypeName, _ = n.Get("Type").Text()
	r.Condition, _ = n.Get("Condition").Text()
	if r.Type = typeNamed(r.TypeName); r.Type == nil {
		p.fail(f.Line, f.Column, "resource %s: type %q is not supported; supported: %s", f.Name, r.TypeName, strings.Join(TypeNames(), ", "))
	}
	p.dependsOn(r, n.Get("DependsOn"))
	p.policy(r, n.Get("DeletionPolicy"), "DeletionPolicy", &r.DeletionPolicy, "Delete", "Retain", "RetainExceptOnCreate")
	p.policy(r, n.Get("UpdateReplacePolicy"), "UpdateReplacePolicy", &r.ReplacePolicy, "Delete", "Retain")
	if r.Type != nil {
		p.properties(r)
	}
	p.t.Resources = append(p.t.Resources, r)
}

func (p *parser) dependsOn(r *Resource, d *Node) {
	if d == nil {
		return
	}
	items := []*Node{d}
	if d.Kind == List {
		items = d.Items
	}
	for _, i := range items {
		s, ok := i.Text()
		if !ok {
			p.failAt(i, "resource %s: DependsOn must be a string or a list of strings", r.ID)
		}
		r.DependsOn = append(r.DependsOn, s)
	}
}

func (p *parser) policy(r *Resource, n *Node, attribute string, into *string, supported ...string) {
	if n == nil {
		return
	}
	s, _ := n.Text()
	if !slices.Contains(supported, s) {
		p.failAt(n, "resource %s: %s %q is not supported; supported: %s", r.ID, attribute, s, strings.Join(supported, ", "))
	}
	*into = s
}

func (p *parser) properties(r *Resource) {
	if r.Properties != nil && r.Properties.Kind != Map {
		p.failAt(r.Properties, "resource %s: Properties must be an object", r.ID)
		return
	}
	if r.Properties != nil && !r.Type.Open {
		for _, f := range r.Properties.Fields {
			q := r.Type.property(f.Name)
			if q == nil {
				p.fail(f.Line, f.Column, "resource %s: property %q of %s is not supported; supported: %s",
					r.ID, f.Name, r.TypeName, strings.Join(r.Type.propertyNames(), ", "))
				continue
			}
			p.nested(r, f.Name, f.Value, q)
		}
	}
	for _, q := range r.Type.Properties {
		if q.Required && r.Properties.Get(q.Name) == nil {
			p.fail(r.Line, r.Column, "resource %s: property %s of %s is required", r.ID, q.Name, r.TypeName)
		}
	}
}

func (p *parser) output(f Field) {
	p.known(f.Value, "output attribute", outputNames)
	o := Output{Name: f.Name, Value: f.Value.Get("Value")}
	o.Description, _ = f.Value.Get("Description").Text()
	o.Condition, _ = f.Value.Get("Condition").Text()
	if !alphanumeric(f.Name) {
		p.fail(f.Line, f.Column, "Output name %s is non alphanumeric.", f.Name)
	}
	if o.Value == nil {
		p.fail(f.Line, f.Column, "output %s has no Value", f.Name)
		return
	}
	if e := f.Value.Get("Export"); e != nil {
		if o.Export = e.Get("Name"); o.Export == nil || len(e.Fields) != 1 {
			p.failAt(e, "output %s: Export needs Name and nothing else", f.Name)
		}
	}
	p.t.Outputs = append(p.t.Outputs, o)
}

func alphanumeric(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	})
}
