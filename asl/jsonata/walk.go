package jsonata

import (
	"math"

	"github.com/newel-run/newel/asl/value"
)

// path takes the context through the steps. Each step is applied to every item that the one before has found, and what
// it finds for all of them is put together. From the first step on that binds a variable the items are tuples, which
// carry what has been bound for them.
func (e *evaluation) path(p *path, context any, env *frame) any {
	skipped := 0
	if o, ok := context.(*value.Object); ok {
		if context, skipped = e.descendNames(p, o); skipped == len(p.steps) {
			return e.finish(p, context, nil, env)
		}
	}
	items, isArray := elements(context)
	if _, fromVariable := bare(p.steps[0].of).(*variable); !isArray || fromVariable {
		items = []any{context}
	}
	var result any = undefined
	var tuples *stream
	streaming := false
	for i, s := range p.steps {
		if i < skipped {
			continue
		}
		streaming = streaming || s.stream
		switch {
		case i == 0 && isFixed(s.of):
			result = e.stepValue(s, together(items, isArray), env)
		case streaming:
			tuples = e.streamStep(s, items, tuples, env)
			continue
		default:
			result = e.plainStep(s, items, env, i == len(p.steps)-1)
		}
		if next, ok := elements(result); isUndefined(result) || ok && len(next) == 0 {
			if !streaming {
				break
			}
		} else if s.focus == "" {
			items = list(result)
		}
	}
	return e.finish(p, result, tuples, env)
}

// descendNames takes the first steps of a path that are nothing but names, as long as they lead from object to object. It
// returns how many steps it has taken, all of them where a name is missing.
func (e *evaluation) descendNames(p *path, o *value.Object) (found any, taken int) {
	for i, s := range p.steps {
		if !s.simple {
			return o, i
		}
		e.step(1)
		v, ok := o.Get(s.of.(*field).name)
		if !ok {
			return undefined, len(p.steps)
		}
		switch v := v.(type) {
		case *value.Object:
			o = v
		case *sequence, *fixed, *stream, *document, missing:
			return o, i
		default:
			return v, i + 1
		}
	}
	return o, len(p.steps)
}

// isFixed says whether an expression is evaluated once as the first step of a path.
func isFixed(x expr) bool {
	switch x := bare(x).(type) {
	case *array:
		return x.fixed
	case *block:
		return x.fixed
	}
	return false
}

// together is the items of a context as one.
func together(items []any, isArray bool) any {
	if isArray {
		return value.Array(items)
	}
	return &sequence{items: items}
}

// finish makes a path's result of what its last step has found.
func (e *evaluation) finish(p *path, result any, tuples *stream, env *frame) any {
	if tuples != nil {
		switch {
		case p.group != nil:
			return e.group(p.group.pairs, p.group.at, tuples, env)
		case p.stream:
			return tuples
		}
		result = &sequence{items: tuples.values()}
	}
	if p.array || p.keep {
		switch v := result.(type) {
		case *sequence:
			result = &sequence{v.items, true}
		case *fixed:
			if p.array {
				result = &sequence{[]any{v}, true}
			}
		}
	}
	if p.group != nil {
		return e.group(p.group.pairs, p.group.at, result, env)
	}
	return result
}

// stepValue is a step's value for one item.
func (e *evaluation) stepValue(s *step, item any, env *frame) any {
	if f, ok := s.of.(*field); ok && s.group == nil && !s.keep {
		if o, ok := item.(*value.Object); ok { // most steps are this
			e.step(1)
			v, ok := o.Get(f.name)
			if !ok {
				return undefined
			}
			return v
		}
	}
	e.enter()
	v := e.value(s.of, item, env)
	if s.group != nil {
		v = e.group(s.group.pairs, s.group.at, v, env)
	}
	e.depth--
	if found, ok := v.(*sequence); ok {
		if s.keep {
			found = &sequence{found.items, true}
		}
		return found.unwrapped()
	}
	return v
}

// plainStep applies a step to items without variables. An array that is all that the last step of a path finds stays
// what it is.
func (e *evaluation) plainStep(s *step, items []any, env *frame, isLast bool) any {
	if s.order != nil {
		if len(items) <= 1 {
			return e.stages(s, &sequence{items: items}, env)
		}
		return e.stages(s, value.Array(e.sorted(s, items, env)), env)
	}
	found := &sequence{}
	var first any
	count := 0
	for _, item := range items {
		v := e.stages(s, e.stepValue(s, item, env), env)
		if isUndefined(v) {
			continue
		}
		if count++; count == 1 {
			first = v
		}
		e.collect(found, v)
	}
	if isLast && count == 1 && !isSequence(first) {
		if _, isArray := elements(first); isArray {
			return first
		}
	}
	return found
}

// collect puts what a step has found for an item to the rest.
func (e *evaluation) collect(into *sequence, v any) {
	inner, isArray := elements(v)
	if _, ok := v.(*fixed); ok || !isArray {
		e.spend(16)
		into.add(v)
		return
	}
	e.spend(16 * len(inner))
	into.items = append(into.items, inner...)
}

// stages applies what follows a step.
func (e *evaluation) stages(s *step, v any, env *frame) any {
	for _, stage := range s.stages {
		if stage.filter != nil {
			v = e.filter(stage.filter, v, env)
		} else if tuples, ok := v.(*stream); ok {
			for i, t := range tuples.tuples {
				t.vars.set(stage.index, float64(i))
			}
		}
	}
	return v
}

// streamStep applies a step to tuples, or to items that become tuples.
func (e *evaluation) streamStep(s *step, items []any, tuples *stream, env *frame) *stream {
	if s.order != nil {
		return e.stages(s, e.sortedStream(s, items, tuples, env), env).(*stream)
	}
	if tuples == nil {
		tuples = streamOf(items)
	}
	found := &stream{}
	for _, from := range tuples.tuples {
		v := e.stepValue(s, from.item, env.withTuple(from))
		if isUndefined(v) {
			continue
		}
		if inner, ok := v.(*stream); ok {
			for _, t := range inner.tuples {
				e.spend(64 + 32*(len(from.vars)+len(t.vars)))
				merged := &tuple{t.item, from.vars.copied(len(t.vars))}
				for _, bound := range t.vars {
					merged.vars.set(bound.name, bound.value)
				}
				found.tuples = append(found.tuples, merged)
			}
			continue
		}
		for i, item := range list(v) {
			e.spend(64 + 32*len(from.vars))
			found.tuples = append(found.tuples, s.bind(from, item, i))
		}
	}
	return e.stages(s, found, env).(*stream)
}

func streamOf(items []any) *stream {
	s := &stream{tuples: make([]*tuple, len(items))}
	for i, item := range items {
		s.tuples[i] = &tuple{item: item}
	}
	return s
}

// bind is the tuple of an item that a step has found.
func (s *step) bind(from *tuple, item any, index int) *tuple {
	t := &tuple{item, from.vars.copied(2)}
	if s.focus != "" {
		t.item = from.item
		t.vars.set(s.focus, item)
	}
	if s.index != "" {
		t.vars.set(s.index, float64(index))
	}
	if s.label != nil {
		t.vars.set(s.label.name, from.item)
	}
	return t
}

// filter keeps the items that a predicate selects by number or by its truth.
func (e *evaluation) filter(predicate expr, v any, env *frame) any {
	if tuples, ok := v.(*stream); ok {
		return e.filterStream(predicate, tuples, env)
	}
	items := list(v)
	if n, ok := asNumber(predicate); ok {
		found := &sequence{}
		if i, ok := indexOf(n.Float64(), len(items)); ok && !isUndefined(items[i]) {
			if _, isArray := elements(items[i]); isArray {
				return items[i]
			}
			found.add(items[i])
		}
		return found
	}
	found := &sequence{}
	for i, item := range items {
		for range e.selects(e.eval(predicate, item, env), i, len(items)) {
			e.spend(16)
			found.add(item)
		}
	}
	return found
}

func (e *evaluation) filterStream(predicate expr, tuples *stream, env *frame) *stream {
	found := &stream{}
	if n, ok := asNumber(predicate); ok {
		if i, ok := indexOf(n.Float64(), len(tuples.tuples)); ok {
			found.tuples = tuples.tuples[i : i+1 : i+1]
		}
		return found
	}
	for i, t := range tuples.tuples {
		for range e.selects(e.eval(predicate, t.item, env.withTuple(t)), i, len(tuples.tuples)) {
			e.spend(16)
			found.tuples = append(found.tuples, t)
		}
	}
	return found
}

// indexOf is the index that a number means: rounded down, from the end if it is negative.
func indexOf(f float64, length int) (int, bool) {
	f = math.Floor(f)
	if f < 0 {
		f += float64(length)
	}
	if !(f >= 0 && f < float64(length)) {
		return 0, false
	}
	return int(f), true
}

// selects is how many times a predicate's value selects the item at an index: numbers as often as they name the index,
// anything else once if it is true.
func (e *evaluation) selects(v any, index, length int) int {
	if b, ok := v.(bool); ok {
		if b {
			return 1
		}
		return 0
	}
	count := 0
	for _, item := range list(v) {
		f, ok := e.numeric(item)
		if !ok {
			if e.truthy(v) {
				return 1
			}
			return 0
		}
		if i, ok := indexOf(f, length); ok && i == index {
			count++
		}
	}
	return count
}
