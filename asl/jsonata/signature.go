package jsonata

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// signature says what arguments a function takes: "<s-nn?:s>".
type signature struct {
	params []parameter
}

// parameter matches arguments by their symbols: one, at most one (optional), or one and more (variadic).
type parameter struct {
	symbols  string // of the types that match, always with m for what is undefined unless a function is demanded
	array    bool   // an argument that is no array becomes one
	item     byte   // symbol of the array's items, or 0
	context  bool   // the context stands in for a missing argument
	optional bool
	variadic bool
}

// parseSignature reads a signature; code is empty or an error at an offset.
func parseSignature(text string) (s *signature, code string, offset int) {
	s = &signature{}
	for i := 1; i < len(text) && text[i] != ':'; i++ {
		var last *parameter
		if len(s.params) > 0 {
			last = &s.params[len(s.params)-1]
		}
		switch c := text[i]; c {
		case 's', 'n', 'b', 'l', 'o':
			s.params = append(s.params, parameter{symbols: string(c) + "m"})
		case 'a':
			s.params = append(s.params, parameter{symbols: "asnblfom", array: true})
		case 'f':
			s.params = append(s.params, parameter{symbols: "f"})
		case 'j':
			s.params = append(s.params, parameter{symbols: "asnblom"})
		case 'x':
			s.params = append(s.params, parameter{symbols: "asnblfom"})
		case '(':
			end := closing(text, i, '(', ')')
			choice := text[i+1 : min(end, len(text))]
			if strings.Contains(choice, "<") {
				return nil, "S0402", i
			}
			s.params = append(s.params, parameter{symbols: choice + "m"})
			i = end
		case '<':
			if last == nil || !last.array && last.symbols != "f" {
				return nil, "S0401", i
			}
			end := closing(text, i, '<', '>')
			if last.array && end > i+1 {
				last.item = text[i+1]
			}
			i = end
		case '-':
			if last != nil {
				last.context, last.optional = true, true
			}
		case '?':
			if last != nil {
				last.optional = true
			}
		case '+':
			if last != nil {
				last.variadic = true
			}
		}
	}
	return s, "", 0
}

func closing(text string, i int, open, end byte) int {
	depth := 1
	for i++; i < len(text); i++ {
		switch text[i] {
		case open:
			depth++
		case end:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

func mustSignature(text string) *signature {
	s, code, _ := parseSignature(text)
	if code != "" {
		panic("jsonata: " + text + ": " + code)
	}
	return s
}

func symbol(v any) byte {
	switch v.(type) {
	case nil:
		return 'l'
	case bool:
		return 'b'
	case string:
		return 's'
	case value.Number, float64:
		return 'n'
	case *value.Object:
		return 'o'
	case *function:
		return 'f'
	case value.Array, *sequence:
		return 'a'
	}
	return 'm'
}

// assign gives each parameter its number of arguments, greedily; good is how many arguments matched at best.
func (s *signature) assign(e *evaluation, args []any, widths []int, i, at int, good *int) bool {
	e.step(1)
	*good = max(*good, at)
	if i == len(s.params) {
		return at == len(args)
	}
	p := &s.params[i]
	most := 0
	for at+most < len(args) && strings.IndexByte(p.symbols, symbol(args[at+most])) >= 0 {
		if most++; !p.variadic {
			break
		}
	}
	least := 1
	if p.optional {
		least = 0
	}
	for n := most; n >= least; n-- {
		widths[i] = n
		if s.assign(e, args, widths, i+1, at+n, good) {
			return true
		}
	}
	return false
}

// validate checks arguments and completes them: the context for a missing one, an array for a single value.
func (e *evaluation) validate(s *signature, args []any, context any) []any {
	var space [8]int
	widths, good := space[:], 0
	if len(s.params) > len(space) {
		widths = make([]int, len(s.params))
	}
	if !s.assign(e, args, widths, 0, 0, &good) {
		e.fail("T0410", detail{"index": float64(good + 1)})
	}
	checked := make([]any, 0, len(args)+2)
	at := 0
	for i, p := range s.params {
		if widths[i] == 0 {
			switch {
			case !p.context: // as in the reference implementation, the next argument takes the place of the missing one too
				var next any = undefined
				if at < len(args) {
					next = args[at]
				}
				checked = append(checked, next)
				at++
			case strings.IndexByte(p.symbols, symbol(context)) >= 0:
				checked = append(checked, context)
			default:
				e.fail("T0411", detail{"index": float64(at + 1)})
			}
			continue
		}
		for range widths[i] {
			var arg any = undefined
			if at < len(args) {
				arg = args[at]
			}
			at++
			if p.array && !isUndefined(arg) {
				arg = e.asArray(p, arg, at)
			}
			checked = append(checked, arg)
		}
	}
	return checked
}

var plurals = map[byte]string{'a': "arrays", 'b': "booleans", 'f': "functions", 'n': "numbers", 'o': "objects", 's': "strings"}

func (e *evaluation) asArray(p parameter, arg any, index int) any {
	items, isArray := elements(arg)
	if !isArray {
		items = []any{arg}
	}
	if p.item != 0 {
		for _, item := range items {
			if symbol(item) != p.item {
				e.fail("T0412", detail{"index": float64(index), "type": plurals[p.item]})
			}
		}
	}
	if isArray {
		return arg
	}
	return value.Array(items)
}
