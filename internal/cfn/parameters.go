package cfn

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// Parameter is one of the template's parameters with its constraints.
type Parameter struct {
	Name          string
	Type          string // String, Number, CommaDelimitedList, List<...>, AWS::...
	Description   string
	Default       value.Value // nil for none: a value must be given
	AllowedValues []string
	NoEcho        bool
	Pattern       string // AllowedPattern, "" for none
	Constraint    string // ConstraintDescription
	MinLength     *int
	MaxLength     *int
	MinValue      *big.Rat
	MaxValue      *big.Rat
	pattern       *regexp.Regexp // anchored
	at            Field
}

var (
	parameterNames = []string{"Type", "Default", "AllowedValues", "AllowedPattern", "ConstraintDescription", "Description", "NoEcho",
		"MinLength", "MaxLength", "MinValue", "MaxValue"}
	parameterTypes = []string{"String", "Number", "CommaDelimitedList", "List<Number>", "List<String>", "AWS::... (such as AWS::EC2::VPC::Id)",
		"List<AWS::...>", "AWS::SSM::Parameter::Name", "AWS::SSM::Parameter::Value<...>"}
)

func knownParameterType(t string) bool {
	if inner, ok := strings.CutPrefix(t, "List<"); ok && strings.HasSuffix(inner, ">") {
		t = strings.TrimSuffix(inner, ">")
	}
	return t == "String" || t == "Number" || t == "CommaDelimitedList" || strings.HasPrefix(t, "AWS::") && strings.Count(t, "::") >= 2
}

// isList reports whether a Ref to the parameter gives a list.
func (q *Parameter) isList() bool {
	t := q.Type
	if inner, ok := strings.CutPrefix(t, "AWS::SSM::Parameter::Value<"); ok {
		t = strings.TrimSuffix(inner, ">")
	}
	return t == "CommaDelimitedList" || strings.HasPrefix(t, "List<")
}

// fromSSM reports whether the value given is the name of a Systems Manager parameter that has the value.
func (q *Parameter) fromSSM() bool { return strings.HasPrefix(q.Type, "AWS::SSM::Parameter::Value<") }

func (p *parser) parameter(f Field) {
	n := f.Value
	p.known(n, "parameter attribute", parameterNames)
	q := Parameter{Name: f.Name, at: f}
	q.Type, _ = n.Get("Type").Text()
	q.Description, _ = n.Get("Description").Text()
	q.Constraint, _ = n.Get("ConstraintDescription").Text()
	if !alphanumeric(f.Name) {
		p.fail(f.Line, f.Column, "Parameter name %s is non alphanumeric.", f.Name)
	}
	if !knownParameterType(q.Type) {
		p.fail(f.Line, f.Column, "parameter %s: type %q is not supported; supported: %s", f.Name, q.Type, strings.Join(parameterTypes, ", "))
	}
	if d := n.Get("Default"); d != nil {
		if d.Kind != Scalar || d.Value == nil {
			p.failAt(d, "Every Default member must be a string: parameter %s", f.Name)
		} else {
			q.Default = d.Value
		}
	}
	if a := n.Get("AllowedValues"); a != nil {
		if a.Kind != List {
			p.failAt(a, "parameter %s: AllowedValues must be a list", f.Name)
		}
		for _, v := range a.Items {
			q.AllowedValues = append(q.AllowedValues, textOf(v.Value))
		}
	}
	if e := n.Get("NoEcho"); e != nil {
		q.NoEcho = strings.EqualFold(textOf(e.Value), "true")
	}
	p.bounds(&q, n)
	p.t.Parameters = append(p.t.Parameters, q)
}

func (p *parser) bounds(q *Parameter, n *Node) {
	for _, b := range []struct {
		name string
		into **int
	}{{"MinLength", &q.MinLength}, {"MaxLength", &q.MaxLength}} {
		if m := n.Get(b.name); m != nil {
			i, err := strconv.Atoi(textOf(m.Value))
			if err != nil {
				p.failAt(m, "parameter %s: %s must be an integer", q.Name, b.name)
			}
			*b.into = &i
		}
	}
	for _, b := range []struct {
		name string
		into **big.Rat
	}{{"MinValue", &q.MinValue}, {"MaxValue", &q.MaxValue}} {
		if m := n.Get(b.name); m != nil {
			r, ok := number(textOf(m.Value))
			if !ok {
				p.failAt(m, "parameter %s: %s must be a number", q.Name, b.name)
			}
			*b.into = r
		}
	}
	a := n.Get("AllowedPattern")
	if a == nil {
		return
	}
	q.Pattern = textOf(a.Value)
	var err error
	if q.pattern, err = regexp.Compile(`^(?:` + q.Pattern + `)$`); err != nil {
		p.failAt(a, "parameter %s: AllowedPattern is not supported: %s (RE2 syntax, without look-around and back-references)", q.Name, err)
	}
}

var numberForm = aws.Lazy(`^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$`)

func number(s string) (*big.Rat, bool) {
	if s = strings.TrimSpace(s); !numberForm.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// problem says what AWS says of a value that the parameter does not admit, "" if it does.
func (q *Parameter) problem(v string) string {
	if msg := q.violation(v); msg != "" {
		if q.Constraint != "" {
			return fmt.Sprintf("Parameter %s failed to satisfy constraint: %s", q.Name, q.Constraint)
		}
		return fmt.Sprintf("Parameter '%s' must %s", q.Name, msg)
	}
	return ""
}

func (q *Parameter) violation(v string) string {
	values := []string{v}
	if q.isList() {
		values = splitList(v)
	}
	for _, v := range values {
		if len(q.AllowedValues) > 0 && !slices.Contains(q.AllowedValues, v) {
			return "be one of AllowedValues"
		}
	}
	if q.Type == "Number" || q.Type == "List<Number>" {
		for _, v := range values {
			if msg := q.numeric(v); msg != "" {
				return msg
			}
		}
		return ""
	}
	switch n := utf8.RuneCountInString(v); {
	case q.MinLength != nil && n < *q.MinLength:
		return fmt.Sprintf("contain at least %d characters", *q.MinLength)
	case q.MaxLength != nil && n > *q.MaxLength:
		return fmt.Sprintf("contain at most %d characters", *q.MaxLength)
	case q.pattern != nil && !q.pattern.MatchString(v):
		return "match pattern " + q.Pattern
	}
	return ""
}

func (q *Parameter) numeric(v string) string {
	n, ok := number(v)
	switch {
	case !ok:
		return "be a number"
	case q.MinValue != nil && n.Cmp(q.MinValue) < 0:
		return "be a number not less than " + q.MinValue.RatString()
	case q.MaxValue != nil && n.Cmp(q.MaxValue) > 0:
		return "be a number not greater than " + q.MaxValue.RatString()
	}
	return ""
}

// parameters gives every parameter of a template its value, the one given or the default, in the template's order.
func parameters(t *Template, given map[string]string) ([]ParameterValue, error) {
	var unknown, missing []string
	for name := range given {
		if t.parameter(name) == nil {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, fmt.Errorf("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	var out []ParameterValue
	for i := range t.Parameters {
		p := &t.Parameters[i]
		v, ok := given[p.Name]
		if !ok && p.Default != nil {
			v, ok = textOf(p.Default), true
		}
		if !ok {
			missing = append(missing, p.Name)
			continue
		}
		out = append(out, ParameterValue{ParameterKey: p.Name, ParameterValue: v})
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	for i, v := range out {
		if msg := t.Parameters[i].problem(v.ParameterValue); msg != "" {
			return nil, fmt.Errorf("%s", msg)
		}
	}
	return out, nil
}

// parameterValue is what a Ref to a parameter gives: a string, or a list.
func parameterValue(t *Template, p ParameterValue) value.Value {
	v := p.ParameterValue
	if p.ResolvedValue != "" {
		v = p.ResolvedValue
	}
	if t == nil {
		return v
	}
	q := t.parameter(p.ParameterKey)
	if q == nil || !q.isList() {
		return v
	}
	list := value.Array{}
	for _, s := range splitList(v) {
		list = append(list, s)
	}
	return list
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
