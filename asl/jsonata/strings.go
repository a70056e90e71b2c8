package jsonata

import (
	"encoding/base64"
	"math"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

var textFunctions = map[string]builtin{
	"string":             {1, "<x-b?:s>", toText},
	"substring":          {3, "<s-nn?:s>", onText(substring)},
	"substringBefore":    {2, "<s-s:s>", onText(substringBefore)},
	"substringAfter":     {2, "<s-s:s>", onText(substringAfter)},
	"lowercase":          {1, "<s-:s>", onText(func(e *evaluation, s string, _ []any) any { return e.spent(strings.ToLower(s)) })},
	"uppercase":          {1, "<s-:s>", onText(func(e *evaluation, s string, _ []any) any { return e.spent(uppercase(s)) })},
	"length":             {1, "<s-:n>", onText(func(_ *evaluation, s string, _ []any) any { return float64(utf8.RuneCountInString(s)) })},
	"trim":               {1, "<s-:s>", onText(trim)},
	"pad":                {3, "<s-ns?:s>", onText(pad)},
	"join":               {2, "<a<s>s?:s>", defined(joinText)},
	"base64encode":       {1, "<s-:s>", onText(encodeBase64)},
	"base64decode":       {1, "<s-:s>", onText(decodeBase64)},
	"encodeUrlComponent": {1, "<s-:s>", encodeURL("encodeUrlComponent", urlMarks)},
	"encodeUrl":          {1, "<s-:s>", encodeURL("encodeUrl", urlMarks+urlReserved+"#")},
	"decodeUrlComponent": {1, "<s-:s>", decodeComponent},
	"decodeUrl":          {1, "<s-:s>", decodeURL("decodeUrl", urlReserved+"#")},
}

func (e *evaluation) spent(s string) any {
	e.spend(len(s))
	return s
}

func uppercase(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "ß", "SS") }

func toText(e *evaluation, args []any) any {
	if isUndefined(args[0]) {
		return undefined
	}
	pretty, _ := args[1].(bool)
	return e.text(args[0], pretty)
}

// substring counts characters, not UTF-16 units.
func substring(e *evaluation, s string, args []any) any {
	start, _ := whole(args[1])
	size := utf8.RuneCountInString(s)
	e.step(size >> 4)
	if start < 0 {
		start = max(0, size+start)
	}
	end := size
	if f, ok := isNumber(args[2]); ok {
		if f <= 0 {
			return ""
		}
		end = int(math.Min(float64(size), float64(start)+math.Floor(f)))
	}
	if start >= end {
		return ""
	}
	return s[runeIndex(s, start):runeIndex(s, end)]
}

func runeIndex(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

func substringBefore(_ *evaluation, s string, args []any) any {
	part, ok := args[1].(string)
	if i := strings.Index(s, part); ok && i >= 0 {
		return s[:i]
	}
	return s
}

func substringAfter(_ *evaluation, s string, args []any) any {
	part, ok := args[1].(string)
	if i := strings.Index(s, part); ok && i >= 0 {
		return s[i+len(part):]
	}
	return s
}

var blanks = regexp.MustCompile(`[ \t\n\r]+`)

func trim(e *evaluation, s string, _ []any) any {
	e.spend(len(s))
	return strings.Trim(blanks.ReplaceAllString(s, " "), " ")
}

func pad(e *evaluation, s string, args []any) any {
	wide, _ := isNumber(args[1])
	width, _ := whole(math.Trunc(wide)) // towards zero: a negative width pads on the left by its size
	fill, _ := args[2].(string)
	if fill == "" {
		fill = " "
	}
	missing := max(width, -width) - utf8.RuneCountInString(s)
	if missing <= 0 {
		return s
	}
	unit := utf8.RuneCountInString(fill)
	repeats := (missing + unit - 1) / unit
	e.spend(repeats)
	e.hold(repeats*len(fill) + len(s))
	padding := strings.Repeat(fill, repeats)
	padding = padding[:runeIndex(padding, missing)]
	if width > 0 {
		return s + padding
	}
	return padding + s
}

func joinText(e *evaluation, args []any) any {
	separator, _ := args[1].(string)
	items := list(args[0])
	texts := make([]string, len(items))
	e.spend(16 * len(items))
	for i, item := range items {
		texts[i], _ = item.(string)
		e.spend(len(texts[i]) + len(separator))
	}
	size := len(separator) * len(texts)
	for _, text := range texts {
		size += len(text)
	}
	e.bound(size)
	return strings.Join(texts, separator)
}

// encodeBase64 encodes the UTF-8 of a string, as AWS does; the reference implementation takes bytes for characters.
func encodeBase64(e *evaluation, s string, _ []any) any {
	e.hold(4 * ((len(s) + 2) / 3))
	return base64.StdEncoding.EncodeToString([]byte(s))
}

// decodeBase64 reads text with or without padding; as on AWS, anything else in it is an error.
func decodeBase64(e *evaluation, s string, _ []any) any {
	e.hold(len(s))
	bytes, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || strings.ContainsAny(s, "\r\n") {
		e.fail(own, detail{"message": "Invalid base64 text"})
	}
	return strings.ToValidUTF8(string(bytes), "\ufffd")
}

const (
	urlMarks    = "-_.!~*'()"
	urlReserved = ";/?:@&=+$,"
	hexDigits   = "0123456789ABCDEF"
)

func encodeURL(name, plain string) func(e *evaluation, args []any) any {
	return onText(func(e *evaluation, s string, _ []any) any {
		if !utf8.ValidString(s) {
			e.fail("D3140", detail{"value": s, "functionName": name})
		}
		e.hold(3 * len(s))
		out := make([]byte, 0, len(s))
		for i := range len(s) {
			c := s[i]
			if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
				out = append(out, c)
			} else {
				out = append(out, '%', hexDigits[c>>4], hexDigits[c&15])
			}
		}
		return string(out)
	})
}

// decodeComponent decodes all escapes as AWS does: a plus sign is a blank, and bytes that are no UTF-8 are replaced.
func decodeComponent(e *evaluation, args []any) any {
	s, ok := args[0].(string)
	if !ok {
		return undefined
	}
	e.spend(len(s))
	text, err := url.QueryUnescape(s)
	if err != nil {
		e.fail("D3140", detail{"value": s, "functionName": "decodeUrlComponent"})
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

// decodeURL leaves the escapes of the characters in kept as they are.
func decodeURL(name, kept string) func(e *evaluation, args []any) any {
	return onText(func(e *evaluation, s string, _ []any) any {
		e.spend(len(s))
		malformed := func() { e.fail("D3140", detail{"value": s, "functionName": name}) }
		out := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				out = append(out, s[i])
				continue
			}
			if i+2 >= len(s) {
				malformed()
			}
			high, low := strings.IndexByte(hexDigits, s[i+1]&^lower(s[i+1])), strings.IndexByte(hexDigits, s[i+2]&^lower(s[i+2]))
			if high < 0 || low < 0 {
				malformed()
			}
			c := byte(high<<4 | low)
			if strings.IndexByte(kept, c) >= 0 {
				out = append(out, s[i:i+3]...)
			} else {
				out = append(out, c)
			}
			i += 2
		}
		if utf8.ValidString(s) && !utf8.Valid(out) {
			malformed()
		}
		return string(out)
	})
}

// lower is the bit that makes a letter a small one.
func lower(c byte) byte {
	if c >= 'a' && c <= 'f' {
		return 0x20
	}
	return 0
}
