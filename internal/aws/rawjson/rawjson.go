// Package rawjson walks and writes JSON text without building a tree of it, so that a value that only passes through
// stays the bytes that it came in, with its digits and the order of its members.
//
// It is meant for text that json.Valid has accepted; on any other text it stops with an error instead of a panic.
package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Kind is the kind of a JSON value.
type Kind byte

// The kinds.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// KindOf is the kind of the value that starts at raw; nothing at all is Null.
func KindOf(raw []byte) Kind {
	if len(raw) == 0 {
		return Null
	}
	switch raw[0] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// SkipSpace drops the blanks at the start.
func SkipSpace(b []byte) []byte {
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
	quote := 0 // the next quotation mark from i on
	for i := 1; i < len(b); {
		if quote < i {
			n := bytes.IndexByte(b[i:], '"')
			if n < 0 {
				return -1
			}
			quote = i + n
		}
		n := bytes.IndexByte(b[i:quote], '\\')
		if n < 0 {
			return quote + 1
		}
		i += n + 2
	}
	return -1
}

// EachMember calls f for the members of an object in their order.
func EachMember(raw []byte, f func(name string, value []byte) error) error {
	raw = SkipSpace(raw)
	if KindOf(raw) != Object {
		return fmt.Errorf("an object is needed, not %s", Shorten(raw))
	}
	b := SkipSpace(raw[1:])
	for len(b) > 0 && b[0] != '}' {
		name, rest, err := cut(b)
		if err != nil {
			return err
		}
		b = SkipSpace(rest)
		if len(b) == 0 || b[0] != ':' {
			return errTruncated
		}
		value, rest, err := cut(SkipSpace(b[1:]))
		if err != nil {
			return err
		}
		if err := f(memberName(name), value); err != nil {
			return err
		}
		b = SkipSpace(rest)
		if len(b) > 0 && b[0] == ',' {
			b = SkipSpace(b[1:])
		}
	}
	return nil
}

// names are names of members that were met: the same few come again and again. A name of another text with the same hash
// takes the place.
var names [1024]atomic.Pointer[string]

const namesBytesMax = 64

// memberName is Unquote for names.
func memberName(raw []byte) string {
	if len(raw) > namesBytesMax || len(raw) < 2 || bytes.IndexByte(raw, '\\') >= 0 {
		return Unquote(raw)
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range raw[1 : len(raw)-1] {
		h = (h ^ uint32(c)) * 16777619
	}
	place := &names[(h^h>>15)%uint32(len(names))]
	if s := place.Load(); s != nil && *s == string(raw[1:len(raw)-1]) {
		return *s
	}
	s := Unquote(raw)
	place.Store(&s)
	return s
}

// EachItem calls f for the items of an array.
func EachItem(raw []byte, f func(value []byte) error) error {
	raw = SkipSpace(raw)
	if KindOf(raw) != Array {
		return fmt.Errorf("a list is needed, not %s", Shorten(raw))
	}
	b := SkipSpace(raw[1:])
	for len(b) > 0 && b[0] != ']' {
		value, rest, err := cut(b)
		if err != nil {
			return err
		}
		if err := f(value); err != nil {
			return err
		}
		b = SkipSpace(rest)
		if len(b) > 0 && b[0] == ',' {
			b = SkipSpace(b[1:])
		}
	}
	return nil
}

// Unquote is the text of a string literal.
func Unquote(raw []byte) string {
	if len(raw) >= 2 && utf8.Valid(raw) {
		inner := raw[1 : len(raw)-1]
		if bytes.IndexByte(inner, '\\') < 0 {
			return string(inner)
		}
		if s, ok := unescape(inner); ok {
			return s
		}
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// plainEscapes are the escapes of one character, in pairs.
const plainEscapes = "\"\"\\\\//b\bf\fn\nr\rt\t"

// unescape is the text of a literal without its quotation marks. It leaves what is rare to encoding/json: \u, and what is
// not JSON.
func unescape(inner []byte) (string, bool) {
	var out strings.Builder
	out.Grow(len(inner))
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 {
			out.Write(inner)
			return out.String(), true
		}
		if i+1 == len(inner) {
			return "", false
		}
		escaped := -1
		for j := 0; j < len(plainEscapes); j += 2 {
			if plainEscapes[j] == inner[i+1] {
				escaped = j
				break
			}
		}
		if escaped < 0 {
			return "", false
		}
		out.Write(inner[:i])
		out.WriteByte(plainEscapes[escaped+1])
		inner = inner[i+2:]
	}
}

// Text is a scalar as text: a string's value, a number's or boolean's literal.
func Text(raw []byte) string {
	if KindOf(raw) == String {
		return Unquote(raw)
	}
	return string(raw)
}

// AppendString appends a JSON string literal.
func AppendString(dst []byte, s string) []byte {
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

// AppendName appends the separator, name and colon of an object's next member; dst ends in '{' or in a value.
func AppendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(AppendString(dst, name), ':')
}

// Shorten quotes the start of a value for a message.
func Shorten(raw []byte) string {
	if len(raw) > 40 {
		return strconv.Quote(string(raw[:40])) + "..."
	}
	return strconv.Quote(string(raw))
}
