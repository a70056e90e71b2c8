package cfn

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

var functionNames = []string{"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join"}

var pseudoNames = []string{"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"}

// placeholder matches ${Name}, ${Name.Attr} and the literal ${!Name}.
var placeholder = regexp.MustCompile(`\$\{(!?)([^${}]*)\}`)

// Scope is what references in a template stand for.
type Scope struct {
	Account, Region, StackID, StackName string
	Parameters                          map[string]value.Value
	// Resource gives a resource's Ref and its attributes.
	Resource func(id string) (ref string, attributes map[string]string, ok bool)
}

// noValue is what AWS::NoValue stands for: the property that has it is not there.
type noValue struct{}

// walk visits every function in a tree, outer ones first.
func walk(n *Node, visit func(*Node) error) error {
	if n == nil {
		return nil
	}
	if n.Kind == Function {
		if err := visit(n); err != nil {
			return err
		}
		return walk(n.Arg, visit)
	}
	for _, c := range n.Items {
		if err := walk(c, visit); err != nil {
			return err
		}
	}
	for _, f := range n.Fields {
		if err := walk(f.Value, visit); err != nil {
			return err
		}
	}
	return nil
}

// checkFunction says what is wrong with a function, "" if nothing is.
func (t *Template) checkFunction(f *Node) string {
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
			return "Fn::GetAtt needs a resource and an attribute: [Resource, Attribute]"
		}
		return t.checkAttribute(id, attr)
	case "Fn::Sub":
		text, vars, ok := substitution(f)
		if !ok {
			return "Fn::Sub needs a string, or a list of a string and an object of variables"
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
	case "Fn::Join":
		if f.Arg.Kind != List || len(f.Arg.Items) != 2 || f.Arg.Items[1].Kind != List {
			return "Fn::Join needs a delimiter and a list: [delimiter, [values]]"
		}
		return ""
	}
	return fmt.Sprintf("function %s is not supported; supported: %s", f.Fn, strings.Join(functionNames, ", "))
}

func (t *Template) checkName(name string) string {
	switch {
	case strings.HasPrefix(name, "AWS::"):
		if !slices.Contains(pseudoNames, name) {
			return fmt.Sprintf("pseudo parameter %s is not supported; supported: %s", name, strings.Join(pseudoNames, ", "))
		}
	case t.parameter(name) == nil && t.Resource(name) == nil:
		return fmt.Sprintf("%q is no parameter or resource of the template", name)
	}
	return ""
}

func (t *Template) checkAttribute(id, attr string) string {
	r := t.Resource(id)
	if r == nil {
		return fmt.Sprintf("%q is no resource of the template", id)
	}
	if !slices.Contains(r.Type.Attributes, attr) {
		return fmt.Sprintf("attribute %q of %s (%s) is not supported; supported: %s", attr, id, r.Type.Name, strings.Join(r.Type.Attributes, ", "))
	}
	return ""
}

// attribute takes a GetAtt apart.
func attribute(f *Node) (id, attr string, ok bool) {
	if f.Arg.Kind != List || len(f.Arg.Items) != 2 {
		return "", "", false
	}
	id, ok = f.Arg.Items[0].Text()
	attr, ok2 := f.Arg.Items[1].Text()
	return id, attr, ok && ok2
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
			names = append(names, m[2])
		}
	}
	return names
}

// references lists the names that a tree refers to: resources, parameters and pseudo parameters.
func references(n *Node) []string {
	var names []string
	err := walk(n, func(f *Node) error {
		switch f.Fn {
		case "Ref":
			name, _ := f.Arg.Text()
			names = append(names, name)
		case "Fn::GetAtt":
			id, _, _ := attribute(f)
			names = append(names, id)
		case "Fn::Sub":
			text, vars, _ := substitution(f)
			for _, name := range placeholders(text) {
				if vars.Get(name) == nil {
					id, _, _ := strings.Cut(name, ".")
					names = append(names, id)
				}
			}
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return names
}

// Resolve computes a tree's value. The tree may come from outside a template (a demo's plan): errors name what is
// missing.
func (s *Scope) Resolve(n *Node) (value.Value, error) {
	v, err := s.resolve(n)
	if _, none := v.(noValue); none {
		return nil, err
	}
	return v, err
}

func (s *Scope) resolve(n *Node) (value.Value, error) {
	switch n.Kind {
	case Function:
		return s.call(n)
	case List:
		out := value.Array{}
		for _, c := range n.Items {
			v, err := s.resolve(c)
			if err != nil {
				return nil, err
			}
			if _, none := v.(noValue); !none {
				out = append(out, v)
			}
		}
		return out, nil
	case Map:
		o := value.NewObject()
		for _, f := range n.Fields {
			v, err := s.resolve(f.Value)
			if err != nil {
				return nil, err
			}
			if _, none := v.(noValue); !none {
				o.Set(f.Name, v)
			}
		}
		return o, nil
	}
	return n.Value, nil
}

func (s *Scope) call(f *Node) (value.Value, error) {
	switch f.Fn {
	case "Ref":
		name, _ := f.Arg.Text()
		return s.ref(name)
	case "Fn::GetAtt":
		id, attr, ok := attribute(f)
		if !ok {
			return nil, fmt.Errorf("line %d: Fn::GetAtt needs a resource and an attribute", f.Line)
		}
		return s.attribute(id, attr)
	case "Fn::Sub":
		return s.substitute(f)
	case "Fn::Join":
		return s.join(f)
	}
	return nil, fmt.Errorf("line %d: function %s is not supported; supported: %s", f.Line, f.Fn, strings.Join(functionNames, ", "))
}

func (s *Scope) ref(name string) (value.Value, error) {
	switch name {
	case "AWS::AccountId":
		return s.Account, nil
	case "AWS::NoValue":
		return noValue{}, nil
	case "AWS::Partition":
		return aws.PartitionOf(s.Region), nil
	case "AWS::Region":
		return s.Region, nil
	case "AWS::StackId":
		return s.StackID, nil
	case "AWS::StackName":
		return s.StackName, nil
	case "AWS::URLSuffix":
		if aws.PartitionOf(s.Region) == "aws-cn" {
			return "amazonaws.com.cn", nil
		}
		return "amazonaws.com", nil
	}
	if v, ok := s.Parameters[name]; ok {
		return v, nil
	}
	if ref, _, ok := s.Resource(name); ok {
		return ref, nil
	}
	return nil, fmt.Errorf("%q is no parameter or resource of the stack", name)
}

func (s *Scope) attribute(id, attr string) (value.Value, error) {
	_, attrs, ok := s.Resource(id)
	if !ok {
		return nil, fmt.Errorf("%q is no resource of the stack", id)
	}
	v, ok := attrs[attr]
	if !ok {
		return nil, fmt.Errorf("resource %s has no attribute %q", id, attr)
	}
	return v, nil
}

func (s *Scope) substitute(f *Node) (value.Value, error) {
	text, vars, ok := substitution(f)
	if !ok {
		return nil, fmt.Errorf("line %d: Fn::Sub needs a string, or a list of a string and an object of variables", f.Line)
	}
	var failed error
	out := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		name, literal := strings.CutPrefix(m[2:len(m)-1], "!")
		if literal {
			return "${" + name + "}"
		}
		v, err := s.variable(name, vars)
		if err != nil && failed == nil {
			failed = err
		}
		return v
	})
	return out, failed
}

func (s *Scope) variable(name string, vars *Node) (string, error) {
	if n := vars.Get(name); n != nil {
		v, err := s.Resolve(n)
		return textOf(v), err
	}
	if id, attr, dotted := strings.Cut(name, "."); dotted {
		v, err := s.attribute(id, attr)
		return textOf(v), err
	}
	v, err := s.ref(name)
	return textOf(v), err
}

func (s *Scope) join(f *Node) (value.Value, error) {
	v, err := s.Resolve(f.Arg)
	if err != nil {
		return nil, err
	}
	args, _ := v.(value.Array)
	if len(args) != 2 {
		return nil, fmt.Errorf("line %d: Fn::Join needs a delimiter and a list", f.Line)
	}
	list, ok := args[1].(value.Array)
	if !ok {
		return nil, fmt.Errorf("line %d: Fn::Join needs a list as its second argument", f.Line)
	}
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = textOf(p)
	}
	return strings.Join(parts, textOf(args[0])), nil
}

// textOf is a value as a string: CloudFormation's parameters and attributes are strings throughout.
func textOf(v value.Value) string {
	switch v := v.(type) {
	case nil, noValue:
		return ""
	case string:
		return v
	case value.Array:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = textOf(p)
		}
		return strings.Join(parts, ",")
	}
	return string(value.Append(nil, v))
}
