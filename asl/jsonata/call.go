package jsonata

import (
	"github.com/newel-run/newel/asl/value"
)

// invoke calls a function; piped is the left side of ~>, the first argument, if there is one.
func (e *evaluation) invoke(n *node, input any, env *frame, piped []any) any {
	f := e.callee(n, input, env, "T1005")
	args := make([]any, len(piped), len(piped)+len(n.list))
	copy(args, piped)
	for _, arg := range n.list {
		args = append(args, e.eval(arg, input, env))
	}
	token, pos := e.token, e.pos
	e.token, e.pos = calleeName(n), n.pos
	v := e.call(f, args, input)
	e.token, e.pos = token, pos
	return v
}

func calleeName(n *node) string {
	if n.proc.kind == kindPath {
		return n.proc.list[0].text
	}
	return n.proc.text
}

// callee evaluates what is invoked. A name without its $ has an error of its own, with the given code.
func (e *evaluation) callee(n *node, input any, env *frame, code string) any {
	f := e.eval(n.proc, input, env)
	if isUndefined(f) && n.proc.kind == kindPath && !isUndefined(e.lookup(env, n.proc.list[0].text)) {
		panic(fail(code, n.pos, n.proc.list[0].text, nil))
	}
	return f
}

// call applies a function; then, one after the other, the calls that end it.
func (e *evaluation) call(f any, args []any, input any) any {
	v := e.callOnce(f, args, input)
	for {
		t, ok := v.(*function)
		if !ok || t.lambda == nil || !t.lambda.thunk {
			return v
		}
		n := t.lambda.body
		next := e.eval(n.proc, t.input, t.env)
		args := make([]any, 0, len(n.list))
		for _, arg := range n.list {
			args = append(args, e.eval(arg, t.input, t.env))
		}
		e.token, e.pos = calleeName(n), n.pos
		v = e.callOnce(next, args, input)
	}
}

func (e *evaluation) callOnce(f any, args []any, input any) any {
	fn, ok := f.(*function)
	if !ok {
		e.fail("T1006", nil)
	}
	if fn.sig != nil {
		args = e.validate(fn.sig, args, input)
	}
	if fn.native != nil {
		for len(args) < fn.arity {
			args = append(args, undefined)
		}
		e.step(1)
		return fn.native(e, args)
	}
	e.spend(48 + 32*len(fn.params))
	scope := &frame{outer: fn.env, names: fn.params[:len(fn.params):len(fn.params)], vals: make([]any, len(fn.params))}
	for i := range fn.params {
		scope.vals[i] = undefined
		if i < len(args) {
			scope.vals[i] = args[i]
		}
	}
	return e.eval(fn.lambda.body, fn.input, scope)
}

func (e *evaluation) closure(n *node, input any, env *frame) any {
	f := &function{lambda: n, sig: n.sig, input: input, env: env, arity: len(n.list)}
	for _, p := range n.list {
		f.params = append(f.params, p.text)
	}
	return f
}

// partial binds some arguments of a function.
func (e *evaluation) partial(n *node, input any, env *frame) any {
	args := make([]any, len(n.list))
	open := make([]bool, len(n.list))
	for i, arg := range n.list {
		if open[i] = arg.kind == kindOperator && arg.text == "?"; !open[i] {
			args[i] = e.eval(arg, input, env)
		}
	}
	f, ok := e.callee(n, input, env, "T1007").(*function)
	if !ok {
		panic(fail("T1008", n.pos, calleeName(n), nil))
	}
	if f.lambda != nil {
		p := &function{lambda: f.lambda, input: f.input, env: &frame{outer: f.env}}
		for i, name := range f.params {
			switch {
			case i >= len(args):
				p.env.bind(name, undefined)
			case open[i]:
				p.params = append(p.params, name)
			default:
				p.env.bind(name, args[i])
			}
		}
		p.arity = len(p.params)
		return p
	}
	p := &function{name: f.name}
	for _, o := range open {
		if o {
			p.arity++
		}
	}
	p.native = func(e *evaluation, rest []any) any {
		all := append([]any(nil), args...)
		for i, next := 0, 0; i < len(all); i++ {
			if open[i] {
				all[i] = rest[next]
				next++
			}
		}
		return e.callOnce(f, all, undefined)
	}
	return p
}

// chain is the operator ~>: the left side becomes the argument of the right side, or two functions become one.
func (e *evaluation) chain(n *node, input any, env *frame) any {
	left := e.eval(n.lhs, input, env)
	if n.rhs.kind == kindFunction {
		v := e.invoke(n.rhs, input, env, []any{left})
		for _, p := range n.rhs.predicates {
			v = e.filter(p.expr, v, env)
		}
		return v
	}
	right, ok := e.eval(n.rhs, input, env).(*function)
	if !ok {
		panic(fail("T2006", n.pos, "", nil))
	}
	if first, ok := left.(*function); ok {
		return &function{arity: 1, native: func(e *evaluation, args []any) any {
			return e.call(right, []any{e.call(first, args[:1], undefined)}, undefined)
		}}
	}
	return e.call(right, []any{left}, undefined)
}

// transformer is the function of |pattern|update, delete|: it changes a copy of its argument.
func (e *evaluation) transformer(n *node, env *frame) any {
	return &function{arity: 1, sig: transformSignature, native: func(e *evaluation, args []any) any {
		if isUndefined(args[0]) {
			return undefined
		}
		clone, ok := e.lookup(env, "clone").(*function)
		if !ok {
			panic(fail("T2013", n.pos, "", nil))
		}
		result := e.call(clone, []any{args[0]}, undefined)
		matches := e.eval(n.lhs, result, env)
		if isUndefined(matches) {
			return result
		}
		for _, match := range list(matches) {
			e.transform(n, match, env)
		}
		return result
	}}
}

var transformSignature = mustSignature("<(oa):o>")

func (e *evaluation) transform(n *node, match any, env *frame) {
	object, isObject := match.(*value.Object)
	if _, ok := match.(*function); ok {
		panic(fail("D1010", n.pos, "", nil))
	}
	update := e.eval(n.rhs, match, env)
	if changes, ok := update.(*value.Object); ok {
		for name, v := range changes.All() {
			if isObject {
				e.spend(48)
				object.Set(name, v)
			}
		}
	} else if !isUndefined(update) {
		panic(fail("T2011", n.rhs.pos, "", detail{"value": update}))
	}
	if n.otherwise == nil {
		return
	}
	names := e.eval(n.otherwise, match, env)
	if isUndefined(names) {
		return
	}
	for _, name := range list(names) {
		if _, ok := name.(string); !ok {
			panic(fail("T2012", n.otherwise.pos, "", detail{"value": names}))
		}
	}
	for _, name := range list(names) {
		if isObject {
			object.Delete(name.(string))
		}
	}
}

// clone copies a value deeply, so that it can be changed; functions become empty text.
func (e *evaluation) clone(v any) any {
	e.spend(32)
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
