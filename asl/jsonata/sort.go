package jsonata

import "slices"

// sorter sorts items by the terms of an order-by clause. A term is evaluated for an item at most once, and only if the
// terms before it do not tell the item from another.
type sorter struct {
	e    *evaluation
	step *step
	eval func(x expr, i int) any // a term for an item
	keys [][]any                 // by item
}

// permutation is the order of n items.
func (s *sorter) permutation(n int) []int {
	indexes := make([]int, n)
	for i := range indexes {
		indexes[i] = i
	}
	if n > 1 {
		s.e.spend(40 * n)
		s.keys = make([][]any, n)
		slices.SortStableFunc(indexes, s.compare)
	}
	return indexes
}

func (s *sorter) key(i, term int) any {
	for len(s.keys[i]) <= term {
		s.keys[i] = append(s.keys[i], s.eval(s.step.order[len(s.keys[i])].of, i))
	}
	return s.keys[i][term]
}

func (s *sorter) compare(a, b int) int {
	s.e.step(1)
	for i, t := range s.step.order {
		if c := s.compareKeys(s.key(a, i), s.key(b, i), t.descending); c != 0 {
			return c
		}
	}
	return 0
}

// compareKeys orders two keys; what is undefined comes last.
func (s *sorter) compareKeys(a, b any, descending bool) int {
	switch {
	case isUndefined(a) && isUndefined(b):
		return 0
	case isUndefined(a):
		return 1
	case isUndefined(b):
		return -1
	}
	if !comparable(a) || !comparable(b) {
		panic(fail("T2008", int(s.step.at), "", nil))
	}
	if typeOfValue(a) != typeOfValue(b) {
		panic(fail("T2007", int(s.step.at), "", detail{"value": a, "value2": b}))
	}
	s.e.step(textLength(a) >> 6)
	c, _ := order(a, b)
	if descending {
		return -c
	}
	return c
}

func (e *evaluation) sorted(s *step, items []any, env *frame) []any {
	sort := &sorter{e: e, step: s, eval: func(x expr, i int) any { return e.eval(x, items[i], env) }}
	result := make([]any, len(items))
	for i, from := range sort.permutation(len(items)) {
		result[i] = items[from]
	}
	return result
}

// sortedStream sorts tuples, or items that become tuples.
func (e *evaluation) sortedStream(s *step, items []any, tuples *stream, env *frame) *stream {
	if tuples == nil {
		result := streamOf(e.sorted(s, items, env))
		for i, t := range result.tuples {
			if s.index != "" {
				t.vars.set(s.index, float64(i))
			}
		}
		return result
	}
	sort := &sorter{e: e, step: s, eval: func(x expr, i int) any {
		t := tuples.tuples[i]
		return e.eval(x, t.item, env.withTuple(t))
	}}
	result := &stream{tuples: make([]*tuple, len(tuples.tuples))}
	for i, from := range sort.permutation(len(tuples.tuples)) {
		result.tuples[i] = tuples.tuples[from]
	}
	return result
}

// sortItems sorts by a function that says whether its first argument belongs after its second.
func (e *evaluation) sortItems(items []any, after func(a, b any) bool) []any {
	e.spend(16 * len(items))
	result := slices.Clone(items)
	slices.SortStableFunc(result, func(a, b any) int {
		if e.step(1); after(b, a) {
			return -1
		}
		return 0
	})
	return result
}
