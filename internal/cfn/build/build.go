// Package build makes and changes template trees: what transforms (SAM, serverless.yml) write is built of cfn.Node, each
// with the place in the text of what it comes from, so that an error about a generated resource points at its origin.
package build

import (
	"strconv"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
)

// At makes nodes that lie at one place of the text.
type At struct{ Line, Column int }

// Of is the place of a node; of nil it is the start of the text.
func Of(n *cfn.Node) At {
	if n == nil {
		return At{1, 1}
	}
	return At{n.Line, n.Column}
}

// OfField is the place of a member's name.
func OfField(f cfn.Field) At { return At{f.Line, f.Column} }

// Node makes a node of a Go value: *cfn.Node as it is, string, bool, int, value.Value, []any. It panics on others.
func (a At) Node(v any) *cfn.Node {
	switch v := v.(type) {
	case *cfn.Node:
		return v
	case nil, bool, string, value.Number:
		return &cfn.Node{Kind: cfn.Scalar, Value: v, Line: a.Line, Column: a.Column}
	case int:
		return a.Node(value.Number(strconv.Itoa(v)))
	case []string:
		n := a.List()
		for _, s := range v {
			n.Items = append(n.Items, a.Node(s))
		}
		return n
	case []*cfn.Node:
		return &cfn.Node{Kind: cfn.List, Items: v, Line: a.Line, Column: a.Column}
	case value.Array:
		n := a.List()
		for _, e := range v {
			n.Items = append(n.Items, a.Node(e))
		}
		return n
	case *value.Object:
		n := a.Object()
		for k, e := range v.All() {
			n.Fields = append(n.Fields, cfn.Field{Name: k, Value: a.Node(e), Line: a.Line, Column: a.Column})
		}
		return n
	}
	panic("build: a template has no such value")
}

// Object makes a map of names and values in turn. A value that is a nil *cfn.Node leaves its member out.
func (a At) Object(members ...any) *cfn.Node {
	n := &cfn.Node{Kind: cfn.Map, Line: a.Line, Column: a.Column}
	for i := 0; i+1 < len(members); i += 2 {
		if v, ok := members[i+1].(*cfn.Node); ok && v == nil {
			continue
		}
		n.Fields = append(n.Fields, cfn.Field{Name: members[i].(string), Value: a.Node(members[i+1]), Line: a.Line, Column: a.Column})
	}
	return n
}

// List makes a list.
func (a At) List(items ...any) *cfn.Node {
	n := &cfn.Node{Kind: cfn.List, Items: []*cfn.Node{}, Line: a.Line, Column: a.Column}
	for _, i := range items {
		n.Items = append(n.Items, a.Node(i))
	}
	return n
}

// Function makes an intrinsic function.
func (a At) Function(name string, arg any) *cfn.Node {
	return &cfn.Node{Kind: cfn.Function, Fn: name, Arg: a.Node(arg), Line: a.Line, Column: a.Column}
}

// Ref makes a Ref.
func (a At) Ref(id string) *cfn.Node { return a.Function("Ref", id) }

// GetAtt makes an Fn::GetAtt.
func (a At) GetAtt(id, attribute string) *cfn.Node {
	return a.Function("Fn::GetAtt", []string{id, attribute})
}

// Sub makes an Fn::Sub; variables are names and values in turn.
func (a At) Sub(text string, variables ...any) *cfn.Node {
	if len(variables) == 0 {
		return a.Function("Fn::Sub", text)
	}
	return a.Function("Fn::Sub", a.List(text, a.Object(variables...)))
}

// Join makes an Fn::Join.
func (a At) Join(delimiter string, parts ...any) *cfn.Node {
	return a.Function("Fn::Join", a.List(delimiter, a.List(parts...)))
}

// Set adds a member to a map or replaces it. A nil value changes nothing.
func Set(n *cfn.Node, name string, v *cfn.Node) {
	if v == nil {
		return
	}
	for i := range n.Fields {
		if n.Fields[i].Name == name {
			n.Fields[i].Value = v
			return
		}
	}
	n.Fields = append(n.Fields, cfn.Field{Name: name, Value: v, Line: v.Line, Column: v.Column})
}

// Append adds to a map's list, which is made if it is not there; a single value that is there becomes the list's first.
func Append(n *cfn.Node, name string, items ...*cfn.Node) {
	list := n.Get(name)
	if list == nil || list.Kind != cfn.List {
		fresh := Of(n).List()
		if list != nil {
			fresh.Items = append(fresh.Items, list)
		}
		list = fresh
		Set(n, name, list)
	}
	list.Items = append(list.Items, items...)
}

// Delete removes a member of a map.
func Delete(n *cfn.Node, name string) {
	for i := range n.Fields {
		if n.Fields[i].Name == name {
			n.Fields = append(n.Fields[:i:i], n.Fields[i+1:]...)
			return
		}
	}
}

// Clone copies a tree.
func Clone(n *cfn.Node) *cfn.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Arg = Clone(n.Arg)
	if n.Items != nil {
		c.Items = make([]*cfn.Node, len(n.Items))
		for i, e := range n.Items {
			c.Items[i] = Clone(e)
		}
	}
	if n.Fields != nil {
		c.Fields = make([]cfn.Field, len(n.Fields))
		for i, f := range n.Fields {
			f.Value = Clone(f.Value)
			c.Fields[i] = f
		}
	}
	return &c
}

// Equal says whether two trees have the same value, wherever they stand.
func Equal(a, b *cfn.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return value.Equal(a.Plain(), b.Plain())
}

// Walk visits every node of a tree, outer ones first.
func Walk(n *cfn.Node, visit func(*cfn.Node)) {
	if n == nil {
		return
	}
	visit(n)
	Walk(n.Arg, visit)
	for _, c := range n.Items {
		Walk(c, visit)
	}
	for _, f := range n.Fields {
		Walk(f.Value, visit)
	}
}
