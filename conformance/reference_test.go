package conformance

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// References in a script: ${expr} inside a string, {"$ref": expr} for a whole value. An expression is a name followed by
// steps into the value.

var (
	reference = regexp.MustCompile(`\$?\$\{((?:[^{}]|\{[^{}]*\})*)\}`)
	uid       = regexp.MustCompile(`^uid\.(\d+)$`)
	now       = regexp.MustCompile(`^now\(([+-]\d+)s,(.*)\)$`)
	saved     = regexp.MustCompile(`^s\d+`)
)

// text replaces the references in a string.
func (r *replay) text(s string) (string, error) {
	var failed error
	out := reference.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "$$") {
			return m[1:]
		}
		expr := m[2 : len(m)-1]
		v, err := r.expr(expr)
		if err != nil {
			failed = err
			return ""
		}
		if text, ok := v.(string); ok && !strings.HasSuffix(expr, "|raw") {
			return text
		}
		return encode(v)
	})
	return strings.ReplaceAll(out, "$${", "${"), failed
}

// value replaces the references anywhere in a value.
func (r *replay) value(v value) (value, error) {
	switch v := v.(type) {
	case string:
		return r.text(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			w, err := r.value(e)
			if err != nil {
				return nil, err
			}
			out[i] = w
		}
		return out, nil
	case object:
		return r.object(v)
	}
	return v, nil
}

func (r *replay) object(o object) (value, error) {
	switch {
	case o["$ref"] != nil:
		return r.ref(o)
	case o["$filter"] != nil:
		return r.filter(o["$filter"].(object))
	case o["$base64"] != nil:
		return o["$base64"], nil
	}
	out := object{}
	for k, v := range o {
		key, err := r.text(k)
		if err != nil {
			return nil, err
		}
		if out[key], err = r.value(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *replay) ref(o object) (value, error) {
	expr, err := r.text(o["$ref"].(string))
	if err != nil {
		return nil, err
	}
	v, err := r.expr(expr)
	if err != nil || o["$with"] == nil && o["$without"] == nil {
		return v, err
	}
	from, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s is not an object", expr)
	}
	out := object{}
	for k, e := range from {
		out[k] = e
	}
	with, _ := o["$with"].(object)
	for k, e := range with {
		if out[k], err = r.value(e); err != nil {
			return nil, err
		}
	}
	without, _ := o["$without"].([]any)
	for _, k := range without {
		delete(out, fmt.Sprint(k))
	}
	return out, nil
}

func (r *replay) filter(f object) (value, error) {
	from, err := r.value(f["from"])
	if err != nil {
		return nil, err
	}
	in, err := r.value(f["in"])
	if err != nil {
		return nil, err
	}
	keep, _ := in.([]any)
	out := []any{}
	for _, e := range objects(from) {
		if slices.Contains(keep, e[f["field"].(string)]) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (r *replay) expr(e string) (value, error) {
	e = strings.TrimSpace(e)
	switch e {
	case "account":
		return account, nil
	case "account2":
		return account2, nil
	case "region":
		return region, nil
	}
	if m := uid.FindStringSubmatch(e); m != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.uids[m[1]] == "" {
			r.uids[m[1]] = fmt.Sprintf("%08x", rand.Uint32())
		}
		return r.uids[m[1]], nil
	}
	if m := now.FindStringSubmatch(e); m != nil {
		// Once a case: what the script was given is what a token stands for when all is compared.
		seconds, _ := strconv.Atoi(m[1])
		return strftime(r.began.UTC().Add(time.Duration(seconds)*time.Second), m[2]), nil
	}
	name := saved.FindString(e)
	r.mu.Lock()
	v, ok := r.env[name]
	r.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no result %q", e)
	}
	return path(v, e[len(name):])
}

// strftime formats the few forms that the scripts use.
func strftime(t time.Time, format string) string {
	if format == "iso" {
		return t.Format("2006-01-02T15:04:05.000000")
	}
	return strings.NewReplacer("%Y", t.Format("2006"), "%m", t.Format("01"), "%d", t.Format("02"), "%H", t.Format("15"), "%M", t.Format("04"),
		"%S", t.Format("05"), "%f", t.Format("000000")).Replace(format)
}

// pathSteps are the steps of an expression after the name.
var pathSteps = []struct {
	re    *regexp.Regexp
	apply func(v value, m []string) (value, error)
}{
	{regexp.MustCompile(`^\.(\$?[A-Za-z_][\w-]*)`), member},
	{regexp.MustCompile(`^\["([^"]*)"\]`), member},
	{regexp.MustCompile(`^\[(-?\d+)\]`), func(v value, m []string) (value, error) {
		list, _ := v.([]any)
		i, _ := strconv.Atoi(m[1])
		if i < 0 {
			i += len(list)
		}
		if i < 0 || i >= len(list) {
			return nil, fmt.Errorf("no element %s", m[1])
		}
		return list[i], nil
	}},
	{regexp.MustCompile(`^\[(-?\d*):(-?\d*)\]`), func(v value, m []string) (value, error) {
		list, _ := v.([]any)
		bound := func(s string, or int) int {
			if s == "" {
				return or
			}
			i, _ := strconv.Atoi(s)
			if i < 0 {
				i += len(list)
			}
			return min(max(i, 0), len(list))
		}
		lo, hi := bound(m[1], 0), bound(m[2], len(list))
		return list[lo:max(lo, hi)], nil
	}},
	{regexp.MustCompile(`^\[\?(\w+)==(.*?)\]`), func(v value, m []string) (value, error) {
		for _, o := range objects(v) {
			if fmt.Sprint(o[m[1]]) == m[2] {
				return o, nil
			}
		}
		return nil, fmt.Errorf("no element with %s", m[0])
	}},
	{regexp.MustCompile(`^\|jsonpath\(([^)]*)\)`), func(v value, m []string) (value, error) { return search(v, m[1]), nil }},
	{regexp.MustCompile(`^\|json`), func(v value, _ []string) (value, error) {
		text, _ := v.(string)
		var out value
		err := decode([]byte(text), &out)
		return out, err
	}},
	{regexp.MustCompile(`^\|(?:raw|text|sort)`), func(v value, _ []string) (value, error) { return v, nil }},
	{regexp.MustCompile(`^\|iso_ms`), func(v value, _ []string) (value, error) {
		n, _ := v.(json.Number)
		f, err := n.Float64()
		return time.UnixMilli(int64(f*1000 + 0.5)).UTC().Format("2006-01-02T15:04:05.000Z"), err
	}},
	{regexp.MustCompile(`^\|last\((.)\)`), func(v value, m []string) (value, error) {
		s, _ := v.(string)
		return s[strings.LastIndex(s, m[1])+1:], nil
	}},
	{regexp.MustCompile(`^\|part\((.),(-?\d+)\)`), func(v value, m []string) (value, error) {
		s, _ := v.(string)
		parts := strings.Split(s, m[1])
		i, _ := strconv.Atoi(m[2])
		if i < 0 {
			i += len(parts)
		}
		return parts[i], nil
	}},
}

func member(v value, m []string) (value, error) {
	o, ok := v.(object)
	w, there := o[m[1]]
	if !ok || !there {
		return nil, fmt.Errorf("no member %s", m[1])
	}
	return w, nil
}

func path(v value, steps string) (value, error) {
next:
	for steps != "" {
		for _, s := range pathSteps {
			if m := s.re.FindStringSubmatch(steps); m != nil {
				var err error
				if v, err = s.apply(v, m); err != nil {
					return nil, err
				}
				steps = steps[len(m[0]):]
				continue next
			}
		}
		return nil, fmt.Errorf("bad expression %q", steps)
	}
	return v, nil
}

var searchStep = regexp.MustCompile(`\.\.([\w-]+)|\.([\w-]+)|\[\*\]|\[(-?\d+)\]`)

// search evaluates the simple JSONPaths that scripts use: one match gives the value, else the list of them.
func search(v value, p string) value {
	current := []any{v}
	for _, m := range searchStep.FindAllStringSubmatch(p, -1) {
		next := []any{}
		for _, x := range current {
			o, _ := x.(object)
			list, _ := x.([]any)
			switch {
			case m[1] != "":
				next = descend(next, x, m[1])
			case m[2] != "":
				if w, ok := o[m[2]]; ok {
					next = append(next, w)
				}
			case m[3] != "":
				if i, _ := strconv.Atoi(m[3]); i < len(list) {
					next = append(next, list[i])
				}
			default:
				next = append(next, list...)
			}
		}
		current = next
	}
	if len(current) == 1 {
		return current[0]
	}
	return current
}

func descend(out []any, v value, name string) []any {
	switch v := v.(type) {
	case object:
		for _, k := range sortedKeys(v) {
			if k == name {
				out = append(out, v[k])
			}
			out = descend(out, v[k], name)
		}
	case []any:
		for _, e := range v {
			out = descend(out, e, name)
		}
	}
	return out
}
