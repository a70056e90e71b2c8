package maprun

import "slices"

// intervals is a set of indexes as half-open intervals [lo, hi), ascending and apart from each other.
type intervals [][2]uint64

// add puts an index into the set and reports whether it was not there.
func (s *intervals) add(n uint64) bool {
	i, found := slices.BinarySearchFunc(*s, n, func(e [2]uint64, n uint64) int {
		switch {
		case e[1] <= n:
			return -1
		case e[0] > n:
			return 1
		}
		return 0
	})
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
	for _, e := range s {
		if n >= e[0] && n < e[1] {
			return true
		}
	}
	return false
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
