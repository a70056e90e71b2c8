package sam

import (
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// Name is the transform's name in a template.
const Name = "AWS::Serverless-2016-10-31"

// Input is what the transform depends on besides the template.
type Input struct {
	File       string            // the template's name in messages
	Parameters map[string]string // values that were given; defaults are read from the template
}

// Applies says whether a template asks for the transform.
func Applies(template *cfn.Node) bool {
	t := template.Get("Transform")
	if s, ok := t.Text(); ok {
		return s == Name
	}
	return t != nil && slices.ContainsFunc(t.Items, isName)
}

func isName(n *cfn.Node) bool {
	s, _ := n.Text()
	return s == Name
}

// Transform makes a CloudFormation template of a SAM template, which it does not change. The error is of type
// cfn.Problems and holds everything that is wrong. Whether the template asks for it is the caller's affair (Applies): the
// Transform section may be gone already.
func Transform(template *cfn.Node, in Input) (*cfn.Node, error) {
	t := &transformer{in: in, root: build.Clone(template), referable: map[string]string{}}
	t.params = t.parameters()
	t.resources = t.root.Get("Resources")
	if t.resources == nil || t.resources.Kind != cfn.Map {
		t.fail(t.root, "'Resources' section is required")
		return nil, t.problems
	}
	t.globals()
	t.embedded()
	t.out = build.Of(t.resources).Object()
	for _, f := range t.resources.Fields {
		t.expand(f)
	}
	t.implicitAPI()
	for _, c := range t.connectors {
		t.connect(c)
	}
	if len(t.problems) > 0 {
		return nil, t.problems
	}
	build.Delete(t.root, "Globals")
	t.done()
	build.Set(t.root, "Resources", t.out)
	t.rewriteReferences()
	return t.root, nil
}

// transformer is the work on one template.
type transformer struct {
	in         Input
	root       *cfn.Node
	params     map[string]string
	resources  *cfn.Node // as they came
	out        *cfn.Node // as they become
	apis       map[string]*api
	connectors []cfn.Field
	referable  map[string]string // "Function.Alias" -> logical id
	problems   cfn.Problems
}

func (t *transformer) fail(at *cfn.Node, format string, args ...any) {
	p := build.Of(at)
	t.problems = append(t.problems, cfn.Problem{File: t.in.File, Line: p.Line, Column: p.Column, Message: fmt.Sprintf(format, args...)})
}

// parameters are the values of the template's parameters, as far as they are known.
func (t *transformer) parameters() map[string]string {
	values := map[string]string{}
	if ps := t.root.Get("Parameters"); ps != nil {
		for _, f := range ps.Fields {
			if s, ok := f.Value.Get("Default").Text(); ok {
				values[f.Name] = s
			}
		}
	}
	for name, v := range t.in.Parameters {
		values[name] = v
	}
	return values
}

// known is a text that may be given as a Ref to a parameter.
func (t *transformer) known(n *cfn.Node) (string, bool) {
	if s, ok := n.Text(); ok {
		return s, true
	}
	if n != nil && n.Kind == cfn.Function && n.Fn == "Ref" {
		name, _ := n.Arg.Text()
		v, ok := t.params[name]
		return v, ok
	}
	return "", false
}

// done takes the transform out of the Transform section; others stay there.
func (t *transformer) done() {
	n := t.root.Get("Transform")
	build.Delete(t.root, "Transform")
	if n == nil || n.Kind != cfn.List {
		return
	}
	rest := build.Of(n).List()
	for _, i := range n.Items {
		if !isName(i) {
			rest.Items = append(rest.Items, i)
		}
	}
	if len(rest.Items) > 0 {
		build.Set(t.root, "Transform", rest)
	}
}

// unsupported are SAM's types that are not expanded.
var unsupported = []string{"HttpApi", "Application", "LayerVersion", "GraphQLApi", "CapacityProvider", "WebSocketApi"}

// supported are the types that are.
var supported = []string{"Api", "Connector", "Function", "SimpleTable", "StateMachine"}

func (t *transformer) expand(f cfn.Field) {
	kind, _ := f.Value.Get("Type").Text()
	short, ours := strings.CutPrefix(kind, "AWS::Serverless::")
	if !ours {
		t.put(f.Name, f.Value)
		return
	}
	i := &item{t: t, id: f.Name, node: f.Value, at: build.OfField(f), props: f.Value.Get("Properties")}
	if i.props == nil {
		i.props = i.at.Object()
	}
	if i.props.Kind != cfn.Map {
		i.fail(i.props, "Properties must be an object")
		return
	}
	switch short {
	case "Function":
		i.function()
	case "StateMachine":
		i.machine()
	case "SimpleTable":
		i.table()
	case "Api":
		i.api()
	case "Connector":
		t.connectors = append(t.connectors, f)
	default:
		what := "is not known"
		if slices.Contains(unsupported, short) {
			what = "is not supported"
		}
		i.fail(f.Value, "type %s %s; supported are AWS::Serverless::{%s} and CloudFormation's types", kind, what, strings.Join(supported, ", "))
	}
}

// put adds a resource to the result. A bucket to which an event has added something is there already.
func (t *transformer) put(id string, resource *cfn.Node) {
	if old := t.out.Get(id); old != nil && old != resource {
		t.fail(resource, "resource %s is there already: the transform makes one of this name", id)
		return
	}
	build.Set(t.out, id, resource)
}

// rewriteReferences lets Ref, Fn::GetAtt and Fn::Sub name what an expanded resource has made: Function.Alias,
// Function.Version, Api.Stage, Api.Deployment.
func (t *transformer) rewriteReferences() {
	build.Walk(t.root, func(n *cfn.Node) {
		if n.Kind != cfn.Function {
			return
		}
		switch n.Fn {
		case "Ref":
			if name, ok := n.Arg.Text(); ok && t.referable[name] != "" {
				n.Arg = build.Of(n.Arg).Node(t.referable[name])
			}
		case "Fn::GetAtt":
			t.rewriteAttribute(n)
		case "Fn::Sub":
			text := n.Arg
			if text.Kind == cfn.List && len(text.Items) > 0 {
				text = text.Items[0]
			}
			if s, ok := text.Text(); ok {
				for from, to := range t.referable {
					s = strings.ReplaceAll(s, "${"+from+"}", "${"+to+"}")
				}
				text.Value = s
			}
		}
	})
}

// rewriteAttribute turns [Function, Alias.Arn], and [Function.Alias, Arn], into the generated resource's attribute.
func (t *transformer) rewriteAttribute(n *cfn.Node) {
	if n.Arg.Kind != cfn.List || len(n.Arg.Items) != 2 {
		return
	}
	id, _ := n.Arg.Items[0].Text()
	attribute, _ := n.Arg.Items[1].Text()
	parts := strings.SplitN(id+"."+attribute, ".", 3)
	if len(parts) == 3 && t.referable[parts[0]+"."+parts[1]] != "" {
		n.Arg = build.Of(n.Arg).Node([]string{t.referable[parts[0]+"."+parts[1]], parts[2]})
	}
}
