package asl

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/newel-run/newel/asl/value"
)

// maxYAMLNodes bounds what aliases may expand to.
const maxYAMLNodes = 200_000

// parseYAML makes nodes of a YAML text, or one diagnostic. Scalars are read by the core schema: what looks like a date
// stays a string. Tags of their own (!Sub and the like) have no meaning in a definition.
func parseYAML(text []byte) (*node, *Diagnostic) {
	if value.Valid(text) == nil {
		return parse(text, Options{}) // JSON is YAML, and its strings need no second look
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		d := &Diagnostic{Severity: SeverityError, Code: CodeJSON, Message: err.Error()}
		var load *yaml.LoadError
		if errors.As(err, &load) {
			d.Message, d.Line, d.Column = load.Message, load.Mark.Line, load.Mark.Column
		}
		return nil, d
	}
	if len(document.Content) == 0 {
		return nil, notAnObject()
	}
	r := yamlReader{}
	root := r.node(document.Content[0], 0)
	if r.bad != nil {
		return nil, r.bad
	}
	if root.kind != '{' {
		return nil, notAnObject()
	}
	return root, nil
}

type yamlReader struct {
	count int
	bad   *Diagnostic // the first thing that JSON cannot say
}

func (r *yamlReader) fail(n *yaml.Node, message string) *node {
	if r.bad == nil {
		r.bad = &Diagnostic{Severity: SeverityError, Code: CodeJSON, Message: message, Line: n.Line, Column: n.Column}
	}
	return &node{kind: 'n'}
}

const maxYAMLDepth = 1000

func (r *yamlReader) node(n *yaml.Node, depth int) *node {
	if r.count++; r.count > maxYAMLNodes || depth > maxYAMLDepth {
		return r.fail(n, "Definition is too large")
	}
	out := &node{pos: position{n.Line, n.Column}}
	switch n.Kind {
	case yaml.AliasNode:
		return r.node(n.Alias, depth+1)
	case yaml.MappingNode:
		out.kind = '{'
		for i := 0; i+1 < len(n.Content) && r.bad == nil; i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				return r.fail(key, "The name of a field must be a string")
			}
			out.members = append(out.members, member{key.Value, position{key.Line, key.Column}, r.node(n.Content[i+1], depth+1)})
		}
	case yaml.SequenceNode:
		out.kind = '['
		for _, e := range n.Content {
			if r.bad != nil {
				break
			}
			out.elems = append(out.elems, r.node(e, depth+1))
		}
	case yaml.ScalarNode:
		v, ok := yamlScalar(n)
		if !ok {
			return r.fail(n, "'"+n.Value+"' cannot be written in JSON as "+n.ShortTag())
		}
		out.scalar, out.kind = v, kindOf(v)
	default:
		return r.fail(n, "Unexpected YAML node")
	}
	return out
}

func yamlScalar(n *yaml.Node) (value.Value, bool) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, true
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!int", "!!float":
		v, err := value.Parse([]byte(n.Value))
		if number, ok := v.(value.Number); err == nil && ok {
			return number, true
		}
		var i int64
		if n.Decode(&i) == nil {
			return value.Int(i), true
		}
		var f float64
		if n.Decode(&f) == nil {
			return value.Float(f)
		}
	}
	return nil, false
}
