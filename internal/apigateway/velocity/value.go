package velocity

import (
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// List is a list that can be changed.
type List struct{ Items []any }

// Map is a map that keeps the order of its keys and can be changed.
type Map struct {
	keys  []string
	items map[string]any
}

// NewMap makes an empty map.
func NewMap() *Map { return &Map{items: map[string]any{}} }

// Get is the value of a key, nil for none.
func (m *Map) Get(key string) any { return m.items[key] }

// Set puts a value under a key.
func (m *Map) Set(key string, v any) {
	if _, ok := m.items[key]; !ok {
		m.keys = append(m.keys, key)
	}
	m.items[key] = v
}

// Keys are the keys in their order.
func (m *Map) Keys() []string { return m.keys }

func (m *Map) remove(key string) {
	if _, ok := m.items[key]; ok {
		delete(m.items, key)
		m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == key })
	}
}

func (m *Map) values() []any {
	out := make([]any, len(m.keys))
	for i, k := range m.keys {
		out[i] = m.items[k]
	}
	return out
}

// FromJSON turns a JSON value into one of templates.
func FromJSON(v value.Value) any {
	switch v := v.(type) {
	case value.Array:
		l := &List{Items: make([]any, len(v))}
		for i := range v {
			l.Items[i] = FromJSON(v[i])
		}
		return l
	case *value.Object:
		m := NewMap()
		for name, item := range v.All() {
			m.Set(name, FromJSON(item))
		}
		return m
	}
	return v
}

// integer is a value as a whole number, if it is one.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case value.Number:
		return v.Int64()
	}
	return 0, false
}

// float is a number as a float64.
func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case value.Number:
		return v.Float64(), true
	}
	return 0, false
}

// string is a value's text, as Java writes it: [a, b], {k=v}.
func (m *machine) string(v any) (string, error) {
	var b strings.Builder
	err := m.append(&b, v, 0)
	return b.String(), err
}

func (m *machine) append(b *strings.Builder, v any, depth int) error {
	if err := m.step(); err != nil {
		return err
	}
	if depth > depthMax {
		return &Error{Reason: "a value is nested too deeply"}
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		b.WriteString(v)
		return m.spend(len(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(javaFloat(v))
	case value.Number:
		b.WriteString(string(v))
		return m.spend(len(v))
	case *List:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := m.append(b, item, depth+1); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case *Map:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k)
			b.WriteByte('=')
			if err := m.spend(len(k)); err != nil {
				return err
			}
			if err := m.append(b, v.items[k], depth+1); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	default:
		b.WriteString("object")
	}
	return m.spend(4)
}

func javaFloat(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsAny(s, ".NI") {
		s += ".0"
	}
	return s
}

func (m *machine) binary(e *binary) (any, error) {
	left, err := m.eval(e.left)
	if err != nil {
		return nil, err
	}
	switch e.operator {
	case "&&", "||":
		if truth(left) != (e.operator == "&&") {
			return truth(left), nil
		}
		right, err := m.eval(e.right)
		return truth(right), err
	}
	right, err := m.eval(e.right)
	if err != nil {
		return nil, err
	}
	switch e.operator {
	case "==", "!=":
		same, err := m.equal(left, right)
		return same == (e.operator == "=="), err
	case "<", "<=", ">", ">=":
		return compare(e.operator, left, right), nil
	}
	_, leftText := left.(string)
	_, rightText := right.(string)
	if e.operator == "+" && (leftText || rightText) {
		s, err := m.string(left)
		if err != nil {
			return nil, err
		}
		t, err := m.string(right)
		return s + t, err
	}
	return arithmetic(e.operator, left, right), nil
}

// equal compares numbers by value, lists and maps by identity, and everything else by its text.
func (m *machine) equal(a, b any) (bool, error) {
	if a == nil || b == nil {
		return a == nil && b == nil, nil
	}
	x, okX := float(a)
	y, okY := float(b)
	if okX && okY {
		return x == y, nil
	}
	switch a.(type) {
	case *List, *Map:
		return a == b, nil
	}
	s, err := m.string(a)
	if err != nil {
		return false, err
	}
	t, err := m.string(b)
	return s == t, err
}

func compare(operator string, a, b any) any {
	x, okX := float(a)
	y, okY := float(b)
	if !okX || !okY {
		return false
	}
	switch operator {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// arithmetic is over whole numbers if both are, else over floating ones; nil where there is no result.
func arithmetic(operator string, a, b any) any {
	if x, ok := integer(a); ok {
		if y, ok := integer(b); ok {
			return whole(operator, x, y)
		}
	}
	x, okX := float(a)
	y, okY := float(b)
	if !okX || !okY {
		return nil
	}
	switch operator {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		if y != 0 {
			return x / y
		}
	}
	return nil
}

func whole(operator string, x, y int64) any {
	switch operator {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	}
	if y == 0 {
		return nil
	}
	if operator == "/" {
		return x / y
	}
	return x % y
}
