package graph

import "github.com/newel-run/newel/asl"

// sheet is one scope while it is laid out. Vertices 0 to real-1 are boxes, the others the rooms of arcs.
type sheet struct {
	scope    *asl.Scope
	depth    int
	vertices []*vertex
	real     int
	arcs     []*arc
	ranks    [][]int // vertices from left to right
	w, h     float64
}

// vertex is a box, or the room that an arc takes in a rank it passes. x and y are its centre.
type vertex struct {
	box   *Box
	inner []frame
	w, h  float64
	side  float64 // room for loops, on both sides together, within w
	rank  int
	place int // in its rank
	x, y  float64
	up    []link
	down  []link
	room  bool
}

// link is a neighbour in the rank above or below.
type link struct{ to, weight int }

// frame is a scope inside a container, relative to the container's top left corner.
type frame struct {
	sheet      *sheet
	x, y, w, h float64
}

// arc is an edge while it is laid out. chain are its vertices from the upper to the lower rank; a turned arc's edge goes
// upwards.
type arc struct {
	edge     *Edge
	from, to int
	weight   int
	turned   bool
	chain    []int
	path     []Point
	labelAt  Point
}

func (s *sheet) add(v *vertex) int {
	s.vertices = append(s.vertices, v)
	s.real = len(s.vertices)
	return len(s.vertices) - 1
}

func (s *sheet) connect(from, to int, e *Edge, weight int) {
	s.arcs = append(s.arcs, &arc{edge: e, from: from, to: to, weight: weight})
}

// layout places everything and takes the size.
func (s *sheet) layout() {
	s.turnCycles()
	s.rank()
	s.order()
	s.align()
	s.route()
}

// turnCycles marks the arcs that lead back to a vertex on the way to them, depth first from the start, as turned.
func (s *sheet) turnCycles() {
	out := make([][]*arc, s.real)
	for _, a := range s.arcs {
		if a.from != a.to {
			out[a.from] = append(out[a.from], a)
		}
	}
	const open, done = 1, 2
	mark := make([]int, s.real)
	var visit func(v int)
	visit = func(v int) {
		mark[v] = open
		for _, a := range out[v] {
			switch mark[a.to] {
			case open:
				a.turned = true
			case 0:
				visit(a.to)
			}
		}
		mark[v] = done
	}
	first := 0
	if s.scope != nil && s.scope.Owner != nil && s.scope.Start != nil {
		for i, v := range s.vertices {
			if v.box.State == s.scope.Start {
				first = i
			}
		}
	}
	if s.real > 0 {
		visit(first)
	}
	for v := range s.real {
		if mark[v] == 0 {
			visit(v)
		}
	}
}

// ends are the upper and the lower vertex of an arc.
func (a *arc) ends() (upper, lower int) {
	if a.turned {
		return a.to, a.from
	}
	return a.from, a.to
}
