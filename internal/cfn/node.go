package cfn

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	yaml "go.yaml.in/yaml/v4"

	"github.com/newel-run/newel/asl/value"
)

// Kind is what a Node is.
type Kind uint8

// The kinds of node.
const (
	Scalar Kind = iota + 1
	List
	Map
	Function // an intrinsic function: Fn and Arg
)

// Node is a value of a template together with its place in the text.
type Node struct {
	Kind         Kind
	Value        value.Value // Scalar: nil, bool, value.Number or string
	Items        []*Node     // List
	Fields       []Field     // Map, in the order of the text
	Fn           string      // Function: "Ref", "Fn::GetAtt", ... whatever the notation
	Arg          *Node       // Function
	Line, Column int         // 1-based
}

// Field is one member of a Map node.
type Field struct {
	Name         string
	Value        *Node
	Line, Column int
}

// Get returns a Map's member, or nil.
func (n *Node) Get(name string) *Node {
	if n == nil || n.Kind != Map {
		return nil
	}
	for _, f := range n.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// Text is a string scalar's value; ok is false for anything else.
func (n *Node) Text() (s string, ok bool) {
	if n == nil || n.Kind != Scalar {
		return "", false
	}
	s, ok = n.Value.(string)
	return s, ok
}

// ParseNode reads YAML or JSON text as a tree of nodes. Dates stay strings, numbers keep their digits, short tags
// (!Ref, !Sub) and long forms (Fn::Sub) become Function nodes. The error is of type Problems.
func ParseNode(file string, text []byte) (*Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(joinSurrogates(text), &doc); err != nil {
		return nil, Problems{syntaxProblem(file, err)}
	}
	if len(doc.Content) == 0 {
		return nil, Problems{{File: file, Line: 1, Column: 1, Message: "the file is empty"}}
	}
	r := reader{file: file, budget: maxNodes}
	n := r.node(doc.Content[0])
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return n, nil
}

var (
	surrogates = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	errorLine  = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
)

// joinSurrogates replaces JSON's surrogate pairs, which YAML does not know, by the character that they stand for.
func joinSurrogates(text []byte) []byte {
	return surrogates.ReplaceAllFunc(text, func(m []byte) []byte {
		hi, _ := strconv.ParseUint(string(m[2:6]), 16, 32)
		lo, _ := strconv.ParseUint(string(m[8:12]), 16, 32)
		return []byte(string(utf16.DecodeRune(rune(hi), rune(lo))))
	})
}

func syntaxProblem(file string, err error) Problem {
	p := Problem{File: file, Line: 1, Column: 1, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := errorLine.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Message = m[2]
	}
	return p
}

const (
	maxNodes = 200_000 // what aliases of aliases may unfold to
	maxDepth = 200     // of nesting; an alias that contains itself has no end
)

type reader struct {
	file     string
	problems Problems
	budget   int  // nodes left
	depth    int  // of the node that is being read
	stopped  bool // the document is refused as a whole
}

func (r *reader) fail(y *yaml.Node, format string, args ...any) *Node {
	r.problems = append(r.problems, Problem{File: r.file, Line: y.Line, Column: y.Column, Message: fmt.Sprintf(format, args...)})
	return &Node{Kind: Scalar, Line: y.Line, Column: y.Column}
}

func (r *reader) node(y *yaml.Node) *Node {
	if r.stopped {
		return &Node{Kind: Scalar}
	}
	r.budget--
	r.depth++
	defer func() { r.depth-- }()
	switch {
	case r.budget < 0:
		r.stopped = true
		return r.fail(y, "the document is too large: its aliases unfold to more than %d values", maxNodes)
	case r.depth > maxDepth:
		r.stopped = true
		return r.fail(y, "the document is nested more than %d levels deep, or an alias contains itself", maxDepth)
	}
	if y.Kind == yaml.AliasNode {
		return r.node(y.Alias)
	}
	if fn, ok := shortTag(y.Tag); ok {
		return r.tagged(y, fn)
	}
	return r.plain(y)
}

// shortTag is the function of a tag like !Sub; YAML's own tags are none.
func shortTag(tag string) (fn string, ok bool) {
	name, ok := strings.CutPrefix(tag, "!")
	if !ok || name == "" || strings.HasPrefix(name, "!") {
		return "", false
	}
	if name == "Ref" || name == "Condition" {
		return name, true
	}
	return "Fn::" + name, true
}

func (r *reader) tagged(y *yaml.Node, fn string) *Node {
	n := &Node{Kind: Function, Fn: fn, Line: y.Line, Column: y.Column}
	if y.Kind == yaml.ScalarNode {
		n.Arg = &Node{Kind: Scalar, Value: y.Value, Line: y.Line, Column: y.Column}
	} else {
		n.Arg = r.plain(y)
	}
	if s, ok := n.Arg.Text(); ok && fn == "Fn::GetAtt" {
		n.Arg = splitAttribute(n.Arg, s)
	}
	return n
}

// splitAttribute makes "Resource.Attr" the list that GetAtt's long form has.
func splitAttribute(at *Node, s string) *Node {
	list := &Node{Kind: List, Line: at.Line, Column: at.Column}
	for _, part := range strings.SplitN(s, ".", 2) {
		list.Items = append(list.Items, &Node{Kind: Scalar, Value: part, Line: at.Line, Column: at.Column})
	}
	return list
}

func (r *reader) plain(y *yaml.Node) *Node {
	n := &Node{Line: y.Line, Column: y.Column}
	switch y.Kind {
	case yaml.ScalarNode:
		n.Kind, n.Value = Scalar, scalar(y)
	case yaml.SequenceNode:
		n.Kind = List
		for _, c := range y.Content {
			n.Items = append(n.Items, r.node(c))
		}
	case yaml.MappingNode:
		return r.mapping(y)
	default:
		return r.fail(y, "this YAML construct is not supported")
	}
	return n
}

func (r *reader) mapping(y *yaml.Node) *Node {
	n := &Node{Kind: Map, Line: y.Line, Column: y.Column}
	seen := map[string]bool{}
	var merged []*yaml.Node // they yield to what the mapping says itself
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		if k.ShortTag() == "!!merge" {
			merged = append(merged, y.Content[i+1])
			continue
		}
		if k.Kind != yaml.ScalarNode {
			return r.fail(k, "a key must be a plain string")
		}
		if seen[k.Value] {
			r.fail(k, "the key %q is there twice", k.Value)
		}
		seen[k.Value] = true
		n.Fields = append(n.Fields, Field{k.Value, r.node(y.Content[i+1]), k.Line, k.Column})
	}
	for _, m := range merged {
		r.merge(n, m)
	}
	if len(n.Fields) == 1 && isFunction(n.Fields[0].Name) {
		f := n.Fields[0]
		arg := f.Value
		if s, ok := arg.Text(); ok && f.Name == "Fn::GetAtt" {
			arg = splitAttribute(arg, s)
		}
		return &Node{Kind: Function, Fn: f.Name, Arg: arg, Line: f.Line, Column: f.Column}
	}
	return n
}

// merge adds the members of the mappings that a merge key (<<) names, where they are not there.
func (r *reader) merge(n *Node, y *yaml.Node) {
	from := r.node(y)
	if from.Kind == Map {
		from = &Node{Kind: List, Items: []*Node{from}}
	}
	for _, m := range from.Items {
		for _, f := range m.Fields {
			if n.Get(f.Name) == nil {
				n.Fields = append(n.Fields, f)
			}
		}
	}
}

func isFunction(name string) bool { return name == "Ref" || strings.HasPrefix(name, "Fn::") }

func scalar(y *yaml.Node) value.Value {
	switch y.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(y.Value, "true")
	case "!!int", "!!float":
		if json.Valid([]byte(y.Value)) {
			return value.Number(y.Value)
		}
	}
	return y.Value
}

// Plain is a node's value with functions in their long form.
func (n *Node) Plain() value.Value {
	switch n.Kind {
	case List:
		out := make(value.Array, len(n.Items))
		for i, c := range n.Items {
			out[i] = c.Plain()
		}
		return out
	case Map:
		o := value.NewObject()
		for _, f := range n.Fields {
			o.Set(f.Name, f.Value.Plain())
		}
		return o
	case Function:
		return value.NewObject(value.Member{Name: n.Fn, Value: n.Arg.Plain()})
	}
	return n.Value
}

// Problem is one thing that is wrong with a template.
type Problem struct {
	File         string
	Line, Column int
	Message      string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is everything that is wrong with a template, in the order of the text.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return ps
}
