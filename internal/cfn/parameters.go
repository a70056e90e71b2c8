package cfn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// parameters gives every parameter of a template its value: the one given, the previous one, or the default.
func parameters(t *Template, given map[string]string) ([]ParameterValue, error) {
	for name := range given {
		if t.parameter(name) == nil {
			return nil, fmt.Errorf("Parameters: [%s] do not exist in the template", name)
		}
	}
	var out []ParameterValue
	var missing []string
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
		if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, v) {
			return nil, fmt.Errorf("Parameter '%s' must be one of AllowedValues", p.Name)
		}
		if _, err := strconv.ParseFloat(v, 64); p.Type == "Number" && err != nil {
			return nil, fmt.Errorf("Parameter '%s' must be a number", p.Name)
		}
		out = append(out, ParameterValue{p.Name, v})
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return out, nil
}

// parameterValue is what a Ref to a parameter gives: a string, or a list for a CommaDelimitedList.
func parameterValue(t *Template, p ParameterValue) value.Value {
	if t == nil {
		return p.ParameterValue
	}
	q := t.parameter(p.ParameterKey)
	if q == nil || q.Type != "CommaDelimitedList" {
		return p.ParameterValue
	}
	list := value.Array{}
	for _, s := range strings.Split(p.ParameterValue, ",") {
		list = append(list, strings.TrimSpace(s))
	}
	return list
}
