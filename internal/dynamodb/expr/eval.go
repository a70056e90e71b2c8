package expr

import (
	"strings"
	"unicode/utf16"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// Holds evaluates a condition on an item; nil stands for an item that does not exist. A nil Node always holds.
func (n *Node) Holds(item *attr.Map) bool { return n == nil || n.holds(item) }

func (n *Node) holds(item *attr.Map) bool {
	switch n.Op {
	case OpAnd:
		return n.Args[0].holds(item) && n.Args[1].holds(item)
	case OpOr:
		return n.Args[0].holds(item) || n.Args[1].holds(item)
	case OpNot:
		return !n.Args[0].holds(item)
	case OpCall:
		return n.callHolds(item)
	}
	v := n.Args[0].operand(item)
	switch n.Op {
	case OpEq:
		return attr.Equal(v, n.Args[1].operand(item))
	case OpNe:
		return !attr.Equal(v, n.Args[1].operand(item))
	case OpIn:
		for _, a := range n.Args[1:] {
			if attr.Equal(v, a.operand(item)) {
				return true
			}
		}
		return false
	case OpBetween:
		lo, okLo := attr.Compare(v, n.Args[1].operand(item))
		hi, okHi := attr.Compare(v, n.Args[2].operand(item))
		return okLo && okHi && lo >= 0 && hi <= 0
	}
	c, ok := attr.Compare(v, n.Args[1].operand(item))
	return ok && ordered(n.Op, c)
}

func ordered(op Op, c int) bool {
	switch op {
	case OpLt:
		return c < 0
	case OpLe:
		return c <= 0
	case OpGt:
		return c > 0
	case OpGe:
		return c >= 0
	}
	panic("expr: not a comparator")
}

// operand is the value of an operand of a condition, nil if there is none.
func (n *Node) operand(item *attr.Map) *attr.Value {
	switch n.Op {
	case OpValue:
		return n.Value
	case OpPath:
		return n.Path.Find(item)
	case OpCall:
		return size(n.Args[0].operand(item))
	}
	panic("expr: not an operand")
}

func (n *Node) callHolds(item *attr.Map) bool {
	v := n.Args[0].operand(item)
	switch n.Call {
	case "attribute_exists":
		return v != nil
	case "attribute_not_exists":
		return v == nil
	}
	if v == nil {
		return false
	}
	arg := n.Args[1].operand(item)
	if arg == nil {
		return false
	}
	switch n.Call {
	case "attribute_type":
		return arg.Kind == attr.S && v.Kind.String() == arg.Str
	case "begins_with":
		return v.Kind == arg.Kind && (v.Kind == attr.S || v.Kind == attr.B) && strings.HasPrefix(v.Str, arg.Str)
	case "contains":
		return contains(v, arg)
	}
	panic("expr: unknown function " + n.Call)
}

// contains: a part of a string or binary, an element of a set or of a list.
func contains(v, part *attr.Value) bool {
	switch v.Kind {
	case attr.S, attr.B:
		return part.Kind == v.Kind && strings.Contains(v.Str, part.Str)
	case attr.SS:
		return part.Kind == attr.S && v.HasElement(part.Str)
	case attr.NS:
		return part.Kind == attr.N && v.HasElement(part.Str)
	case attr.BS:
		return part.Kind == attr.B && v.HasElement(part.Str)
	case attr.L:
		for _, e := range v.List {
			if attr.Equal(e, part) {
				return true
			}
		}
	}
	return false
}

// size is the length of a string in UTF-16 code units, of a binary in bytes, or the number of elements; nil for others.
func size(v *attr.Value) *attr.Value {
	if v == nil {
		return nil
	}
	switch v.Kind {
	case attr.S:
		n := 0
		for _, r := range v.Str {
			n += max(1, utf16.RuneLen(r))
		}
		return count(n)
	case attr.B:
		return count(len(v.Str))
	case attr.SS, attr.NS, attr.BS:
		return count(len(v.Set))
	case attr.L:
		return count(len(v.List))
	case attr.M:
		return count(v.Map.Len())
	}
	return nil
}
