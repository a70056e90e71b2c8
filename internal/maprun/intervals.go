package maprun

import "slices"

// intervals is a set of indexes as half-open intervals [lo, hi), ascending and apart from each other.
type intervals [][2]uint64

// add puts an index into the set and reports whether it was not there.
func (s *intervals) add(n uint64) bool {
	i, found := s.search(n)
	if found {
		return false
	}
	joinsLeft := i > 0 && (*s)[i-1][1] == n
	joinsRight := i < len(*s) && (*s)[i][0] == n+1
	switch {
	case joinsLeft && joinsRight:
		(*s)[i-1][1] = (*s)[i][1]
		*s = slices.Delete(*s, i, i+1)
	case joinsLeft:
		(*s)[i-1][1]++
	case joinsRight:
		(*s)[i][0]--
	default:
		*s = slices.Insert(*s, i, [2]uint64{n, n + 1})
	}
	return true
}

func (s intervals) has(n uint64) bool {
	_, found := s.search(n)
	return found
}

// search finds the interval that an index is in, or the one before which it would be.
func (s intervals) search(n uint64) (i int, found bool) {
	return slices.BinarySearchFunc(s, n, func(e [2]uint64, n uint64) int {
		switch {
		case e[1] <= n:
			return -1
		case e[0] > n:
			return 1
		}
		return 0
	})
}

// remove takes an index out of the set.
func (s *intervals) remove(n uint64) {
	i, found := s.search(n)
	if !found {
		return
	}
	e := (*s)[i]
	var rest [][2]uint64
	if e[0] < n {
		rest = append(rest, [2]uint64{e[0], n})
	}
	if n+1 < e[1] {
		rest = append(rest, [2]uint64{n + 1, e[1]})
	}
	*s = slices.Replace(*s, i, i+1, rest...)
}

// next is the first index of the set from one on.
func (s intervals) next(from uint64) (n uint64, ok bool) {
	i, _ := s.search(from)
	if i == len(s) {
		return 0, false
	}
	return max(from, s[i][0]), true
}

// size counts the indexes of the set from one on.
func (s intervals) size(from uint64) (n int64) {
	for _, e := range s {
		if e[1] > from {
			n += int64(e[1] - max(e[0], from))
		}
	}
	return n
}

// missing yields the indexes below limit that are not in the set.
func (s intervals) missing(limit uint64) []uint64 {
	var list []uint64
	from := uint64(0)
	for _, e := range append(slices.Clip(s), [2]uint64{limit, limit}) {
		for n := from; n < min(e[0], limit); n++ {
			list = append(list, n)
		}
		from = e[1]
	}
	return list
}
