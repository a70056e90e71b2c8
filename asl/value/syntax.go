package value

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says where and why a text stops being JSON, in the words of the parser that AWS reports errors of
// (Jackson reading a string).
type SyntaxError struct {
	Offset       int    // in bytes
	Line, Column int    // 1-based; columns count UTF-16 units, as Jackson does
	Msg          string // without the location
	Location     string // `[Source: (String)"..."; line: 1, column: 4]`
}

func (e *SyntaxError) Error() string { return e.Msg + "\n at " + e.Location }

const validValues = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

// newError makes an error at an offset; Jackson reports the place after the character that it has read last.
func newError(b []byte, offset int, msg string) *SyntaxError {
	line, column := position(b, offset)
	return &SyntaxError{Offset: offset, Line: line, Column: column, Msg: msg, Location: location(b, line, column)}
}

func position(b []byte, offset int) (line, column int) {
	line, column = 1, 1
	for _, r := range string(b[:min(offset, len(b))]) {
		switch {
		case r == '\n':
			line, column = line+1, 1
		case r > 0xffff:
			column += 2
		default:
			column++
		}
	}
	return line, column
}

const maxSource = 500 // characters of the source that are shown

func location(b []byte, line, column int) string {
	source, rest := string(b), ""
	if r := []rune(source); len(r) > maxSource {
		source, rest = string(r[:maxSource]), fmt.Sprintf("[truncated %d chars]", len(r)-maxSource)
	}
	return fmt.Sprintf(`[Source: (String)"%s"%s; line: %d, column: %d]`, source, rest, line, column)
}

func isNamePart(r rune) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// badValue reports what is no value at i: an unknown word, or a character that starts none.
func badValue(b []byte, i int) *SyntaxError {
	if i >= len(b) {
		return endOfInput(b, 0)
	}
	r, n := utf8.DecodeRune(b[i:])
	if r == utf8.RuneError && n == 1 {
		return invalidUTF8(b, i)
	}
	if !isNamePart(r) || unicode.IsDigit(r) {
		return unexpected(b, i, ": expected a valid value "+validValues)
	}
	end := i
	for end < len(b) && end-i < 256 {
		r, n := utf8.DecodeRune(b[end:])
		if !isNamePart(r) {
			break
		}
		end += n
	}
	return newError(b, end, "Unrecognized token '"+string(b[i:end])+"': was expecting "+validValues)
}

func quoteChar(r rune) string {
	switch {
	case r < ' ':
		return fmt.Sprintf("(CTRL-CHAR, code %d)", r)
	case r > 255:
		return fmt.Sprintf("'%c' (code %d / 0x%x)", r, r, r)
	}
	return fmt.Sprintf("'%c' (code %d)", r, r)
}

func unexpected(b []byte, i int, what string) *SyntaxError {
	r, n := utf8.DecodeRune(b[i:])
	if r == utf8.RuneError && n == 1 {
		return invalidUTF8(b, i)
	}
	return newError(b, i+n, "Unexpected character ("+quoteChar(r)+")"+what)
}

func atEnd(b []byte, what string) *SyntaxError {
	return newError(b, len(b), "Unexpected end-of-input"+what)
}

func endOfInput(b []byte, depth int) *SyntaxError {
	if depth == 0 {
		return newError(b, len(b), "No content to map due to end-of-input")
	}
	return atEnd(b, " within/between entries")
}

func containerName(closing byte) string {
	if closing == ']' {
		return "Array"
	}
	return "Object"
}

func startOf(b []byte, start int) string {
	line, column := position(b, start)
	return location(b, line, column)
}

func unclosed(b []byte, start int) *SyntaxError {
	return atEnd(b, ": expected close marker for "+containerName(b[start]+2)+" (start marker at "+startOf(b, start)+")")
}

func wrongClose(b []byte, i, start int, closing byte) *SyntaxError {
	return newError(b, i+1, fmt.Sprintf("Unexpected close marker '%c': expected '%c' (for %s starting at %s)",
		b[i], closing, containerName(closing), startOf(b, start)))
}

func controlCharacter(b []byte, i int) *SyntaxError {
	return newError(b, i+1, "Illegal unquoted character ("+quoteChar(rune(b[i]))+
		"): has to be escaped using backslash to be included in string value")
}

func badEscape(b []byte, i int) *SyntaxError {
	r, n := utf8.DecodeRune(b[i:])
	return newError(b, i+n, "Unrecognized character escape "+quoteChar(r))
}

func invalidUTF8(b []byte, i int) *SyntaxError {
	return newError(b, i+1, fmt.Sprintf("Invalid UTF-8 start byte 0x%x", b[i]))
}

func leadingZero(b []byte, i int) *SyntaxError {
	return newError(b, i, "Invalid numeric value: Leading zeroes not allowed")
}

func shortNumber(b []byte, i int, why string) *SyntaxError {
	if i >= len(b) {
		return atEnd(b, " in a Number value")
	}
	return unexpected(b, i, " in numeric value: "+why)
}

func tooDeep(b []byte, i, depth int) *SyntaxError {
	return newError(b, i+1, fmt.Sprintf("Document nesting depth (%d) exceeds the maximum allowed (%d)", depth, maxDepth))
}
