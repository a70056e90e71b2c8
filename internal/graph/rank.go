package graph

const (
	laneGap  = 14.0 // between rooms of arcs
	boxGap   = 34.0 // between boxes
	loopSide = 34.0 // beside a box with a transition to itself
)

// rank gives boxes even ranks, each below everything that leads to it, and arcs a room in every rank between.
func (s *sheet) rank() {
	waiting := make([]int, s.real)
	down := make([][]int, s.real)
	for _, a := range s.arcs {
		if a.from == a.to {
			continue
		}
		upper, lower := a.ends()
		down[upper] = append(down[upper], lower)
		waiting[lower]++
	}
	var ready []int
	for v := range s.real {
		if waiting[v] == 0 {
			ready = append(ready, v)
		}
	}
	deepest := 0
	for len(ready) > 0 {
		v := ready[0]
		ready = ready[1:]
		deepest = max(deepest, s.vertices[v].rank)
		for _, w := range down[v] {
			s.vertices[w].rank = max(s.vertices[w].rank, s.vertices[v].rank+2)
			if waiting[w]--; waiting[w] == 0 {
				ready = append(ready, w)
			}
		}
	}
	for _, a := range s.arcs {
		if a.from == a.to {
			s.loop(a)
			continue
		}
		s.chain(a)
	}
	s.ranks = make([][]int, deepest+1)
}

// loop makes room beside a box.
func (s *sheet) loop(a *arc) {
	v := s.vertices[a.from]
	side := 2 * (loopSide + linesWidth(a.edge.Label, labelSize))
	v.w += max(0, side-v.side)
	v.side = max(side, v.side)
	v.h = max(v.h, 40)
}

// chain makes the rooms of an arc. Its label is in the room next to the state that it leaves.
func (s *sheet) chain(a *arc) {
	upper, lower := a.ends()
	a.chain = []int{upper}
	for r := s.vertices[upper].rank + 1; r < s.vertices[lower].rank; r++ {
		room := &vertex{rank: r, room: true, w: 2}
		s.vertices = append(s.vertices, room)
		a.chain = append(a.chain, len(s.vertices)-1)
	}
	a.chain = append(a.chain, lower)
	if len(a.edge.Label) > 0 {
		room := s.vertices[a.labelRoom()]
		room.w = linesWidth(a.edge.Label, labelSize) + 8
		room.h = float64(len(a.edge.Label))*labelLine + 4
	}
	for i := 1; i < len(a.chain); i++ {
		u, v := a.chain[i-1], a.chain[i]
		s.vertices[u].down = append(s.vertices[u].down, link{v, a.weight})
		s.vertices[v].up = append(s.vertices[v].up, link{u, a.weight})
	}
}

func (a *arc) labelRoom() int {
	if a.turned {
		return a.chain[len(a.chain)-2]
	}
	return a.chain[1]
}
