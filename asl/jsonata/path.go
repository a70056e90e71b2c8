package jsonata

import (
	"math"

	"github.com/newel-run/newel/asl/value"
)

// path evaluates the steps of a path one after the other, each over what the one before has given. From the first step
// on that binds a variable, the items are tuples: they carry what has been bound for them.
func (e *evaluation) path(n *node, input any, env *frame) any {
	items, isArray := elements(input)
	if !isArray || n.list[0].kind == kindVariable {
		items = []any{input}
	}
	var result any = undefined
	var tuples *sequence
	streaming := false
	for i, step := range n.list {
		streaming = streaming || step.tuple
		switch {
		case i == 0 && step.cons:
			result = e.eval(step, &sequence{items: items, plain: isArray}, env)
		case streaming:
			tuples = e.tupleStep(step, items, tuples, env)
		default:
			result = e.pathStep(step, items, env, i == len(n.list)-1)
		}
		if !streaming {
			if next, ok := elements(result); !ok && isUndefined(result) || ok && len(next) == 0 {
				break
			}
		}
		if step.focus == "" && !isUndefined(result) {
			items = list(result)
		}
	}
	if streaming {
		result = tuples
		if !n.tuple {
			plain := &sequence{items: make([]any, len(tuples.items))}
			for i, t := range tuples.items {
				plain.items[i] = t.(*tuple).item
			}
			result = plain
		}
	}
	if n.keepSingleton {
		result = kept(result)
	}
	if n.group != nil {
		if streaming {
			result = tuples
		}
		return e.group(n.group.pairs, n.group.pos, result, env)
	}
	return result
}

// kept marks a path's result as one to keep as an array.
func kept(v any) any {
	s, ok := v.(*sequence)
	switch {
	case !ok:
		return v
	case s.cons && s.plain:
		return &sequence{items: []any{s}, keep: true}
	}
	s.keep = true
	return s
}

func (e *evaluation) pathStep(n *node, input []any, env *frame, isLast bool) any {
	if n.kind == kindSort {
		return e.stages(n.stages, e.sortBy(n, &sequence{items: input}, env), env)
	}
	simple := n.kind == kindName && n.predicates == nil && n.group == nil && !n.keepArray
	result := &sequence{}
	var first any
	results := 0
	for _, item := range input {
		var v any
		if object, ok := item.(*value.Object); simple && ok {
			e.step(1)
			v = e.member(object, n.text)
		} else {
			v = e.eval(n, item, env)
		}
		for _, s := range n.stages {
			v = e.filter(s.expr, v, env)
		}
		if isUndefined(v) {
			continue
		}
		inner, isArray := elements(v)
		s, _ := v.(*sequence)
		if results++; results == 1 {
			first = v
		}
		switch {
		case !isArray || s != nil && s.cons:
			e.spend(16)
			result.add(v)
		default:
			e.spend(16 * len(inner))
			result.items = append(result.items, inner...)
		}
	}
	if _, isArray := elements(first); isArray && isLast && results == 1 {
		if s, ok := first.(*sequence); !ok || s.plain {
			return first // an array that is the only result stays what it is
		}
	}
	return result
}

func (e *evaluation) stages(stages []stage, v any, env *frame) any {
	for _, s := range stages {
		if s.expr != nil {
			v = e.filter(s.expr, v, env)
			continue
		}
		items, _ := elements(v)
		for i, t := range items {
			t.(*tuple).set(s.index, float64(i))
		}
	}
	return v
}

func (e *evaluation) tupleStep(n *node, input []any, tuples *sequence, env *frame) *sequence {
	if n.kind == kindSort {
		return e.tupleSort(n, input, tuples, env)
	}
	if tuples == nil {
		tuples = &sequence{tuples: true}
		for _, item := range input {
			tuples.add(&tuple{item: item})
		}
	}
	result := &sequence{tuples: true}
	for _, item := range tuples.items {
		from := item.(*tuple)
		v := e.eval(n, from.item, env.withTuple(from))
		if isUndefined(v) {
			continue
		}
		stream, _ := v.(*sequence)
		for i, item := range list(v) {
			e.spend(64 + 32*len(from.names))
			t := from.clone()
			if stream != nil && stream.tuples {
				inner := item.(*tuple)
				t.item = inner.item
				for j, name := range inner.names {
					t.set(name, inner.vals[j])
				}
			} else {
				if n.focus != "" {
					t.set(n.focus, item)
				} else {
					t.item = item
				}
				if n.index != "" {
					t.set(n.index, float64(i))
				}
				if n.ancestor != nil {
					t.set(n.ancestor.label, from.item)
				}
			}
			result.add(t)
		}
	}
	return e.stages(n.stages, result, env).(*sequence)
}

func (e *evaluation) tupleSort(n *node, input []any, tuples *sequence, env *frame) *sequence {
	result := &sequence{tuples: true}
	if tuples != nil {
		result.items = list(e.sortBy(n, tuples, env))
	} else {
		for i, item := range list(e.sortBy(n, &sequence{items: input}, env)) {
			t := &tuple{item: item}
			t.set(n.index, float64(i))
			result.add(t)
		}
	}
	return e.stages(n.stages, result, env).(*sequence)
}

// filter keeps the items that a predicate selects by number or by its truth.
func (e *evaluation) filter(predicate *node, v any, env *frame) any {
	result := &sequence{}
	source, _ := v.(*sequence)
	result.tuples = source != nil && source.tuples
	items := list(v)
	if predicate.kind == kindNumber {
		f, _ := isNumber(predicate.value)
		i := math.Floor(f)
		if i < 0 {
			i += float64(len(items))
		}
		if i < 0 || i >= float64(len(items)) || isUndefined(items[int(i)]) {
			return result
		}
		item := items[int(i)]
		if _, ok := elements(item); ok {
			return item
		}
		result.add(item)
		return result
	}
	for i, item := range items {
		context, scope := item, env
		if result.tuples {
			t := item.(*tuple)
			context, scope = t.item, env.withTuple(t)
		}
		for range e.selects(e.eval(predicate, context, scope), i, len(items)) {
			e.spend(16)
			result.add(item)
		}
	}
	return result
}

// selects is how many times a predicate's value selects the item at an index: as often as it names the index, or once if
// it is true.
func (e *evaluation) selects(v any, index, length int) int {
	if b, ok := v.(bool); ok {
		if b {
			return 1
		}
		return 0
	}
	numbers := 0
	matches := 0
	items := list(v)
	for _, item := range items {
		f, ok := e.numeric(item)
		if !ok {
			break
		}
		numbers++
		i := math.Floor(f)
		if i < 0 {
			i += float64(length)
		}
		if i == float64(index) {
			matches++
		}
	}
	if numbers == len(items) {
		return matches
	}
	if e.truthy(v) {
		return 1
	}
	return 0
}

// collected is the items that share a key.
type collected struct {
	key  string
	data any
	all  []any // data's items once there are several
	pair int
}

// group builds an object: the items by key, and for each key the value of its items together.
func (e *evaluation) group(pairs []pair, pos int, v any, env *frame) any {
	items := list(v)
	if len(items) == 0 {
		items = []any{undefined}
	}
	var groups []*collected
	index := map[string]*collected{}
	reduce := false
	for _, item := range items {
		context, scope := item, env
		if t, ok := item.(*tuple); ok {
			context, scope, reduce = t.item, env.withTuple(t), true
		}
		for i, p := range pairs {
			key := e.eval(p.key, context, scope)
			if isUndefined(key) {
				continue
			}
			name, ok := key.(string)
			if !ok {
				panic(fail("T1003", pos, "", detail{"value": key}))
			}
			e.spend(32 + len(name))
			g := index[name]
			switch {
			case g == nil:
				g = &collected{key: name, data: item, pair: i}
				index[name] = g
				groups = append(groups, g)
			case g.pair != i:
				panic(fail("D1009", pos, "", detail{"value": key}))
			default:
				if g.all == nil {
					first := list(g.data)
					g.all = first[:len(first):len(first)]
				}
				g.all = append(g.all, list(item)...)
			}
		}
	}
	result := &value.Object{}
	for _, g := range groups {
		context, scope := g.data, env
		if g.all != nil {
			context = value.Array(g.all)
		}
		if reduce {
			t := e.merged(list(context))
			context, scope = t.item, env.withTuple(t)
		}
		if v := e.eval(pairs[g.pair].value, context, scope); !isUndefined(v) {
			result.Set(g.key, v)
		}
	}
	return result
}

// merged is one tuple with the items and variables of several.
func (e *evaluation) merged(tuples []any) *tuple {
	result := tuples[0].(*tuple).clone()
	for _, item := range tuples[1:] {
		t := item.(*tuple)
		result.item = e.concat(result.item, t.item)
		for i, name := range t.names {
			var before any = undefined
			for j, n := range result.names {
				if n == name {
					before = result.vals[j]
				}
			}
			result.set(name, e.concat(before, t.vals[i]))
		}
	}
	return result
}
