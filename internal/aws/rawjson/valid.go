package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// depthMax is how deep values may be nested, as encoding/json has it.
const depthMax = 10000

// Valid reports whether a text is one JSON value, as json.Valid does, in a fraction of its time.
func Valid(b []byte) bool {
	i := value(b, blanks(b, 0), 0)
	return i >= 0 && blanks(b, i) == len(b)
}

func blanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// value is where the value at i ends, -1 if it is none.
func value(b []byte, i, depth int) int {
	if i >= len(b) || depth > depthMax {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return text(b, i)
	case c == '{':
		return members(b, i+1, depth+1)
	case c == '[':
		return items(b, i+1, depth+1)
	case c == 't':
		return word(b, i, "true")
	case c == 'f':
		return word(b, i, "false")
	case c == 'n':
		return word(b, i, "null")
	}
	return number(b, i)
}

func word(b []byte, i int, w string) int {
	if len(b)-i < len(w) || string(b[i:i+len(w)]) != w {
		return -1
	}
	return i + len(w)
}

func members(b []byte, i, depth int) int {
	if depth > depthMax {
		return -1
	}
	if i = blanks(b, i); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		if i = text(b, i); i < 0 {
			return -1
		}
		if i = blanks(b, i); i >= len(b) || b[i] != ':' {
			return -1
		}
		if i = value(b, blanks(b, i+1), depth); i < 0 {
			return -1
		}
		if i = blanks(b, i); i >= len(b) || b[i] != ',' {
			break
		}
		i = blanks(b, i+1)
	}
	if i >= len(b) || b[i] != '}' {
		return -1
	}
	return i + 1
}

func items(b []byte, i, depth int) int {
	if depth > depthMax {
		return -1
	}
	if i = blanks(b, i); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = value(b, i, depth); i < 0 {
			return -1
		}
		if i = blanks(b, i); i >= len(b) || b[i] != ',' {
			break
		}
		i = blanks(b, i+1)
	}
	if i >= len(b) || b[i] != ']' {
		return -1
	}
	return i + 1
}

// plainRun is how many bytes at the start of b are neither a quotation mark nor a backslash nor a control character. It
// looks at eight at a time: of the bytes that a subtraction marks, the lowest is always right.
func plainRun(b []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		if marks := ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops; marks != 0 {
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for i < len(b) && b[i] >= 0x20 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// text is where the string literal at i ends.
func text(b []byte, i int) int {
	i++
	for i += plainRun(b[i:]); i < len(b) && b[i] == '\\' && i+1 < len(b); i += plainRun(b[i:]) {
		switch b[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if len(b)-i < 6 || !hex(b[i+2]) || !hex(b[i+3]) || !hex(b[i+4]) || !hex(b[i+5]) {
				return -1
			}
			i += 6
		default:
			return -1
		}
	}
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	return i + 1
}

func hex(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// number is where the number at i ends.
func number(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = digits(b, i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i
}

// digits is where the digits at i end, of which there is at least one.
func digits(b []byte, i int) int {
	start := i
	for i < len(b) && digit(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
