package cfn

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// functionNames are the functions that values may use; conditionNames those of Conditions and of rules beside them.
var (
	functionNames = []string{"Ref", "Fn::Base64", "Fn::Cidr", "Fn::FindInMap", "Fn::GetAtt", "Fn::GetAZs", "Fn::If", "Fn::ImportValue",
		"Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub", "Fn::Transform"}
	extensionNames = []string{"Fn::Length", "Fn::ToJsonString"}
	conditionNames = []string{"Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or", "Condition"}
	ruleNames      = []string{"Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn"}
)

var pseudoNames = []string{"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId",
	"AWS::StackName", "AWS::URLSuffix"}

// placeholder matches ${Name}, ${Name.Attr} and the literal ${!Name}.
var placeholder = regexp.MustCompile(`\$\{(!?)([^${}]*)\}`)

// walk visits every function in a tree, outer ones first.
func walk(n *Node, visit func(*Node)) {
	if n == nil {
		return
	}
	if n.Kind == Function {
		visit(n)
		walk(n.Arg, visit)
		return
	}
	for _, c := range n.Items {
		walk(c, visit)
	}
	for _, f := range n.Fields {
		walk(f.Value, visit)
	}
}

// references checks every function in the template: known, well formed, and naming things that are there.
func (p *parser) references() {
	check := func(n *Node, also ...string) {
		walk(n, func(f *Node) {
			if msg := p.t.checkFunction(f, also); msg != "" {
				p.failAt(f, "%s", msg)
			}
		})
	}
	for _, r := range p.t.Resources {
		check(r.Properties)
		for _, d := range r.DependsOn {
			if p.t.Resource(d) == nil {
				p.fail(r.Line, r.Column, "Unresolved resource dependencies [%s] in the Resources block of the template", d)
			}
		}
		if r.Condition != "" && p.t.condition(r.Condition) == nil {
			p.fail(r.Line, r.Column, "Unrecognized condition in the template: resource %s names %q", r.ID, r.Condition)
		}
	}
	for _, o := range p.t.Outputs {
		check(o.Value)
		check(o.Export)
		if o.Condition != "" && p.t.condition(o.Condition) == nil {
			p.failAt(o.Value, "Unrecognized condition in the template: output %s names %q", o.Name, o.Condition)
		}
	}
	for _, c := range p.t.Conditions {
		p.condition(c.Name, c.Value)
		check(c.Value, conditionNames...)
	}
	for _, r := range p.t.Rules {
		check(r.Value, append(slices.Clone(ruleNames), conditionNames...)...)
	}
	p.conditionCycles()
}

// condition reports what a condition may not refer to: it is decided before there are resources.
func (p *parser) condition(name string, n *Node) {
	walk(n, func(f *Node) {
		var id string
		switch f.Fn {
		case "Ref":
			id, _ = f.Arg.Text()
		case "Fn::GetAtt":
			id, _, _ = attribute(f)
		}
		if p.t.Resource(id) != nil {
			p.failAt(f, "Template error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template (condition %s)", id, name)
		}
	})
}

func (p *parser) conditionCycles() {
	state := map[string]int{}
	var visit func(name string, at *Node)
	visit = func(name string, at *Node) {
		if state[name] == 1 {
			p.failAt(at, "Circular dependencies for conditions: [%s]", name)
			return
		}
		if state[name] == 2 {
			return
		}
		state[name] = 1
		for _, ref := range conditionReferences(p.t.condition(name)) {
			if p.t.condition(ref) == nil {
				p.failAt(p.t.condition(name), "Unrecognized condition in the template: %q", ref)
				continue
			}
			visit(ref, p.t.condition(name))
		}
		state[name] = 2
	}
	for _, c := range p.t.Conditions {
		visit(c.Name, c.Value)
	}
}

// conditionReferences lists the conditions that a condition refers to.
func conditionReferences(n *Node) []string {
	var names []string
	var visit func(n *Node)
	visit = func(n *Node) {
		if n == nil {
			return
		}
		if name, ok := conditionName(n); ok {
			names = append(names, name)
			return
		}
		visit(n.Arg)
		for _, c := range n.Items {
			visit(c)
		}
		for _, f := range n.Fields {
			visit(f.Value)
		}
	}
	visit(n)
	return names
}

// conditionName takes {Condition: name} apart, in either notation.
func conditionName(n *Node) (string, bool) {
	if n.Kind == Function && n.Fn == "Condition" {
		return n.Arg.Text()
	}
	if n.Kind == Map && len(n.Fields) == 1 && n.Fields[0].Name == "Condition" {
		return n.Fields[0].Value.Text()
	}
	return "", false
}

func (t *Template) extended() bool { return slices.Contains(t.Transforms, languageNames[0]) }

// checkFunction says what is wrong with a function, "" if nothing is. also are names allowed in this place beside those
// of values.
func (t *Template) checkFunction(f *Node, also []string) string {
	names := append(slices.Clone(functionNames), also...)
	if t.extended() {
		names = append(names, extensionNames...)
	}
	if !slices.Contains(names, f.Fn) {
		if slices.Contains(extensionNames, f.Fn) {
			return f.Fn + " needs Transform: AWS::LanguageExtensions"
		}
		return fmt.Sprintf("function %s is not supported here; supported: %s", f.Fn, strings.Join(names, ", "))
	}
	switch f.Fn {
	case "Ref":
		name, ok := f.Arg.Text()
		if !ok {
			return "Ref needs the name of a parameter or resource"
		}
		return t.checkName(name)
	case "Fn::GetAtt":
		id, attr, ok := attribute(f)
		if !ok {
			return "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
		}
		return t.checkAttribute(id, attr)
	case "Fn::Sub":
		return t.checkSub(f)
	}
	return t.checkForm(f)
}

// forms say how many arguments a function takes in a list; a second number is the most.
var forms = map[string]struct {
	min, max int
	usage    string
}{
	"Fn::Join":      {2, 2, "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."},
	"Fn::Select":    {2, 2, "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"},
	"Fn::Split":     {2, 2, "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."},
	"Fn::If":        {3, 3, "Template error: Fn::If requires a list argument with three elements"},
	"Fn::Equals":    {2, 2, "Template error: Fn::Equals requires a list argument with two elements"},
	"Fn::Not":       {1, 1, "Template error: Fn::Not requires a list argument with one element"},
	"Fn::And":       {2, 10, "Template error: Fn::And requires a list argument with 2 to 10 elements"},
	"Fn::Or":        {2, 10, "Template error: Fn::Or requires a list argument with 2 to 10 elements"},
	"Fn::Cidr":      {2, 3, "Template error: every Fn::Cidr object requires two or three parameters: ipBlock, count and cidrBits"},
	"Fn::FindInMap": {3, 4, "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"},
}

func (t *Template) checkForm(f *Node) string {
	form, ok := forms[f.Fn]
	if !ok {
		return ""
	}
	if f.Arg.Kind != List || len(f.Arg.Items) < form.min || len(f.Arg.Items) > form.max {
		return form.usage
	}
	switch f.Fn {
	case "Fn::Join":
		if k := f.Arg.Items[1].Kind; k != List && k != Function {
			return form.usage
		}
	case "Fn::If":
		name, ok := f.Arg.Items[0].Text()
		if !ok {
			return form.usage
		}
		if t.condition(name) == nil {
			return fmt.Sprintf("Template error: unresolved condition dependency %s in Fn::If", name)
		}
	case "Fn::FindInMap":
		return t.checkMapping(f)
	}
	return ""
}

// checkMapping checks as much of a FindInMap as is not computed.
func (t *Template) checkMapping(f *Node) string {
	if len(f.Arg.Items) == 4 {
		if d := f.Arg.Items[3]; !t.extended() || d.Get("DefaultValue") == nil {
			return "Fn::FindInMap with a DefaultValue needs Transform: AWS::LanguageExtensions"
		}
		return ""
	}
	at := t.Mappings
	for i, item := range f.Arg.Items {
		key, ok := item.Text()
		if !ok {
			return ""
		}
		if at = at.Get(key); at != nil {
			continue
		}
		if i == 0 {
			return fmt.Sprintf("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", key)
		}
		return fmt.Sprintf("Template error: Unable to get mapping for %s", mappingPath(f.Arg.Items))
	}
	return ""
}

func mappingPath(items []*Node) string {
	keys := make([]string, 0, 3)
	for _, i := range items[:3] {
		keys = append(keys, textOf(i.Plain()))
	}
	return strings.Join(keys, "::")
}

func (t *Template) checkSub(f *Node) string {
	text, vars, ok := substitution(f)
	if !ok {
		return "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string"
	}
	for _, name := range placeholders(text) {
		if vars.Get(name) != nil {
			continue
		}
		msg := t.checkName(name)
		if id, attr, dotted := strings.Cut(name, "."); dotted {
			msg = t.checkAttribute(id, attr)
		}
		if msg != "" {
			return "Fn::Sub: " + msg
		}
	}
	return ""
}

func (t *Template) checkName(name string) string {
	switch {
	case strings.HasPrefix(name, "AWS::"):
		if !slices.Contains(pseudoNames, name) {
			return fmt.Sprintf("pseudo parameter %s is not supported; supported: %s", name, strings.Join(pseudoNames, ", "))
		}
	case t.parameter(name) == nil && t.Resource(name) == nil:
		return fmt.Sprintf("Unresolved resource dependencies [%s] in the Resources block of the template", name)
	}
	return ""
}

func (t *Template) checkAttribute(id, attr string) string {
	r := t.Resource(id)
	if r == nil {
		return fmt.Sprintf("Template error: instance of Fn::GetAtt references undefined resource %s", id)
	}
	if r.Type.Open || slices.Contains(r.Type.Attributes, attr) {
		return ""
	}
	if prefix := r.Type.AttributePrefix; prefix != "" && strings.HasPrefix(attr, prefix) && len(attr) > len(prefix) {
		return ""
	}
	supported := slices.Clone(r.Type.Attributes)
	if r.Type.AttributePrefix != "" {
		supported = append(supported, r.Type.AttributePrefix+"NAME")
	}
	return fmt.Sprintf("attribute %q of %s (%s) is not supported; supported: %s", attr, id, r.TypeName, strings.Join(supported, ", "))
}

// attribute takes a GetAtt apart.
func attribute(f *Node) (id, attr string, ok bool) {
	if f.Arg.Kind != List || len(f.Arg.Items) < 2 {
		return "", "", false
	}
	parts := make([]string, len(f.Arg.Items))
	for i, item := range f.Arg.Items {
		if parts[i], ok = item.Text(); !ok || parts[i] == "" {
			return "", "", false
		}
	}
	return parts[0], strings.Join(parts[1:], "."), true
}

// substitution takes a Sub apart.
func substitution(f *Node) (text string, vars *Node, ok bool) {
	if text, ok = f.Arg.Text(); ok {
		return text, nil, true
	}
	if f.Arg.Kind != List || len(f.Arg.Items) != 2 || f.Arg.Items[1].Kind != Map {
		return "", nil, false
	}
	text, ok = f.Arg.Items[0].Text()
	return text, f.Arg.Items[1], ok
}

// placeholders lists the names in a Sub text.
func placeholders(text string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if m[1] == "" {
			names = append(names, strings.TrimSpace(m[2]))
		}
	}
	return names
}

// references lists the names that a tree refers to: resources, parameters and pseudo parameters. Branches of Fn::If are
// left out: which of them counts is known when the conditions are (Template.bind).
func references(n *Node) []string {
	var names []string
	var visit func(n *Node)
	visit = func(n *Node) {
		if n == nil || n.Kind == Function && n.Fn == "Fn::If" {
			return
		}
		switch n.Fn {
		case "Ref":
			name, _ := n.Arg.Text()
			names = append(names, name)
		case "Fn::GetAtt":
			id, _, _ := attribute(n)
			names = append(names, id)
		case "Fn::Sub":
			text, vars, _ := substitution(n)
			for _, name := range placeholders(text) {
				if vars.Get(name) == nil {
					id, _, _ := strings.Cut(name, ".")
					names = append(names, id)
				}
			}
		}
		visit(n.Arg)
		for _, c := range n.Items {
			visit(c)
		}
		for _, f := range n.Fields {
			visit(f.Value)
		}
	}
	visit(n)
	return names
}
