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

// walk visits a node; atTop says that its context is the one the expression has been given.
func (f *referenceFinder) walk(n *node, scope *names, atTop bool) {
	if n == nil {
		return
	}
	switch n.kind {
	case kindPath:
		f.path(n, scope, atTop)
		return
	case kindName:
		if atTop {
			f.found.Context = once(f.found.Context, n.text)
		}
	case kindVariable:
		f.variable(n.text, "", scope, atTop)
	case kindBlock:
		scope = &names{outer: scope}
	case kindBind:
		if n.rhs.kind == kindLambda { // it may call itself
			scope.bound = append(scope.bound, n.lhs.text)
		}
		f.walk(n.rhs, scope, atTop)
		scope.bound = append(scope.bound, n.lhs.text)
		return
	case kindLambda:
		scope = &names{outer: scope}
		for _, p := range n.list {
			scope.bound = append(scope.bound, p.text)
		}
		f.walk(n.body, scope, atTop)
		return
	case kindTransform:
		atTop = false
	}
	f.walk(n.proc, scope, atTop)
	f.walk(n.lhs, scope, atTop)
	f.walk(n.rhs, scope, atTop)
	f.walk(n.otherwise, scope, atTop)
	for _, part := range n.list {
		f.walk(part, scope, atTop)
	}
	f.pairs(n.pairs, scope, atTop)
	f.filters(n, scope)
}

func (f *referenceFinder) pairs(pairs []pair, scope *names, atTop bool) {
	for _, p := range pairs {
		f.walk(p.key, scope, atTop)
		f.walk(p.value, scope, atTop)
	}
}

// path visits a path's steps; what they bind can be read by the steps after them.
func (f *referenceFinder) path(n *node, scope *names, atTop bool) {
	scope = &names{outer: scope}
	for i, step := range n.list {
		if step.kind == kindSort {
			for _, t := range step.terms {
				f.walk(t.expr, scope, false)
			}
			f.filters(step, scope)
			continue
		}
		if i == 0 && step.kind == kindVariable {
			field := ""
			if len(n.list) > 1 && n.list[1].kind == kindName {
				field = n.list[1].text
			}
			f.variable(step.text, field, scope, atTop)
			f.filters(step, scope)
		} else {
			f.walk(step, scope, atTop && i == 0)
		}
		for _, name := range []string{step.focus, step.index} {
			if name != "" {
				scope.bound = append(scope.bound, name)
			}
		}
	}
	if n.group != nil {
		f.pairs(n.group.pairs, scope, false)
	}
}

// filters visits a step's predicates and grouping.
func (f *referenceFinder) filters(n *node, scope *names) {
	for _, stages := range [][]stage{n.predicates, n.stages} {
		for _, s := range stages {
			if s.expr != nil {
				f.walk(s.expr, scope, false)
			} else {
				scope.bound = append(scope.bound, s.index)
			}
		}
	}
	if n.group != nil && n.kind != kindPath {
		f.pairs(n.group.pairs, scope, false)
	}
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
