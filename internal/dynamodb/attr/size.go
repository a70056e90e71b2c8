package attr

import "strings"

// Size is the size of a value in bytes as DynamoDB counts it ("Item sizes and formats" of the Developer Guide).
func (v *Value) Size() int {
	switch v.Kind {
	case S, B:
		return len(v.Str)
	case N:
		return numberSize(v.Str)
	case Null, Bool:
		return 1
	case SS, BS:
		n := 0
		for _, e := range v.Set {
			n += len(e)
		}
		return n
	case NS:
		n := 0
		for _, e := range v.Set {
			n += numberSize(e)
		}
		return n
	case L:
		n := 3
		for _, e := range v.List {
			n += 1 + e.Size()
		}
		return n
	case M:
		return 3 + v.Map.Len() + v.Map.Size()
	}
	return 0
}

// Size is the size of an item: the lengths of its attribute names and the sizes of their values.
func (m *Map) Size() int {
	n := 0
	for i := range m.Len() {
		n += len(m.members[i].Name) + m.members[i].Value.Size()
	}
	return n
}

// numberSize: one byte, one more for each pair of significant digits (pairs are aligned to even powers of ten), and one
// for a minus sign.
func numberSize(text string) int {
	if text == "0" {
		return 1
	}
	d, exp, neg := scientific(text)
	n := len(d)
	if exp%2 == 0 {
		n++
	}
	size := 1 + (n+1)/2
	if neg {
		size++
	}
	return size
}

// scientific splits normal number text other than "0" into its significant digits d1d2d3..., the exponent of
// d1.d2d3... x 10^exp and the sign.
func scientific(text string) (digits string, exp int, neg bool) {
	if text[0] == '-' {
		neg, text = true, text[1:]
	}
	whole, frac, _ := strings.Cut(text, ".")
	if whole != "0" {
		digits, exp = whole+frac, len(whole)-1
		return strings.TrimRight(digits, "0"), exp, neg
	}
	digits = strings.TrimLeft(frac, "0")
	return digits, len(digits) - len(frac) - 1, neg
}

// Depth is how deep lists and maps nest in an item: 0 if all values are scalars or sets.
func (m *Map) Depth() int {
	d := 0
	for i := range m.Len() {
		d = max(d, m.members[i].Value.depth())
	}
	return d
}

func (v *Value) depth() int {
	d := 0
	switch v.Kind {
	case L:
		for _, e := range v.List {
			d = max(d, e.depth())
		}
	case M:
		d = v.Map.Depth()
	default:
		return 0
	}
	return d + 1
}
