package jsonata

import (
	"math"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

var matchFunctions = map[string]builtin{
	"match":    {3, "<s-f<s:o>n?:a<o>>", onText(match)},
	"contains": {2, "<s-(sf):b>", onText(containsText)},
	"replace":  {4, "<s-(sf)(sf)n?:s>", onText(replace)},
	"split":    {3, "<s-(sf)n?:a<s>>", onText(split)},
}

// found is one match of a matcher; positions are in UTF-16 units.
type found struct {
	match      string
	start, end int
	groups     any
	next       any
}

// matcher makes the function that a regular expression is: it finds the first match, whose member next finds the
// following one.
func matcher(n *pattern) any {
	return &function{arity: 2, native: func(e *evaluation, args []any) any {
		s, ok := args[0].(string)
		if !ok {
			return undefined
		}
		return matchAt(e, n, s, e.matches(n, s), 0)
	}}
}

// matches finds all matches; their number is bounded by the memory that there is for them.
func (e *evaluation) matches(n *pattern, s string) [][]int {
	e.step(len(s)/8*n.cost + n.cost)
	size := 40 + 16*(n.regex.NumSubexp()+1)
	most := (e.limits.Bytes-e.bytes)/size + 1
	found := n.regex.FindAllStringSubmatchIndex(s, most)
	e.spend(size * len(found))
	return found
}

func matchAt(e *evaluation, n *pattern, s string, matches [][]int, from int) any {
	if len(matches) == 0 {
		return undefined
	}
	m := matches[0]
	if from > 0 && m[0] == m[1] {
		panic(fail("D1004", int(n.at), "", nil))
	}
	e.spend(256)
	groups := value.Array{}
	for i := 2; i < len(m); i += 2 {
		if m[i] < 0 {
			groups = append(groups, undefined)
		} else {
			groups = append(groups, s[m[i]:m[i+1]])
		}
	}
	start := utf16Length(s[:m[0]])
	e.step(m[1] >> 4)
	next := &function{native: func(e *evaluation, _ []any) any {
		if m[1] >= len(s) {
			return undefined
		}
		if m[0] == m[1] {
			panic(fail("D1004", int(n.at), "", nil))
		}
		return matchAt(e, n, s, matches[1:], m[1])
	}}
	return value.NewObject(value.Member{Name: "match", Value: s[m[0]:m[1]]}, value.Member{Name: "start", Value: float64(start)},
		value.Member{Name: "end", Value: float64(start + utf16Length(s[m[0]:m[1]]))}, value.Member{Name: "groups", Value: groups},
		value.Member{Name: "next", Value: next})
}

// find calls a matcher and looks at the structure of what it returns; nil is no match.
func (e *evaluation) find(f any, args ...any) *found {
	v := e.call(f, args, undefined)
	if isUndefined(v) {
		return nil
	}
	o, _ := v.(*value.Object)
	if o == nil {
		e.fail("T1010", nil)
	}
	m := &found{groups: e.member(o, "groups"), next: e.member(o, "next")}
	start, hasStart := isNumber(e.member(o, "start"))
	end, hasEnd := isNumber(e.member(o, "end"))
	_, hasGroups := elements(m.groups)
	_, hasNext := m.next.(*function)
	if !hasStart && !hasEnd && !hasGroups && !hasNext {
		e.fail("T1010", nil)
	}
	m.match, _ = e.member(o, "match").(string)
	m.start, m.end = int(start), int(end)
	return m
}

// cutUnits cuts a string by UTF-16 units.
func cutUnits(s string, from, to int) string {
	i, j := byteIndex(s, from), byteIndex(s, to)
	if i > j {
		i, j = j, i
	}
	return s[i:j]
}

// limit is an optional count, which must not be negative.
func (e *evaluation) limit(v any, code string) int {
	f, ok := isNumber(v)
	if !ok {
		return math.MaxInt
	}
	if f < 0 {
		e.fail(code, detail{"value": v})
	}
	n, _ := whole(v)
	return n
}

func match(e *evaluation, s string, args []any) any {
	limit := e.limit(args[2], "D3040")
	result := &sequence{}
	if limit == 0 {
		return result
	}
	for m := e.find(args[1], s); m != nil && len(result.items) < limit; m = e.find(m.next) {
		result.add(value.NewObject(value.Member{Name: "match", Value: m.match}, value.Member{Name: "index", Value: float64(m.start)},
			value.Member{Name: "groups", Value: m.groups}))
	}
	return result
}

func containsText(e *evaluation, s string, args []any) any {
	switch token := args[1].(type) {
	case string:
		return strings.Contains(s, token)
	case *function:
		return e.find(token, s) != nil
	}
	return undefined
}

func split(e *evaluation, s string, args []any) any {
	limit := e.limit(args[2], "D3020")
	result := value.Array{}
	if limit == 0 {
		return result
	}
	if separator, ok := args[1].(string); ok {
		e.spend(16 * (strings.Count(s, separator) + 1))
		for _, part := range strings.Split(s, separator) {
			if len(result) < limit {
				result = append(result, part)
			}
		}
		return result
	}
	start := 0
	for m := e.find(args[1], s); m != nil && len(result) < limit; m = e.find(m.next) {
		e.spend(16)
		result = append(result, cutUnits(s, start, m.start))
		start = m.end
	}
	if len(result) < limit {
		result = append(result, s[byteIndex(s, start):])
	}
	return result
}

func replace(e *evaluation, s string, args []any) any {
	if args[1] == "" {
		e.fail("D3010", detail{"value": ""})
	}
	limit := e.limit(args[3], "D3011")
	if limit == 0 {
		return s
	}
	if pattern, ok := args[1].(string); ok {
		with, ok := args[2].(string)
		if !ok && strings.Contains(s, pattern) { // the reference implementation inserts the function's source
			e.fail("D3012", nil)
		}
		e.hold(min(strings.Count(s, pattern), limit)*len(with) + len(s))
		return strings.Replace(s, pattern, with, min(limit, len(s)+1))
	}
	var out strings.Builder
	position, count := 0, 0
	for m := e.find(args[1], s); m != nil && count < limit; m = e.find(m.next) {
		with, ok := "", true
		if template, isText := args[2].(string); isText {
			with = expand(template, m)
		} else {
			replaced := e.call(args[2], []any{m.object()}, undefined)
			if with, ok = replaced.(string); !ok {
				e.fail("D3012", detail{"value": replaced})
			}
		}
		before := cutUnits(s, position, m.start)
		e.hold(out.Len() + len(before) + len(with))
		out.WriteString(before)
		out.WriteString(with)
		position = m.start + utf16Length(m.match)
		count++
	}
	out.WriteString(s[byteIndex(s, position):])
	return out.String()
}

func (m *found) object() *value.Object {
	return value.NewObject(value.Member{Name: "match", Value: m.match}, value.Member{Name: "start", Value: float64(m.start)},
		value.Member{Name: "end", Value: float64(m.end)}, value.Member{Name: "groups", Value: m.groups}, value.Member{Name: "next", Value: m.next})
}

// expand puts a match into a replacement: $0 is the match, $1 its first group, $$ a dollar sign.
func expand(template string, m *found) string {
	groups, _ := elements(m.groups)
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "$")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		n, size := groupNumber(rest, len(groups))
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			size = 1
		case strings.HasPrefix(rest, "0"):
			b.WriteString(m.match)
			size = 1
		case size == 0:
			b.WriteByte('$')
		case n <= len(groups):
			text, _ := groups[n-1].(string)
			b.WriteString(text)
		}
		template = rest[size:]
	}
}

// groupNumber reads the number of a group: as many digits count as the number of groups has, one fewer if there is no
// such group.
func groupNumber(text string, groups int) (n, size int) {
	most := len(strconv.Itoa(groups))
	for size = min(most, len(text)); size > 0; size-- {
		number, err := strconv.ParseUint(text[:size], 10, 31)
		if err == nil && (int(number) <= groups || size < most || most == 1) {
			return int(number), size
		}
	}
	return 0, 0
}

// leadingInt reads at most so many digits.
func leadingInt(s string, most int) (int, bool) {
	n := 0
	for n < len(s) && n < most && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	i, err := strconv.Atoi(s[:n])
	return i, err == nil
}
