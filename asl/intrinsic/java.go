package intrinsic

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/newel-run/newel/asl/value"
)

// AWS's functions are Java, and two of its habits show in their results: how it prints values, and the order in which a
// HashSet gives its elements back.

// javaText writes a value as Java prints it: strings bare, objects {name=value, ...}, arrays [value, ...].
func javaText(v value.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case value.Array:
		texts := make([]string, len(v))
		for i, e := range v {
			texts[i] = javaText(e)
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case *value.Object:
		var texts []string
		for name, e := range v.All() {
			texts = append(texts, name+"="+javaText(e))
		}
		return "{" + strings.Join(texts, ", ") + "}"
	}
	return string(value.Append(nil, v))
}

// inHashOrder sorts values as java.util.HashSet yields them after they were added one by one: by slot of a table that
// doubles when it is three quarters full, values of one slot in the order they came in.
func inHashOrder(a value.Array) value.Array {
	slots := uint32(16)
	for uint32(len(a)) > slots/4*3 {
		slots *= 2
	}
	slot := func(v value.Value) uint32 {
		h := uint32(javaHash(v))
		return (h ^ h>>16) & (slots - 1)
	}
	slices.SortStableFunc(a, func(v, w value.Value) int { return cmp.Compare(slot(v), slot(w)) })
	return a
}

// javaHash is hashCode of the object that AWS holds a value in: null, Boolean, Integer, Long, Double, String, List, Map.
func javaHash(v value.Value) int32 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1231
		}
		return 1237
	case value.Number:
		return numberHash(v)
	case string:
		var h int32
		for _, unit := range utf16.Encode([]rune(v)) {
			h = 31*h + int32(unit)
		}
		return h
	case value.Array:
		h := int32(1)
		for _, e := range v {
			h = 31*h + javaHash(e)
		}
		return h
	case *value.Object:
		var h int32
		for name, e := range v.All() {
			h += javaHash(name) ^ javaHash(e)
		}
		return h
	}
	return 0
}

func numberHash(n value.Number) int32 {
	i, ok := n.Int64()
	switch {
	case ok && !strings.ContainsAny(string(n), ".eE") && i == int64(int32(i)):
		return int32(i)
	case ok && !strings.ContainsAny(string(n), ".eE"):
		return int32(i ^ int64(uint64(i)>>32))
	}
	bits := math.Float64bits(n.Float64())
	return int32(bits ^ bits>>32)
}
