package value

import "bytes"

// This file looks into valid JSON text without decoding it.

// Compact appends valid JSON text without the white space between its tokens.
func Compact(dst, text []byte) []byte {
	start := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			i = stringEnd(text, i)
		case c <= ' ':
			dst = append(dst, text[start:i]...)
			i = skipSpace(text, i)
			start = i
		default:
			i++
		}
	}
	return append(dst, text[start:]...)
}

// stringEnd is the index after the closing quote of the string that starts at i: a quote with an even number of
// backslashes before it.
func stringEnd(b []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(b[i:], '"')
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// marks are the characters at which the search for the end of a container has to look.
var marks = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// valueEnd is the index after the value that starts at i in valid text.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return containerEnd(b, i)
	}
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

func containerEnd(b []byte, i int) int {
	depth := 0
	for {
		for !marks[b[i]] {
			i++
		}
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			continue
		case '{', '[':
			depth++
		default:
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// Elements cuts the text of an array into the texts of its elements, which share its memory; ok is false if the text is
// no array.
func Elements(text []byte) (elements []*Doc, ok bool) {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '[' {
		return nil, false
	}
	elements = []*Doc{}
	if i = skipSpace(text, i+1); text[i] == ']' {
		return elements, true
	}
	for {
		end := valueEnd(text, i)
		elements = append(elements, Text(text[i:end:end]))
		if i = skipSpace(text, end); text[i] == ']' {
			return elements, true
		}
		i = skipSpace(text, i+1)
	}
}

// KindOf is the first character of the text's value, which tells its type: one of { [ " t f n - and 0 to 9.
func KindOf(text []byte) byte {
	return text[skipSpace(text, 0)]
}

// Field cuts the text of a member's value out of an object's text; the last of several members of one name counts.
func Field(text []byte, name string) (member []byte, ok bool) {
	start, end, ok := findField(text, name)
	return text[start:end:end], ok
}

// findField is where a member's value stands in an object's text.
func findField(text []byte, name string) (start, end int, ok bool) {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return 0, 0, false
	}
	if i = skipSpace(text, i+1); text[i] == '}' {
		return 0, 0, false
	}
	for {
		nameStart, nameEnd := i, stringEnd(text, i)
		here := sameString(text[i+1:nameEnd-1], name)
		i = skipSpace(text, nameEnd) // the colon
		i = skipSpace(text, i+1)     // the value
		after := valueEnd(text, i)
		if here {
			start, end, ok = i, after, true
			if !mayRepeat(text[after:], text[nameStart:nameEnd]) {
				return start, end, ok
			}
		}
		if i = skipSpace(text, after); text[i] == '}' {
			return start, end, ok
		}
		i = skipSpace(text, i+1)
	}
}

// mayRepeat says whether a quoted name can be found again in the rest of a text, as it is or with escapes.
func mayRepeat(rest, quoted []byte) bool {
	return bytes.IndexByte(rest, '\\') >= 0 || bytes.Contains(rest, quoted)
}

// sameString compares the inside of a JSON string with a decoded one.
func sameString(raw []byte, name string) bool {
	if string(raw) == name {
		return true
	}
	for _, c := range raw {
		if c == '\\' {
			return unescape(string(raw)) == name
		}
	}
	return false
}

// Element cuts the text of the n-th element out of an array's text; a negative n counts from the end.
func Element(text []byte, n int) (element []byte, ok bool) {
	if n < 0 {
		all, _ := Elements(text)
		if n += len(all); n < 0 {
			return nil, false
		}
		return all[n].text, true
	}
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '[' {
		return nil, false
	}
	if i = skipSpace(text, i+1); text[i] == ']' {
		return nil, false
	}
	for ; ; n-- {
		end := valueEnd(text, i)
		if n == 0 {
			return text[i:end:end], true
		}
		if i = skipSpace(text, end); text[i] == ']' {
			return nil, false
		}
		i = skipSpace(text, i+1)
	}
}

// SetField is an object's text with a member set to a value's text: in its old place, or at the end. ok is false if the
// text is no object.
func SetField(text []byte, name string, member []byte) (changed []byte, ok bool) {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return nil, false
	}
	changed = make([]byte, 0, len(text)+len(name)+len(member)+4)
	if start, end, found := findField(text, name); found {
		changed = append(append(changed, text[:start]...), member...)
		return append(changed, text[end:]...), true
	}
	end := len(text)
	for text[end-1] != '}' {
		end--
	}
	changed = append(changed, text[:end-1]...)
	if text[skipSpace(text, i+1)] != '}' {
		changed = append(changed, ',')
	}
	changed = AppendString(changed, name)
	changed = append(changed, ':')
	changed = append(changed, member...)
	return append(changed, '}'), true
}
