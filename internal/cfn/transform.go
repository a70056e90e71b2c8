package cfn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Expansion is what a template's transforms are expanded with.
type Expansion struct {
	Macros     map[string]Macro // by name: "AWS::Serverless-2016-10-31"
	Parameters map[string]string
	Pseudo     Pseudo
	// Include reads the snippet at an AWS::Include's Location; nil refuses them.
	Include func(location string) ([]byte, error)
}

const includeName = "AWS::Include"

// Expand carries out the transforms of a template: first the includes, then the macros in the order of the Transform
// section. The result has no transform left but the language extensions, which the functions know by themselves. names
// are the transforms that were declared. The error is a Problems.
func Expand(file string, root *Node, x Expansion) (out *Node, names []string, err error) {
	e := expander{x, file, root, nil, 0}
	out = e.includes(root)
	declared := out.Get("Transform")
	if declared == nil || out.Kind != Map {
		return out, e.names(nil), e.err()
	}
	names = transformNames(declared)
	var language *Node
	for _, item := range transformItems(declared) {
		if slices.Contains(languageNames, transformNames(item)[0]) {
			language = item
			continue
		}
		out = e.transform(out, item)
	}
	kept := *out
	kept.Fields = slices.DeleteFunc(slices.Clone(out.Fields), func(f Field) bool { return f.Name == "Transform" })
	if language != nil {
		kept.Fields = append(kept.Fields, Field{"Transform", &Node{Kind: Scalar, Value: languageNames[0], Line: language.Line, Column: language.Column}, language.Line, language.Column})
	}
	return &kept, e.names(names), e.err()
}

// names adds AWS::Include to those that the section declares.
func (e *expander) names(declared []string) []string {
	if e.included > 0 && !slices.Contains(declared, includeName) {
		declared = append(declared, includeName)
	}
	return declared
}

func transformItems(n *Node) []*Node {
	if n.Kind == List {
		return n.Items
	}
	return []*Node{n}
}

func transformNames(n *Node) []string {
	var names []string
	for _, item := range transformItems(n) {
		name, ok := item.Text()
		if !ok {
			name, _ = item.Get("Name").Text()
		}
		names = append(names, name)
	}
	return names
}

type expander struct {
	Expansion
	file     string
	root     *Node
	problems Problems
	included int
}

func (e *expander) err() error {
	if len(e.problems) > 0 {
		return e.problems.sorted()
	}
	return nil
}

func (e *expander) fail(n *Node, format string, args ...any) {
	e.problems = append(e.problems, Problem{e.file, n.Line, n.Column, fmt.Sprintf(format, args...)})
}

func (e *expander) transform(root, item *Node) *Node {
	name := transformNames(item)[0]
	switch {
	case name == includeName:
		merge(root, e.include(item))
		return root
	case e.Macros[name] == nil:
		e.fail(item, "No transform named %s found. Supported: %s", name, strings.Join(e.supported(), ", "))
		return root
	case len(e.problems) > 0:
		return root
	}
	out, err := e.Macros[name](e.file, root, e.Parameters)
	var ps Problems
	switch {
	case err == nil:
	case errors.As(err, &ps):
		e.problems = append(e.problems, ps...)
	default:
		e.fail(item, "Transform %s failed with: %s", name, err)
	}
	if out == nil {
		return root
	}
	return out
}

func (e *expander) supported() []string {
	return append(append([]string{includeName}, languageNames...), slices.Sorted(maps.Keys(e.Macros))...)
}

// includes replaces every Fn::Transform of AWS::Include by the snippet that it names. Metadata is left alone.
func (e *expander) includes(n *Node) *Node {
	if n == nil || n.Kind == Scalar {
		return n
	}
	if n.Kind == Function {
		if n.Fn == "Fn::Transform" {
			if s := e.include(n.Arg); s != nil {
				return s
			}
			return n
		}
		c := *n
		c.Arg = e.includes(n.Arg)
		return &c
	}
	c := *n
	c.Items, c.Fields = nil, nil
	for _, item := range n.Items {
		c.Items = append(c.Items, e.includes(item))
	}
	var snippets []*Node
	for _, f := range n.Fields {
		if f.Name == "Fn::Transform" {
			snippets = append(snippets, e.include(f.Value))
			continue
		}
		if f.Name != "Metadata" {
			f.Value = e.includes(f.Value)
		}
		c.Fields = append(c.Fields, f)
	}
	for _, s := range snippets {
		merge(&c, s)
	}
	return &c
}

// merge adds a snippet's members to a map, member by member where both have an object.
func merge(into, from *Node) {
	if from == nil {
		return
	}
	for _, f := range from.Fields {
		if old := into.Get(f.Name); old != nil {
			if old.Kind == Map && f.Value.Kind == Map {
				merge(old, f.Value)
			}
			continue
		}
		into.Fields = append(into.Fields, f)
	}
}

// include reads a snippet: arg is {Name: AWS::Include, Parameters: {Location: ...}}.
func (e *expander) include(arg *Node) *Node {
	name, _ := arg.Get("Name").Text()
	if name != includeName {
		e.fail(arg, "No transform named %s found. Fn::Transform supports %s", name, includeName)
		return nil
	}
	location := arg.Get("Parameters").Get("Location")
	if location == nil {
		e.fail(arg, "AWS::Include needs Parameters with a Location")
		return nil
	}
	at, err := e.location(location)
	if err == nil && e.Include == nil {
		err = errors.New("there is nothing here to read it from")
	}
	var text []byte
	if err == nil {
		text, err = e.Include(at)
	}
	if err != nil {
		e.fail(location, "Transform AWS::Include failed with: %s", err)
		return nil
	}
	snippet, err := ParseNode(at[strings.LastIndexByte(at, '/')+1:], text)
	if err != nil {
		var ps Problems
		errors.As(err, &ps)
		e.problems = append(e.problems, ps...)
		return nil
	}
	e.included++
	return snippet
}

func (e *expander) location(n *Node) (string, error) {
	s := &Scope{Account: e.Pseudo.AccountID, Region: e.Pseudo.Region, StackName: e.Pseudo.StackName, StackID: e.Pseudo.StackID, Parameters: e.values()}
	v, err := s.Resolve(n)
	return textOf(v), err
}

// values are the parameters' values: those given, and the text of the defaults.
func (e *expander) values() map[string]value.Value {
	out := map[string]value.Value{}
	if ps := e.root.Get("Parameters"); ps != nil {
		for _, f := range ps.Fields {
			if d := f.Value.Get("Default"); d != nil {
				out[f.Name] = textOf(d.Value)
			}
		}
	}
	for k, v := range e.Parameters {
		out[k] = v
	}
	return out
}
