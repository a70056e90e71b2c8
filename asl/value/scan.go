package value

import (
	"unicode/utf8"
)

// maxDepth bounds the nesting of arrays and objects (Jackson's own bound).
const maxDepth = 1000

// Valid reports the first place at which a text stops being one JSON value; it is nil for valid text. Nothing is
// allocated for valid text.
func Valid(text []byte) error {
	i := skipSpace(text, 0)
	end, e := skipValue(text, i, 0)
	if e == nil {
		e = expectEnd(text, end)
	}
	if e != nil {
		return e
	}
	return nil
}

func expectEnd(b []byte, i int) *SyntaxError {
	if i = skipSpace(b, i); i < len(b) {
		return badValue(b, i)
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue checks the value that starts at i, which is not white space, and returns where it ends.
func skipValue(b []byte, i, depth int) (int, *SyntaxError) {
	if i >= len(b) {
		return i, endOfInput(b, depth)
	}
	switch c := b[i]; {
	case c == '"':
		end, _, e := skipString(b, i)
		return end, e
	case c == '{':
		return skipObject(b, i, depth+1)
	case c == '[':
		return skipArray(b, i, depth+1)
	case c == '-' || c-'0' <= 9:
		return skipNumber(b, i)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return i, badValue(b, i)
}

func skipObject(b []byte, start, depth int) (int, *SyntaxError) {
	if depth > maxDepth {
		return start, tooDeep(b, start, depth)
	}
	i := skipSpace(b, start+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		end, _, e := skipName(b, i, start)
		if e != nil {
			return i, e
		}
		if i, e = skipColon(b, end); e != nil {
			return i, e
		}
		if i, e = skipValue(b, i, depth); e != nil {
			return i, e
		}
		var done bool
		if i, done, e = skipComma(b, i, start, '}'); e != nil || done {
			return i, e
		}
	}
}

func skipArray(b []byte, start, depth int) (int, *SyntaxError) {
	if depth > maxDepth {
		return start, tooDeep(b, start, depth)
	}
	i := skipSpace(b, start+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		if i >= len(b) {
			return i, unclosed(b, start)
		}
		var e *SyntaxError
		var done bool
		if i, e = skipValue(b, i, depth); e != nil {
			return i, e
		}
		if i, done, e = skipComma(b, i, start, ']'); e != nil || done {
			return i, e
		}
	}
}

// skipName checks a member's name at i; start is where its object starts.
func skipName(b []byte, i, start int) (end int, plain bool, e *SyntaxError) {
	if i >= len(b) {
		return i, false, unclosed(b, start)
	}
	if b[i] != '"' {
		return i, false, unexpected(b, i, ": was expecting double-quote to start field name")
	}
	return skipString(b, i)
}

// skipColon returns where the member's value starts.
func skipColon(b []byte, i int) (int, *SyntaxError) {
	if i = skipSpace(b, i); i >= len(b) {
		return i, atEnd(b, " within/between Object entries")
	}
	if b[i] != ':' {
		return i, unexpected(b, i, ": was expecting a colon to separate field name and value")
	}
	if i = skipSpace(b, i+1); i >= len(b) {
		return i, atEnd(b, " within/between Object entries")
	}
	return i, nil
}

// skipComma goes to the next element, or past the closing mark of the container that starts at start.
func skipComma(b []byte, i, start int, closing byte) (next int, done bool, e *SyntaxError) {
	if i = skipSpace(b, i); i >= len(b) {
		return i, false, unclosed(b, start)
	}
	switch b[i] {
	case closing:
		return i + 1, true, nil
	case ',':
		if i = skipSpace(b, i+1); i >= len(b) {
			return i, false, atEnd(b, " within/between "+containerName(closing)+" entries")
		}
		return i, false, nil
	case ']', '}':
		return i, false, wrongClose(b, i, start, closing)
	}
	return i, false, unexpected(b, i, ": was expecting comma to separate "+containerName(closing)+" entries")
}

// skipString checks the string at i and returns the index after its closing quote; plain says that there is no escape.
func skipString(b []byte, i int) (end int, plain bool, e *SyntaxError) {
	plain = true
	for i++; i < len(b); {
		c := b[i]
		switch {
		case c == '"':
			return i + 1, plain, nil
		case c == '\\':
			plain = false
			if i, e = skipEscape(b, i); e != nil {
				return i, false, e
			}
		case c < 0x20:
			return i, false, controlCharacter(b, i)
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return i, false, invalidUTF8(b, i)
			}
			i += n
		}
	}
	return i, false, atEnd(b, ": was expecting closing quote for a string value")
}

func skipEscape(b []byte, i int) (int, *SyntaxError) {
	if i+1 >= len(b) {
		return i, atEnd(b, " in character escape sequence")
	}
	switch c := b[i+1]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k >= len(b) {
				return i, atEnd(b, " in character escape sequence")
			}
			if hexValue(b[k]) < 0 {
				return k, unexpected(b, k, ": expected a hex-digit for character escape sequence")
			}
		}
		return i + 6, nil
	}
	return i, badEscape(b, i+1)
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

func skipNumber(b []byte, i int) (int, *SyntaxError) {
	if b[i] == '-' {
		i++
		if i >= len(b) {
			return i, atEnd(b, " in a Number value")
		}
		if b[i]-'0' > 9 {
			return i, unexpected(b, i, " in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value")
		}
	}
	first := i
	i = skipDigits(b, i)
	if b[first] == '0' && i > first+1 {
		return first, leadingZero(b, first+1)
	}
	if i < len(b) && b[i] == '.' {
		dot := i + 1
		if i = skipDigits(b, dot); i == dot {
			return i, shortNumber(b, i, "Decimal point not followed by a digit")
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		exponent := i
		if i = skipDigits(b, i); i == exponent {
			return i, shortNumber(b, i, "Exponent indicator not followed by a digit")
		}
	}
	return i, nil
}

func skipWord(b []byte, i int, word string) (int, *SyntaxError) {
	end := i + len(word)
	if end > len(b) || string(b[i:end]) != word || end < len(b) && isNamePart(rune(b[end])) {
		return i, badValue(b, i)
	}
	return end, nil
}
