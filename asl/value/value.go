// Package value holds JSON values as Newel passes them through: members keep their order, numbers keep their digits, and
// a document stays the bytes it came in until someone looks into it.
//
// Values are immutable by convention: whoever has one may share it; to change an object, Clone it first.
package value

import (
	"bytes"
	"iter"
)

// Value is nil, bool, Number, string, Array or *Object.
type Value = any

// Number is a JSON number as it was written, for example "1.0" or "1e400".
type Number string

// Array is a JSON array.
type Array []Value

// Member is one member of an object.
type Member struct {
	Name  string
	Value Value
}

// Object is a JSON object that keeps the order of its members. A repeated name keeps its first place and its last value.
type Object struct {
	members []Member
	index   map[string]int // made when the object grows past a few members
}

const indexFrom = 17

// NewObject makes an object of members in order.
func NewObject(members ...Member) *Object {
	o := &Object{}
	for _, m := range members {
		o.Set(m.Name, m.Value)
	}
	return o
}

// Len is the number of members.
func (o *Object) Len() int { return len(o.members) }

// At returns the i-th member.
func (o *Object) At(i int) Member { return o.members[i] }

func (o *Object) find(name string) int {
	if o.index != nil {
		if i, ok := o.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].Name == name {
			return i
		}
	}
	return -1
}

// Get returns a member's value.
func (o *Object) Get(name string) (Value, bool) {
	if i := o.find(name); i >= 0 {
		return o.members[i].Value, true
	}
	return nil, false
}

// Set adds a member or replaces its value in place.
func (o *Object) Set(name string, v Value) {
	if i := o.find(name); i >= 0 {
		o.members[i].Value = v
		return
	}
	o.members = append(o.members, Member{name, v})
	switch {
	case o.index != nil:
		o.index[name] = len(o.members) - 1
	case len(o.members) >= indexFrom:
		o.index = make(map[string]int, 2*len(o.members))
		for i, m := range o.members {
			o.index[m.Name] = i
		}
	}
}

// Delete removes a member.
func (o *Object) Delete(name string) {
	i := o.find(name)
	if i < 0 {
		return
	}
	o.members = append(o.members[:i:i], o.members[i+1:]...)
	o.index = nil
	if len(o.members) >= indexFrom {
		o.index = make(map[string]int, 2*len(o.members))
		for i, m := range o.members {
			o.index[m.Name] = i
		}
	}
}

// Clone copies the object; the members' values are shared.
func (o *Object) Clone() *Object {
	c := &Object{members: append([]Member(nil), o.members...)}
	if o.index != nil {
		c.index = make(map[string]int, len(o.index))
		for k, v := range o.index {
			c.index[k] = v
		}
	}
	return c
}

// All yields the members in order.
func (o *Object) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, m := range o.members {
			if !yield(m.Name, m.Value) {
				return
			}
		}
	}
}

// Doc is a JSON document: its text, its value, or both; each is made from the other when first asked for. A Doc is
// immutable; it is not safe for concurrent first use.
type Doc struct {
	text   []byte
	value  Value
	parsed bool
}

// Text makes a document of JSON text that is known to be valid (Valid, or an encoder's output).
func Text(b []byte) *Doc { return &Doc{text: b} }

// TextString makes a document of valid JSON text.
func TextString(s string) *Doc { return &Doc{text: []byte(s)} }

// Of makes a document of a value.
func Of(v Value) *Doc { return &Doc{value: v, parsed: true} }

// Bytes is the document's JSON text; it must not be changed.
func (d *Doc) Bytes() []byte {
	if d.text == nil {
		d.text = Append(nil, d.value)
	}
	return d.text
}

// String is the document's JSON text.
func (d *Doc) String() string { return string(d.Bytes()) }

// MarshalJSON gives the text as it is.
func (d *Doc) MarshalJSON() ([]byte, error) { return d.Bytes(), nil }

// Value is the document's value.
func (d *Doc) Value() Value {
	if !d.parsed {
		v, err := Parse(d.text)
		if err != nil {
			panic("value: document was not validated: " + err.Error())
		}
		d.value, d.parsed = v, true
	}
	return d.value
}

// Size is the length of the text in bytes.
func (d *Doc) Size() int { return len(d.Bytes()) }

// Same reports whether two documents have the same text.
func (d *Doc) Same(e *Doc) bool { return d == e || bytes.Equal(d.Bytes(), e.Bytes()) }

// Decoded says whether the document's value is there, so that Value costs nothing.
func (d *Doc) Decoded() bool { return d.parsed }
