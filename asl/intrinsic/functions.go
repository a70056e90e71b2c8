package intrinsic

import (
	"crypto/md5"  //nolint:gosec // States.Hash offers it
	"crypto/sha1" //nolint:gosec // States.Hash offers it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
)

// function is one of the States.* functions; most is -1 for any number of arguments.
type function struct {
	least, most int
	apply       func(env Env, args []value.Value) (value.Value, error)
}

var functions = map[string]function{
	"States.Format":         {1, -1, format},
	"States.StringToJson":   {1, 1, stringToJSON},
	"States.JsonToString":   {1, 1, jsonToString},
	"States.Array":          {0, -1, array},
	"States.ArrayPartition": {2, 2, arrayPartition},
	"States.ArrayContains":  {2, 2, arrayContains},
	"States.ArrayRange":     {3, 3, arrayRange},
	"States.ArrayGetItem":   {2, 2, arrayGetItem},
	"States.ArrayLength":    {1, 1, arrayLength},
	"States.ArrayUnique":    {1, 1, arrayUnique},
	"States.Base64Encode":   {1, 1, base64Encode},
	"States.Base64Decode":   {1, 1, base64Decode},
	"States.Hash":           {2, 2, hashOf},
	"States.JsonMerge":      {3, 3, jsonMerge},
	"States.MathRandom":     {2, 3, mathRandom},
	"States.MathAdd":        {2, 2, mathAdd},
	"States.StringSplit":    {2, 2, stringSplit},
	"States.UUID":           {0, 0, uuid},
}

func arrayArg(args []value.Value, i int) (value.Array, error) {
	a, ok := args[i].(value.Array)
	if !ok {
		return nil, fmt.Errorf("argument %d must be an array", i+1)
	}
	return a, nil
}

func stringArg(args []value.Value, i int) (string, error) {
	s, ok := args[i].(string)
	if !ok {
		return "", fmt.Errorf("argument %d must be a string", i+1)
	}
	return s, nil
}

// integerArg is a number rounded half up (-1.5 becomes -1).
func integerArg(args []value.Value, i int) (int64, error) {
	number, ok := args[i].(value.Number)
	if !ok {
		return 0, fmt.Errorf("argument %d must be a number", i+1)
	}
	if n, ok := number.Int64(); ok {
		return n, nil
	}
	f := number.Float64()
	if f != f || f > 1<<53 || f < -1<<53 {
		return 0, fmt.Errorf("argument %d is out of range", i+1)
	}
	r, _ := new(big.Rat).SetString(string(number))
	r.Add(r, big.NewRat(1, 2))
	return new(big.Int).Div(r.Num(), r.Denom()).Int64(), nil // Euclidean: down for a positive denominator
}

// maxText is the length that Base64 and hash functions take, in characters.
const maxText = 10_000

func shortText(args []value.Value, i int) (string, error) {
	s, err := stringArg(args, i)
	if err == nil && utf8.RuneCountInString(s) > maxText {
		err = fmt.Errorf("argument %d is longer than %d characters", i+1, maxText)
	}
	return s, err
}

// format fills the placeholders {} of its first argument.
func format(_ Env, args []value.Value) (value.Value, error) {
	text, err := stringArg(args, 0)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	rest := args[1:]
	for {
		i := strings.IndexAny(text, `{}\`)
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		c := text[i]
		text = text[i+1:]
		switch {
		case c == '\\':
			if text == "" || strings.IndexByte(`'{}\`, text[0]) < 0 {
				b.WriteByte(c)
				continue
			}
			b.WriteByte(text[0])
			text = text[1:]
		case c == '}':
			return nil, errors.New("matching '{' not found for '}'.")
		case !strings.HasPrefix(text, "}"):
			return nil, errors.New("matching '}' not found for '{'.")
		case len(rest) == 0:
			return nil, errCount
		default:
			text = text[1:]
			b.WriteString(javaText(rest[0]))
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		return nil, errCount
	}
	b.WriteString(text)
	return b.String(), nil
}

var errCount = errors.New("number of arguments do not match the occurrences of {}.")

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

// stringToJSON parses a text; one of white space only is null.
func stringToJSON(_ Env, args []value.Value) (value.Value, error) {
	s, err := stringArg(args, 0)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	v, err := value.Parse([]byte(s))
	if v == value.Number("-0") {
		v = value.Number("0")
	}
	return v, err
}

func jsonToString(_ Env, args []value.Value) (value.Value, error) {
	return string(value.Append(nil, args[0])), nil
}

func array(_ Env, args []value.Value) (value.Value, error) {
	return value.Array(args), nil
}

func arrayPartition(_ Env, args []value.Value) (value.Value, error) {
	a, err := arrayArg(args, 0)
	if err != nil {
		return nil, err
	}
	size, err := integerArg(args, 1)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, errors.New("the size of a chunk must be a positive integer")
	}
	parts := value.Array{}
	for len(a) > 0 {
		n := int(min(size, int64(len(a))))
		parts = append(parts, a[:n:n])
		a = a[n:]
	}
	return parts, nil
}

func indexOf(a value.Array, v value.Value) int {
	for i, e := range a {
		if value.Equal(e, v) {
			return i
		}
	}
	return -1
}

func arrayContains(_ Env, args []value.Value) (value.Value, error) {
	a, err := arrayArg(args, 0)
	return indexOf(a, args[1]) >= 0, err
}

const maxRange = 1000

func arrayRange(_ Env, args []value.Value) (value.Value, error) {
	var n [3]int64
	for i := range n {
		var err error
		if n[i], err = integerArg(args, i); err != nil {
			return nil, err
		}
	}
	first, last, step := n[0], n[1], n[2]
	if step == 0 {
		return nil, errors.New("the step must not be zero")
	}
	a := value.Array{}
	for i := first; step > 0 && i <= last || step < 0 && i >= last; i += step {
		if len(a) == maxRange {
			return nil, fmt.Errorf("the array would have more than %d elements", maxRange)
		}
		a = append(a, value.Int(i))
	}
	return a, nil
}

func arrayGetItem(_ Env, args []value.Value) (value.Value, error) {
	a, err := arrayArg(args, 0)
	if err != nil {
		return nil, err
	}
	i, err := integerArg(args, 1)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= int64(len(a)) {
		return nil, fmt.Errorf("index %d is outside of an array of %d elements", i, len(a))
	}
	return a[i], nil
}

func arrayLength(_ Env, args []value.Value) (value.Value, error) {
	a, err := arrayArg(args, 0)
	return value.Int(int64(len(a))), err
}

func arrayUnique(_ Env, args []value.Value) (value.Value, error) {
	a, err := arrayArg(args, 0)
	unique := value.Array{}
	for _, e := range a {
		if indexOf(unique, e) < 0 {
			unique = append(unique, e)
		}
	}
	return unique, err
}

func base64Encode(_ Env, args []value.Value) (value.Value, error) {
	s, err := shortText(args, 0)
	return base64.StdEncoding.EncodeToString([]byte(s)), err
}

func base64Decode(_ Env, args []value.Value) (value.Value, error) {
	s, err := shortText(args, 0)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil {
		return nil, errors.New("the text is not Base64")
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), nil
}

func hashOf(_ Env, args []value.Value) (value.Value, error) {
	text, err := hashText(args)
	if err != nil {
		return nil, err
	}
	name, err := stringArg(args, 1)
	if err != nil {
		return nil, err
	}
	makers := map[string]func() hash.Hash{
		"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New,
	}
	maker, ok := makers[name]
	if !ok {
		return nil, fmt.Errorf("'%s' is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512", name)
	}
	h := maker()
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashText is the text to hash: a string as it is, any other value as JSON.
func hashText(args []value.Value) (string, error) {
	if _, ok := args[0].(string); !ok {
		args = []value.Value{string(value.Append(nil, args[0]))}
	}
	return shortText(args, 0)
}

func jsonMerge(_ Env, args []value.Value) (value.Value, error) {
	a, ok1 := args[0].(*value.Object)
	b, ok2 := args[1].(*value.Object)
	deep, ok3 := args[2].(bool)
	switch {
	case !ok1 || !ok2:
		return nil, errors.New("the first two arguments must be objects")
	case !ok3:
		return nil, errors.New("argument 3 must be a boolean")
	case deep:
		return nil, errors.New("deep merging is not supported")
	}
	merged := a.Clone()
	for name, v := range b.All() {
		merged.Set(name, v)
	}
	return merged, nil
}

func mathAdd(_ Env, args []value.Value) (value.Value, error) {
	a, err := integerArg(args, 0)
	if err != nil {
		return nil, err
	}
	b, err := integerArg(args, 1)
	if err != nil {
		return nil, err
	}
	for _, n := range []int64{a, b, a + b} {
		if n != int64(int32(n)) {
			return nil, errors.New("number is out of the range of 32 bits")
		}
	}
	return value.Int(a + b), nil
}

// mathRandom is a number from start up to, but not including, end. With a seed it is the same every time.
func mathRandom(env Env, args []value.Value) (value.Value, error) {
	start, err := integerArg(args, 0)
	if err != nil {
		return nil, err
	}
	end, err := integerArg(args, 1)
	if err != nil {
		return nil, err
	}
	if start >= end {
		return nil, errors.New("the start must be less than the end")
	}
	draw := env.Random
	if len(args) == 3 {
		seed, err := integerArg(args, 2)
		if err != nil {
			return nil, err
		}
		draw = func() uint64 { return scramble(uint64(seed)) }
	}
	return value.Int(start + int64(draw()%uint64(end-start))), nil
}

// scramble spreads a seed over 64 bits (the finaliser of splitmix64).
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// stringSplit cuts at every character that is in its second argument, and drops empty pieces.
func stringSplit(_ Env, args []value.Value) (value.Value, error) {
	s, err := stringArg(args, 0)
	if err != nil {
		return nil, err
	}
	separators, err := stringArg(args, 1)
	if err != nil {
		return nil, err
	}
	parts := value.Array{}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		parts = append(parts, part)
	}
	return parts, nil
}

// uuid is a version 4 UUID.
func uuid(env Env, _ []value.Value) (value.Value, error) {
	high, low := env.Random(), env.Random()
	high = high&^0xf000 | 0x4000
	low = low&^(3<<62) | 1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1)), nil
}
