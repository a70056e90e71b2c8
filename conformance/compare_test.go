package conformance

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// comparator decides whether an answer agrees with the recorded one; bindings of tokens span the whole case.
type comparator struct {
	c       *recorded
	skip    [][]string // paths that are left out; ".." stands for any depth
	any     map[string]bool
	rules   map[string]*tokenRule
	tokens  *regexp.Regexp // all placeholders, the longest first
	bound   map[string]string
	resolve func(string) (string, bool)
}

// difference is one place at which an answer differs.
type difference struct {
	path           string
	expected, have string
}

var (
	iso = regexp.MustCompile(`[1-9]\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-][01]\d:?(?:[0-5]\d)?)`)

	pathPart = regexp.MustCompile(`\.\.|\.?\[\*\]|\[(\d+)\]|\['([^']+)'\]|\.?([A-Za-z0-9_$*-]+)`)
)

func newComparator(c *recorded, skip []string, resolve func(string) (string, bool)) *comparator {
	m := &comparator{c: c, any: map[string]bool{"datetime": true}, rules: map[string]*tokenRule{}, bound: map[string]string{}, resolve: resolve}
	if c.Trust == "localstack" { // an emulator's own text: only the error's code is AWS's
		skip = append(slices.Clone(skip), "$..Message", "$..message", "$..exception_value")
	}
	for _, p := range skip {
		m.skip = append(m.skip, parsePath(p))
	}
	var names []string
	for i := range c.Tokens {
		r := &c.Tokens[i]
		if r.Kind == "any" {
			m.any[r.Token] = true
			continue
		}
		m.rules[r.Token] = r
		names = append(names, r.Token)
	}
	sort.Slice(names, func(i, j int) bool { return len(names[i]) > len(names[j]) })
	for i := range names {
		names[i] = regexp.QuoteMeta(names[i])
	}
	if len(names) > 0 {
		m.tokens = regexp.MustCompile(strings.Join(names, "|"))
	}
	return m
}

func parsePath(p string) (parts []string) {
	for _, m := range pathPart.FindAllStringSubmatch(strings.TrimPrefix(p, "$"), -1) {
		switch {
		case m[0] == "..":
			parts = append(parts, "..")
		case strings.HasSuffix(m[0], "[*]"):
			parts = append(parts, "*")
		default:
			parts = append(parts, m[1]+m[2]+m[3])
		}
	}
	return parts
}

func matchPath(pattern, path []string) bool {
	if len(pattern) == 0 {
		return len(path) == 0
	}
	if pattern[0] == ".." {
		for i := range len(path) + 1 {
			if matchPath(pattern[1:], path[i:]) {
				return true
			}
		}
		return false
	}
	return len(path) > 0 && (pattern[0] == "*" || pattern[0] == path[0]) && matchPath(pattern[1:], path[1:])
}

func (m *comparator) skipped(path []string) bool {
	return slices.ContainsFunc(m.skip, func(p []string) bool { return matchPath(p, path) })
}

// compare lists where an answer differs from what was recorded under a key.
func (m *comparator) compare(key string, have value) []difference {
	return m.walk(m.c.Expected[key], have, []string{key}, true)
}

func differ(path []string, e, h value) []difference {
	return []difference{{strings.Join(path, "."), clip(encode(e)), clip(encode(h))}}
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:300] + "..."
	}
	return s
}

func (m *comparator) walk(e, h value, path []string, bind bool) []difference {
	if m.skipped(path[1:]) || m.skipped(path) {
		return nil
	}
	if s, ok := e.(string); ok {
		return m.text(s, h, path, bind)
	}
	if s, ok := h.(string); ok && isContainer(e) { // recordings hold parsed JSON
		var v value
		if decode([]byte(s), &v) != nil {
			return differ(path, e, h)
		}
		h = v
	}
	switch e := e.(type) {
	case object:
		return m.object(e, h, path, bind)
	case []any:
		return m.list(e, h, path, bind)
	case json.Number:
		if n, ok := h.(json.Number); ok && sameNumber(e, n) {
			return nil
		}
		return differ(path, e, h)
	}
	if e == h {
		return nil
	}
	return differ(path, e, h)
}

func isContainer(v value) bool {
	switch v.(type) {
	case object, []any:
		return true
	}
	return false
}

func sameNumber(a, b json.Number) bool {
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	return okX && okY && x.Cmp(y) == 0
}

func (m *comparator) object(e object, h value, path []string, bind bool) (out []difference) {
	o, ok := h.(object)
	if !ok {
		return differ(path, e, h)
	}
	for _, k := range sortedKeys(e) {
		at := append(slices.Clone(path), k)
		if m.skipped(at[1:]) || m.skipped(at) {
			continue
		}
		v, there := o[k]
		switch {
		case k == "ResponseMetadata": // only the HTTP status counts
			want, _ := e[k].(object)
			got, _ := v.(object)
			out = append(out, m.walk(want["HTTPStatusCode"], got["HTTPStatusCode"], at, bind)...)
		case !there:
			out = append(out, difference{strings.Join(at, "."), clip(encode(e[k])), "nothing"})
		default:
			out = append(out, m.walk(e[k], v, at, bind)...)
		}
	}
	for _, k := range sortedKeys(o) {
		at := append(slices.Clone(path), k)
		if _, there := e[k]; !there && k != "ResponseMetadata" && !m.skipped(at[1:]) && !m.skipped(at) {
			out = append(out, difference{strings.Join(at, "."), "nothing", clip(encode(o[k]))})
		}
	}
	return out
}

func sortedKeys(o object) []string {
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (m *comparator) list(e []any, h value, path []string, bind bool) (out []difference) {
	l, ok := h.([]any)
	if !ok {
		return differ(path, e, h)
	}
	if len(e) > 0 {
		if first, ok := e[0].(object); ok && first["type"] != nil && (path[len(path)-1] == "events" || first["details"] != nil) {
			return m.events(e, l, path, bind)
		}
	}
	if m.sortedUnder(path) {
		e, l = sortTexts(e), sortTexts(l)
	}
	if len(e) != len(l) {
		return []difference{{strings.Join(path, "."), fmt.Sprintf("%d elements", len(e)), fmt.Sprintf("%d elements: %s", len(l), clip(encode(l)))}}
	}
	for i := range e {
		out = append(out, m.walk(e[i], l[i], append(slices.Clone(path), strconv.Itoa(i)), bind)...)
	}
	return out
}

func (m *comparator) sortedUnder(path []string) bool {
	return slices.ContainsFunc(m.c.Normalise.SortUnder, func(s string) bool { return slices.Contains(path, s) })
}

func sortTexts(l []any) []any {
	out := slices.Clone(l)
	for _, v := range out {
		if _, ok := v.(string); !ok {
			return l
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].(string) < out[j].(string) })
	return out
}

// text compares a recorded string, which may hold placeholders, with an answer of any type.
func (m *comparator) text(e string, h value, path []string, bind bool) []difference {
	name := ""
	for _, p := range slices.Backward(path) {
		if _, err := strconv.Atoi(p); err != nil {
			name = p
			break
		}
	}
	if m.any[e] || e == "timestamp" && (strings.Contains(strings.ToLower(name), "timestamp") || name == "creationTime" || name == "ingestionTime") {
		return nil
	}
	if _, isNumber := h.(json.Number); e == "date" && isNumber {
		return nil
	}
	s, ok := h.(string)
	if !ok || !m.matchesText(e, s, bind) {
		return differ(path, e, h)
	}
	return nil
}

func (m *comparator) matchesText(e, s string, bind bool) bool {
	for _, candidate := range []string{s, iso.ReplaceAllString(s, "date")} {
		if e == candidate || m.matchTokens(e, candidate, bind) {
			return true
		}
	}
	if (strings.HasPrefix(e, "{") || strings.HasPrefix(e, "[")) && (strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")) {
		var je, js value
		return decode([]byte(e), &je) == nil && decode([]byte(s), &js) == nil && len(m.walk(je, js, []string{"json"}, bind)) == 0
	}
	return false
}

// matchTokens matches a text against one with placeholders. A placeholder that binds and occurs twice must stand for the
// same text both times, which is checked after the match.
func (m *comparator) matchTokens(e, s string, bind bool) bool {
	if m.tokens == nil || !m.tokens.MatchString(e) {
		return false
	}
	var pattern strings.Builder
	var groups []string
	pattern.WriteString(`(?s)\A`)
	end := 0
	for _, loc := range m.tokens.FindAllStringIndex(e, -1) {
		pattern.WriteString(regexp.QuoteMeta(e[end:loc[0]]))
		end = loc[1]
		token := e[loc[0]:loc[1]]
		r := m.rules[token]
		switch {
		case r.Kind == "value":
			pattern.WriteString("(?:" + m.values(r) + ")")
		case r.Kind == "pattern":
			pattern.WriteString("(?:" + r.Pattern + ")")
		case r.Kind == "bind_loose" || !bind:
			pattern.WriteString(".+?")
		case m.bound[token] != "":
			pattern.WriteString(regexp.QuoteMeta(m.bound[token]))
		default:
			pattern.WriteString(fmt.Sprintf("(?P<t%d>.+?)", len(groups)))
			groups = append(groups, token)
		}
	}
	pattern.WriteString(regexp.QuoteMeta(e[end:]) + `\z`)
	re, err := regexp.Compile(pattern.String())
	if err != nil {
		return false
	}
	found := re.FindStringSubmatch(s)
	if found == nil {
		return false
	}
	bound := map[string]string{}
	for i, token := range groups {
		text := found[re.SubexpIndex(fmt.Sprintf("t%d", i))]
		if bound[token] != "" && bound[token] != text {
			return false
		}
		bound[token] = text
	}
	for token, text := range bound {
		m.bound[token] = text
	}
	return true
}

func (m *comparator) values(r *tokenRule) string {
	out := []string{regexp.QuoteMeta(r.Token)}
	for _, v := range r.Values {
		if text, ok := m.resolve(v); ok {
			out = append(out, regexp.QuoteMeta(text))
		}
	}
	return strings.Join(out, "|")
}

// ignoredOfEvents are the members that the order of events decides.
var ignoredOfEvents = []string{"id", "previousEventId", "timestamp", "event_timestamp", "previous_event_id"}

// events compares histories: element by element, and where the interleaving of branches is not defined, as a multiset.
func (m *comparator) events(e, h []any, path []string, bind bool) []difference {
	if m.c.Normalise.HistoryPrefix {
		h = h[:min(len(e), len(h))]
	}
	saved := map[string]string{}
	for k, v := range m.bound {
		saved[k] = v
	}
	var out []difference
	if len(e) != len(h) {
		out = []difference{{strings.Join(path, "."), fmt.Sprintf("%d events", len(e)), fmt.Sprintf("%d events: %s", len(h), eventTypes(h))}}
	} else {
		for i := range e {
			out = append(out, m.walk(e[i], h[i], append(slices.Clone(path), strconv.Itoa(i)), bind)...)
		}
	}
	if len(out) == 0 || m.c.Normalise.HistoryOrder == "exact" {
		return out
	}
	m.bound = saved
	return m.unordered(e, h, path)
}

func eventTypes(events []any) string {
	var names []string
	for _, ev := range events {
		if o, ok := ev.(object); ok {
			names = append(names, fmt.Sprint(o["type"]))
		}
	}
	return strings.Join(names, " ")
}

func withoutOrder(ev value) value {
	o, ok := ev.(object)
	if !ok {
		return ev
	}
	out := object{}
	for k, v := range o {
		if !slices.Contains(ignoredOfEvents, k) {
			out[k] = v
		}
	}
	return out
}

func (m *comparator) unordered(e, h []any, path []string) (out []difference) {
	left := slices.Clone(h)
	for i, want := range e {
		at := append(slices.Clone(path), strconv.Itoa(i))
		found := slices.IndexFunc(left, func(ev any) bool { return len(m.walk(withoutOrder(want), withoutOrder(ev), at, false)) == 0 })
		if found < 0 {
			out = append(out, difference{strings.Join(at, "."), clip(encode(want)), "no such event"})
			continue
		}
		left = slices.Delete(left, found, found+1)
	}
	for _, ev := range left {
		out = append(out, difference{strings.Join(path, "."), "nothing", clip(encode(ev))})
	}
	if len(out) > 0 || len(e) == 0 {
		return out
	}
	for _, i := range []int{0, len(e) - 1} { // the first and the last event keep their places
		out = append(out, m.walk(withoutOrder(e[i]), withoutOrder(h[i]), append(slices.Clone(path), strconv.Itoa(i)), false)...)
	}
	for i, ev := range h {
		o, _ := ev.(object)
		id, _ := o["id"].(json.Number)
		prev, _ := o["previousEventId"].(json.Number)
		n, _ := id.Int64()
		p, _ := prev.Int64()
		if id != "" && (n != int64(i+1) || p >= n) {
			out = append(out, difference{strings.Join(path, "."), fmt.Sprintf("event %d in order", i+1), fmt.Sprintf("id %s, previous %s", id, prev)})
		}
	}
	return out
}
