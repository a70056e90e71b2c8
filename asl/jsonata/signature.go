package jsonata

import (
	"math/bits"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// types is a set of types of values.
type types uint16

const (
	typeNull types = 1 << iota
	typeBoolean
	typeString
	typeNumber
	typeObject
	typeFunction
	typeArray
	typeMissing

	typesJSON = typeNull | typeBoolean | typeString | typeNumber | typeObject | typeArray
	typesAny  = typesJSON | typeFunction
)

// typeLetters are the letters of signatures. Apart from a function, any argument may be undefined.
var typeLetters = map[byte]types{
	'b': typeBoolean | typeMissing,
	'n': typeNumber | typeMissing,
	's': typeString | typeMissing,
	'l': typeNull | typeMissing,
	'o': typeObject | typeMissing,
	'f': typeFunction,
	'j': typesJSON | typeMissing,
	'x': typesAny | typeMissing,
	'a': typesAny | typeMissing, // what is no array becomes one
}

// typeOfValue is the type of a value.
func typeOfValue(v any) types {
	switch v.(type) {
	case nil:
		return typeNull
	case bool:
		return typeBoolean
	case string:
		return typeString
	case value.Number, float64:
		return typeNumber
	case *value.Object:
		return typeObject
	case *function:
		return typeFunction
	case missing:
		return typeMissing
	}
	return typeArray
}

// signature says what arguments a function takes, as in <s-n?:s>.
type signature struct{ params []parameter }

// parameter takes from least to most arguments of some types.
type parameter struct {
	takes       types
	least, most int
	array       bool  // a single value becomes an array
	items       types // that the array's items must have, 0 for any
	context     bool  // without an argument the context is taken
}

const unlimited = 1 << 30

// parseSignature reads a signature without its angle brackets; code is empty or an error at an offset. Letters without a
// meaning count for nothing.
func parseSignature(text string) (s *signature, code string, offset int) {
	s = &signature{}
	var last *parameter
	add := func(p parameter) {
		p.least, p.most = 1, 1
		s.params = append(s.params, p)
		last = &s.params[len(s.params)-1]
	}
	for i := 0; i < len(text) && text[i] != ':'; i++ {
		c := text[i]
		if t, ok := typeLetters[c]; ok {
			add(parameter{takes: t, array: c == 'a'})
			continue
		}
		switch {
		case c == '(':
			size := closing(text[i:], '(', ')')
			if strings.Contains(text[i:i+size], "<") {
				return nil, "S0402", i + 1
			}
			add(parameter{takes: choice(text[i+1:i+size]) | typeMissing})
			i += size
		case c == '<':
			if last == nil || !last.array && last.takes != typeFunction {
				return nil, "S0401", i + 1
			}
			size := closing(text[i:], '<', '>')
			if last.array && size > 1 {
				last.items = typeLetters[text[i+1]] &^ typeMissing
				if text[i+1] == 'a' {
					last.items = typeArray
				}
			}
			i += size
		case last == nil:
		case c == '-':
			last.context, last.least = true, 0
		case c == '?':
			last.least = 0
		case c == '+':
			last.most = unlimited
		}
	}
	return s, "", 0
}

// choice is the types of a choice group: there an array is an array only.
func choice(letters string) types {
	var t types
	for i := range len(letters) {
		if letters[i] == 'a' {
			t |= typeArray
		} else {
			t |= typeLetters[letters[i]]
		}
	}
	return t
}

// closing is the distance from a bracket to the one that closes it, or to the end.
func closing(text string, open, end byte) int {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case open:
			depth++
		case end:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

func mustSignature(text string) *signature {
	s, code, _ := parseSignature(strings.Trim(text, "<>"))
	if code != "" {
		panic("jsonata: " + text + ": " + code)
	}
	return s
}

// fit deals arguments out to parameters, each taking as many as it can and giving some back where the others need them.
type fit struct {
	e      *evaluation
	s      *signature
	args   []any
	widths []int
	good   int // how many arguments have matched at best
}

// place finds the widths of the parameters from the i-th on, for the arguments from at on.
func (f *fit) place(i, at int) bool {
	f.e.step(1)
	f.good = max(f.good, at)
	if i == len(f.s.params) {
		return at == len(f.args)
	}
	p := &f.s.params[i]
	n := 0
	for n < p.most && at+n < len(f.args) && p.takes&typeOfValue(f.args[at+n]) != 0 {
		n++
	}
	for ; n >= p.least; n-- {
		f.widths[i] = n
		if f.place(i+1, at+n) {
			return true
		}
	}
	return false
}

// validate checks arguments and completes them: the context for a missing one, an array for a single value.
func (e *evaluation) validate(s *signature, args []any, context any) []any {
	var room [4]int
	f := fit{e: e, s: s, args: args, widths: room[:0]}
	for range s.params {
		f.widths = append(f.widths, 0)
	}
	if !f.place(0, 0) {
		e.fail("T0410", detail{"index": float64(f.good + 1)})
	}
	result := make([]any, 0, len(args)+2)
	next := 0
	take := func() any {
		next++
		if next > len(args) {
			return undefined
		}
		return args[next-1]
	}
	for i := range s.params {
		p := &s.params[i]
		switch {
		case f.widths[i] > 0:
			for range f.widths[i] {
				result = append(result, e.fitted(p, take(), next))
			}
		case !p.context: // the next argument takes the place of the missing one too
			result = append(result, take())
		case p.takes&typeOfValue(context) != 0:
			result = append(result, context)
		default:
			e.fail("T0411", detail{"index": float64(next + 1)})
		}
	}
	return result
}

// fitted makes an array where the parameter wants one, and checks its items.
func (e *evaluation) fitted(p *parameter, arg any, index int) any {
	if !p.array || isUndefined(arg) {
		return arg
	}
	items, isArray := elements(arg)
	if !isArray {
		items = []any{arg}
	}
	if p.items != 0 {
		for _, item := range items {
			if typeOfValue(item)&p.items == 0 {
				e.fail("T0412", detail{"index": float64(index), "type": plurals[bits.TrailingZeros16(uint16(p.items))]})
			}
		}
	}
	if isArray {
		return arg
	}
	return value.Array(items)
}

// plurals are the names of the types for messages, in the order of their bits.
var plurals = [...]string{"nulls", "booleans", "strings", "numbers", "objects", "functions", "arrays", "undefined"}
