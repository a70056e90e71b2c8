package graph

import (
	"cmp"
	"math"
	"slices"
)

const (
	gapLeast, gapMost = 17.0, 56.0 // height between a rank and the next
	portGap           = 22.0       // between arcs at a box
)

// route gives ranks their y and arcs their paths. A path is vertical where it passes a rank and bends only between
// ranks, where there are no boxes.
func (s *sheet) route() {
	tops, bottoms := s.heights()
	out, in := s.ports()
	for _, a := range s.arcs {
		if a.from == a.to {
			s.routeLoop(a)
			continue
		}
		upper, lower := a.ends()
		p := []Point{{out[a], s.vertices[upper].y + s.vertices[upper].h/2}}
		p = curve(p, Point{out[a], bottoms[s.vertices[upper].rank]})
		for _, v := range a.chain[1 : len(a.chain)-1] {
			x, r := s.vertices[v].x, s.vertices[v].rank
			p = curve(p, Point{x, tops[r]})
			p = curve(p, Point{x, bottoms[r]})
		}
		p = curve(p, Point{in[a], tops[s.vertices[lower].rank]})
		p = curve(p, Point{in[a], s.vertices[lower].y - s.vertices[lower].h/2})
		if a.turned {
			slices.Reverse(p)
		}
		a.path = p
		if len(a.edge.Label) > 0 {
			room := s.vertices[a.labelRoom()]
			a.labelAt = Point{room.x, room.y}
		}
	}
}

// curve goes on to a point: straight down, or with vertical tangents.
func curve(p []Point, to Point) []Point {
	from := p[len(p)-1]
	if math.Abs(from.X-to.X)+math.Abs(from.Y-to.Y) < 0.1 {
		return p
	}
	if n := len(p); n > 3 && p[n-4].X == from.X && p[n-3].X == from.X && math.Abs(from.X-to.X) < 0.1 {
		p, from = p[:n-3], p[n-4] // one straight line
	}
	middle := (from.Y + to.Y) / 2
	return append(p, Point{from.X, middle}, Point{to.X, middle}, to)
}

// heights stacks the ranks and returns their tops and bottoms. The further arcs go sideways, the higher the gap.
func (s *sheet) heights() (tops, bottoms []float64) {
	y := 0.0
	for r, rank := range s.ranks {
		h, sideways := 0.0, 0.0
		for _, v := range rank {
			h = max(h, s.vertices[v].h)
			for _, l := range s.vertices[v].up {
				sideways = max(sideways, math.Abs(s.vertices[v].x-s.vertices[l.to].x))
			}
		}
		if r > 0 {
			y += min(gapMost, max(gapLeast, sideways*0.18))
		}
		for _, v := range rank {
			x := s.vertices[v]
			x.y = y + h/2
			if x.box != nil && x.inner != nil {
				x.y = y + x.h/2
			}
		}
		tops, bottoms = append(tops, y), append(bottoms, y+h)
		y += h
	}
	s.h = y
	return tops, bottoms
}

// ports are the x at which arcs leave their upper box and reach their lower one: side by side around the middle, in the
// order of where they go.
func (s *sheet) ports() (out, in map[*arc]float64) {
	out, in = map[*arc]float64{}, map[*arc]float64{}
	below, above := map[int][]*arc{}, map[int][]*arc{}
	for _, a := range s.arcs {
		if a.from != a.to {
			upper, lower := a.ends()
			below[upper], above[lower] = append(below[upper], a), append(above[lower], a)
		}
	}
	spread := func(v int, arcs []*arc, near func(*arc) int, at map[*arc]float64) {
		slices.SortStableFunc(arcs, func(a, b *arc) int { return cmp.Compare(s.vertices[near(a)].x, s.vertices[near(b)].x) })
		x := s.vertices[v]
		usable := x.w - x.side - 24
		if x.box.State != nil && len(x.inner) == 0 {
			usable -= 2 * choiceCut
		}
		step := min(portGap, usable/float64(len(arcs)))
		for i, a := range arcs {
			at[a] = x.x + (float64(i)-float64(len(arcs)-1)/2)*step
		}
		s.straighten(v, arcs, near, at)
	}
	for v := range s.real {
		spread(v, below[v], func(a *arc) int { return a.chain[1] }, out)
		spread(v, above[v], func(a *arc) int { return a.chain[len(a.chain)-2] }, in)
	}
	return out, in
}

// straighten moves the ports of a box together sideways so that the heaviest arc that almost is straight is.
func (s *sheet) straighten(v int, arcs []*arc, near func(*arc) int, at map[*arc]float64) {
	best := math.Inf(1)
	weight := 0
	for _, a := range arcs {
		off := s.vertices[near(a)].x - at[a]
		if math.Abs(off) <= portGap && (a.weight > weight || a.weight == weight && math.Abs(off) < math.Abs(best)) {
			best, weight = off, a.weight
		}
	}
	if math.IsInf(best, 1) || len(arcs) == 0 {
		return
	}
	x := s.vertices[v]
	half := (x.w-x.side)/2 - 12 - choiceCut
	first, last := at[arcs[0]]+best, at[arcs[len(arcs)-1]]+best
	if first < x.x-half || last > x.x+half {
		return
	}
	for _, a := range arcs {
		at[a] += best
	}
}

// routeLoop draws a transition of a state to itself at its right side.
func (s *sheet) routeLoop(a *arc) {
	v := s.vertices[a.from]
	x, dy := v.x+(v.w-v.side)/2, 10.0
	far := x + 26
	a.path = []Point{{x, v.y - dy}, {far, v.y - dy - 8}, {far, v.y + dy + 8}, {x, v.y + dy}}
	a.labelAt = Point{x + 24 + linesWidth(a.edge.Label, labelSize)/2, v.y}
}
