package jsonata

import "github.com/newel-run/newel/asl/value"

var transformSignature = mustSignature("<(oa):o>")

// transformer is the function of |pattern|update, remove|: it changes a copy of its argument where the pattern matches.
func (e *evaluation) transformer(x *transform, env *frame) any {
	return &function{arity: 1, sig: transformSignature, native: func(e *evaluation, args []any) any {
		if isUndefined(args[0]) {
			return undefined
		}
		clone, ok := e.lookup(env, "clone").(*function)
		if !ok {
			panic(fail("T2013", int(x.at), "", nil))
		}
		result := e.call(clone, args[:1], undefined)
		if matches := e.eval(x.pattern, result, env); !isUndefined(matches) {
			for _, match := range list(matches) {
				e.transform(x, match, env)
			}
		}
		return result
	}}
}

func (e *evaluation) transform(x *transform, match any, env *frame) {
	if _, ok := match.(*function); ok {
		panic(fail("D1010", int(x.at), "", nil))
	}
	o, _ := match.(*value.Object)
	switch update := e.eval(x.update, match, env).(type) {
	case missing:
	case *value.Object:
		if o != nil {
			for name, v := range update.All() {
				e.spend(48)
				o.Set(name, v)
			}
		}
	default:
		panic(fail("T2011", int(position(x.update)), "", detail{"value": update}))
	}
	if x.remove == nil {
		return
	}
	names := e.eval(x.remove, match, env)
	if isUndefined(names) {
		return
	}
	for _, name := range list(names) {
		if _, ok := name.(string); !ok {
			panic(fail("T2012", int(position(x.remove)), "", detail{"value": names}))
		}
	}
	if o != nil {
		for _, name := range list(names) {
			e.step(o.Len())
			o.Delete(name.(string))
		}
	}
}

// clone copies a value deeply, so that it can be changed; functions become empty text.
func (e *evaluation) clone(v any) any {
	e.spend(32)
	e.into()
	defer func() { e.nested-- }()
	if items, ok := elements(v); ok {
		copied := make(value.Array, len(items))
		for i, item := range items {
			copied[i] = e.clone(item)
		}
		return copied
	}
	switch v := v.(type) {
	case *value.Object:
		copied := &value.Object{}
		for name, member := range v.All() {
			copied.Set(name, e.clone(member))
		}
		return copied
	case *function:
		return ""
	case missing:
		return nil
	}
	return v
}
