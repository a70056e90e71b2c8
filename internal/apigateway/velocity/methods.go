package velocity

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
)

// method calls a method of a value. ok is false, and the result nil, if the value has no such method with such arguments.
func (m *machine) method(v any, name string, args []any) (out any, ok bool, err error) {
	if err = m.spend((size(v) + sizes(args)) / 8); err != nil { // work in proportion to the value
		return nil, false, err
	}
	switch v := v.(type) {
	case Object:
		if out, ok = v.Call(name, args); ok {
			if s, isText := out.(string); isText {
				err = m.spend(len(s))
			}
		}
		return out, ok, err
	case string:
		return m.textMethod(v, name, args)
	case *List:
		out, ok = v.method(name, args)
		if ok || name != "contains" {
			break
		}
		return m.contains(v.Items, args)
	case *Map:
		return m.mapMethod(v, name, args)
	case int64, float64, value.Number:
		out, ok = numberMethod(v, name)
	}
	if !ok && name == "toString" && len(args) == 0 {
		out, err = m.string(v)
		return out, true, err
	}
	if !ok && name == "equals" && len(args) == 1 {
		out, err = m.equal(v, args[0])
		return out, true, err
	}
	return out, ok, err
}

func size(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case *List:
		return len(v.Items)
	case *Map:
		return len(v.keys)
	}
	return 0
}

func sizes(args []any) (n int) {
	for _, a := range args {
		n += size(a)
	}
	return n
}

func numberMethod(v any, name string) (any, bool) {
	switch name {
	case "intValue", "longValue":
		if n, ok := integer(v); ok {
			return n, true
		}
		f, _ := float(v)
		return int64(f), true
	case "doubleValue", "floatValue":
		f, _ := float(v)
		return f, true
	}
	return nil, false
}

func (m *machine) contains(items, args []any) (any, bool, error) {
	if len(args) != 1 {
		return nil, false, nil
	}
	for _, item := range items {
		same, err := m.equal(item, args[0])
		if err != nil || same {
			return same, true, err
		}
	}
	return false, true, nil
}

func (l *List) method(name string, args []any) (any, bool) {
	var n int64
	within := false
	if len(args) > 0 {
		n, within = integer(args[0])
		within = within && n >= 0 && n < int64(len(l.Items))
	}
	switch {
	case name == "size" && len(args) == 0:
		return int64(len(l.Items)), true
	case name == "isEmpty" && len(args) == 0:
		return len(l.Items) == 0, true
	case name == "get" && len(args) == 1 && within:
		return l.Items[n], true
	case name == "set" && len(args) == 2 && within:
		old := l.Items[n]
		l.Items[n] = args[1]
		return old, true
	case name == "remove" && len(args) == 1 && within:
		old := l.Items[n]
		l.Items = append(l.Items[:n:n], l.Items[n+1:]...)
		return old, true
	case name == "add" && len(args) == 1:
		l.Items = append(l.Items, args[0])
		return true, true
	case name == "addAll" && len(args) == 1:
		other, ok := args[0].(*List)
		if !ok || len(l.Items)+len(other.Items) > listMax {
			return nil, false
		}
		l.Items = append(l.Items, other.Items...)
		return true, true
	}
	return nil, false
}

// listMax bounds what addAll can double.
const listMax = 1_000_000

func (m *machine) mapMethod(v *Map, name string, args []any) (any, bool, error) {
	key := ""
	if len(args) > 0 {
		var err error
		if key, err = m.string(args[0]); err != nil {
			return nil, false, err
		}
	}
	_, there := v.items[key]
	switch {
	case name == "get" && len(args) == 1:
		return v.Get(key), true, nil
	case name == "getOrDefault" && len(args) == 2:
		if there {
			return v.Get(key), true, nil
		}
		return args[1], true, nil
	case name == "put" && len(args) == 2:
		old := v.Get(key)
		v.Set(key, args[1])
		return old, true, nil
	case name == "remove" && len(args) == 1:
		old := v.Get(key)
		v.remove(key)
		return old, true, nil
	case name == "containsKey" && len(args) == 1:
		return there, true, nil
	case name == "containsValue" && len(args) == 1:
		return m.contains(v.values(), args)
	case name == "size" && len(args) == 0:
		return int64(len(v.keys)), true, nil
	case name == "isEmpty" && len(args) == 0:
		return len(v.keys) == 0, true, nil
	case name == "keySet" && len(args) == 0:
		l := &List{}
		for _, k := range v.keys {
			l.Items = append(l.Items, k)
		}
		return l, true, nil
	case name == "values" && len(args) == 0:
		return &List{v.values()}, true, nil
	case name == "entrySet" && len(args) == 0:
		return v.entries(), true, nil
	case name == "putAll" && len(args) == 1:
		if other, ok := args[0].(*Map); ok {
			for _, k := range other.keys {
				v.Set(k, other.items[k])
			}
		}
		return nil, true, nil
	case name == "toString" && len(args) == 0:
		s, err := m.string(v)
		return s, true, err
	case strings.HasPrefix(name, "get") && len(args) == 0: // a bean's: $entry.getKey()
		return v.Get(strings.ToLower(name[3:min(4, len(name))]) + name[min(4, len(name)):]), true, nil
	}
	return nil, false, nil
}

func (m *Map) entries() *List {
	l := &List{}
	for _, k := range m.keys {
		e := NewMap()
		e.Set("key", k)
		e.Set("value", m.items[k])
		l.Items = append(l.Items, e)
	}
	return l
}

// textMethod is java.lang.String's.
func (m *machine) textMethod(s, name string, args []any) (any, bool, error) {
	texts := make([]string, len(args))
	for i, a := range args {
		var err error
		if texts[i], err = m.string(a); err != nil {
			return nil, false, err
		}
	}
	var out any
	ok := true
	switch len(args) {
	case 0:
		out, ok = simple(s, name)
	case 1:
		if name == "split" || name == "matches" {
			return m.pattern(s, name, texts)
		}
		out, ok = withOne(s, name, texts[0], args[0])
	case 2:
		switch name {
		case "replace":
			if n := strings.Count(s, texts[0]) * (len(texts[1]) - len(texts[0])); n > 0 {
				if err := m.spend(n); err != nil {
					return nil, false, err
				}
			}
			out = strings.ReplaceAll(s, texts[0], texts[1])
		case "replaceAll", "replaceFirst", "split":
			return m.pattern(s, name, texts)
		case "substring":
			out, ok = substring(s, args[0], args[1])
		default:
			ok = false
		}
	default:
		ok = false
	}
	if made, isText := out.(string); isText {
		return out, ok, m.spend(len(made))
	}
	return out, ok, nil
}

func simple(s, name string) (any, bool) {
	switch name {
	case "length", "size":
		return int64(utf8.RuneCountInString(s)), true
	case "toLowerCase":
		return strings.ToLower(s), true
	case "toUpperCase":
		return strings.ToUpper(s), true
	case "trim":
		return strings.TrimSpace(s), true
	case "isEmpty":
		return s == "", true
	case "toString":
		return s, true
	}
	return nil, false
}

func withOne(s, name, arg string, raw any) (any, bool) {
	switch name {
	case "contains":
		return strings.Contains(s, arg), true
	case "startsWith":
		return strings.HasPrefix(s, arg), true
	case "endsWith":
		return strings.HasSuffix(s, arg), true
	case "equals":
		return s == arg, true
	case "equalsIgnoreCase":
		return strings.EqualFold(s, arg), true
	case "concat":
		return s + arg, true
	case "indexOf", "lastIndexOf":
		at := strings.Index(s, arg)
		if name == "lastIndexOf" {
			at = strings.LastIndex(s, arg)
		}
		if at > 0 {
			at = utf8.RuneCountInString(s[:at])
		}
		return int64(at), true
	case "substring":
		return substring(s, raw, int64(utf8.RuneCountInString(s)))
	case "charAt":
		n, _ := integer(raw)
		return substring(s, raw, n+1)
	}
	return nil, false
}

func substring(s string, from, to any) (any, bool) {
	a, okA := integer(from)
	b, okB := integer(to)
	runes := []rune(s)
	if !okA || !okB || a < 0 || b < a || b > int64(len(runes)) {
		return nil, false
	}
	return string(runes[a:b]), true
}

// pattern is a method with a regular expression. One that Go's syntax does not have has no value.
func (m *machine) pattern(s, name string, args []string) (any, bool, error) {
	if len(args[0]) > 1000 {
		return nil, false, nil
	}
	if err := m.spend(len(s) + 100*len(args[0])); err != nil {
		return nil, false, err
	}
	if name == "matches" {
		args[0] = "^(?:" + args[0] + ")$"
	}
	re, err := regexp.Compile(args[0])
	if err != nil {
		return nil, false, nil //nolint:nilerr // the method has no value
	}
	switch name {
	case "matches":
		return re.MatchString(s), true, nil
	case "split":
		limit := 0
		if len(args) == 2 {
			limit, _ = strconv.Atoi(args[1])
		}
		return split(re, s, limit), true, nil
	}
	n := -1
	if name == "replaceFirst" {
		n = 1
	}
	return m.replace(re, s, args[1], n)
}

func (m *machine) replace(re *regexp.Regexp, s, with string, n int) (any, bool, error) {
	with = replacement(with)
	var out []byte
	end := 0
	for _, at := range re.FindAllStringSubmatchIndex(s, n) {
		before := len(out)
		out = append(out, s[end:at[0]]...)
		out = re.ExpandString(out, with, s, at)
		end = at[1]
		if err := m.spend(len(out) - before); err != nil {
			return nil, false, err
		}
	}
	out = append(out, s[end:]...)
	return string(out), true, m.spend(len(s) - end)
}

// replacement writes a Java replacement in Go's form: \x is x, $1 a group.
func replacement(java string) string {
	var b strings.Builder
	for i := 0; i < len(java); i++ {
		switch c := java[i]; {
		case c == '\\' && i+1 < len(java):
			i++
			if java[i] == '$' {
				b.WriteByte('$')
			}
			b.WriteByte(java[i])
		case c == '$' && i+1 < len(java) && isDigit(java[i+1]):
			b.WriteString("${" + java[i+1:i+2] + "}")
			i++
		case c == '$':
			b.WriteString("$$")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// split is Java's: without a limit, empty strings at the end are left out.
func split(re *regexp.Regexp, s string, limit int) *List {
	parts := re.Split(s, map[bool]int{true: limit, false: -1}[limit > 0])
	if limit == 0 {
		for len(parts) > 1 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
	}
	l := &List{}
	for _, p := range parts {
		l.Items = append(l.Items, p)
	}
	return l
}
