// Package demo reads a demo's plan, demo.yaml: which executions to start and what they and the services must show
// afterwards. It is pure; the command carries the plan out.
//
//	about: what the demo shows
//	executions:
//	  - name: valid                 # name of the execution
//	    about: what is special about it
//	    machine: Orders             # logical id of the state machine; may be left out if there is one only
//	    input: {...}
//	    before:                     # calls before it starts
//	      - {about: what for, call: s3:PutObject, input: {...}, body: "what is in it"}
//	    meanwhile:                  # calls while it runs, one after the other
//	      - {call: states:GetActivityTask, input: {...}, select: $.taskToken, as: token}   # !Ref token from here on
//	    expect:
//	      status: SUCCEEDED
//	      states: [A, B]            # in order, of the machine's own thread
//	      error: ValueError         # of one that fails
//	      output: {...}             # optional
//	checks:                         # AWS calls after the last execution
//	  - about: what is checked
//	    call: sqs:ReceiveMessage
//	    input: {QueueUrl: !Ref Queue}
//	    select: $.Messages[*].Body  # JSONPath into the answer; the whole answer if it is left out
//	    equals: [...]               # exactly this value, or
//	    items: [...]                # a list of these, in any order
//
// Inputs and expected values may use !Ref, !Sub and !Join with the resources and the outputs of the stack. A check waits a few
// seconds for what goes on after the executions: deliveries, mails.
package demo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/cfn"
)

// Plan is a demo.
type Plan struct {
	About      string
	Executions []Execution
	Checks     []Check
}

// Execution is one execution of the plan.
type Execution struct {
	Name, About, Machine string
	Input                *cfn.Node
	Status               string
	States               []string
	Error                string
	Output               *cfn.Node
	Before, Meanwhile    []Call
}

// Call is an AWS call whose answer need not be anything in particular; what Select finds in it may be named by As.
type Call struct {
	About, Service, Operation string
	Input                     *cfn.Node
	Body                      []byte
	Select                    *jsonpath.Path
	As                        string
}

// Check is one AWS call and what its answer must be.
type Check struct {
	About              string
	Service, Operation string
	Input              *cfn.Node
	Select             *jsonpath.Path
	Equals, Items      *cfn.Node
}

// Parse reads a plan.
func Parse(file string, text []byte) (*Plan, error) {
	root, err := cfn.ParseNode(file, text)
	if err != nil {
		return nil, err
	}
	r := reader{file: file}
	p := &Plan{}
	r.members(root, "about", "executions", "checks")
	p.About = r.text(root, "about")
	for _, n := range r.list(root, "executions") {
		p.Executions = append(p.Executions, r.execution(n))
	}
	for _, n := range r.list(root, "checks") {
		p.Checks = append(p.Checks, r.check(n))
	}
	if len(p.Executions) == 0 {
		r.fail(root, "a demo needs executions")
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return p, nil
}

type reader struct {
	file     string
	problems cfn.Problems
}

func (r *reader) fail(n *cfn.Node, format string, args ...any) {
	r.problems = append(r.problems, cfn.Problem{File: r.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) members(n *cfn.Node, names ...string) {
	if n.Kind != cfn.Map {
		r.fail(n, "an object is needed here")
	}
	for _, f := range n.Fields {
		if !slices.Contains(names, f.Name) {
			r.problems = append(r.problems, cfn.Problem{File: r.file, Line: f.Line, Column: f.Column,
				Message: fmt.Sprintf("%q is not known here; there are %s", f.Name, strings.Join(names, ", "))})
		}
	}
}

func (r *reader) text(n *cfn.Node, name string) string {
	m := n.Get(name)
	if m == nil {
		return ""
	}
	s, ok := m.Text()
	if !ok {
		r.fail(m, "%s must be a string", name)
	}
	return strings.TrimSpace(s)
}

func (r *reader) list(n *cfn.Node, name string) []*cfn.Node {
	m := n.Get(name)
	if m == nil {
		return nil
	}
	if m.Kind != cfn.List {
		r.fail(m, "%s must be a list", name)
	}
	return m.Items
}

var statuses = []string{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}

func (r *reader) execution(n *cfn.Node) Execution {
	r.members(n, "name", "about", "machine", "input", "expect", "before", "meanwhile")
	e := Execution{Name: r.text(n, "name"), About: r.text(n, "about"), Machine: r.text(n, "machine"), Input: n.Get("input")}
	if e.Name == "" || e.Input == nil {
		r.fail(n, "an execution needs a name and an input")
	}
	for _, c := range r.list(n, "before") {
		e.Before = append(e.Before, r.call(c))
	}
	for _, c := range r.list(n, "meanwhile") {
		e.Meanwhile = append(e.Meanwhile, r.call(c))
	}
	x := n.Get("expect")
	if x == nil {
		r.fail(n, "an execution needs expect")
		return e
	}
	r.members(x, "status", "states", "error", "output")
	e.Status, e.Error, e.Output = r.text(x, "status"), r.text(x, "error"), x.Get("output")
	if !slices.Contains(statuses, e.Status) {
		r.fail(x, "status must be one of %s", strings.Join(statuses, ", "))
	}
	for _, s := range r.list(x, "states") {
		name, _ := s.Text()
		e.States = append(e.States, name)
	}
	return e
}

// mailService is the server's own service for the mails that it keeps; AWS has no model of it.
const mailService = "newel-mail"

func (r *reader) check(n *cfn.Node) Check {
	r.members(n, "about", "call", "input", "select", "equals", "items")
	c := Check{About: r.text(n, "about"), Input: n.Get("input"), Equals: n.Get("equals"), Items: n.Get("items")}
	c.Service, c.Operation = r.operation(n)
	if (c.Equals == nil) == (c.Items == nil) {
		r.fail(n, "a check needs one of equals and items")
	}
	c.Select = r.path(n)
	return c
}

func (r *reader) call(n *cfn.Node) Call {
	r.members(n, "about", "call", "input", "body", "select", "as")
	c := Call{About: r.text(n, "about"), Input: n.Get("input"), Body: []byte(r.text(n, "body")), Select: r.path(n), As: r.text(n, "as")}
	c.Service, c.Operation = r.operation(n)
	return c
}

// operation reads call: SERVICE:Operation.
func (r *reader) operation(n *cfn.Node) (service, operation string) {
	service, operation, ok := strings.Cut(r.text(n, "call"), ":")
	if model, known := aws.Model(service); !ok || service != mailService && (!known || model.Operations[operation] == nil) {
		r.fail(n, "call must name an operation: SERVICE:Operation, for example sqs:ReceiveMessage")
	}
	return service, operation
}

// path reads select; nil if it is not there.
func (r *reader) path(n *cfn.Node) *jsonpath.Path {
	s := r.text(n, "select")
	if s == "" {
		return nil
	}
	p, err := jsonpath.Parse(s)
	if err != nil {
		r.fail(n.Get("select"), "select: %s", err)
	}
	return p
}

// Outcome is what an execution has led to.
type Outcome struct {
	Status string
	States []string
	Error  string
	Output string
}

// Compare lists how an outcome differs from what the plan expects; want is the expected output, nil if any will do.
func (e *Execution) Compare(got Outcome, want value.Value) []string {
	var diffs []string
	differ := func(what, want, got string) {
		if want != got {
			diffs = append(diffs, fmt.Sprintf("%s: expected %s, got %s", what, orNone(want), orNone(got)))
		}
	}
	differ("status", e.Status, got.Status)
	if e.States != nil {
		differ("states", strings.Join(e.States, " > "), strings.Join(got.States, " > "))
	}
	if e.Error != "" {
		differ("error", e.Error, got.Error)
	}
	if e.Output != nil {
		v, err := value.Parse([]byte(got.Output))
		if err != nil || canonical(v) != canonical(want) {
			differ("output", canonical(want), got.Output)
		}
	}
	return diffs
}

// Compare says how an answer differs from what the plan expects, "" if it does not; want is the resolved Equals or Items.
func (c *Check) Compare(answer, want value.Value) string {
	got := answer
	if c.Select != nil {
		v, err := c.Select.Get(answer)
		if err != nil {
			if c.Items == nil {
				return err.Error()
			}
			v = value.Array{}
		}
		got = v
	}
	if c.Items != nil {
		got, want = sorted(got), sorted(want)
	}
	if canonical(got) == canonical(want) {
		return ""
	}
	return fmt.Sprintf("expected %s, got %s", canonical(want), canonical(got))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// sorted is a list with its elements in the order of their text.
func sorted(v value.Value) value.Value {
	list, ok := v.(value.Array)
	if !ok {
		return v
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b value.Value) int { return strings.Compare(canonical(a), canonical(b)) })
	return list
}

// canonical is a value's text with the members of objects in alphabetical order.
func canonical(v value.Value) string { return string(value.Append(nil, ordered(v))) }

func ordered(v value.Value) value.Value {
	switch v := v.(type) {
	case value.Array:
		out := make(value.Array, len(v))
		for i, e := range v {
			out[i] = ordered(e)
		}
		return out
	case *value.Object:
		names := make([]string, 0, v.Len())
		for k := range v.All() {
			names = append(names, k)
		}
		slices.Sort(names)
		o := value.NewObject()
		for _, k := range names {
			e, _ := v.Get(k)
			o.Set(k, ordered(e))
		}
		return o
	}
	return v
}
