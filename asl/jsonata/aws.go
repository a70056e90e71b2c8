package jsonata

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"

	"github.com/newel-run/newel/asl/value"
)

// awsFunctions are what AWS has added to the language. Integer parameters are rounded down.
var awsFunctions = map[string]builtin{
	"partition": {2, "<a-n:a<a>>", defined(partition)},
	"range":     {3, "<nnn:a<n>>", rangeFunction},
	"hash":      {2, "<s-s:s>", onText(hashText)},
	"random":    {1, "<n?:n>", random},
	"uuid":      {0, "<:s>", uuid},
	"parse":     {1, "<s-:x>", onText(parseJSON)},
}

// own is the code of errors of AWS's own functions, for which JSONata has none.
const own = "D3200"

func partition(e *evaluation, args []any) any {
	size, ok := whole(args[1])
	if !ok || size < 1 {
		e.fail(own, detail{"message": "The second argument of the partition function must be a positive number"})
	}
	items := list(args[0])
	result := value.Array{}
	for len(items) > 0 {
		n := min(size, len(items))
		e.spend(48)
		result = append(result, value.Array(items[:n:n]))
		items = items[n:]
	}
	return result
}

// rangeFunction counts from its first argument to its second, inclusive, by its third.
func rangeFunction(e *evaluation, args []any) any {
	var n [3]int
	for i, arg := range args {
		var ok bool
		if n[i], ok = whole(arg); !ok {
			return undefined
		}
	}
	from, to, by := n[0], n[1], n[2]
	if by == 0 {
		e.fail(own, detail{"message": "The third argument of the range function must not be zero"})
	}
	result := value.Array{}
	for i := from; by > 0 && i <= to || by < 0 && i >= to; i += by {
		e.spend(24)
		result = append(result, float64(i))
	}
	return result
}

func hashText(e *evaluation, s string, args []any) any {
	algorithm, _ := args[1].(string)
	var h hash.Hash
	switch algorithm {
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
		e.fail(own, detail{"message": "The hash algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512. Given " + algorithm})
	}
	e.step(len(s) >> 6)
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

// random draws from the environment, or from java.util.Random when there is a seed.
func random(e *evaluation, args []any) any {
	seed, ok := whole(args[0])
	if !ok {
		return e.random()
	}
	return javaDouble(int64(seed))
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

func parseJSON(e *evaluation, s string, _ []any) any {
	e.spend(8 * len(s))
	v, err := value.Parse([]byte(s))
	if err != nil {
		e.fail(own, detail{"message": "The argument of the parse function must be JSON: " + err.Error()})
	}
	return v
}
