package jsonata

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

type digits bool

const (
	exactDigits   digits = false // as JSON.stringify writes it
	preciseDigits digits = true  // as $string does on AWS: 15 digits of fractions, no control characters by their number
)

var escapes = strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func (d digits) appendString(dst []byte, s string) []byte {
	if d == exactDigits {
		return value.AppendString(dst, s)
	}
	return append(append(append(dst, '"'), escapes.Replace(s)...), '"')
}

// text is $string of a value that is defined.
func (e *evaluation) text(v any, pretty bool) string {
	switch v := v.(type) {
	case string:
		return v
	case *function:
		return ""
	case *document:
		return e.text(v.whole, pretty)
	}
	if f, ok := isNumber(v); ok {
		if f-f != 0 {
			e.fail("D3001", nil)
		}
		return string(appendText(nil, v, preciseDigits, ""))
	}
	indent := ""
	if pretty {
		indent = "\n"
	}
	e.hold(e.measure(v, true))
	out := appendText(nil, v, preciseDigits, indent)
	e.hold(len(out))
	return string(out)
}

// appendText appends JSON text; indent is a line break with the white space that follows it, or nothing.
func appendText(dst []byte, v any, d digits, indent string) []byte {
	if f, ok := isNumber(v); ok {
		switch {
		case f-f != 0:
			return append(dst, "null"...)
		case bool(d):
			return appendRounded(dst, f)
		}
		return append(dst, formatDouble(f)...)
	}
	if items, ok := elements(v); ok {
		if len(items) == 0 {
			return append(dst, "[]"...)
		}
		for i, item := range items {
			dst = appendSeparator(dst, i, '[', indent)
			dst = appendText(dst, item, d, deeper(indent))
		}
		return append(append(dst, indent...), ']')
	}
	switch v := v.(type) {
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case string:
		return d.appendString(dst, v)
	case *value.Object:
		return appendObject(dst, v, d, indent)
	case *function:
		return append(dst, `""`...)
	}
	return append(dst, "null"...)
}

func appendObject(dst []byte, o *value.Object, d digits, indent string) []byte {
	n := 0
	for name, member := range o.All() {
		if isUndefined(member) {
			continue
		}
		dst = appendSeparator(dst, n, '{', indent)
		dst = append(d.appendString(dst, name), ':')
		if indent != "" {
			dst = append(dst, ' ')
		}
		dst = appendText(dst, member, d, deeper(indent))
		n++
	}
	if n == 0 {
		return append(dst, "{}"...)
	}
	return append(append(dst, indent...), '}')
}

func appendSeparator(dst []byte, i int, open byte, indent string) []byte {
	if i > 0 {
		open = ','
	}
	return append(append(dst, open), deeper(indent)...)
}

func deeper(indent string) string {
	if indent == "" {
		return ""
	}
	return indent + "  "
}

// utf16Length is the length of a string in JavaScript.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// byteIndex is where the n-th UTF-16 unit of a string stands.
func byteIndex(s string, n int) int {
	if n <= 0 {
		return 0
	}
	for i, r := range s {
		if n <= 0 {
			return i
		}
		n--
		if r > 0xffff {
			n--
		}
	}
	return len(s)
}

// compareText orders strings by their UTF-16 units.
func compareText(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n < len(a) && n < len(b) && (a[n] >= 0xf0) != (b[n] >= 0xf0) && a[n] >= 0xee && b[n] >= 0xee {
		return strings.Compare(b[n:], a[n:]) // surrogates sort before U+E000
	}
	return strings.Compare(a, b)
}
