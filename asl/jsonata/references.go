package jsonata

import "slices"

// References are what an expression reads of the world around it, for checks before anything runs: each name once, in the
// order of writing.
//
// A field of $states counts where a path starts with $states and goes on with a name ($states.input.a gives "input");
// anything else that reads $states (alone, ($states).result, $states.*) gives "". As AWS looks at it, a name or $ is
// read from the context where nothing before it gives another one: as the first step of a path, inside operators,
// arguments, constructors, blocks and the bodies of functions, but not in later steps, predicates, order-by terms,
// groupings and transforms. $$ counts wherever it stands.
//
// AWS refuses a definition for these with UNSUPPORTED_JSONATA_EXPRESSION and one of: "Reference to 'phone' at the top level
// is not supported." (for each name of Context, $ among them), "Reference to '$$' is not supported.", "Field
// '$states.errorOutput' does not exist." It refuses what does not parse with INVALID_JSONATA_EXPRESSION and the message of
// Compile's error without its code. It accepts variables that nothing assigns.
type References struct {
	Variables []string // without their $; neither $states, nor what the expression binds itself, nor built-in functions
	States    []string // fields of $states, "" for the whole of it
	Context   []string // names read from the context, which an expression of AWS has not; "$" is the context itself
	Root      bool     // reads $$
}

// References finds what the expression reads.
func (x *Expr) References() References {
	var f referenceFinder
	f.walk(x.root, &names{}, true)
	return f.found
}

// names are the variables that are bound in a scope.
type names struct {
	outer *names
	bound []string
}

func (n *names) has(name string) bool {
	for ; n != nil; n = n.outer {
		if slices.Contains(n.bound, name) {
			return true
		}
	}
	return false
}

type referenceFinder struct{ found References }

func once(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// walk visits an expression; atTop says that its context is the one the program has been given.
func (f *referenceFinder) walk(x expr, scope *names, atTop bool) {
	switch x := x.(type) {
	case *variable:
		f.variable(x.name, "", scope, atTop)
	case *field:
		if atTop {
			f.found.Context = once(f.found.Context, x.name)
		}
	case *negation:
		f.walk(x.of, scope, atTop)
	case *operation:
		f.walkAll(scope, atTop, x.left, x.right)
	case *array:
		f.walkAll(scope, atTop, x.items...)
	case *object:
		f.pairs(x.pairs, scope, atTop)
	case *block:
		f.walkAll(&names{outer: scope}, atTop, x.body...)
	case *conditional:
		f.walkAll(scope, atTop, x.test, x.yes, x.no)
	case *binding:
		if _, ok := x.value.(*lambda); ok { // it may call itself
			scope.bound = append(scope.bound, x.name)
		}
		f.walk(x.value, scope, atTop)
		scope.bound = append(scope.bound, x.name)
	case *call:
		f.walk(x.proc, scope, atTop)
		f.walkAll(scope, atTop, x.args...)
	case *partial:
		f.walk(x.proc, scope, atTop)
		f.walkAll(scope, atTop, x.args...)
	case *lambda:
		f.walk(x.body, &names{outer: scope, bound: slices.Clone(x.params)}, atTop)
	case *transform:
		f.walkAll(scope, false, x.pattern, x.update, x.remove)
	case *chain:
		f.walkAll(scope, atTop, x.left, x.right)
	case *path:
		f.path(x, scope, atTop)
	case *refined:
		f.walk(x.of, scope, atTop)
		f.walkAll(scope, false, x.predicates...)
		f.group(x.group, scope)
	}
}

func (f *referenceFinder) walkAll(scope *names, atTop bool, list ...expr) {
	for _, x := range list {
		f.walk(x, scope, atTop)
	}
}

func (f *referenceFinder) pairs(pairs []pair, scope *names, atTop bool) {
	for _, p := range pairs {
		f.walkAll(scope, atTop, p.key, p.value)
	}
}

func (f *referenceFinder) group(g *grouping, scope *names) {
	if g != nil {
		f.pairs(g.pairs, scope, false)
	}
}

// path visits a path's steps; what they bind can be read by the steps after them.
func (f *referenceFinder) path(p *path, scope *names, atTop bool) {
	scope = &names{outer: scope}
	for i, s := range p.steps {
		if v, ok := bare(s.of).(*variable); ok && i == 0 {
			f.variable(v.name, p.secondName(), scope, atTop)
			if r, ok := s.of.(*refined); ok {
				f.walkAll(scope, false, r.predicates...)
				f.group(r.group, scope)
			}
		} else {
			f.walk(s.of, scope, atTop && i == 0)
		}
		for _, t := range s.order {
			f.walk(t.of, scope, false)
		}
		f.group(s.group, scope)
		scope.bound = append(scope.bound, s.focus, s.index)
		for _, stage := range s.stages {
			f.walk(stage.filter, scope, false)
			scope.bound = append(scope.bound, stage.index)
		}
	}
	f.group(p.group, scope)
}

// secondName is the name that the second step of a path is, if it is one.
func (p *path) secondName() string {
	if len(p.steps) > 1 {
		if f, ok := p.steps[1].of.(*field); ok {
			return f.name
		}
	}
	return ""
}

func (f *referenceFinder) variable(name, field string, scope *names, atTop bool) {
	switch {
	case name == "":
		if atTop {
			f.found.Context = once(f.found.Context, "$")
		}
	case name == "$":
		f.found.Root = true
	case scope.has(name):
	case name == "states":
		f.found.States = once(f.found.States, field)
	case builtins[name] == nil:
		f.found.Variables = once(f.found.Variables, name)
	}
}
