package jsonata

import (
	"errors"
	"math"

	"github.com/newel-run/newel/asl/value"
)

// Expr is a compiled expression.
type Expr struct {
	text string
	root expr
}

// String is the expression as it was written.
func (x *Expr) String() string { return x.text }

// Env is what an evaluation sees of the world.
type Env struct {
	Input    value.Value                           // the context, $ and $$
	Absent   bool                                  // there is no input: the context is undefined
	Bindings func(name string) (value.Value, bool) // variables, without their $; may be nil
	Now      int64                                 // $now and $millis: milliseconds since 1970
	Random   func() uint64                         // $random, $shuffle, $uuid; without it they fail
	Limits   Limits
}

// Limits bound an evaluation; zero stands for the default.
type Limits struct {
	Steps int // expressions evaluated and items made: 20 million, about a second
	Depth int // expressions evaluated inside each other: 100, which is AWS's limit
	Value int // of a string (a byte for a character) or a range (eight for a number): 6,990,256, which is AWS's limit
	Bytes int // allocated for all that is made: 256 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 20_000_000
	}
	if l.Depth == 0 {
		l.Depth = 100
	}
	if l.Value == 0 {
		l.Value = 6_990_256
	}
	if l.Bytes == 0 {
		l.Bytes = 256 << 20
	}
	return l
}

// maxResultDepth leaves room below the depth that a JSON text may have, for what a result is put into.
const maxResultDepth = 900

// ErrUnsupportedResult is the error of an expression whose result is a function or holds one.
var ErrUnsupportedResult = errors.New("returned an unsupported result type")

// Compile checks and compiles an expression, without the {% %} around it. Its error is an *Error.
func Compile(text string) (x *Expr, err error) {
	defer catch(&err)
	return &Expr{text, resolve(parse(text))}, nil
}

func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		panic(r)
	}
}

// Eval evaluates the expression. defined is false when the result is undefined. Its error is an *Error or
// ErrUnsupportedResult.
func (x *Expr) Eval(env Env) (result value.Value, defined bool, err error) {
	defer catch(&err)
	e := &evaluation{env: env, limits: env.Limits.withDefaults(), root: env.Input}
	input := env.Input
	if env.Absent {
		e.root, input = undefined, undefined
	} else if a, ok := input.(value.Array); ok {
		input = &document{a}
	}
	v := e.eval(x.root, input, &frame{})
	if isUndefined(v) {
		return nil, false, nil
	}
	e.spend(e.measure(v, false))
	result, ok := e.export(v)
	if !ok {
		return nil, false, ErrUnsupportedResult
	}
	return result, true, nil
}

// evaluation is the state of one evaluation.
type evaluation struct {
	env    Env
	limits Limits
	root   any
	steps  int
	depth  int
	bytes  int
	token  string // the function that runs
	pos    int
	nested int // levels of the value that is being visited
	given  int // how many arguments the built-in function that begins has been given
}

// fail ends the evaluation with an error of the function that runs.
func (e *evaluation) fail(code string, d detail) { panic(fail(code, e.pos, e.token, d)) }

// step counts work.
func (e *evaluation) step(n int) {
	if e.steps += n; e.steps > e.limits.Steps {
		panic(limitError(messageSteps))
	}
}

// bound refuses a value that is larger than a value may be.
func (e *evaluation) bound(size int) {
	if size < 0 || size > e.limits.Value {
		panic(limitError(messageBytes))
	}
}

// hold counts the characters of a string that is about to be made.
func (e *evaluation) hold(size int) {
	e.bound(size)
	e.spend(size)
}

// spend counts bytes before they are allocated; each also counts as a little work.
func (e *evaluation) spend(n int) {
	if n < 0 || n > e.limits.Bytes-e.bytes {
		panic(limitError(messageBytes))
	}
	e.bytes += n
	e.step(n >> 6)
}

// into goes one level into a value. A transform can make one that holds itself.
func (e *evaluation) into() {
	e.step(1)
	if e.nested++; e.nested > maxResultDepth {
		panic(limitError(messageDepth))
	}
}

// measure visits a value before it is written or compared, so that one that shares its parts many times over, or is
// nested too deep, meets the limits. It returns about how long the value's text is. Where the value is to be finite, an
// infinite number in it is an error.
func (e *evaluation) measure(v any, finite bool) (size int) {
	e.into()
	switch v := v.(type) {
	case string:
		size = len(v)
	case value.Number:
		size = len(v)
	case float64:
		if size = 8; finite && math.IsInf(v, 0) {
			e.fail("D1001", detail{"value": v})
		}
	case *value.Object:
		for name, member := range v.All() {
			size += len(name) + 4 + e.measure(member, finite)
		}
	default:
		size = 4
		items, _ := elements(v)
		for _, item := range items {
			size += 1 + e.measure(item, finite)
		}
	}
	e.nested--
	return size
}

// export turns a result into a value of the engine; what needs no change is shared. ok is false for a function.
func (e *evaluation) export(v any) (value.Value, bool) {
	switch v := v.(type) {
	case missing:
		return nil, true
	case *function:
		return nil, false
	case float64:
		return exportDouble(v), true
	case value.Number:
		return exportNumber(v), true
	case *sequence, *fixed, *document, *stream:
		items, _ := elements(v)
		return e.exportItems(append(value.Array{}, items...))
	case value.Array:
		return e.exportItems(v)
	case *value.Object:
		return e.exportObject(v)
	}
	return v, true
}

func (e *evaluation) exportItems(items value.Array) (value.Value, bool) {
	shared := true
	for i, item := range items {
		w, ok := e.export(item)
		if !ok {
			return nil, false
		}
		if same(item, w) {
			continue
		}
		if shared {
			items, shared = append(value.Array{}, items...), false
		}
		items[i] = w
	}
	return items, true
}

func (e *evaluation) exportObject(o *value.Object) (value.Value, bool) {
	result := o
	for name, member := range o.All() {
		w, ok := e.export(member)
		if !ok {
			return nil, false
		}
		if same(member, w) {
			continue
		}
		if result == o {
			result = o.Clone()
		}
		if isUndefined(member) {
			result.Delete(name)
		} else {
			result.Set(name, w)
		}
	}
	return result, true
}

// same says whether export has left a value as it was.
func same(before, after any) bool {
	switch before := before.(type) {
	case missing, float64, *sequence, *fixed, *document, *stream:
		return false
	case value.Array:
		after, ok := after.(value.Array)
		return ok && len(before) == len(after) && (len(before) == 0 || &before[0] == &after[0])
	}
	return before == after
}
