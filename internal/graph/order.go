package graph

import (
	"slices"
	"sort"
)

// sweeps is how often the ranks are ordered anew; large graphs get fewer.
const sweeps = 24

// order arranges the ranks so that few arcs cross: weighted medians in sweeps down and up, neighbours exchanged where
// that helps, the best arrangement kept. It begins with the order of a walk along the definition, which puts what is
// written first on the left.
func (s *sheet) order() {
	s.walk()
	best, fewest := s.arrangement(), s.crossings()
	rounds := sweeps
	if len(s.vertices) > 3000 {
		rounds = 4
	}
	for i := 0; i < rounds && fewest > 0; i++ {
		s.medians(i%2 == 0)
		if len(s.vertices) <= 3000 {
			s.exchange()
		}
		if n := s.crossings(); n < fewest {
			best, fewest = s.arrangement(), n
		}
	}
	s.ranks = best
	for _, rank := range s.ranks {
		for i, v := range rank {
			s.vertices[v].place = i
		}
	}
}

func (s *sheet) arrangement() [][]int {
	out := make([][]int, len(s.ranks))
	for i, r := range s.ranks {
		out[i] = slices.Clone(r)
	}
	return out
}

// walk puts vertices into their ranks in the order in which a walk from the start meets them.
func (s *sheet) walk() {
	seen := make([]bool, len(s.vertices))
	var visit func(v int)
	visit = func(v int) {
		if seen[v] {
			return
		}
		seen[v] = true
		r := s.vertices[v].rank
		s.vertices[v].place = len(s.ranks[r])
		s.ranks[r] = append(s.ranks[r], v)
		for _, l := range s.vertices[v].down {
			visit(l.to)
		}
	}
	for v, x := range s.vertices {
		if x.rank == 0 {
			visit(v)
		}
	}
	for v := range s.vertices {
		visit(v)
	}
}

// medians sorts each rank by the medians of its neighbours in the rank before.
func (s *sheet) medians(down bool) {
	for i := range s.ranks {
		r := i
		if !down {
			r = len(s.ranks) - 1 - i
		}
		rank := s.ranks[r]
		at := make(map[int]float64, len(rank))
		for _, v := range rank {
			links := s.vertices[v].up
			if !down {
				links = s.vertices[v].down
			}
			at[v] = s.median(links, float64(s.vertices[v].place))
		}
		sort.SliceStable(rank, func(i, j int) bool { return at[rank[i]] < at[rank[j]] })
		for i, v := range rank {
			s.vertices[v].place = i
		}
	}
}

// median is the weighted median of the neighbours' places, own where there is none.
func (s *sheet) median(links []link, own float64) float64 {
	if len(links) == 0 {
		return own
	}
	p := make([]int, len(links))
	for i, l := range links {
		p[i] = s.vertices[l.to].place
	}
	slices.Sort(p)
	m := len(p) / 2
	switch {
	case len(p)%2 == 1:
		return float64(p[m])
	case len(p) == 2:
		return float64(p[0]+p[1]) / 2
	}
	left, right := float64(p[m-1]-p[0]), float64(p[len(p)-1]-p[m])
	if left+right == 0 {
		return float64(p[m-1])
	}
	return (float64(p[m-1])*right + float64(p[m])*left) / (left + right)
}

// exchange swaps neighbours as long as that removes crossings.
func (s *sheet) exchange() {
	for better := true; better; {
		better = false
		for _, rank := range s.ranks {
			for i := 0; i+1 < len(rank); i++ {
				u, v := s.vertices[rank[i]], s.vertices[rank[i+1]]
				if s.between(u.up, v.up)+s.between(u.down, v.down) > s.between(v.up, u.up)+s.between(v.down, u.down) {
					rank[i], rank[i+1] = rank[i+1], rank[i]
					u.place, v.place = i+1, i
					better = true
				}
			}
		}
	}
}

// between counts the crossings of the links of two vertices, the first left of the second.
func (s *sheet) between(left, right []link) int {
	n := 0
	for _, a := range left {
		for _, b := range right {
			if s.vertices[a.to].place > s.vertices[b.to].place {
				n++
			}
		}
	}
	return n
}

// crossings counts all crossings with a tree of sums over the lower rank.
func (s *sheet) crossings() int {
	total := 0
	for r := 0; r+1 < len(s.ranks); r++ {
		var ends []int
		for _, v := range s.ranks[r] {
			first := len(ends)
			for _, l := range s.vertices[v].down {
				ends = append(ends, s.vertices[l.to].place)
			}
			slices.Sort(ends[first:])
		}
		sums := make([]int, len(s.ranks[r+1])+1)
		for i, end := range ends {
			notAfter := 0
			for j := end + 1; j > 0; j -= j & -j {
				notAfter += sums[j]
			}
			total += i - notAfter
			for j := end + 1; j < len(sums); j += j & -j {
				sums[j]++
			}
		}
	}
	return total
}
