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
	"math"
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

func numberArg(args []value.Value, i int) (value.Number, error) {
	number, ok := args[i].(value.Number)
	if !ok {
		return "", fmt.Errorf("argument %d must be a number", i+1)
	}
	return number, nil
}

// integerArg is a number without its fraction: all functions but MathAdd cut it off, whatever AWS's documentation says
// about rounding.
func integerArg(args []value.Value, i int) (int64, error) {
	number, err := numberArg(args, i)
	if err != nil {
		return 0, err
	}
	if n, ok := number.Int64(); ok {
		return n, nil
	}
	f := math.Trunc(number.Float64())
	if math.Abs(f) > 1<<53 {
		return 0, fmt.Errorf("argument %d is out of range", i+1)
	}
	return int64(f), nil
}

// roundedArg is a number rounded half up (-1.5 becomes -1).
func roundedArg(args []value.Value, i int) (int64, error) {
	number, err := numberArg(args, i)
	if err != nil {
		return 0, err
	}
	if n, ok := number.Int64(); ok {
		return n, nil
	}
	if math.Abs(number.Float64()) > 1<<53 {
		return 0, fmt.Errorf("argument %d is out of range", i+1)
	}
	if number.Float64() == 0 {
		return 0, nil // too small to be worth a fraction of millions of digits
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
			return nil, templateError("matching '{' not found for '}'.")
		case !strings.HasPrefix(text, "}"):
			return nil, templateError("matching '}' not found for '{'.")
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

// templateError is what is wrong with the first argument of States.Format.
type templateError string

func (e templateError) Error() string { return string(e) }

var errCount = errors.New("number of arguments do not match the occurrences of {}.")

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
	if len(a) == 0 {
		return nil, nil // AWS's answer for any index
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
	if err != nil {
		return nil, err
	}
	unique := value.Array{}
	for _, e := range a {
		if indexOf(unique, e) < 0 {
			unique = append(unique, e)
		}
	}
	return inHashOrder(unique), nil
}

func base64Encode(_ Env, args []value.Value) (value.Value, error) {
	s, err := shortText(args, 0)
	return base64.StdEncoding.EncodeToString([]byte(s)), err
}

// base64Decode reads MIME's Base64: characters outside of the alphabet are passed over, and padding may be missing.
func base64Decode(_ Env, args []value.Value) (value.Value, error) {
	s, err := shortText(args, 0)
	if err != nil {
		return nil, err
	}
	s = strings.Map(func(r rune) rune {
		if r == '+' || r == '/' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, s)
	b, err := base64.RawStdEncoding.DecodeString(s)
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

// hashText is the text to hash; what is no string is written as Java prints it.
func hashText(args []value.Value) (string, error) {
	return shortText([]value.Value{javaText(args[0])}, 0)
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
	a, err := roundedArg(args, 0)
	if err != nil {
		return nil, err
	}
	b, err := roundedArg(args, 1)
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
