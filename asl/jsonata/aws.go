package jsonata

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"math"

	"github.com/newel-run/newel/asl/value"
)

// awsFunctions are what AWS has added to the language. Their arguments and errors are as AWS has answered; integer
// parameters lose their fraction.
var awsFunctions = map[string]builtin{
	"partition": {2, "<xn?:a<a>>", defined(partition)},
	"range":     {3, "<nnn?:a<n>>", rangeFunction},
	"hash":      {2, "", hashText},
	"random":    {1, "<n?:n>", random},
	"uuid":      {0, "<:s>", uuid},
	"parse":     {1, "<s?:x>", onText(parseJSON)},
}

const (
	own      = "D3137"   // the code of errors that JSONata has none for
	maxRange = 360_145   // numbers that $range makes at most
	maxExact = 1<<53 - 1 // integers beyond are not all doubles
)

// truncated is an integer parameter; ok is false when it is undefined. What an integer cannot hold is its largest one.
func truncated(v any) (n int64, ok bool) {
	f, ok := isNumber(v)
	switch {
	case !ok || math.IsNaN(f):
		return 0, false
	case f >= 1<<63:
		return math.MaxInt64, true
	case f < -1<<63:
		return math.MinInt64, true
	}
	return int64(f), true
}

// partition cuts an array into arrays of a size. Without a size it is one part; of size zero there are none.
func partition(e *evaluation, args []any) any {
	items, isArray := elements(args[0])
	if !isArray {
		e.fail("T0412", detail{"index": 1.0})
	}
	size, ok := truncated(args[1])
	switch {
	case !ok:
		return value.Array{args[0]}
	case size < 0:
		e.fail(own, detail{"message": "Second argument must be zero or greater"})
	case size == 0 || len(items) == 0:
		return undefined
	}
	result := value.Array{}
	for len(items) > 0 {
		n := int(min(size, int64(len(items))))
		e.spend(48)
		result = append(result, value.Array(items[:n:n]))
		items = items[n:]
	}
	return result
}

// rangeFunction counts from its first argument to its second, inclusive, by its third.
func rangeFunction(e *evaluation, args []any) any {
	from, hasFrom := truncated(args[0])
	to, hasTo := truncated(args[1])
	by, hasBy := truncated(args[2])
	if !hasFrom || !hasTo || !hasBy || by == 0 || from != to && (from < to) != (by > 0) {
		return undefined
	}
	distance, stride := uint64(to)-uint64(from), uint64(by) // they do not overflow where the difference would
	if by < 0 {
		distance, stride = -distance, -stride
	}
	if distance/stride >= maxRange {
		panic(limitError(messageBytes))
	}
	result := &sequence{items: make([]any, distance/stride+1)}
	e.spend(24 * len(result.items))
	for i := range result.items {
		n := from + int64(i)*by
		if n > maxExact || n < -maxExact {
			result.items[i] = value.Int(n)
		} else {
			result.items[i] = float64(n)
		}
	}
	return result
}

// hashText is a digest in hexadecimal digits. Without an algorithm it is undefined, while an algorithm that is undefined
// is an unknown one.
func hashText(e *evaluation, args []any) any {
	text, isText := args[0].(string)
	if !isText && !isUndefined(args[0]) || e.given == 0 {
		e.fail("T0410", detail{"index": 1.0})
	}
	name, isName := args[1].(string)
	if !isName && !isUndefined(args[1]) {
		e.fail("T0410", detail{"index": 2.0})
	}
	if e.given > 2 {
		e.fail("T0410", detail{"index": 3.0})
	}
	if !isText || e.given == 1 {
		return undefined
	}
	if !isName {
		name = "null"
	}
	var h hash.Hash
	switch name {
	case "MD5":
		h = md5.New()
	case "SHA-1":
		h = sha1.New()
	case "SHA-256":
		h = sha256.New()
	case "SHA-384":
		h = sha512.New384()
	case "SHA-512":
		h = sha512.New()
	default:
		e.fail(own, detail{"message": "Hash algorithm '" + name + "' must be one of SHA-1, SHA-384, SHA-256, SHA-512, MD5"})
	}
	e.spend(len(text))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// random draws from the environment, or from java.util.Random when there is a seed.
func random(e *evaluation, args []any) any {
	if seed, ok := truncated(args[0]); ok {
		return javaDouble(seed)
	}
	return e.random()
}

// javaDouble is new java.util.Random(seed).nextDouble().
func javaDouble(seed int64) float64 {
	const multiplier, mask = 0x5DEECE66D, 1<<48 - 1
	state := (seed ^ multiplier) & mask
	next := func(bits int) int64 {
		state = (state*multiplier + 0xB) & mask
		return state >> (48 - bits)
	}
	high := next(26)
	return float64(high<<27+next(27)) * 0x1p-53
}

func (e *evaluation) bits() uint64 {
	if e.env.Random == nil {
		e.fail(own, detail{"message": "There is no source of randomness here"})
	}
	return e.env.Random()
}

// random is a number from 0 up to 1.
func (e *evaluation) random() float64 { return float64(e.bits()>>11) * 0x1p-53 }

func uuid(e *evaluation, _ []any) any {
	high, low := e.bits(), e.bits()
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(high>>(8*i)), byte(low>>(8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// parseJSON reads JSON, of which AWS is strict: no name twice in an object, no number beyond the doubles.
func parseJSON(e *evaluation, s string, _ []any) any {
	e.spend(8 * len(s))
	v, err := value.Parse([]byte(s))
	if err != nil || !e.strict(v) || e.members(v) != colons(s) {
		e.fail(own, detail{"message": "Invalid JSON"})
	}
	if v == value.Number("-0") {
		return value.Number("0") // AWS reads an integer, which has no sign at zero
	}
	return v
}

func (e *evaluation) strict(v any) bool {
	switch v := v.(type) {
	case value.Number:
		return !math.IsInf(v.Float64(), 0)
	case value.Array:
		for _, item := range v {
			if !e.strict(item) {
				return false
			}
		}
	case *value.Object:
		for _, member := range v.All() {
			if !e.strict(member) {
				return false
			}
		}
	}
	return true
}

// members counts the members of all objects in a value.
func (e *evaluation) members(v any) int {
	n := 0
	switch v := v.(type) {
	case value.Array:
		for _, item := range v {
			n += e.members(item)
		}
	case *value.Object:
		n = v.Len()
		for _, member := range v.All() {
			n += e.members(member)
		}
	}
	return n
}

// colons counts those of a JSON text that follow names.
func colons(text string) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			n++
		}
	}
	return n
}
