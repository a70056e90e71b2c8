package attr

// AppendKey appends a key value (S, N or B) as bytes that sort as DynamoDB sorts the values of that kind: strings by
// their UTF-8 bytes, binaries by unsigned bytes, numbers by value. The encoding ends itself, so that further parts
// can follow and no key is a prefix of another of the same kind.
func AppendKey(dst []byte, v *Value) []byte {
	if v.Kind == N {
		return appendNumberKey(dst, v.Str)
	}
	for i := range len(v.Str) {
		if v.Str[i] == 0 {
			dst = append(dst, 0, 0xff)
			continue
		}
		dst = append(dst, v.Str[i])
	}
	return append(dst, 0, 1)
}

// AppendKeyPrefix appends an S or B value as AppendKey does but without its end: every key whose value begins with v
// begins with these bytes.
func AppendKeyPrefix(dst []byte, v *Value) []byte {
	dst = AppendKey(dst, v)
	return dst[:len(dst)-2]
}

const (
	keyNegative = 1
	keyZero     = 2
	keyPositive = 3
)

// appendNumberKey: a class byte, the exponent of d1.d2... x 10^e, the digits in pairs from 1 (00) to 100 (99), and 0.
// Negative numbers have every byte after the class complemented.
func appendNumberKey(dst []byte, text string) []byte {
	if text == "0" {
		return append(dst, keyZero)
	}
	digits, exp, neg := scientific(text)
	class, flip := byte(keyPositive), byte(0)
	if neg {
		class, flip = keyNegative, 0xff
	}
	dst = append(dst, class, byte(exp-minExponent)^flip)
	for i := 0; i < len(digits); i += 2 {
		pair := (digits[i] - '0') * 10
		if i+1 < len(digits) {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, (pair+1)^flip)
	}
	return append(dst, flip)
}
