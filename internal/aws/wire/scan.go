package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// These functions walk JSON text that json.Valid has accepted, without building a tree; on other text they stop with an
// error instead of a panic.

type kind byte

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func kindOf(raw []byte) kind {
	if len(raw) == 0 {
		return kindNull
	}
	switch raw[0] {
	case '{':
		return kindObject
	case '[':
		return kindArray
	case '"':
		return kindString
	case 't', 'f':
		return kindBool
	case 'n':
		return kindNull
	}
	return kindNumber
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// cut splits the value at the start of b from the rest.
func cut(b []byte) (value, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errTruncated
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n < 0 {
				return nil, nil, errTruncated
			}
			i += n - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth > 0 {
				continue
			}
			n := bytes.IndexAny(b[i:], ",]} \t\r\n")
			if n < 0 {
				n = len(b) - i
			}
			if n == 0 {
				return nil, nil, errTruncated
			}
			return b[:i+n], b[i+n:], nil
		}
		if depth <= 0 {
			return b[:i+1], b[i+1:], nil
		}
	}
	return nil, nil, errTruncated
}

var errTruncated = fmt.Errorf("JSON text ends unexpectedly")

// stringEnd is the length of the string literal at the start of b, -1 if it does not end.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// eachMember calls f for the members of an object in their order.
func eachMember(raw []byte, f func(name string, value []byte) error) error {
	raw = skipSpace(raw)
	if kindOf(raw) != kindObject {
		return fmt.Errorf("an object is needed, not %s", shorten(raw))
	}
	b := skipSpace(raw[1:])
	for len(b) > 0 && b[0] != '}' {
		name, rest, err := cut(b)
		if err != nil {
			return err
		}
		b = skipSpace(rest)
		if len(b) == 0 || b[0] != ':' {
			return errTruncated
		}
		value, rest, err := cut(skipSpace(b[1:]))
		if err != nil {
			return err
		}
		if err := f(unquote(name), value); err != nil {
			return err
		}
		b = skipSpace(rest)
		if len(b) > 0 && b[0] == ',' {
			b = skipSpace(b[1:])
		}
	}
	return nil
}

// eachItem calls f for the items of an array.
func eachItem(raw []byte, f func(value []byte) error) error {
	raw = skipSpace(raw)
	if kindOf(raw) != kindArray {
		return fmt.Errorf("a list is needed, not %s", shorten(raw))
	}
	b := skipSpace(raw[1:])
	for len(b) > 0 && b[0] != ']' {
		value, rest, err := cut(b)
		if err != nil {
			return err
		}
		if err := f(value); err != nil {
			return err
		}
		b = skipSpace(rest)
		if len(b) > 0 && b[0] == ',' {
			b = skipSpace(b[1:])
		}
	}
	return nil
}

// unquote is the text of a string literal.
func unquote(raw []byte) string {
	if len(raw) >= 2 && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// text is a scalar as text: a string's value, a number's or boolean's literal.
func text(raw []byte) string {
	if kindOf(raw) == kindString {
		return unquote(raw)
	}
	return string(raw)
}

// appendString appends a JSON string literal.
func appendString(dst []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// appendName appends the separator, name and colon of an object's next member; dst ends in '{' or in a value.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(appendString(dst, name), ':')
}

func shorten(raw []byte) string {
	if len(raw) > 40 {
		return strconv.Quote(string(raw[:40])) + "..."
	}
	return strconv.Quote(string(raw))
}
