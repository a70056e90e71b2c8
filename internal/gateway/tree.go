package gateway

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1/header"
)

// tree finds a REST service's operation by method and URI. A segment that is spelt out beats a label, a label beats a
// greedy label ({Key+}). Among operations with the same path the one wins whose demands (parameters in the URI, required
// query parameters and headers) are met and are the most: that tells S3's PUTs on one path apart.
type tree struct {
	service  *aws.Service
	protocol wire.Protocol
	root     node
}

type node struct {
	literal map[string]*node
	label   *node
	greedy  []route
	routes  []route
}

type route struct {
	op       *aws.Operation
	labels   []string // in the order of the path's label segments
	suffix   []string // segments after a greedy label
	query    url.Values
	required []requirement
}

type requirement struct {
	header bool
	name   string
}

func newTree(s *aws.Service, p wire.Protocol) *tree {
	t := &tree{service: s, protocol: p}
	names := make([]string, 0, len(s.Operations))
	for name := range s.Operations {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.add(s.Operations[name])
	}
	return t
}

func (t *tree) add(op *aws.Operation) {
	path, query, _ := strings.Cut(op.URI, "?")
	r := route{op: op}
	r.query, _ = url.ParseQuery(query) // our own data
	if op.Input != nil {
		for _, name := range op.Input.Required {
			if m := op.Input.Member(name); m != nil && (m.Location == "querystring" || m.Location == "header") {
				r.required = append(r.required, requirement{m.Location == "header", wire.LocationName(m)})
			}
		}
	}
	n := &t.root
	parts := segments(path)
	for i, seg := range parts {
		label, isLabel := strings.CutPrefix(seg, "{")
		label = strings.TrimSuffix(label, "}")
		switch {
		case isLabel && strings.HasSuffix(label, "+"):
			r.labels = append(r.labels, strings.TrimSuffix(label, "+"))
			r.suffix = parts[i+1:]
			n.greedy = append(n.greedy, r)
			slices.SortStableFunc(n.greedy, func(a, b route) int {
				return cmp.Or(len(b.suffix)-len(a.suffix), slices.Compare(a.suffix, b.suffix))
			})
			return
		case isLabel:
			r.labels = append(r.labels, label)
			if n.label == nil {
				n.label = &node{}
			}
			n = n.label
		default:
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			if n.literal[seg] == nil {
				n.literal[seg] = &node{}
			}
			n = n.literal[seg]
		}
	}
	n.routes = append(n.routes, r)
}

// segments splits a path; a slash at the end does not count, since clients and models differ in it.
func segments(path string) []string {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func (t *tree) match(m *wire.Message) *wire.Call {
	query, err := url.ParseQuery(m.Query)
	if err != nil {
		query = url.Values{} // the decoder of the parameters will say what is wrong
	}
	path := strings.TrimPrefix(m.Path, "/")
	found, values := t.root.find(m, query, segments(path), nil)
	if found == nil {
		return nil
	}
	c := &wire.Call{Protocol: t.protocol, Service: t.service, Operation: found.op, Labels: make(map[string]string, len(values))}
	for i, v := range values {
		if u, err := url.PathUnescape(v); err == nil {
			v = u
		}
		c.Labels[found.labels[i]] = v
	}
	// A slash at the end belongs to a greedy label: it is part of an S3 key.
	if n := len(values); n > 0 && strings.Contains(found.op.URI, "+}") && strings.HasSuffix(path, "/") {
		c.Labels[found.labels[n-1]] += "/"
	}
	return c
}

func (n *node) find(m *wire.Message, query url.Values, path, values []string) (*route, []string) {
	if len(path) == 0 {
		return best(n.routes, m, query), values
	}
	if next := n.literal[path[0]]; next != nil {
		if r, v := next.find(m, query, path[1:], values); r != nil {
			return r, v
		}
	}
	if n.label != nil && path[0] != "" {
		if r, v := n.label.find(m, query, path[1:], append(slices.Clone(values), path[0])); r != nil {
			return r, v
		}
	}
	return n.findGreedy(m, query, path, values)
}

// findGreedy tries the greedy labels, those with more segments after the label first.
func (n *node) findGreedy(m *wire.Message, query url.Values, path, values []string) (*route, []string) {
	for i := 0; i < len(n.greedy); {
		suffix := n.greedy[i].suffix
		j := i
		for j < len(n.greedy) && slices.Equal(n.greedy[j].suffix, suffix) {
			j++
		}
		if head := len(path) - len(suffix); head > 0 && slices.Equal(path[head:], suffix) {
			if r := best(n.greedy[i:j], m, query); r != nil {
				return r, append(slices.Clone(values), strings.Join(path[:head], "/"))
			}
		}
		i = j
	}
	return nil, nil
}

// best is the most demanding route whose demands are met.
func best(routes []route, m *wire.Message, query url.Values) *route {
	var found *route
	score := -1
	for i := range routes {
		r := &routes[i]
		if r.op.Method != m.Method && !(m.Method == http.MethodHead && r.op.Method == http.MethodGet && !hasMethod(routes, http.MethodHead)) {
			continue
		}
		if n, ok := r.met(m.Header, query); ok && n > score {
			found, score = r, n
		}
	}
	return found
}

func hasMethod(routes []route, method string) bool {
	return slices.ContainsFunc(routes, func(r route) bool { return r.op.Method == method })
}

// met counts the route's demands that tell it from others; ok is false if one is not met.
func (r *route) met(h header.List, query url.Values) (n int, ok bool) {
	for name, want := range r.query {
		got, there := query[name]
		if !there || want[0] != "" && (len(got) == 0 || got[0] != want[0]) {
			return 0, false
		}
		n += 100
	}
	for _, req := range r.required {
		there := query.Has(req.name)
		if req.header {
			there = h.Get(req.name) != ""
		}
		if !there {
			// A missing parameter is the service's to complain about, unless another operation fits.
			n--
			continue
		}
		n++
	}
	if r.op.Deprecated {
		return 2*n + 1999, true // an operation that replaces another one on its path wins
	}
	return 2*n + 2000, true
}
