package serverless

import (
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// reader collects what is wrong with a file.
type reader struct {
	file     string
	problems cfn.Problems
}

func (r *reader) fail(at *cfn.Node, format string, args ...any) {
	p := build.Of(at)
	r.problems = append(r.problems, cfn.Problem{File: r.file, Line: p.Line, Column: p.Column, Message: fmt.Sprintf(format, args...)})
}

// members reports each member that is not among the known ones; ok says that n is a map.
func (r *reader) members(n *cfn.Node, what string, names ...string) (ok bool) {
	if n == nil || n.Kind != cfn.Map {
		r.fail(n, "%s must be an object", what)
		return false
	}
	for _, f := range n.Fields {
		if !slices.Contains(names, f.Name) {
			r.fail(f.Value, "%s: %q is not supported; supported: %s", what, f.Name, strings.Join(names, ", "))
		}
	}
	return true
}

// text is a member that must be a string, "" if it is not there. Numbers are taken as they are written.
func (r *reader) text(n *cfn.Node, name string) string {
	m := n.Get(name)
	if absent(m) {
		return ""
	}
	if s, ok := plainText(m); ok {
		return s
	}
	r.fail(m, "%s must be a string", name)
	return ""
}

// yes says whether a member is true; otherwise is what counts if it is not there.
func (r *reader) yes(n *cfn.Node, name string, otherwise bool) bool {
	m := n.Get(name)
	if absent(m) {
		return otherwise
	}
	b, ok := m.Value.(bool)
	if m.Kind != cfn.Scalar || !ok {
		r.fail(m, "%s must be true or false", name)
	}
	return b
}

// items are a member that must be a list.
func (r *reader) items(n *cfn.Node, name string) []*cfn.Node {
	m := n.Get(name)
	if absent(m) {
		return nil
	}
	if m.Kind != cfn.List {
		r.fail(m, "%s must be a list", name)
	}
	return m.Items
}

func (r *reader) texts(n *cfn.Node, name string) []string {
	var out []string
	for _, i := range r.items(n, name) {
		s, ok := i.Text()
		if !ok {
			r.fail(i, "%s must be a list of strings", name)
		}
		out = append(out, s)
	}
	return out
}

// absent says that a node is not there or null.
func absent(n *cfn.Node) bool {
	return n == nil || n.Kind == cfn.Scalar && n.Value == nil
}

// present is the node, or nil if it is null.
func present(n *cfn.Node) *cfn.Node {
	if absent(n) {
		return nil
	}
	return n
}

// first is the first node that is there.
func first(nodes ...*cfn.Node) *cfn.Node {
	for _, n := range nodes {
		if !absent(n) {
			return n
		}
	}
	return nil
}

// single is a map's only member: an event's kind and what is said of it.
func single(n *cfn.Node) (cfn.Field, bool) {
	if n == nil || n.Kind != cfn.Map || len(n.Fields) != 1 {
		return cfn.Field{}, false
	}
	return n.Fields[0], true
}

// mergeDeep adds from to into: maps member by member, everything else is replaced.
func mergeDeep(into, from *cfn.Node) *cfn.Node {
	if into == nil || into.Kind != cfn.Map || from.Kind != cfn.Map {
		return from
	}
	for _, f := range from.Fields {
		build.Set(into, f.Name, mergeDeep(into.Get(f.Name), f.Value))
	}
	return into
}
