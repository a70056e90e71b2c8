// Package pattern is the language of EventBridge's event patterns and of SNS's filter policies: which JSON documents a
// pattern matches. It is pure.
//
// A pattern mirrors the document. A member whose pattern is an object goes into the member of that name, one whose pattern
// is a list matches if one of the list's rules matches one of the values there; a document's arrays stand for their
// elements at any depth. All members of a pattern must match, with those of one array of objects in the same element.
// Numbers are compared by value, text exactly.
package pattern

import (
	"github.com/newel-run/newel/asl/value"
)

// Pattern is a compiled pattern; it may be used by many goroutines.
type Pattern struct{ root *node }

// node is an object of a pattern.
type node struct {
	fields []field
	either [][]*node // each $or: one of its nodes must match
}

// field is a member of a pattern's object: either rules or an object.
type field struct {
	name  string
	rules []rule
	under *node
}

// rule is one element of a list. It says whether a value matches; absent rules match where there is no value.
type rule struct {
	match  func(v value.Value) bool
	absent bool
}

// Match reports whether a document matches.
func (p *Pattern) Match(doc value.Value) bool { return p.root.match(doc) }

// May reports whether a document could match of which only these top-level members are known; it is never wrong about a
// document that matches.
func (p *Pattern) May(known map[string]value.Value) bool { return p.root.may(known) }

func (n *node) may(known map[string]value.Value) bool {
	for i := range n.fields {
		if v, ok := known[n.fields[i].name]; ok && !n.fields[i].match(v, true) {
			return false
		}
	}
	for _, alternatives := range n.either {
		some := false
		for _, a := range alternatives {
			some = some || a.may(known)
		}
		if !some {
			return false
		}
	}
	return true
}

func (n *node) match(v value.Value) bool {
	switch v := v.(type) {
	case *value.Object:
		return n.matchObject(v)
	case value.Array:
		for _, element := range v {
			if n.match(element) {
				return true
			}
		}
		return len(v) == 0 && n.matchObject(nil)
	}
	return n.matchObject(nil)
}

// matchObject matches the members of an object; nil has none.
func (n *node) matchObject(o *value.Object) bool {
	for i := range n.fields {
		var v value.Value
		there := false
		if o != nil {
			v, there = o.Get(n.fields[i].name)
		}
		if !n.fields[i].match(v, there) {
			return false
		}
	}
	for _, alternatives := range n.either {
		if !matchSome(alternatives, o) {
			return false
		}
	}
	return true
}

func matchSome(alternatives []*node, o *value.Object) bool {
	for _, a := range alternatives {
		if a.matchObject(o) {
			return true
		}
	}
	return false
}

func (f *field) match(v value.Value, there bool) bool {
	if f.under != nil {
		if !there {
			return f.under.matchObject(nil)
		}
		return f.under.match(v)
	}
	found := false
	if there {
		matched := false
		found = eachLeaf(v, func(leaf value.Value) bool {
			matched = f.matchLeaf(leaf)
			return matched
		})
		if matched {
			return true
		}
	}
	if !found {
		for _, r := range f.rules {
			if r.absent {
				return true
			}
		}
	}
	return false
}

func (f *field) matchLeaf(v value.Value) bool {
	for _, r := range f.rules {
		if r.match != nil && r.match(v) {
			return true
		}
	}
	return false
}

// eachLeaf calls fn with the values that are no objects, through arrays at any depth, until it answers true; found tells
// whether there was one.
func eachLeaf(v value.Value, fn func(value.Value) (stop bool)) (found bool) {
	var walk func(v value.Value) (stop bool)
	walk = func(v value.Value) bool {
		switch v := v.(type) {
		case *value.Object:
			return false
		case value.Array:
			for _, element := range v {
				if walk(element) {
					return true
				}
			}
			return false
		}
		found = true
		return fn(v)
	}
	walk(v)
	return found
}
