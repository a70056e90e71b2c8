package asl

import (
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
)

// node is one value of a definition's text with the place it stands at. Both syntaxes, JSON and YAML, become nodes, and
// everything behind works on nodes.
type node struct {
	kind    byte // '{', '[', '"', '0' (number), 't' (boolean), 'n' (null)
	pos     position
	scalar  value.Value
	members []member // '{'
	elems   []*node  // '['
}

type member struct {
	name string
	pos  position
	node *node
}

type position struct{ line, column int }

// member is the last member of that name, nil if there is none.
func (n *node) member(name string) *member {
	for i := len(n.members) - 1; i >= 0; i-- {
		if n.members[i].name == name {
			return &n.members[i]
		}
	}
	return nil
}

// value is the node as a JSON value.
func (n *node) value() value.Value {
	switch n.kind {
	case '{':
		o := &value.Object{}
		for _, m := range n.members {
			o.Set(m.name, m.node.value())
		}
		return o
	case '[':
		a := make(value.Array, len(n.elems))
		for i, e := range n.elems {
			a[i] = e.value()
		}
		return a
	}
	return n.scalar
}

// jsonNodes reads a text that value.Valid has accepted.
func jsonNodes(text string) *node {
	r := jsonReader{text: text, line: 1}
	r.space()
	return r.value()
}

type jsonReader struct {
	text      string
	i         int
	line      int
	lineStart int
}

func (r *jsonReader) position() position {
	return position{r.line, utf8.RuneCountInString(r.text[r.lineStart:r.i]) + 1}
}

func (r *jsonReader) space() {
	for r.i < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.i]) >= 0 {
		if r.text[r.i] == '\n' {
			r.line, r.lineStart = r.line+1, r.i+1
		}
		r.i++
	}
}

// separator skips the comma or colon between two tokens, if there is one, and the space around it.
func (r *jsonReader) separator(c byte) {
	r.space()
	if r.text[r.i] == c {
		r.i++
		r.space()
	}
}

func (r *jsonReader) value() *node {
	n := &node{kind: r.text[r.i], pos: r.position()}
	switch n.kind {
	case '{':
		r.i++
		for r.space(); r.text[r.i] != '}'; r.separator(',') {
			m := member{pos: r.position(), name: r.scalar().(string)}
			r.separator(':')
			m.node = r.value()
			n.members = append(n.members, m)
		}
		r.i++
	case '[':
		r.i++
		for r.space(); r.text[r.i] != ']'; r.separator(',') {
			n.elems = append(n.elems, r.value())
		}
		r.i++
	default:
		n.scalar = r.scalar()
		n.kind = kindOf(n.scalar)
	}
	return n
}

func kindOf(v value.Value) byte {
	switch v.(type) {
	case string:
		return '"'
	case value.Number:
		return '0'
	case bool:
		return 't'
	}
	return 'n'
}

func (r *jsonReader) scalar() value.Value {
	start := r.i
	if r.text[r.i] == '"' {
		for r.i++; r.text[r.i] != '"'; r.i++ {
			if r.text[r.i] == '\\' {
				r.i++
			}
		}
		r.i++
	} else {
		for r.i < len(r.text) && strings.IndexByte(" \t\r\n,:]}", r.text[r.i]) < 0 {
			r.i++
		}
	}
	v, err := value.Parse([]byte(r.text[start:r.i]))
	if err != nil {
		panic("asl: text was not validated: " + err.Error())
	}
	return v
}
