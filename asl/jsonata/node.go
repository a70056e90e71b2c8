package jsonata

import "regexp"

type kind uint8

// The kinds of nodes. The parser makes those up to kindEnd; the second pass (resolve.go) replaces some of them by the
// others.
const (
	kindName kind = iota
	kindVariable
	kindOperator
	kindString
	kindNumber
	kindValue
	kindRegex
	kindWildcard
	kindDescendant
	kindParent
	kindBinary
	kindUnary
	kindArray
	kindObject
	kindFunction
	kindPartial
	kindLambda
	kindBlock
	kindCondition
	kindTransform
	kindEnd
	kindPath
	kindBind
	kindApply
	kindSort
)

var kindNames = [...]string{"name", "variable", "operator", "string", "number", "value", "regex", "wildcard", "descendant", "parent",
	"binary", "unary", "unary", "unary", "function", "partial", "lambda", "block", "condition", "transform", "(end)", "path", "bind", "apply", "sort"}

// node is a node of the syntax tree. It does not change after Compile.
type node struct {
	kind  kind
	pos   int
	text  string         // name, variable, operator or literal as written
	value any            // literal
	regex *regexp.Regexp // kindRegex

	lhs, rhs  *node // operands; condition and pattern are lhs
	otherwise *node // else branch; delete clause
	body      *node // body of a lambda
	proc      *node // what is invoked
	list      []*node
	pairs     []pair
	terms     []term
	sig       *signature
	thunk     bool // a tail call

	stages        []stage // filters and index bindings of a step
	predicates    []stage // filters of what is not a step
	group         *group
	keepArray     bool // [] follows
	keepSingleton bool // a path with a step that [] follows
	cons          bool // array constructor that is first or last in a path: not flattened
	tuple         bool // the step makes tuples
	focus, index  string
	ancestor      *slot // of a step: where % of a later step looks
	slot          *slot // of kindParent
	seeking       []*slot
}

type pair struct{ key, value *node }

type term struct {
	expr       *node
	descending bool
}

// stage is a filter, or the binding of an index when expr is nil.
type stage struct {
	expr  *node
	index string
}

type group struct {
	pairs []pair
	pos   int
}

// slot is the variable in which a step leaves the parent of its result for a % that is level steps away.
type slot struct {
	label string
	level int
}
