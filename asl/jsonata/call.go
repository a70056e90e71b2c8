package jsonata

// tailCall is what a function returns that ends with a call: the call is made after the function has returned, so that a
// function which calls itself last needs no stack.
type tailCall struct {
	call    *call
	context any
	env     *frame
}

// invoke makes a call; piped is the left side of ~>, the first argument, if there is one.
func (e *evaluation) invoke(x *call, context any, env *frame, piped []any) any {
	f := e.callee(x.proc, x.at, context, env, "T1005")
	args := make([]any, len(piped), len(piped)+len(x.args))
	copy(args, piped)
	token, pos := e.token, e.pos
	args = e.arguments(args, x.args, context, env)
	e.token, e.pos = procName(x.proc), int(x.at)
	v := e.call(f, args, context)
	e.token, e.pos = token, pos
	return v
}

func (e *evaluation) arguments(dst []any, args []expr, context any, env *frame) []any {
	for _, arg := range args {
		dst = append(dst, e.eval(arg, context, env))
	}
	return dst
}

// procName names a function for messages.
func procName(x expr) string {
	if v, ok := x.(*variable); ok {
		return v.name
	}
	return fieldName(x)
}

// callee evaluates what is called. A function's name without its $ is an error of its own.
func (e *evaluation) callee(proc expr, position at, context any, env *frame, code string) any {
	f := e.eval(proc, context, env)
	if name := fieldName(proc); isUndefined(f) && name != "" && !isUndefined(e.lookup(env, name)) {
		panic(fail(code, int(position), name, nil))
	}
	return f
}

// call applies a function, and then, one after the other, the calls that end it.
func (e *evaluation) call(f any, args []any, context any) any {
	v := e.apply(f, args, context)
	for {
		t, ok := v.(*tailCall)
		if !ok {
			return v
		}
		next := e.callee(t.call.proc, t.call.at, t.context, t.env, "T1006")
		args := e.arguments(make([]any, 0, len(t.call.args)), t.call.args, t.context, t.env)
		e.token, e.pos = procName(t.call.proc), int(t.call.at)
		v = e.apply(next, args, context)
	}
}

// apply applies a function once.
func (e *evaluation) apply(f any, args []any, context any) any {
	fn, ok := f.(*function)
	if !ok {
		e.fail("T1006", nil)
	}
	if fn.sig != nil {
		args = e.validate(fn.sig, args, context)
	}
	if fn.native != nil {
		e.given = len(args)
		for len(args) < fn.arity {
			args = append(args, undefined)
		}
		e.step(1)
		return fn.native(e, args)
	}
	e.spend(48 + 32*len(fn.params))
	scope := &frame{outer: fn.env, vars: make(variables, len(fn.params))}
	for i, name := range fn.params {
		scope.vars[i] = variableValue{name, undefined}
		if i < len(args) {
			scope.vars[i].value = args[i]
		}
	}
	return e.eval(fn.lambda.body, fn.input, scope)
}

// partial is a function with some of its arguments given.
func (e *evaluation) partial(x *partial, context any, env *frame) any {
	given := make([]any, len(x.args))
	for i, arg := range x.args {
		if arg != nil {
			given[i] = e.eval(arg, context, env)
		}
	}
	f, ok := e.callee(x.proc, x.at, context, env, "T1007").(*function)
	if !ok {
		panic(fail("T1008", int(x.at), procName(x.proc), nil))
	}
	if f.lambda != nil {
		return f.partially(x.args, given)
	}
	open := 0
	for _, arg := range x.args {
		if arg == nil {
			open++
		}
	}
	return &function{name: f.name, arity: open, native: func(e *evaluation, rest []any) any {
		all := append([]any(nil), given...)
		for i, arg := range x.args {
			if arg == nil {
				all[i], rest = rest[0], rest[1:]
			}
		}
		return e.apply(f, all, undefined)
	}}
}

// partially binds a lambda's parameters in a scope around its body; the others are left as parameters.
func (f *function) partially(args []expr, given []any) *function {
	p := &function{lambda: f.lambda, input: f.input, env: &frame{outer: f.env}}
	for i, name := range f.params {
		switch {
		case i >= len(args):
			p.env.vars.set(name, undefined)
		case args[i] == nil:
			p.params = append(p.params, name)
		default:
			p.env.vars.set(name, given[i])
		}
	}
	p.arity = len(p.params)
	return p
}

// chain is left ~> right: the left side becomes the first argument of the right one, or two functions become one.
func (e *evaluation) chain(x *chain, context any, env *frame) any {
	left := e.eval(x.left, context, env)
	if c, ok := bare(x.right).(*call); ok {
		v := e.invoke(c, context, env, []any{left})
		if r, ok := x.right.(*refined); ok {
			for _, filter := range r.predicates {
				v = e.filter(filter, v, env)
			}
		}
		return v
	}
	right, ok := e.eval(x.right, context, env).(*function)
	if !ok {
		panic(fail("T2006", int(x.at), "", nil))
	}
	if first, ok := left.(*function); ok {
		return &function{arity: 1, native: func(e *evaluation, args []any) any {
			return e.call(right, []any{e.call(first, args[:1], undefined)}, undefined)
		}}
	}
	return e.call(right, []any{left}, undefined)
}
