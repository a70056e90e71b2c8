package jsonata

import (
	"github.com/newel-run/newel/asl/value"
)

// bucket is a key of a grouping and the items that have it, all by the same pair.
type bucket struct {
	key    string
	pair   int
	items  []any
	first  any // the only item, as it is
	tuples []*tuple
}

// context is what the value of a bucket is evaluated for: its items together, or the only one.
func (b *bucket) context(e *evaluation, env *frame) (any, *frame) {
	switch {
	case b.tuples != nil:
		t := e.merged(b.tuples)
		return t.item, env.withTuple(t)
	case b.items != nil:
		return value.Array(b.items), env
	}
	return b.first, env
}

// group builds an object: the items by key, and for each key the value of its items together.
func (e *evaluation) group(pairs []pair, position at, v any, env *frame) any {
	var buckets []*bucket
	index := map[string]*bucket{}
	put := func(item any, t *tuple, scope *frame) {
		for i, p := range pairs {
			key := e.eval(p.key, item, scope)
			if isUndefined(key) {
				continue
			}
			name, ok := key.(string)
			if !ok {
				panic(fail("T1003", int(position), "", detail{"value": key}))
			}
			e.spend(32 + len(name))
			b := index[name]
			switch {
			case b == nil:
				b = &bucket{key: name, pair: i, first: item}
				index[name] = b
				buckets = append(buckets, b)
			case b.pair != i:
				panic(fail("D1009", int(position), "", detail{"value": key}))
			case t == nil:
				if b.items == nil {
					b.items = append([]any{}, list(b.first)...)
				}
				b.items = append(b.items, list(item)...)
			}
			if t != nil {
				b.tuples = append(b.tuples, t)
			}
		}
	}
	if tuples, ok := v.(*stream); ok && len(tuples.tuples) > 0 {
		for _, t := range tuples.tuples {
			put(t.item, t, env.withTuple(t))
		}
	} else if items := list(v); len(items) > 0 {
		for _, item := range items {
			put(item, nil, env)
		}
	} else {
		put(undefined, nil, env)
	}
	result := &value.Object{}
	for _, b := range buckets {
		context, scope := b.context(e, env)
		if v := e.eval(pairs[b.pair].value, context, scope); !isUndefined(v) {
			result.Set(b.key, v)
		}
	}
	return result
}

// merged is one tuple with the items and the variables of several.
func (e *evaluation) merged(tuples []*tuple) *tuple {
	result := &tuple{tuples[0].item, tuples[0].vars.copied(0)}
	for _, t := range tuples[1:] {
		result.item = e.concat(result.item, t.item)
		for _, bound := range t.vars {
			before, ok := result.vars.get(bound.name)
			if !ok {
				before = undefined
			}
			result.vars.set(bound.name, e.concat(before, bound.value))
		}
	}
	return result
}
