package expr

import (
	"sort"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// Projection picks parts of an item. The tree has a node for each step of its paths; a node without children is taken
// whole.
type Projection struct {
	names   map[string]*Projection
	indexes map[int]*Projection
	paths   []Path
}

var projectionOrder = []class{reservedWord, undefined, pathOverlap, pathConflict}

// Projection parses a projection expression.
func (p *Params) Projection(text string) (*Projection, error) {
	var paths []Path
	err := run(p, "ProjectionExpression", text, func(ps *parser) {
		paths = append(paths, ps.path())
		for ps.punct(",") {
			paths = append(paths, ps.path())
		}
		ps.checkPaths(paths)
	}, projectionOrder)
	if err != nil {
		return nil, err
	}
	return Project(paths), nil
}

// Project makes a projection of paths that do not conflict.
func Project(paths []Path) *Projection {
	root := &Projection{paths: paths}
	for _, path := range paths {
		at := root
		for _, s := range path {
			at = at.child(s)
		}
	}
	return root
}

func (p *Projection) child(s Step) *Projection {
	if s.isIndex() {
		if p.indexes == nil {
			p.indexes = map[int]*Projection{}
		}
		if p.indexes[s.Index] == nil {
			p.indexes[s.Index] = &Projection{}
		}
		return p.indexes[s.Index]
	}
	if p.names == nil {
		p.names = map[string]*Projection{}
	}
	if p.names[s.Name] == nil {
		p.names[s.Name] = &Projection{}
	}
	return p.names[s.Name]
}

// Paths are the projected paths.
func (p *Projection) Paths() []Path { return p.paths }

// Of picks the projected parts of an item, in the item's order; elements of lists move together.
func (p *Projection) Of(item *attr.Map) *attr.Map {
	out := &attr.Map{}
	for i := range item.Len() {
		m := item.At(i)
		if sub := p.names[m.Name]; sub != nil {
			if v := sub.of(m.Value); v != nil {
				out.Set(m.Name, v)
			}
		}
	}
	return out
}

func (p *Projection) of(v *attr.Value) *attr.Value {
	switch {
	case p.names == nil && p.indexes == nil:
		return v
	case p.names != nil && v.Kind == attr.M:
		if m := p.Of(v.Map); m.Len() > 0 {
			return &attr.Value{Kind: attr.M, Map: m}
		}
	case p.indexes != nil && v.Kind == attr.L:
		if l := p.elements(v.List); len(l) > 0 {
			return &attr.Value{Kind: attr.L, List: l}
		}
	}
	return nil
}

func (p *Projection) elements(list []*attr.Value) []*attr.Value {
	at := make([]int, 0, len(p.indexes))
	for i := range p.indexes {
		if i < len(list) {
			at = append(at, i)
		}
	}
	sort.Ints(at)
	var out []*attr.Value
	for _, i := range at {
		if v := p.indexes[i].of(list[i]); v != nil {
			out = append(out, v)
		}
	}
	return out
}
