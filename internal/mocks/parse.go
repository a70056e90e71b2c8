package mocks

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Load reads a file of test cases in the format of AWS's Step Functions Local (its MockConfigFile):
//
//	{"StateMachines": {MACHINE: {"TestCases": {CASE: {STATE: RESPONSE}}}},
//	 "MockedResponses": {RESPONSE: {"0": {"Return": RESULT}, "1-2": {"Throw": {"Error": NAME, "Cause": TEXT}}}}}
//
// An error names the file and the place in it.
func Load(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the file of mocked responses: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Parse reads the text of such a file.
func Parse(text []byte) (Config, error) {
	v, err := value.Parse(text)
	var syntax *value.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("line %d, column %d: %s", syntax.Line, syntax.Column, syntax.Msg)
	}
	p := &parser{}
	top := p.object(v, "the file")
	p.only(top, "", "StateMachines", "MockedResponses")
	responses := map[string]*Mock{}
	for name, steps := range p.member(top, "", "MockedResponses").All() {
		responses[name] = p.mock(steps, "MockedResponses."+name)
	}
	c := Config{}
	for machine, m := range p.member(top, "", "StateMachines").All() {
		at := "StateMachines." + machine
		c[machine] = map[string]*Case{}
		o := p.object(m, at)
		p.only(o, at, "TestCases")
		for name, states := range p.member(o, at, "TestCases").All() {
			c[machine][name] = p.testCase(states, at+".TestCases."+name, responses)
		}
	}
	return c, errors.Join(p.problems...)
}

// parser collects everything that is wrong.
type parser struct{ problems []error }

func (p *parser) problem(at, format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
}

// object is a value that must be an object; an empty one where it is not.
func (p *parser) object(v value.Value, at string) *value.Object {
	o, ok := v.(*value.Object)
	if !ok {
		p.problem(at, "an object is needed")
		return value.NewObject()
	}
	return o
}

func (p *parser) member(o *value.Object, at, name string) *value.Object {
	v, ok := o.Get(name)
	path := strings.TrimPrefix(at+"."+name, ".")
	if !ok {
		p.problem(path, "is missing")
		return value.NewObject()
	}
	return p.object(v, path)
}

// only refuses members other than those named.
func (p *parser) only(o *value.Object, at string, names ...string) {
	for name := range o.All() {
		if !slices.Contains(names, name) {
			p.problem(strings.TrimPrefix(at+"."+name, "."), "is not known; there is %s", strings.Join(names, ", "))
		}
	}
}

func (p *parser) testCase(states value.Value, at string, responses map[string]*Mock) *Case {
	c := &Case{States: map[string]*Mock{}}
	for state, v := range p.object(states, at).All() {
		name, ok := v.(string)
		if !ok {
			p.problem(at+"."+state, "the name of a mocked response is needed")
			continue
		}
		if c.States[state] = responses[name]; c.States[state] == nil {
			p.problem(at+"."+state, "there is no MockedResponses.%s", name)
		}
	}
	return c
}

// mock reads the numbered responses.
func (p *parser) mock(v value.Value, at string) *Mock {
	m := &Mock{}
	for attempts, step := range p.object(v, at).All() {
		here := at + "." + attempts
		first, last, ok := span(attempts)
		if !ok {
			p.problem(here, "the number of an attempt, from 0, or a range such as 1-2 is needed")
			continue
		}
		r := p.response(step, here)
		r.First, r.Last = first, last
		for i := range m.Attempts {
			if o := &m.Attempts[i]; first <= o.Last && o.First <= last {
				p.problem(here, "attempt %d has two responses", max(first, o.First))
			}
		}
		m.Attempts = append(m.Attempts, r)
	}
	if len(m.Attempts) == 0 {
		p.problem(at, "there is no response")
	}
	return m
}

// span reads "3" or "1-2".
func span(text string) (first, last int, ok bool) {
	a, b, ranged := strings.Cut(text, "-")
	if !ranged {
		b = a
	}
	first, err := strconv.Atoi(a)
	last, err2 := strconv.Atoi(b)
	return first, last, err == nil && err2 == nil && 0 <= first && first <= last
}

func (p *parser) response(v value.Value, at string) Response {
	o := p.object(v, at)
	p.only(o, at, "Return", "Throw")
	result, returns := o.Get("Return")
	thrown, throws := o.Get("Throw")
	if returns == throws {
		p.problem(at, "either Return or Throw is needed")
		return Response{}
	}
	if returns {
		r := Response{Return: value.Append(nil, result)}
		if invocation, ok := result.(*value.Object); ok {
			_, status := invocation.Get("StatusCode")
			if payload, ok := invocation.Get("Payload"); ok && status {
				r.Payload = value.Append(nil, payload)
			}
		}
		return r
	}
	at += ".Throw"
	t := p.object(thrown, at)
	p.only(t, at, "Error", "Cause")
	r := Response{}
	name, _ := t.Get("Error")
	if r.Error, _ = name.(string); r.Error == "" {
		p.problem(at+".Error", "the name of an error is needed")
	}
	if cause, ok := t.Get("Cause"); ok {
		text, isText := cause.(string)
		if !isText {
			p.problem(at+".Cause", "a string is needed")
		}
		r.Cause = &text
	}
	return r
}
