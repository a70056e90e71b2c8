package cfn

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// Scope is what references in a template stand for. Only the fields that a tree needs must be set.
type Scope struct {
	Account, Region, StackID, StackName string
	Notifications                       []string // AWS::NotificationARNs
	Parameters                          map[string]value.Value
	// Resource gives a resource's Ref and its attributes.
	Resource func(id string) (ref string, attributes map[string]string, ok bool)
	// Import gives the value of an export.
	Import     func(name string) (string, error)
	Mappings   *Node
	Conditions map[string]bool
}

// noValue is what AWS::NoValue stands for: the property that has it is not there.
type noValue struct{}

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
	v, err := s.function(f)
	if err != nil && !strings.HasPrefix(err.Error(), "line ") {
		err = fmt.Errorf("line %d: %w", f.Line, err)
	}
	return v, err
}

func (s *Scope) function(f *Node) (value.Value, error) {
	switch f.Fn {
	case "Ref":
		name, _ := f.Arg.Text()
		return s.ref(name)
	case "Fn::GetAtt":
		id, attr, ok := attribute(f)
		if !ok {
			return nil, fmt.Errorf("Fn::GetAtt needs a resource and an attribute")
		}
		return s.attribute(id, attr)
	case "Fn::Sub":
		return s.substitute(f)
	case "Fn::If":
		return s.choose(f)
	case "Fn::FindInMap":
		return s.findInMap(f)
	case "Condition", "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		return s.Test(f)
	}
	arg, err := s.Resolve(f.Arg)
	if err != nil {
		return nil, err
	}
	switch f.Fn {
	case "Fn::Join":
		return join(arg)
	case "Fn::Select":
		return selectFrom(arg)
	case "Fn::Split":
		return split(arg)
	case "Fn::Base64":
		return base64.StdEncoding.EncodeToString([]byte(textOf(arg))), nil
	case "Fn::Cidr":
		return cidr(arg)
	case "Fn::GetAZs":
		return s.zones(textOf(arg)), nil
	case "Fn::ImportValue":
		if s.Import == nil {
			return nil, fmt.Errorf("Fn::ImportValue is not possible here")
		}
		return s.Import(textOf(arg))
	case "Fn::Length":
		list, ok := arg.(value.Array)
		if !ok {
			return nil, fmt.Errorf("Fn::Length needs a list")
		}
		return value.Int(int64(len(list))), nil
	case "Fn::ToJsonString":
		return string(value.Append(nil, arg)), nil
	}
	return nil, fmt.Errorf("function %s is not supported here; supported: %s", f.Fn, strings.Join(functionNames, ", "))
}

func (s *Scope) ref(name string) (value.Value, error) {
	switch name {
	case "AWS::AccountId":
		return s.Account, nil
	case "AWS::NoValue":
		return noValue{}, nil
	case "AWS::NotificationARNs":
		out := value.Array{}
		for _, a := range s.Notifications {
			out = append(out, a)
		}
		return out, nil
	case "AWS::Partition":
		return aws.PartitionOf(s.Region), nil
	case "AWS::Region":
		return s.Region, nil
	case "AWS::StackId":
		return s.StackID, nil
	case "AWS::StackName":
		return s.StackName, nil
	case "AWS::URLSuffix":
		return urlSuffix(s.Region), nil
	}
	if v, ok := s.Parameters[name]; ok {
		return v, nil
	}
	if s.Resource != nil {
		if ref, _, ok := s.Resource(name); ok {
			return ref, nil
		}
	}
	return nil, fmt.Errorf("%q is no parameter or resource of the stack", name)
}

func urlSuffix(region string) string {
	if aws.PartitionOf(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

func (s *Scope) attribute(id, attr string) (value.Value, error) {
	if s.Resource == nil {
		return nil, fmt.Errorf("Fn::GetAtt of %s is not possible here", id)
	}
	_, attrs, ok := s.Resource(id)
	if !ok {
		return nil, fmt.Errorf("%q is no resource of the stack", id)
	}
	v, ok := attrs[attr]
	if !ok {
		return nil, fmt.Errorf("Template error: resource %s does not have attribute %s", id, attr)
	}
	return v, nil
}

func (s *Scope) substitute(f *Node) (value.Value, error) {
	text, vars, ok := substitution(f)
	if !ok {
		return nil, fmt.Errorf("Fn::Sub needs a string, or a list of a string and an object of variables")
	}
	var failed error
	out := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		name, literal := strings.CutPrefix(m[2:len(m)-1], "!")
		if literal {
			return "${" + name + "}"
		}
		v, err := s.variable(strings.TrimSpace(name), vars)
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

func (s *Scope) choose(f *Node) (value.Value, error) {
	name, _ := f.Arg.Items[0].Text()
	chosen, known := s.Conditions[name]
	if !known {
		return nil, fmt.Errorf("condition %q is not known here", name)
	}
	if chosen {
		return s.resolve(f.Arg.Items[1])
	}
	return s.resolve(f.Arg.Items[2])
}

func (s *Scope) findInMap(f *Node) (value.Value, error) {
	if f.Arg.Kind != List || len(f.Arg.Items) < 3 {
		return nil, fmt.Errorf("Fn::FindInMap needs a mapping and two keys")
	}
	at := s.Mappings
	for _, item := range f.Arg.Items[:3] {
		key, err := s.Resolve(item)
		if err != nil {
			return nil, err
		}
		if at = at.Get(textOf(key)); at == nil {
			if len(f.Arg.Items) == 4 {
				return s.resolve(f.Arg.Items[3].Get("DefaultValue"))
			}
			return nil, fmt.Errorf("Template error: Unable to get mapping for %s", mappingPath(f.Arg.Items))
		}
	}
	return s.resolve(at)
}

// Test decides a condition.
func (s *Scope) Test(n *Node) (bool, error) {
	if name, ok := conditionName(n); ok {
		v, known := s.Conditions[name]
		if !known {
			return false, fmt.Errorf("condition %q is not known here", name)
		}
		return v, nil
	}
	switch n.Fn {
	case "Fn::Not":
		v, err := s.Test(n.Arg.Items[0])
		return !v, err
	case "Fn::And", "Fn::Or":
		or := n.Fn == "Fn::Or"
		for _, c := range n.Arg.Items {
			if v, err := s.Test(c); err != nil || v == or {
				return v, err
			}
		}
		return !or, nil
	case "Fn::Equals", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		return s.compare(n)
	}
	v, err := s.Resolve(n)
	if b, ok := v.(bool); ok {
		return b, err
	}
	if t := strings.ToLower(textOf(v)); err == nil && t != "true" && t != "false" {
		return false, fmt.Errorf("line %d: a condition must be true or false, not %q", n.Line, textOf(v))
	}
	return strings.EqualFold(textOf(v), "true"), err
}

func (s *Scope) compare(n *Node) (bool, error) {
	v, err := s.Resolve(n.Arg)
	args, _ := v.(value.Array)
	if err != nil || len(args) != 2 {
		return false, err
	}
	if n.Fn == "Fn::Equals" {
		return digestText(textual(args[0])) == digestText(textual(args[1])), nil
	}
	list := texts(args[0])
	switch n.Fn {
	case "Fn::Contains":
		return slices.Contains(list, textOf(args[1])), nil
	case "Fn::EachMemberEquals":
		return !slices.ContainsFunc(list, func(t string) bool { return t != textOf(args[1]) }), nil
	}
	in := texts(args[1])
	return !slices.ContainsFunc(list, func(t string) bool { return !slices.Contains(in, t) }), nil
}

// textual makes scalars strings: true and "true" are equal.
func textual(v value.Value) value.Value {
	switch v.(type) {
	case value.Array, *value.Object:
		return v
	}
	return textOf(v)
}

func texts(v value.Value) []string {
	list, _ := v.(value.Array)
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = textOf(e)
	}
	return out
}

func join(v value.Value) (value.Value, error) {
	args, _ := v.(value.Array)
	if len(args) != 2 {
		return nil, fmt.Errorf("Fn::Join needs a delimiter and a list")
	}
	if _, ok := args[1].(value.Array); !ok {
		return nil, fmt.Errorf("Fn::Join needs a list as its second argument")
	}
	return strings.Join(texts(args[1]), textOf(args[0])), nil
}

func selectFrom(v value.Value) (value.Value, error) {
	args, _ := v.(value.Array)
	if len(args) != 2 {
		return nil, fmt.Errorf("Fn::Select needs an index and a list")
	}
	index, err := strconv.Atoi(textOf(args[0]))
	list, ok := args[1].(value.Array)
	if err != nil || !ok {
		return nil, fmt.Errorf("Template error: Fn::Select requires a list argument with two elements: an integer index and a list")
	}
	if index < 0 || index >= len(list) {
		return nil, fmt.Errorf("Template error: Fn::Select cannot select nonexistent value at index %d", index)
	}
	return list[index], nil
}

func split(v value.Value) (value.Value, error) {
	args, _ := v.(value.Array)
	if len(args) != 2 || textOf(args[0]) == "" {
		return nil, fmt.Errorf("Fn::Split needs a delimiter and a string")
	}
	out := value.Array{}
	for _, part := range strings.Split(textOf(args[1]), textOf(args[0])) {
		out = append(out, part)
	}
	return out, nil
}

// zones are the availability zones of a region: every region has three here.
func (s *Scope) zones(region string) value.Array {
	if region == "" {
		region = s.Region
	}
	return value.Array{region + "a", region + "b", region + "c"}
}

// textOf is a value as a string: CloudFormation's parameters and attributes are strings throughout.
func textOf(v value.Value) string {
	switch v := v.(type) {
	case nil, noValue:
		return ""
	case string:
		return v
	case value.Array:
		return strings.Join(texts(v), ",")
	}
	return string(value.Append(nil, v))
}
