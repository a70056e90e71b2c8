package jsonata

import (
	"github.com/newel-run/newel/asl/value"
)

// eval evaluates an expression in a context and a scope. Each expression inside another is one deeper.
func (e *evaluation) eval(x expr, context any, env *frame) any {
	e.enter()
	v := e.value(x, context, env)
	e.depth--
	if s, ok := v.(*sequence); ok {
		return s.unwrapped()
	}
	return v
}

// enter counts an expression that begins.
func (e *evaluation) enter() {
	e.step(1)
	if e.depth++; e.depth > e.limits.Depth {
		panic(limitError(messageDepth))
	}
}

// value is the expression's value before it is unwrapped.
func (e *evaluation) value(x expr, context any, env *frame) any {
	switch x := x.(type) {
	case *path:
		return e.path(x, context, env)
	case *field:
		return e.member(context, x.name)
	case *literal:
		return x.value
	case *variable:
		return e.variable(x, context, env)
	case *operation:
		return e.operation(x, context, env)
	case *negation:
		return e.negation(x, context, env)
	case *array:
		return e.array(x, context, env)
	case *object:
		return e.group(x.pairs, x.at, context, env)
	case *call:
		if x.tail {
			return &tailCall{x, context, env}
		}
		return e.invoke(x, context, env, nil)
	case *conditional:
		if e.truthy(e.eval(x.test, context, env)) {
			return e.eval(x.yes, context, env)
		}
		if x.no != nil {
			return e.eval(x.no, context, env)
		}
		return undefined
	case *block:
		scope, v := env, undefined
		if x.binds {
			scope = &frame{outer: env}
		}
		for _, part := range x.body {
			v = e.eval(part, context, scope)
		}
		return v
	case *binding:
		v := e.eval(x.value, context, env)
		e.spend(32)
		env.vars.set(x.name, v)
		return v
	case *refined:
		return e.refined(x, context, env)
	case *wildcard:
		return e.wildcard(context)
	case *descendants:
		return e.descendants(context)
	case *parent:
		return e.lookup(env, x.slot.name)
	case *pattern:
		return matcher(x)
	case *lambda:
		return &function{lambda: x, sig: x.sig, input: context, env: env, params: x.params, arity: len(x.params)}
	case *partial:
		return e.partial(x, context, env)
	case *chain:
		return e.chain(x, context, env)
	case *transform:
		return e.transformer(x, env)
	}
	panic("jsonata: not an expression")
}

// refined filters and groups what an expression gives.
func (e *evaluation) refined(x *refined, context any, env *frame) any {
	v := e.value(x.of, context, env)
	for _, filter := range x.predicates {
		v = e.filter(filter, v, env)
	}
	if x.group != nil {
		v = e.group(x.group.pairs, x.group.at, v, env)
	}
	if s, ok := v.(*sequence); ok && x.keep {
		return &sequence{s.items, true}
	}
	return v
}

func (e *evaluation) variable(x *variable, context any, env *frame) any {
	if x.name != "" {
		return e.lookup(env, x.name)
	}
	if d, ok := context.(*document); ok {
		return d.whole
	}
	return context
}

func (e *evaluation) array(x *array, context any, env *frame) any {
	items := []any{}
	for _, part := range x.items {
		v := e.eval(part, context, env)
		if isUndefined(v) {
			continue
		}
		inner, isArray := elements(v)
		if isArray {
			_, nested := bare(part).(*array)
			isArray = !nested
		}
		switch {
		case !isArray:
			e.spend(16)
			items = append(items, v)
		case len(items) == 0:
			items = inner[:len(inner):len(inner)]
		default:
			e.spend(16 * len(inner))
			items = append(items, inner...)
		}
	}
	if x.fixed {
		return &fixed{items}
	}
	return value.Array(items)
}

// wildcard is all members of an object, or all items of an array; arrays among them are flattened.
func (e *evaluation) wildcard(context any) any {
	if d, ok := context.(*document); ok {
		context = d.whole
	}
	var found []any
	flat := false
	add := func(v any) {
		if _, ok := elements(v); ok {
			flat = true
		}
		found = e.flatten(found, v)
	}
	if o, ok := context.(*value.Object); ok {
		for _, v := range o.All() {
			add(v)
		}
	}
	items, _ := elements(context)
	for _, v := range items {
		add(v)
	}
	if flat { // as in the reference implementation, the result is then no longer a sequence
		return value.Array(found)
	}
	return &sequence{items: found}
}

func (e *evaluation) flatten(dst []any, v any) []any {
	items, ok := elements(v)
	if !ok {
		e.spend(16)
		return append(dst, v)
	}
	e.into()
	for _, item := range items {
		dst = e.flatten(dst, item)
	}
	e.nested--
	return dst
}

func (e *evaluation) descendants(context any) any {
	if isUndefined(context) {
		return undefined
	}
	result := &sequence{}
	e.descend(result, context)
	return result
}

func (e *evaluation) descend(into *sequence, v any) {
	e.into()
	items, isArray := elements(v)
	if !isArray {
		e.spend(16)
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
	e.nested--
}
