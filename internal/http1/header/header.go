// Package header holds the fields of an HTTP message as they are sent: a list, not a map. The few fields of a request are
// found faster in a list than put into a map, and an answer's need not be sorted.
package header

import (
	"maps"
	"net/http"
	"slices"
)

// Field is one line of a header.
type Field struct{ Name, Value string }

// List is the fields of a message in the order in which they are sent. Names compare without regard to case.
type List []Field

// Of makes a list of a map, sorted by name.
func Of(h http.Header) List {
	l := make(List, 0, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			l = append(l, Field{name, value})
		}
	}
	return l
}

// HTTP makes a map of the list, with canonical names.
func (l List) HTTP() http.Header {
	h := make(http.Header, len(l))
	for _, f := range l {
		name := http.CanonicalHeaderKey(f.Name)
		h[name] = append(h[name], f.Value)
	}
	return h
}

// Get is the first value of a name, "" if it is not there.
func (l List) Get(name string) string {
	for i := range l {
		if len(l[i].Name) == len(name) && Same(l[i].Name, name) {
			return l[i].Value
		}
	}
	return ""
}

// Has reports whether a name is there.
func (l List) Has(name string) bool {
	return slices.ContainsFunc(l, func(f Field) bool { return Same(f.Name, name) })
}

// Values are all values of a name.
func (l List) Values(name string) (values []string) {
	for i := range l {
		if len(l[i].Name) == len(name) && Same(l[i].Name, name) {
			values = append(values, l[i].Value)
		}
	}
	return values
}

// Add appends a field.
func (l *List) Add(name, value string) { *l = append(*l, Field{name, value}) }

// Set makes a value the only one of its name.
func (l *List) Set(name, value string) {
	for i := range *l {
		if Same((*l)[i].Name, name) {
			(*l)[i].Value = value
			rest := List((*l)[i+1:])
			rest.Del(name)
			*l = (*l)[:i+1+len(rest)]
			return
		}
	}
	l.Add(name, value)
}

// SetAll puts the values of a map in the place of those of their names.
func (l *List) SetAll(h http.Header) {
	for _, f := range Of(h) {
		l.Del(f.Name)
	}
	*l = append(*l, Of(h)...)
}

// Del takes a name out.
func (l *List) Del(name string) {
	*l = slices.DeleteFunc(*l, func(f Field) bool { return Same(f.Name, name) })
}

// Same compares names without regard to case. What may stand in a name differs from its other case in one bit, and only
// a letter differs from another character of names in that bit alone.
func Same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && (x^y != 0x20 || !isLetter(x)) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }
