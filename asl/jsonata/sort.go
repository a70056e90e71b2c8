package jsonata

// sortBy sorts items, or tuples, by the terms of an order-by clause.
func (e *evaluation) sortBy(n *node, input *sequence, env *frame) any {
	if len(input.items) <= 1 {
		return input
	}
	key := func(t term, item any) any {
		if t2, ok := item.(*tuple); ok {
			return e.eval(t.expr, t2.item, env.withTuple(t2))
		}
		return e.eval(t.expr, item, env)
	}
	items := e.mergeSort(input.items, func(a, b any) bool {
		for _, t := range n.terms {
			if c := e.order(n, key(t, a), key(t, b), t.descending); c != 0 {
				return c > 0
			}
		}
		return false
	})
	return &sequence{items: items, tuples: input.tuples, plain: true}
}

// order compares two keys; what is undefined comes last.
func (e *evaluation) order(n *node, a, b any, descending bool) int {
	switch {
	case isUndefined(a) && isUndefined(b):
		return 0
	case isUndefined(a):
		return 1
	case isUndefined(b):
		return -1
	}
	x, isX := isNumber(a)
	y, isY := isNumber(b)
	s, isS := a.(string)
	t, isT := b.(string)
	if !isX && !isS || !isY && !isT {
		panic(fail("T2008", n.pos, "", nil))
	}
	if isX != isY {
		panic(fail("T2007", n.pos, "", detail{"value": a, "value2": b}))
	}
	c := 1
	switch {
	case isS:
		c = compareText(s, t)
	case x == y:
		c = 0
	case x < y:
		c = -1
	}
	if descending {
		return -c
	}
	return c
}

// mergeSort sorts stably; after says whether a belongs after b.
func (e *evaluation) mergeSort(items []any, after func(a, b any) bool) []any {
	if len(items) <= 1 {
		return items
	}
	e.spend(16 * len(items))
	middle := len(items) / 2
	left, right := e.mergeSort(items[:middle], after), e.mergeSort(items[middle:], after)
	merged := make([]any, 0, len(items))
	for len(left) > 0 && len(right) > 0 {
		if after(left[0], right[0]) {
			merged, right = append(merged, right[0]), right[1:]
		} else {
			merged, left = append(merged, left[0]), left[1:]
		}
	}
	return append(append(merged, left...), right...)
}
