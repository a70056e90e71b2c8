package jsonata

import (
	"github.com/newel-run/newel/asl/value"
)

var objectFunctions = map[string]builtin{
	"keys":   {1, "<x-:a<s>>", keys},
	"lookup": {2, "<x-s:x>", lookup},
	"spread": {1, "<x-:a<o>>", func(e *evaluation, args []any) any { return e.spread(args[0]) }},
	"merge":  {1, "<a<o>:o>", defined(merge)},
	"each":   {2, "<o-f:a>", each},
	"sift":   {2, "<o-f?:o>", sift},
	"clone":  {1, "<(oa)-:o>", defined(func(e *evaluation, args []any) any { return e.clone(args[0]) })},
	"error":  {1, "<s?:x>", raise},
	"assert": {2, "<bs?:x>", assert},
	"type":   {1, "<x:s>", defined(typeOf)},
	"now":    {2, "<s?s?:s>", now},
	"millis": {0, "<:n>", func(e *evaluation, _ []any) any { return float64(e.env.Now) }},
}

func keys(e *evaluation, args []any) any {
	result := &sequence{}
	seen := map[string]bool{}
	var visit func(v any)
	visit = func(v any) {
		e.into()
		items, _ := elements(v)
		for _, item := range items {
			visit(item)
		}
		e.nested--
		o, ok := v.(*value.Object)
		if !ok {
			return
		}
		for name := range o.All() {
			if !seen[name] {
				e.spend(64)
				seen[name] = true
				result.add(name)
			}
		}
	}
	visit(args[0])
	return result
}

func lookup(e *evaluation, args []any) any {
	name, _ := args[1].(string)
	return e.member(args[0], name)
}

func (e *evaluation) spread(v any) any {
	if items, ok := elements(v); ok {
		e.into()
		all, some := value.Array{}, false
		for _, item := range items {
			if s := e.spread(item); !isUndefined(s) {
				all, some = append(all, list(s)...), true
			}
		}
		e.nested--
		if !some {
			return &sequence{}
		}
		return all
	}
	o, ok := v.(*value.Object)
	if !ok {
		return v
	}
	result := &sequence{}
	for name, member := range o.All() {
		e.spend(96)
		result.add(value.NewObject(value.Member{Name: name, Value: member}))
	}
	return result
}

func merge(e *evaluation, args []any) any {
	result := &value.Object{}
	for _, item := range list(args[0]) {
		if o, ok := item.(*value.Object); ok {
			e.spend(48 * o.Len())
			for name, member := range o.All() {
				result.Set(name, member)
			}
		}
	}
	return result
}

func each(e *evaluation, args []any) any {
	result := &sequence{}
	if o, ok := args[0].(*value.Object); ok {
		for name, member := range o.All() {
			if v := e.visit(args[1], member, name, o); !isUndefined(v) {
				e.spend(16)
				result.add(v)
			}
		}
	}
	return result
}

func sift(e *evaluation, args []any) any {
	result := &value.Object{}
	if o, ok := args[0].(*value.Object); ok {
		for name, member := range o.All() {
			if e.truthy(e.visit(args[1], member, name, o)) {
				e.spend(48)
				result.Set(name, member)
			}
		}
	}
	if result.Len() == 0 {
		return undefined
	}
	return result
}

func raise(e *evaluation, args []any) any {
	message, _ := args[0].(string)
	if message == "" {
		message = "$error() function evaluated"
	}
	e.fail("D3137", detail{"message": message})
	return nil
}

func assert(e *evaluation, args []any) any {
	if holds, _ := args[0].(bool); !holds {
		message, _ := args[1].(string)
		if message == "" {
			message = "$assert() statement failed"
		}
		e.fail("D3141", detail{"message": message})
	}
	return undefined
}

func typeOf(_ *evaluation, args []any) any {
	return map[types]string{typeNull: "null", typeNumber: "number", typeString: "string", typeBoolean: "boolean", typeArray: "array", typeFunction: "function", typeObject: "object"}[typeOfValue(args[0])]
}

func now(e *evaluation, args []any) any {
	return e.formatTime(float64(e.env.Now), args[0], args[1])
}
