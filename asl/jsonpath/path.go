// Package jsonpath is the dialect of JSONPath that Step Functions understands: that of Jayway's JsonPath, whose results,
// definite and indefinite paths and error texts AWS shows to its users.
//
// A definite path (fields and single indexes only) gives one value or a *NotFound; an indefinite one (wildcard, slice,
// union, filter, deep scan) always gives an array, which is empty where nothing matches, even if a parent is missing.
// A path is compiled once, is immutable, and knows nothing of states: its owner looks up the document its root means.
package jsonpath

import (
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Root says which document a path looks into.
type Root uint8

// The roots.
const (
	Input    Root = iota // $
	Context              // $$
	Variable             // $name
)

// Path is a compiled path.
type Path struct {
	Root     Root
	Name     string // of the variable
	text     string
	steps    []step
	definite bool
	plain    bool // fields and indexes only: can be followed in a text that is not decoded
}

// String is the path as it was written.
func (p *Path) String() string { return p.text }

// Definite says that the path gives one value, not an array of matches.
func (p *Path) Definite() bool { return p.definite }

// IsRoot says that the path is the whole document.
func (p *Path) IsRoot() bool { return len(p.steps) == 0 }

// IsReference says that the path can name one place to read from or write to: fields and indexes only.
func (p *Path) IsReference() bool { return p.plain }

type stepKind uint8

const (
	fieldStep    stepKind = iota // names[0]
	fieldsStep                   // names: a union
	indexStep                    // indexes[0]
	indexesStep                  // indexes: a union
	sliceStep                    // from, to
	wildcardStep                 // * and [*]
	filterStep                   // [?(...)]
	deepStep                     // .. and what follows it
	functionStep                 // length() and the like, at the end
)

type step struct {
	kind     stepKind
	names    []string
	indexes  []int
	from, to *int
	filter   filter
	text     string // of a filter, as written
	function string
}

// String is the step as Jayway writes it in its messages.
func (s *step) String() string {
	switch s.kind {
	case fieldStep, fieldsStep:
		return "['" + strings.Join(s.names, "','") + "']"
	case indexStep, indexesStep:
		texts := make([]string, len(s.indexes))
		for i, n := range s.indexes {
			texts[i] = strconv.Itoa(n)
		}
		return "[" + strings.Join(texts, ",") + "]"
	case sliceStep:
		return "[" + bound(s.from) + ":" + bound(s.to) + "]"
	case wildcardStep:
		return "[*]"
	case filterStep:
		return s.text
	case deepStep:
		return ".."
	}
	return "." + s.function + "()"
}

func bound(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func written(steps []step) string {
	var b strings.Builder
	b.WriteByte('$')
	for i := range steps {
		b.WriteString(steps[i].String())
	}
	return b.String()
}

// NotFound says that a definite path leads to nothing. Reason is Jayway's message, for example
// "No results for path: $['x']".
type NotFound struct {
	Path      string
	Reason    string
	WrongType bool // an index or filter met something else than an array; AWS shows the reason of these in more places
}

func (e *NotFound) Error() string { return "Invalid path '" + e.Path + "' : " + e.Reason }

func (p *Path) notFound(reason string) error {
	return &NotFound{p.text, reason, strings.HasPrefix(reason, "Filter: ")}
}

// Find follows the path through a document. A plain path is followed in the text, so that a document that nobody has
// decoded stays so; the result shares its memory.
func (p *Path) Find(doc *value.Doc) (*value.Doc, error) {
	if len(p.steps) == 0 {
		return doc, nil
	}
	if p.plain && !doc.Decoded() {
		text := doc.Bytes()
		for i := range p.steps {
			var ok bool
			if s := &p.steps[i]; s.kind == fieldStep {
				text, ok = value.Field(text, s.names[0])
			} else {
				text, ok = value.Element(text, s.indexes[0])
			}
			if !ok {
				_, err := p.Get(doc.Value())
				return nil, err
			}
		}
		return value.Text(text), nil
	}
	v, err := p.Get(doc.Value())
	if err != nil {
		return nil, err
	}
	return value.Of(v), nil
}

// Get follows the path through a value.
func (p *Path) Get(root value.Value) (value.Value, error) {
	budget := maxVisits
	return p.get(root, &budget)
}

func (p *Path) get(root value.Value, budget *int) (value.Value, error) {
	if p.plain {
		return p.follow(root)
	}
	e := evaluation{path: p, root: root, budget: budget}
	e.run(p.steps, root, true)
	switch {
	case *budget < 0:
		return nil, p.notFound("The path visits too many values")
	case p.isFunction():
		return p.call(e.results, e.reason)
	case !p.definite:
		return append(value.Array{}, e.results...), nil
	case e.reason != "":
		return nil, p.notFound(e.reason)
	case len(e.results) == 0:
		return nil, p.notFound("No results for path: " + written(p.steps))
	}
	return e.results[0], nil
}

// follow evaluates a plain path.
func (p *Path) follow(v value.Value) (value.Value, error) {
	for i := range p.steps {
		s := &p.steps[i]
		if s.kind == fieldStep {
			o, ok := v.(*value.Object)
			if !ok {
				return nil, p.notFound(noObject(s, written(p.steps[:i]), v))
			}
			if v, ok = o.Get(s.names[0]); ok {
				continue
			}
			if i < len(p.steps)-1 {
				return nil, p.notFound("Missing property in path " + written(p.steps[:i+1]))
			}
			return nil, p.notFound("No results for path: " + written(p.steps))
		}
		a, ok := v.(value.Array)
		if !ok {
			return nil, p.notFound(noArray(s, written(p.steps[:i]), v))
		}
		n := s.indexes[0]
		if n < 0 {
			n += len(a)
		}
		if n < 0 || n >= len(a) {
			return nil, p.notFound("No results for path: " + written(p.steps))
		}
		v = a[n]
	}
	return v, nil
}

func noObject(s *step, at string, v value.Value) string {
	return "Expected to find an object with property " + s.String() + " in path " + at + " but found '" + javaClass(v) +
		"'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
}

func noArray(s *step, at string, v value.Value) string {
	if v == nil {
		return "The path " + at + " is null"
	}
	return "Filter: " + s.String() + " can only be applied to arrays. Current context is: " + string(value.Append(nil, v))
}

// javaClass names the class that AWS's JSON library holds a value in.
func javaClass(v value.Value) string {
	const pkg = "com.fasterxml.jackson.databind.node."
	switch v := v.(type) {
	case nil:
		return pkg + "NullNode"
	case bool:
		return pkg + "BooleanNode"
	case string:
		return pkg + "TextNode"
	case value.Array:
		return pkg + "ArrayNode"
	case value.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return pkg + "DoubleNode"
		}
		return pkg + "IntNode"
	}
	return pkg + "ObjectNode"
}
