package suite

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/mocks"
)

// Parse reads a suite; machines lists the files in its folder, among which the machine's is looked for if the suite does
// not name it. The error is a list of problems with their places.
func Parse(file string, text []byte, folder []string) (*Suite, error) {
	root, err := cfn.ParseNode(file, text)
	if err != nil {
		return nil, err
	}
	p := &parser{file: file, names: map[string]bool{}}
	s := &Suite{File: file}
	p.members(root, "about", "machine", "type", "mockConfig", "mocks", "cases")
	s.Machine = p.machine(root, folder)
	switch t := p.text(root, "type"); t {
	case "", "STANDARD":
	case "EXPRESS":
		s.Express = true
	default:
		p.fail(root.Get("type"), "type must be STANDARD or EXPRESS")
	}
	if m := p.text(root, "mockConfig"); m != "" {
		s.MockConfig = filepath.Join(filepath.Dir(file), m)
	}
	common := p.mocks(root.Get("mocks"))
	for _, n := range p.list(root, "cases") {
		s.Cases = append(s.Cases, p.testCase(n, common))
	}
	if len(s.Cases) == 0 && s.MockConfig == "" {
		p.fail(root, "there are no cases")
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return s, nil
}

type parser struct {
	file     string
	names    map[string]bool
	problems cfn.Problems
}

func (p *parser) fail(n *cfn.Node, format string, args ...any) {
	p.problems = append(p.problems, cfn.Problem{File: p.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

// members refuses what is not known.
func (p *parser) members(n *cfn.Node, names ...string) {
	if n.Kind != cfn.Map {
		p.fail(n, "an object with some of %s is needed", strings.Join(names, ", "))
		return
	}
	for _, f := range n.Fields {
		if !slices.Contains(names, f.Name) {
			p.problems = append(p.problems, cfn.Problem{File: p.file, Line: f.Line, Column: f.Column,
				Message: fmt.Sprintf("%q is not known here; there are %s", f.Name, strings.Join(names, ", "))})
		}
	}
}

func (p *parser) text(n *cfn.Node, name string) string {
	m := n.Get(name)
	if m == nil {
		return ""
	}
	s, ok := m.Text()
	if !ok {
		p.fail(m, "%s must be a string", name)
	}
	return s
}

func (p *parser) list(n *cfn.Node, name string) []*cfn.Node {
	m := n.Get(name)
	if m == nil {
		return nil
	}
	if m.Kind != cfn.List {
		p.fail(m, "%s must be a list", name)
	}
	return m.Items
}

// machine is the path of the definition: as the suite says, else the file beside it with the same beginning.
func (p *parser) machine(root *cfn.Node, folder []string) string {
	dir := filepath.Dir(p.file)
	if m := p.text(root, "machine"); m != "" {
		return filepath.Join(dir, m)
	}
	for _, ending := range []string{".asl.json", ".asl.yaml", ".asl.yml", ".json", ".yaml", ".yml"} {
		if name := stem(p.file) + ending; slices.Contains(folder, name) {
			return filepath.Join(dir, name)
		}
	}
	p.fail(root, "machine is needed: there is no %s.asl.json or %s.asl.yaml beside this file", stem(p.file), stem(p.file))
	return ""
}

func (p *parser) testCase(n *cfn.Node, common map[string]*mocks.Mock) *Case {
	p.members(n, "name", "about", "input", "mocks", "mocked", "real", "expect")
	c := &Case{Name: p.text(n, "name"), Line: n.Line, Input: []byte("{}"), Mocked: p.text(n, "mocked")}
	switch {
	case c.Name == "":
		p.fail(n, "a case needs a name")
	case p.names[c.Name]:
		p.fail(n, "there are two cases %q", c.Name)
	}
	p.names[c.Name] = true
	if input := n.Get("input"); input != nil {
		c.Input = text(input)
	}
	c.Mocks = mocks.Case{Strict: true, Real: map[string]bool{}, States: map[string]*mocks.Mock{}}
	for state, m := range common {
		c.Mocks.States[state] = m
	}
	for state, m := range p.mocks(n.Get("mocks")) {
		c.Mocks.States[state] = m
	}
	p.real(n.Get("real"), &c.Mocks)
	c.Expect = p.expect(n.Get("expect"))
	return c
}

// real reads "real: true" or the list of states that are run for real.
func (p *parser) real(n *cfn.Node, c *mocks.Case) {
	switch {
	case n == nil:
	case n.Kind == cfn.Scalar && n.Value == true:
		c.Strict = false
	case n.Kind == cfn.Scalar && n.Value == false:
	case n.Kind == cfn.List:
		for _, item := range n.Items {
			state, ok := item.Text()
			if !ok {
				p.fail(item, "the name of a state is needed")
			}
			c.Real[state] = true
		}
	default:
		p.fail(n, "real must be true, false or a list of states")
	}
}

var statuses = []string{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}

func (p *parser) expect(n *cfn.Node) Expect {
	if n == nil {
		return Expect{Status: "SUCCEEDED"}
	}
	p.members(n, "status", "output", "outputHas", "error", "cause", "path")
	e := Expect{Status: p.text(n, "status"), Cause: p.text(n, "cause"), Output: doc(n.Get("output")), OutputHas: doc(n.Get("outputHas"))}
	if n.Get("error") != nil {
		name := p.text(n, "error")
		e.Error = &name
	}
	if e.Status == "" {
		e.Status = "SUCCEEDED"
		if e.Error != nil || e.Cause != "" {
			e.Status = "FAILED"
		}
	}
	if !slices.Contains(statuses, e.Status) {
		p.fail(n.Get("status"), "status must be one of %s", strings.Join(statuses, ", "))
	}
	if e.Output != nil && e.OutputHas != nil {
		p.fail(n, "output is everything and outputHas a part of it: one of them is needed")
	}
	for _, item := range p.list(n, "path") {
		state, ok := item.Text()
		if !ok {
			p.fail(item, "the name of a state is needed")
		}
		e.Path = append(e.Path, state)
	}
	return e
}

func text(n *cfn.Node) []byte { return value.Append(nil, n.Plain()) }

func doc(n *cfn.Node) *value.Doc {
	if n == nil {
		return nil
	}
	return value.Text(text(n))
}

// mocks reads the mocks by state.
func (p *parser) mocks(n *cfn.Node) map[string]*mocks.Mock {
	all := map[string]*mocks.Mock{}
	switch {
	case n == nil:
	case n.Kind != cfn.Map:
		p.fail(n, "mocks by the names of states are needed")
	default:
		for _, f := range n.Fields {
			all[f.Name] = p.mock(f.Value)
		}
	}
	return all
}

// mock reads one response for every attempt, a list of responses by attempt, or a list of those by arguments.
func (p *parser) mock(n *cfn.Node) *mocks.Mock {
	m := &mocks.Mock{}
	if n.Kind != cfn.List {
		r := p.response(n)
		r.Last = math.MaxInt
		m.Attempts = []mocks.Response{r}
		return m
	}
	if len(n.Items) == 0 {
		p.fail(n, "a response is needed")
	}
	next := 0
	for _, item := range n.Items {
		if item.Get("when") != nil {
			m.Arms = append(m.Arms, p.arm(item))
			continue
		}
		r := p.response(item, "times")
		r.First, r.Last = next, next+p.times(item)-1
		next = r.Last + 1
		m.Attempts = append(m.Attempts, r)
	}
	if len(m.Arms) > 0 && len(m.Attempts) > 0 {
		p.fail(n, "either all responses have when, or none")
	}
	return m
}

func (p *parser) times(n *cfn.Node) int {
	t := n.Get("times")
	if t == nil {
		return 1
	}
	digits, _ := t.Value.(value.Number)
	times, ok := digits.Int64()
	if !ok || times < 1 {
		p.fail(t, "times must be a whole number from 1")
		return 1
	}
	return int(times)
}

// arm reads a response, or those of the retries, to tasks with certain arguments.
func (p *parser) arm(n *cfn.Node) mocks.Arm {
	a := mocks.Arm{When: n.Get("when").Plain()}
	then := n.Get("then")
	if then == nil {
		a.Retries = []mocks.Response{p.response(n, "when")}
		return a
	}
	p.members(n, "when", "then")
	for _, item := range p.list(n, "then") {
		a.Retries = append(a.Retries, p.response(item))
	}
	if len(a.Retries) == 0 {
		p.fail(then, "a response is needed")
	}
	return a
}

func (p *parser) response(n *cfn.Node, besides ...string) (r mocks.Response) {
	p.members(n, append([]string{"return", "throw", "never"}, besides...)...)
	result, thrown := n.Get("return"), n.Get("throw")
	if never := n.Get("never"); never != nil {
		r.Never = never.Value == true
		if !r.Never || result != nil || thrown != nil {
			p.fail(never, "never: true stands by itself")
		}
		return r
	}
	switch {
	case (result == nil) == (thrown == nil):
		p.fail(n, "return, throw or never is needed")
	case result != nil:
		r.Return = text(result)
	case thrown.Kind == cfn.Scalar:
		r.Error, _ = thrown.Text()
	default:
		p.members(thrown, "error", "cause")
		r.Error = p.text(thrown, "error")
		if thrown.Get("cause") != nil {
			cause := p.text(thrown, "cause")
			r.Cause = &cause
		}
	}
	if thrown != nil && r.Error == "" {
		p.fail(thrown, "the name of an error is needed")
	}
	return r
}

// Check lists the states of the suite that its machine does not have, or that have no task to be mocked.
func (s *Suite) Check(d *asl.Definition) []string {
	states := map[string]*asl.State{}
	for _, st := range d.States {
		states[st.Name] = st
	}
	var bad []string
	for _, c := range s.Cases {
		at := fmt.Sprintf("%s:%d: case %q", s.File, c.Line, c.Name)
		var named []string
		for name := range c.Mocks.States {
			named = append(named, name)
		}
		for name := range c.Mocks.Real {
			named = append(named, name)
		}
		slices.Sort(named)
		for _, name := range named {
			switch st := states[name]; {
			case st == nil:
				bad = append(bad, fmt.Sprintf("%s: the state machine has no state %q", at, name))
			case st.Type != asl.Task && (st.Map == nil || !st.Map.Distributed):
				bad = append(bad, fmt.Sprintf("%s: %q is a %s; Task states and distributed Maps can be mocked", at, name, st.Type))
			}
		}
		for _, name := range c.Expect.Path {
			if st := states[name]; st == nil || st.Scope.Owner != nil {
				bad = append(bad, fmt.Sprintf("%s: the state machine's own thread has no state %q", at, name))
			}
		}
	}
	return bad
}
