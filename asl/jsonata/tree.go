package jsonata

import (
	"regexp"

	"github.com/newel-run/newel/asl/value"
)

// expr is a node of the tree: one of the pointers to the types below. Nothing changes a tree after Compile.
type expr any

// at is where a node stands in the text: bytes, after the token that makes it.
type at int

type (
	literal struct {
		at
		value any // string, bool, nil or value.Number
	}
	variable struct {
		at
		name string // without the $: empty for the context, "$" for the input
	}
	field struct { // selects a member; only as a step of a path
		at
		name string
	}
	wildcard    struct{ at }
	descendants struct{ at }
	parent      struct {
		at
		slot *slot
	}
	pattern struct {
		at
		regex *regexp.Regexp
		cost  int // instructions that a character of the text may take
	}
	negation struct {
		at
		of expr
	}
	operation struct {
		at
		op          string
		left, right expr
	}
	array struct {
		at
		items []expr
		fixed bool // a step of a path: its result is one item of the path's, not several
	}
	object struct {
		at
		pairs []pair
	}
	block struct {
		at
		body  []expr
		fixed bool // as the first step of a path it is evaluated once, not for every item of the context
		binds bool // something in it binds a variable
	}
	conditional struct {
		at
		test, yes, no expr // no may be nil
	}
	binding struct { // $name := value
		at
		name  string
		value expr
	}
	call struct {
		at
		proc expr
		args []expr
		tail bool // the last thing that a function does: made after the function has returned
	}
	partial struct {
		at
		proc expr
		args []expr // nil for a question mark
	}
	lambda struct {
		at
		params []string
		sig    *signature
		body   expr
	}
	transform struct { // |pattern|update, remove|
		at
		pattern, update, remove expr // remove may be nil
	}
	chain struct { // left ~> right
		at
		left, right expr
	}
	path struct {
		at
		steps  []*step
		group  *grouping
		array  bool // a step has []: the result is an array even of one item
		keep   bool // the path has []
		stream bool // the items keep their variables for a path around this one
	}
	refined struct { // what follows an expression that is no path
		of         expr
		predicates []expr
		group      *grouping
		keep       bool   // []
		focus      string // @$focus, for the path whose first step this becomes
		stream     bool   // the items carry variables, so that a predicate finds the parent of one
	}
)

// step is a step of a path.
type step struct {
	at
	of    expr   // nil for an order-by clause
	order []term // of an order-by clause

	stages []stage   // what follows the step, in this order
	group  *grouping // of the step's own result
	keep   bool      // [] follows
	focus  string    // @$focus: the variable that the items go to, while the context stays
	index  string    // #$index
	label  *slot     // where to leave the context that an item comes from, for a % in a later step
	stream bool      // items carry variables from this step on
	simple bool      // nothing but a name
}

// stage is a predicate, or the binding of an index when filter is nil.
type stage struct {
	filter expr
	index  string
}

type pair struct{ key, value expr }

type grouping struct {
	at
	pairs []pair
}

type term struct {
	of         expr
	descending bool
}

// slot is the hidden variable of a step whose context some % reads.
type slot struct{ name string }

// position is where a node stands.
func position(x expr) at {
	switch x := x.(type) {
	case *literal:
		return x.at
	case *variable:
		return x.at
	case *field:
		return x.at
	case *wildcard:
		return x.at
	case *descendants:
		return x.at
	case *parent:
		return x.at
	case *pattern:
		return x.at
	case *negation:
		return x.at
	case *operation:
		return x.at
	case *array:
		return x.at
	case *object:
		return x.at
	case *block:
		return x.at
	case *conditional:
		return x.at
	case *binding:
		return x.at
	case *call:
		return x.at
	case *partial:
		return x.at
	case *lambda:
		return x.at
	case *transform:
		return x.at
	case *chain:
		return x.at
	case *path:
		return x.at
	case *refined:
		return position(x.of)
	}
	panic("jsonata: not a node")
}

// keeps says whether an expression has [].
func keeps(x expr) bool {
	switch x := x.(type) {
	case *path:
		return x.keep
	case *refined:
		return x.keep
	}
	return false
}

// bare is the expression without what follows it.
func bare(x expr) expr {
	if r, ok := x.(*refined); ok {
		return r.of
	}
	return x
}

// asNumber is a number literal.
func asNumber(x expr) (value.Number, bool) {
	if l, ok := bare(x).(*literal); ok {
		n, ok := l.value.(value.Number)
		return n, ok
	}
	return "", false
}
