// Package expr is DynamoDB's expression language: condition, filter, key condition, update and projection expressions,
// and the older parameters (Expected, AttributeUpdates, ...) turned into the same trees.
//
// An expression is parsed and checked once, before any item is read, with the placeholders of the request (Params); what
// the checks find is answered in AWS's order of precedence and wording. What comes out is immutable and is evaluated
// against items without further look-ups. Every error is an attr.Invalid.
package expr

import (
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// Op is what a Node does.
type Op uint8

// The operators. Plus, Minus and the calls if_not_exists and list_append occur in update expressions only.
const (
	OpPath Op = iota
	OpValue
	OpAnd
	OpOr
	OpNot
	OpEq
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpBetween
	OpIn
	OpCall
	OpPlus
	OpMinus
)

var opText = map[Op]string{OpEq: "=", OpNe: "<>", OpLt: "<", OpLe: "<=", OpGt: ">", OpGe: ">=", OpBetween: "BETWEEN", OpIn: "IN",
	OpAnd: "AND", OpOr: "OR", OpNot: "NOT", OpPlus: "+", OpMinus: "-"}

// Node is a node of an expression's tree.
type Node struct {
	Op     Op
	Path   Path        // OpPath
	Value  *attr.Value // OpValue; nil if the placeholder is not defined, which parsing reports
	Call   string      // OpCall: the function's name
	Args   []*Node
	parens bool // the node was written in parentheses
}

// Step is one step of a document path: a member's name or, if Name is empty, a list index.
type Step struct {
	Name  string
	Index int
}

func (s Step) isIndex() bool { return s.Name == "" }

// Path is a document path; the first step is an attribute's name.
type Path []Step

// String is the form in which AWS's errors show a path: [a, b, [0]].
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.Name
		if s.isIndex() {
			parts[i] = "[" + strconv.Itoa(s.Index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (p Path) equal(q Path) bool {
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}

// Find is the value at a path in an item, nil if there is none.
func (p Path) Find(item *attr.Map) *attr.Value {
	v := item.Get(p[0].Name)
	for _, s := range p[1:] {
		switch {
		case v == nil:
			return nil
		case s.isIndex() && v.Kind == attr.L && s.Index < len(v.List):
			v = v.List[s.Index]
		case !s.isIndex() && v.Kind == attr.M:
			v = v.Map.Get(s.Name)
		default:
			return nil
		}
	}
	return v
}

// Walk visits a tree.
func (n *Node) Walk(visit func(*Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, a := range n.Args {
		a.Walk(visit)
	}
}
