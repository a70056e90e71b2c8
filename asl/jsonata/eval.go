package jsonata

import (
	"math"

	"github.com/newel-run/newel/asl/value"
)

// eval evaluates a node in a context. A sequence of one item becomes the item, an empty one undefined.
func (e *evaluation) eval(n *node, input any, env *frame) any {
	e.step(1)
	if e.depth++; e.depth > e.limits.Depth {
		panic(limitError(messageDepth))
	}
	v := e.dispatch(n, input, env)
	for _, p := range n.predicates {
		v = e.filter(p.expr, v, env)
	}
	if n.group != nil && n.kind != kindPath {
		v = e.group(n.group.pairs, n.group.pos, v, env)
	}
	e.depth--
	if s, ok := isSequence(v); ok && !s.tuples {
		return unwrap(s, n.keepArray)
	}
	return v
}

func unwrap(s *sequence, keepArray bool) any {
	if keepArray {
		s.keep = true
	}
	switch {
	case len(s.items) == 0:
		return undefined
	case len(s.items) == 1 && !s.keep:
		return s.items[0]
	}
	return s
}

func (e *evaluation) dispatch(n *node, input any, env *frame) any {
	switch n.kind {
	case kindPath:
		return e.path(n, input, env)
	case kindName:
		return e.member(input, n.text)
	case kindString, kindNumber, kindValue:
		return n.value
	case kindVariable:
		return e.variable(n, input, env)
	case kindBinary:
		return e.binary(n, input, env)
	case kindUnary:
		return e.negate(n, input, env)
	case kindArray:
		return e.array(n, input, env)
	case kindObject:
		return e.group(n.pairs, n.pos, input, env)
	case kindFunction:
		return e.invoke(n, input, env, nil)
	case kindCondition:
		if e.truthy(e.eval(n.lhs, input, env)) {
			return e.eval(n.rhs, input, env)
		}
		if n.otherwise != nil {
			return e.eval(n.otherwise, input, env)
		}
		return undefined
	case kindBlock:
		scope, v := &frame{outer: env}, undefined
		for _, part := range n.list {
			v = e.eval(part, input, scope)
		}
		return v
	case kindBind:
		v := e.eval(n.rhs, input, env)
		e.spend(32)
		env.bind(n.lhs.text, v)
		return v
	case kindWildcard:
		return e.wildcard(input)
	case kindDescendant:
		return e.descendants(input)
	case kindParent:
		return e.lookup(env, n.slot.label)
	case kindRegex:
		return matcher(n)
	case kindLambda:
		return e.closure(n, input, env)
	case kindPartial:
		return e.partial(n, input, env)
	case kindApply:
		return e.chain(n, input, env)
	case kindTransform:
		return e.transformer(n, env)
	}
	panic("jsonata: " + kindNames[n.kind] + " is no expression")
}

func (e *evaluation) variable(n *node, input any, env *frame) any {
	if n.text != "" {
		return e.lookup(env, n.text)
	}
	if s, ok := input.(*sequence); ok && s.outer {
		return s.items[0]
	}
	return input
}

func (e *evaluation) negate(n *node, input any, env *frame) any {
	v := e.eval(n.lhs, input, env)
	if isUndefined(v) {
		return v
	}
	f, ok := e.numeric(v)
	if !ok {
		panic(fail("D1002", n.pos, n.text, detail{"value": v}))
	}
	return -f
}

func (e *evaluation) array(n *node, input any, env *frame) any {
	items := []any{}
	for _, part := range n.list {
		v := e.eval(part, input, env)
		if isUndefined(v) {
			continue
		}
		inner, isArray := elements(v)
		switch {
		case !isArray || part.kind == kindArray:
			e.spend(16)
			items = append(items, v)
		case len(items) == 0:
			items = inner[:len(inner):len(inner)]
		default:
			e.spend(16 * len(inner))
			items = append(items, inner...)
		}
	}
	if n.cons {
		return &sequence{items: items, plain: true, cons: true}
	}
	return value.Array(items)
}

func (e *evaluation) binary(n *node, input any, env *frame) any {
	a := e.eval(n.lhs, input, env)
	switch n.text {
	case "and":
		return e.truthy(a) && e.truthy(e.eval(n.rhs, input, env))
	case "or":
		return e.truthy(a) || e.truthy(e.eval(n.rhs, input, env))
	}
	b := e.eval(n.rhs, input, env)
	switch n.text {
	case "+", "-", "*", "/", "%":
		return e.arithmetic(n, a, b)
	case "=":
		return !isUndefined(a) && !isUndefined(b) && e.equal(a, b)
	case "!=":
		return !isUndefined(a) && !isUndefined(b) && !e.equal(a, b)
	case "&":
		return e.join(a, b)
	case "..":
		return e.rangeOf(n, a, b)
	case "in":
		return contains(a, b)
	}
	return e.compare(n, a, b)
}

// equal compares two values that a limit has measured.
func (e *evaluation) equal(a, b any) bool {
	switch a.(type) {
	case value.Array, *sequence, *value.Object:
		e.measure(a)
	}
	return equal(a, b)
}

func (e *evaluation) join(a, b any) any {
	var x, y string
	if !isUndefined(a) {
		x = e.text(a, false)
	}
	if !isUndefined(b) {
		y = e.text(b, false)
	}
	e.spend(len(x) + len(y))
	return x + y
}

func contains(a, b any) bool {
	if isUndefined(a) || isUndefined(b) {
		return false
	}
	if _, ok := elements(a); ok {
		return false
	}
	_, isObject := a.(*value.Object)
	for _, item := range list(b) {
		if _, ok := elements(item); ok {
			continue
		}
		if isObject && a == item || !isObject && equal(a, item) {
			return true
		}
	}
	return false
}

func (e *evaluation) arithmetic(n *node, a, b any) any {
	e.pos, e.token = n.pos, n.text
	x, ok := e.numeric(a)
	if !ok && !isUndefined(a) {
		e.fail("T2001", detail{"value": a})
	}
	y, ok := e.numeric(b)
	if !ok && !isUndefined(b) {
		e.fail("T2002", detail{"value": b})
	}
	if isUndefined(a) || isUndefined(b) {
		return undefined
	}
	switch n.text {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	}
	return math.Mod(x, y)
}

func (e *evaluation) compare(n *node, a, b any) any {
	x, isX := isNumber(a)
	y, isY := isNumber(b)
	s, isS := a.(string)
	t, isT := b.(string)
	if !(isX || isS || isUndefined(a)) || !(isY || isT || isUndefined(b)) {
		panic(fail("T2010", n.pos, n.text, nil))
	}
	if isUndefined(a) || isUndefined(b) {
		return undefined
	}
	if isX != isY {
		panic(fail("T2009", n.pos, n.text, detail{"value": a, "value2": b}))
	}
	c := 0
	switch {
	case isS:
		c = compareText(s, t)
	case x < y:
		c = -1
	case x > y:
		c = 1
	case x != y:
		return false // NaN
	}
	switch n.text {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

const maxRange = 1e7

func (e *evaluation) rangeOf(n *node, a, b any) any {
	e.pos, e.token = n.pos, n.text
	from, ok := isNumber(a)
	if !isUndefined(a) && (!ok || from != math.Trunc(from) || math.IsInf(from, 0)) {
		e.fail("T2003", detail{"value": a})
	}
	to, ok := isNumber(b)
	if !isUndefined(b) && (!ok || to != math.Trunc(to) || math.IsInf(to, 0)) {
		e.fail("T2004", detail{"value": b})
	}
	if isUndefined(a) || isUndefined(b) || from > to {
		return undefined
	}
	size := to - from + 1
	if size > maxRange {
		e.fail("D2014", detail{"value": size})
	}
	e.spend(24 * int(size))
	items := make([]any, int(size))
	for i := range items {
		items[i] = from + float64(i)
	}
	return &sequence{items: items}
}

func (e *evaluation) wildcard(input any) any {
	if s, ok := input.(*sequence); ok && s.outer {
		input = s.items[0]
	}
	result := &sequence{}
	add := func(v any) {
		if _, ok := elements(v); ok {
			result.items = e.flatten(result.items, v)
			result.plain = true
			return
		}
		e.spend(16)
		result.add(v)
	}
	if o, ok := input.(*value.Object); ok {
		for _, v := range o.All() {
			add(v)
		}
	}
	items, _ := elements(input)
	for _, v := range items {
		add(v)
	}
	return result
}

func (e *evaluation) flatten(dst []any, v any) []any {
	items, ok := elements(v)
	if !ok {
		e.spend(16)
		return append(dst, v)
	}
	for _, item := range items {
		dst = e.flatten(dst, item)
	}
	return dst
}

func (e *evaluation) descendants(input any) any {
	if isUndefined(input) {
		return undefined
	}
	result := &sequence{}
	e.descend(result, input)
	return result
}

func (e *evaluation) descend(into *sequence, v any) {
	items, isArray := elements(v)
	if !isArray {
		e.spend(16)
		e.step(1)
		into.add(v)
	}
	for _, item := range items {
		e.descend(into, item)
	}
	if o, ok := v.(*value.Object); ok {
		for _, member := range o.All() {
			e.descend(into, member)
		}
	}
}
