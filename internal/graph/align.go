package graph

import (
	"math"
	"slices"
)

// align gives vertices their x after Brandes and Köpf: four times, once from each corner, each vertex is put in line
// with a median neighbour of the rank before where nothing is in the way, the lines are packed, and the mean of the two middle
// results is taken. Only a vertex's heaviest arcs count, so that the way without errors stays straight.
func (s *sheet) align() {
	barred := s.conflicts()
	var all [4][]float64
	for i := range all {
		all[i] = s.lines(i&1 == 1, i&2 == 2, barred)
	}
	s.together(&all)
	for v := range s.vertices {
		x := []float64{all[0][v], all[1][v], all[2][v], all[3][v]}
		slices.Sort(x)
		s.vertices[v].x = (x[1] + x[2]) / 2
	}
	s.separate()
}

// separation is the least distance between the centres of two neighbours.
func (s *sheet) separation(left, right int) float64 {
	a, b := s.vertices[left], s.vertices[right]
	gap := boxGap
	switch {
	case a.room && b.room:
		gap = laneGap
	case a.room || b.room:
		gap = (laneGap + boxGap) / 2
	}
	return (a.w+b.w)/2 + gap
}

type pair struct{ upper, lower int }

// conflicts are the links that cross the middle of a longer arc, which is to be straight.
func (s *sheet) conflicts() map[pair]bool {
	barred := map[pair]bool{}
	for r := 1; r+1 < len(s.ranks); r++ {
		lower := s.ranks[r+1]
		first, next := 0, 0
		for i, v := range lower {
			inner := s.innerAbove(v)
			if inner < 0 && i < len(lower)-1 {
				continue
			}
			last := len(s.ranks[r])
			if inner >= 0 {
				last = s.vertices[inner].place
			}
			for ; next <= i; next++ {
				for _, l := range s.vertices[lower[next]].up {
					p := s.vertices[l.to].place
					isInner := s.vertices[l.to].room && s.vertices[lower[next]].room
					if (p < first || p > last) && !isInner {
						barred[pair{l.to, lower[next]}] = true
					}
				}
			}
			first = last
		}
	}
	return barred
}

// innerAbove is the room above a room of the same arc, -1 if there is none.
func (s *sheet) innerAbove(v int) int {
	if x := s.vertices[v]; x.room && len(x.up) == 1 && s.vertices[x.up[0].to].room {
		return x.up[0].to
	}
	return -1
}

// heaviest are the neighbours of the heaviest links, by place.
func (s *sheet) heaviest(links []link) []int {
	most := 0
	for _, l := range links {
		most = max(most, l.weight)
	}
	var out []int
	for _, l := range links {
		if l.weight == most {
			out = append(out, l.to)
		}
	}
	slices.SortFunc(out, func(a, b int) int { return s.vertices[a].place - s.vertices[b].place })
	return out
}

// lines aligns from one corner and packs; fromBelow and fromRight say from which.
func (s *sheet) lines(fromBelow, fromRight bool, barred map[pair]bool) []float64 {
	n := len(s.vertices)
	root, next := make([]int, n), make([]int, n)
	for v := range n {
		root[v], next[v] = v, v
	}
	links := func(v int) ([]link, []link) {
		if fromBelow {
			return s.vertices[v].down, s.vertices[v].up
		}
		return s.vertices[v].up, s.vertices[v].down
	}
	for i := range s.ranks {
		rank := s.ranks[i]
		if fromBelow {
			rank = s.ranks[len(s.ranks)-1-i]
		}
		bound := math.MinInt
		for j := range rank {
			v := rank[j]
			if fromRight {
				v = rank[len(rank)-1-j]
			}
			before, _ := links(v)
			near := s.heaviest(before)
			for _, u := range middle(near, fromRight) {
				place := s.vertices[u].place
				if fromRight {
					place = -place
				}
				p := pair{u, v}
				if fromBelow {
					p = pair{v, u}
				}
				_, back := links(u)
				if next[v] == v && place > bound && !barred[p] && slices.Contains(s.heaviest(back), v) {
					next[u] = v
					root[v] = root[u]
					next[v] = root[v]
					bound = place
				}
			}
		}
	}
	return s.compact(root, fromRight)
}

// middle are the one or two medians, in the order in which they are tried.
func middle(near []int, fromRight bool) []int {
	if len(near) == 0 {
		return nil
	}
	m := slices.Clone(near[(len(near)-1)/2 : len(near)/2+1])
	if fromRight {
		slices.Reverse(m)
	}
	return m
}

// compact packs the lines to one side and then moves each towards the other as far as that costs nothing.
func (s *sheet) compact(root []int, fromRight bool) []float64 {
	type constraint struct {
		to    int
		least float64
	}
	after, before := map[int][]constraint{}, map[int][]constraint{}
	waiting := map[int]int{}
	for _, rank := range s.ranks {
		for i := 1; i < len(rank); i++ {
			u, v := root[rank[i-1]], root[rank[i]]
			least := s.separation(rank[i-1], rank[i])
			after[u] = append(after[u], constraint{v, least})
			before[v] = append(before[v], constraint{u, least})
			waiting[v]++
		}
	}
	var sorted []int
	for v := range root {
		if root[v] == v && waiting[v] == 0 {
			sorted = append(sorted, v)
		}
	}
	for i := 0; i < len(sorted); i++ {
		for _, c := range after[sorted[i]] {
			if waiting[c.to]--; waiting[c.to] == 0 {
				sorted = append(sorted, c.to)
			}
		}
	}
	x := make([]float64, len(root))
	toLeft := func(v int, free float64) float64 {
		for _, c := range before[v] {
			free = max(free, x[c.to]+c.least)
		}
		return free
	}
	toRight := func(v int, free float64) float64 {
		for _, c := range after[v] {
			free = min(free, x[c.to]-c.least)
		}
		return free
	}
	if fromRight {
		for _, v := range slices.Backward(sorted) {
			x[v] = toRight(v, 0)
		}
		for _, v := range sorted {
			if len(before[v]) > 0 {
				x[v] = toLeft(v, math.Inf(-1))
			}
		}
	} else {
		for _, v := range sorted {
			x[v] = toLeft(v, 0)
		}
		for _, v := range slices.Backward(sorted) {
			if len(after[v]) > 0 {
				x[v] = toRight(v, math.Inf(1))
			}
		}
	}
	for v := range x {
		x[v] = x[root[v]]
	}
	return x
}

// together moves the four results over each other: those packed to the left by their left side, the others by their right.
func (s *sheet) together(all *[4][]float64) {
	type extent struct{ left, right float64 }
	var of [4]extent
	narrowest := 0
	for i, x := range all {
		e := extent{math.Inf(1), math.Inf(-1)}
		for v, c := range x {
			e.left, e.right = min(e.left, c-s.vertices[v].w/2), max(e.right, c+s.vertices[v].w/2)
		}
		of[i] = e
		if e.right-e.left < of[narrowest].right-of[narrowest].left {
			narrowest = i
		}
	}
	for i := range all {
		shift := of[narrowest].left - of[i].left
		if i&2 == 2 {
			shift = of[narrowest].right - of[i].right
		}
		for v := range all[i] {
			all[i][v] += shift
		}
	}
}

// separate asserts the distances once more, from left to right, and takes the width.
func (s *sheet) separate() {
	for _, rank := range s.ranks {
		for i := 1; i < len(rank); i++ {
			v := s.vertices[rank[i]]
			v.x = max(v.x, s.vertices[rank[i-1]].x+s.separation(rank[i-1], rank[i]))
		}
	}
	left, right := math.Inf(1), math.Inf(-1)
	for _, v := range s.vertices {
		left, right = min(left, v.x-v.w/2), max(right, v.x+v.w/2)
	}
	for _, v := range s.vertices {
		v.x -= left
	}
	s.w = max(right-left, 0)
}
