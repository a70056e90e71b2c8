package jsonata

import (
	"math"

	"github.com/newel-run/newel/asl/value"
)

// at makes errors name an operator.
func (e *evaluation) at(x *operation) { e.pos, e.token = int(x.at), x.op }

func (e *evaluation) negation(x *negation, context any, env *frame) any {
	v := e.eval(x.of, context, env)
	if isUndefined(v) {
		return v
	}
	f, ok := e.numeric(v)
	if !ok {
		panic(fail("D1002", int(x.at), "-", detail{"value": v}))
	}
	return -f
}

func (e *evaluation) operation(x *operation, context any, env *frame) any {
	a := e.eval(x.left, context, env)
	switch x.op {
	case "and":
		return e.truthy(a) && e.truthy(e.eval(x.right, context, env))
	case "or":
		return e.truthy(a) || e.truthy(e.eval(x.right, context, env))
	}
	b := e.eval(x.right, context, env)
	absent := isUndefined(a) || isUndefined(b)
	switch x.op {
	case "=":
		return !absent && e.equal(a, b)
	case "!=":
		return !absent && !e.equal(a, b)
	case "&":
		return e.join(a, b)
	case "in":
		return !absent && e.contains(b, a)
	case "..":
		e.at(x)
		return e.span(a, b)
	case "<", "<=", ">", ">=":
		return e.compare(x, a, b)
	}
	e.at(x)
	return e.arithmetic(x.op, a, b)
}

// equal compares two values that a limit has measured.
func (e *evaluation) equal(a, b any) bool {
	switch a.(type) {
	case bool, string, value.Number, float64, nil:
		e.step(textLength(a) >> 6)
	default:
		e.measure(a, false)
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
	e.hold(len(x) + len(y))
	return x + y
}

// contains says whether a value is among others. An array is never, and an object only if it is the very same.
func (e *evaluation) contains(among, v any) bool {
	if _, ok := elements(v); ok {
		return false
	}
	_, isObject := v.(*value.Object)
	items := list(among)
	e.step(len(items) * (1 + textLength(v)>>6))
	for _, item := range items {
		if _, ok := elements(item); ok {
			continue
		}
		if isObject && v == item || !isObject && equal(v, item) {
			return true
		}
	}
	return false
}

func (e *evaluation) arithmetic(op string, a, b any) any {
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
	switch op {
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

// comparable is what order can be told of: a number or a string, or nothing.
func comparable(v any) bool {
	return typeOfValue(v)&(typeNumber|typeString|typeMissing) != 0
}

func (e *evaluation) compare(x *operation, a, b any) any {
	if !comparable(a) || !comparable(b) {
		panic(fail("T2010", int(x.at), x.op, nil))
	}
	if isUndefined(a) || isUndefined(b) {
		return undefined
	}
	if typeOfValue(a) != typeOfValue(b) {
		panic(fail("T2009", int(x.at), x.op, detail{"value": a, "value2": b}))
	}
	e.step(textLength(a) >> 6)
	c, ordered := order(a, b)
	if !ordered {
		return false
	}
	switch x.op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// textLength is the length of a string, which it takes to compare it.
func textLength(v any) int {
	s, _ := v.(string)
	return len(s)
}

// order compares two numbers or two strings; ordered is false for NaN.
func order(a, b any) (c int, ordered bool) {
	if s, ok := a.(string); ok {
		return compareText(s, b.(string)), true
	}
	x, _ := isNumber(a)
	y, _ := isNumber(b)
	switch {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, x == y
}

// maxSpan is the language's own limit to a range.
const maxSpan = 1e7

// span is [a..b].
func (e *evaluation) span(a, b any) any {
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
	if size > maxSpan {
		e.fail("D2014", detail{"value": size})
	}
	e.bound(8 * int(size))
	e.spend(24 * int(size))
	items := make([]any, int(size))
	for i := range items {
		items[i] = from + float64(i)
	}
	return &sequence{items: items}
}
