package jsonata

import "github.com/newel-run/newel/asl/value"

var arrayFunctions = map[string]builtin{
	"append":   {2, "<xx:a>", func(e *evaluation, args []any) any { return e.concat(args[0], args[1]) }},
	"exists":   {1, "<x:b>", func(_ *evaluation, args []any) any { return !isUndefined(args[0]) }},
	"reverse":  {1, "<a:a>", defined(reverse)},
	"shuffle":  {1, "<a:a>", defined(shuffle)},
	"sort":     {2, "<af?:a>", defined(sortArray)},
	"distinct": {1, "<x:x>", defined(distinct)},
	"zip":      {0, "<a+>", zip},
	"map":      {2, "<af>", defined(mapArray)},
	"filter":   {2, "<af>", defined(filterArray)},
	"single":   {2, "<af?>", defined(single)},
	"reduce":   {3, "<afj?:j>", defined(reduce)},
}

func reverse(e *evaluation, args []any) any {
	items := list(args[0])
	if len(items) <= 1 {
		return args[0]
	}
	e.spend(16 * len(items))
	result := make(value.Array, len(items))
	for i, item := range items {
		result[len(items)-1-i] = item
	}
	return result
}

func shuffle(e *evaluation, args []any) any {
	items := list(args[0])
	if len(items) <= 1 {
		return args[0]
	}
	e.spend(16 * len(items))
	result := make(value.Array, len(items))
	for i, item := range items {
		j := int(e.random() * float64(i+1))
		result[i] = result[j]
		result[j] = item
	}
	return result
}

func sortArray(e *evaluation, args []any) any {
	items := list(args[0])
	if len(items) <= 1 {
		return args[0]
	}
	if f, ok := args[1].(*function); ok {
		return value.Array(e.sortItems(items, func(a, b any) bool {
			return e.jsTrue(e.call(f, []any{a, b}, undefined))
		}))
	}
	kind := typeOfValue(items[0])
	for _, item := range items {
		if typeOfValue(item) != kind || kind&(typeNumber|typeString) == 0 {
			e.fail("D3070", nil)
		}
	}
	return value.Array(e.sortItems(items, func(a, b any) bool {
		e.step(textLength(a) >> 6)
		c, _ := order(a, b)
		return c > 0
	}))
}

// jsTrue is what JavaScript takes for true, which a comparison function may return: any array and object.
func (e *evaluation) jsTrue(v any) bool {
	return typeOfValue(v)&(typeArray|typeObject|typeFunction) != 0 || e.truthy(v)
}

func distinct(e *evaluation, args []any) any {
	items, ok := elements(args[0])
	if !ok || len(items) <= 1 {
		return args[0]
	}
	var kept []any
	simple := map[any]bool{}
	for _, item := range items {
		key := item
		if f, ok := isNumber(item); ok {
			key = f
		}
		if typeOfValue(item)&(typeArray|typeObject|typeFunction) != 0 {
			if e.among(kept, item) {
				continue
			}
		} else {
			e.step(textLength(key) >> 6)
			if simple[key] {
				continue
			}
			simple[key] = true
		}
		e.spend(32)
		kept = append(kept, item)
	}
	if isSequence(args[0]) {
		return &sequence{items: kept}
	}
	return value.Array(kept)
}

func (e *evaluation) among(items []any, v any) bool {
	for _, item := range items {
		if e.step(1); e.equal(v, item) {
			return true
		}
	}
	return false
}

func zip(e *evaluation, args []any) any {
	shortest := -1
	for _, arg := range args {
		n := 0
		if items, ok := elements(arg); ok {
			n = len(items)
		}
		if shortest < 0 || n < shortest {
			shortest = n
		}
	}
	result := value.Array{}
	for i := range max(0, shortest) {
		e.spend(40 + 16*len(args))
		row := make(value.Array, len(args))
		for j, arg := range args {
			row[j] = list(arg)[i]
		}
		result = append(result, row)
	}
	return result
}

// visit calls a function with an item, its index or key, and the whole, as many of them as it can take.
func (e *evaluation) visit(f any, args ...any) any {
	n := 1
	if fn, ok := f.(*function); ok {
		n = max(1, min(len(args), fn.arity))
	}
	return e.call(f, args[:n], undefined)
}

func mapArray(e *evaluation, args []any) any {
	result := &sequence{}
	for i, item := range list(args[0]) {
		if v := e.visit(args[1], item, float64(i), args[0]); !isUndefined(v) {
			e.spend(16)
			result.add(v)
		}
	}
	return result
}

func filterArray(e *evaluation, args []any) any {
	result := &sequence{}
	for i, item := range list(args[0]) {
		if e.truthy(e.visit(args[1], item, float64(i), args[0])) {
			e.spend(16)
			result.add(item)
		}
	}
	return result
}

func single(e *evaluation, args []any) any {
	hit, result := false, undefined
	for i, item := range list(args[0]) {
		if !isUndefined(args[1]) && !e.truthy(e.visit(args[1], item, float64(i), args[0])) {
			continue
		}
		if hit {
			e.fail("D3138", nil)
		}
		hit, result = true, item
	}
	if !hit {
		e.fail("D3139", nil)
	}
	return result
}

func reduce(e *evaluation, args []any) any {
	f, _ := args[1].(*function)
	if f == nil || f.arity < 2 {
		e.fail("D3050", nil)
	}
	items, result := list(args[0]), args[2]
	first := 0
	if isUndefined(result) && len(items) > 0 {
		first, result = 1, items[0]
	}
	for i := first; i < len(items); i++ {
		all := []any{result, items[i], float64(i), args[0]}
		result = e.call(f, all[:min(4, f.arity)], undefined)
	}
	return result
}
