package jsonata

// builtin describes a function: how many arguments it can use, its signature and what it does. Its arguments have passed
// the signature, if there is one; those that are missing are undefined.
type builtin struct {
	arity  int
	sig    string
	native func(e *evaluation, args []any) any
}

// builtins are the functions by name, filled in once.
var builtins map[string]*function

func init() {
	builtins = map[string]*function{}
	for _, table := range []map[string]builtin{numericFunctions, textFunctions, matchFunctions, arrayFunctions, objectFunctions, pictureFunctions, awsFunctions} {
		for name, b := range table {
			f := &function{name: name, arity: b.arity, native: b.native}
			if b.sig != "" {
				f.sig = mustSignature(b.sig)
			}
			builtins[name] = f
		}
	}
}

// defined makes a function that is undefined when its first argument is.
func defined(f func(e *evaluation, args []any) any) func(e *evaluation, args []any) any {
	return func(e *evaluation, args []any) any {
		if isUndefined(args[0]) {
			return undefined
		}
		return f(e, args)
	}
}

// onNumber makes a function of a number.
func onNumber(f func(e *evaluation, n float64, args []any) any) func(e *evaluation, args []any) any {
	return defined(func(e *evaluation, args []any) any {
		n, _ := isNumber(args[0])
		return f(e, n, args)
	})
}

// onText makes a function of a string.
func onText(f func(e *evaluation, s string, args []any) any) func(e *evaluation, args []any) any {
	return defined(func(e *evaluation, args []any) any {
		s, _ := args[0].(string)
		e.step(len(s) >> 6) // it is looked through at least once
		return f(e, s, args)
	})
}
