package jsonata

import "strconv"

const maxTree = 5000 // levels of the tree; chains of operators lean to the left

// resolver is the second pass: it flattens paths into steps with their predicates, marks tail calls, and finds the step
// whose parent each % means.
type resolver struct {
	labels int
	depth  int
}

func resolve(n *node) *node {
	n = (&resolver{}).node(n)
	if n.kind == kindParent || n.seeking != nil {
		panic(fail("S0217", n.pos, kindNames[n.kind], nil))
	}
	return n
}

func (r *resolver) node(n *node) *node {
	if r.depth++; r.depth > maxTree {
		panic(limitError(messageDepth))
	}
	result := r.replace(n)
	r.depth--
	if n.keepArray {
		result.keepArray = true
	}
	return result
}

func (r *resolver) replace(n *node) *node {
	switch n.kind {
	case kindBinary:
		return r.binary(n)
	case kindUnary:
		n.lhs = r.node(n.lhs)
		if n.lhs.kind == kindNumber {
			return negated(n.lhs)
		}
		seekToo(n, n.lhs)
	case kindArray, kindBlock:
		for i, item := range n.list {
			n.list[i] = r.node(item)
			seekToo(n, n.list[i])
			if item = n.list[i]; n.kind == kindBlock && (item.cons || item.kind == kindPath && item.list[0].cons) {
				n.cons = true
			}
		}
	case kindObject:
		r.pairs(n.pairs)
		for _, p := range n.pairs {
			seekToo(n, p.key)
			seekToo(n, p.value)
		}
	case kindFunction, kindPartial:
		for i, arg := range n.list {
			n.list[i] = r.node(arg)
			seekToo(n, n.list[i])
		}
		n.proc = r.node(n.proc)
	case kindLambda:
		n.body = tailCall(r.node(n.body))
	case kindCondition, kindTransform:
		n.lhs = r.node(n.lhs)
		n.rhs = r.node(n.rhs)
		if n.otherwise != nil {
			n.otherwise = r.node(n.otherwise)
		}
		if n.kind == kindCondition {
			seekToo(n, n.lhs)
			seekToo(n, n.rhs)
			if n.otherwise != nil {
				seekToo(n, n.otherwise)
			}
		}
	case kindName:
		return &node{kind: kindPath, list: []*node{n}, keepSingleton: n.keepArray}
	case kindParent:
		n.slot = &slot{"!" + strconv.Itoa(r.labels), 1}
		r.labels++
	case kindOperator:
		if n.text != "?" {
			n.kind = kindName
			return r.replace(n)
		}
	case kindEnd:
		panic(fail("S0207", n.pos, n.text, nil))
	}
	return n
}

func negated(n *node) *node {
	if n.text[0] == '-' {
		n.text = n.text[1:]
	} else {
		n.text = "-" + n.text
	}
	n.value = numberOf(n.text)
	return n
}

func (r *resolver) pairs(pairs []pair) {
	for i, p := range pairs {
		pairs[i] = pair{r.node(p.key), r.node(p.value)}
	}
}

func (r *resolver) binary(n *node) *node {
	switch n.text {
	case ".":
		return r.path(n)
	case "[":
		return r.predicate(n)
	case "{":
		result := r.node(n.lhs)
		if result.group != nil {
			panic(fail("S0210", n.pos, "", nil))
		}
		r.pairs(n.pairs)
		result.group = &group{n.pairs, n.pos}
		return result
	case "^":
		result := asPath(r.node(n.lhs))
		sort := &node{kind: kindSort, pos: n.pos, terms: n.terms}
		for i := range sort.terms {
			sort.terms[i].expr = r.node(sort.terms[i].expr)
			seekToo(sort, sort.terms[i].expr)
		}
		result.list = append(result.list, sort)
		resolveParents(result)
		return result
	case ":=":
		n.kind = kindBind
		n.rhs = r.node(n.rhs)
		seekToo(n, n.rhs)
		return n
	case "@", "#":
		return r.binding(n)
	}
	n.lhs, n.rhs = r.node(n.lhs), r.node(n.rhs)
	if n.text == "~>" {
		n.kind = kindApply
		n.keepArray = n.keepArray || n.lhs.keepArray || n.rhs.keepArray
		return n
	}
	seekToo(n, n.lhs)
	seekToo(n, n.rhs)
	return n
}

func asPath(n *node) *node {
	if n.kind == kindPath {
		return n
	}
	p := &node{kind: kindPath, list: []*node{n}}
	if n.kind == kindParent {
		p.seeking = []*slot{n.slot}
	}
	return p
}

func last(steps []*node) *node { return steps[len(steps)-1] }

func (r *resolver) path(n *node) *node {
	result := asPath(r.node(n.lhs))
	rest := r.node(n.rhs)
	if rest.kind == kindPath {
		result.list = append(result.list, rest.list...)
	} else {
		rest.stages, rest.predicates = append(rest.stages, rest.predicates...), nil
		result.list = append(result.list, rest)
	}
	for _, step := range result.list {
		switch step.kind {
		case kindNumber, kindValue:
			panic(fail("S0213", step.pos, step.text, detail{"value": step.value}))
		case kindString:
			step.kind = kindName
		}
		if step.keepArray {
			result.keepSingleton = true
		}
	}
	for _, step := range []*node{result.list[0], last(result.list)} {
		if step.kind == kindArray {
			step.cons = true
		}
	}
	resolveParents(result)
	return result
}

func (r *resolver) predicate(n *node) *node {
	result := r.node(n.lhs)
	step := result
	if result.kind == kindPath {
		step = last(result.list)
	}
	if step.group != nil {
		panic(fail("S0209", n.pos, "", nil))
	}
	filter := r.node(n.rhs)
	if filter.seeking != nil {
		for _, s := range filter.seeking {
			if s.level == 1 {
				seekParent(step, s)
			} else {
				s.level--
			}
		}
		seekToo(step, filter)
	}
	if result.kind == kindPath {
		step.stages = append(step.stages, stage{expr: filter})
	} else {
		step.predicates = append(step.predicates, stage{expr: filter})
	}
	return result
}

// binding resolves step@$focus and step#$index.
func (r *resolver) binding(n *node) *node {
	result := r.node(n.lhs)
	step := result
	if result.kind == kindPath {
		step = last(result.list)
	}
	if n.text == "@" {
		if step.stages != nil || step.predicates != nil {
			panic(fail("S0215", n.pos, "", nil))
		}
		if step.kind == kindSort {
			panic(fail("S0216", n.pos, "", nil))
		}
		if n.keepArray {
			step.keepArray = true
		}
		step.focus, step.tuple = n.rhs.text, true
		return result
	}
	if result.kind != kindPath {
		result = &node{kind: kindPath, list: []*node{result}}
		step.stages, step.predicates = append(step.stages, step.predicates...), nil
	}
	if step.stages == nil {
		step.index = n.rhs.text
	} else {
		step.stages = append(step.stages, stage{index: n.rhs.text})
	}
	step.tuple = true
	return result
}

// tailCall wraps the calls that end a lambda's body, so that they are made after the lambda has returned.
func tailCall(n *node) *node {
	switch {
	case n.kind == kindFunction && n.predicates == nil:
		return &node{kind: kindLambda, thunk: true, pos: n.pos, body: n}
	case n.kind == kindCondition:
		n.rhs = tailCall(n.rhs)
		if n.otherwise != nil {
			n.otherwise = tailCall(n.otherwise)
		}
	case n.kind == kindBlock && len(n.list) > 0:
		n.list[len(n.list)-1] = tailCall(last(n.list))
	}
	return n
}

// seekToo makes n look for the parents that a part of it looks for.
func seekToo(n, part *node) {
	if part.kind == kindParent {
		n.seeking = append(n.seeking, append(part.seeking, part.slot)...)
	} else if part.seeking != nil {
		n.seeking = append(n.seeking, part.seeking...)
	}
}

// seekParent goes one step up for a slot; at level zero the step is the one that has to leave its context there.
func seekParent(n *node, s *slot) {
	switch n.kind {
	case kindName, kindWildcard:
		if s.level--; s.level == 0 {
			if n.ancestor != nil {
				s.label = n.ancestor.label
			}
			n.ancestor = s
			n.tuple = true
		}
	case kindParent:
		s.level++
	case kindBlock:
		if len(n.list) > 0 {
			n.tuple = true
			seekParent(last(n.list), s)
		}
	case kindPath:
		n.tuple = true
		i := len(n.list) - 1
		seekParent(n.list[i], s)
		for i--; s.level > 0 && i >= 0; i-- {
			seekParent(n.list[i], s)
		}
	default:
		panic(fail("S0217", n.pos, kindNames[n.kind], nil))
	}
}

// resolveParents finds, among the earlier steps of a path, what its last step looks for.
func resolveParents(path *node) {
	step := last(path.list)
	slots := step.seeking
	if step.kind == kindParent {
		slots = append(slots, step.slot)
	}
	for _, s := range slots {
		for i := len(path.list) - 2; s.level > 0; {
			if i < 0 {
				path.seeking = append(path.seeking, s)
				break
			}
			step := path.list[i]
			i--
			for i >= 0 && step.focus != "" && path.list[i].focus != "" { // steps that bind the same focus count once
				step = path.list[i]
				i--
			}
			seekParent(step, s)
		}
	}
}
