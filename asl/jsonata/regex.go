package jsonata

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// compileRegex translates a JavaScript regular expression; cost is how many instructions it has. What Go's engine cannot do
// (looking around, back references) is refused here, so that no expression with it is ever deployed.
func compileRegex(pattern, flags string, position int) (re *regexp.Regexp, cost int) {
	text := translateRegex(pattern)
	for _, flag := range "im" {
		if strings.ContainsRune(flags, flag) {
			text = "(?" + string(flag) + ")" + text
		}
	}
	re, err := regexp.Compile(text)
	if err != nil {
		panic(fail("S0303", position, "", detail{"value": err.Error()}))
	}
	return re, instructions(text)
}

func instructions(text string) int {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return len(text)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return len(text)
	}
	return len(program.Inst)
}

// jsSpace is what \s stands for beyond Go's.
const jsSpace = `\s\v\x{feff}\p{Z}`

func translateRegex(p string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\' && i+1 < len(p):
			i++
			i += translateEscape(&b, p[i:], class)
		case class:
			switch {
			case c == ']':
				class = false
			case c == '[':
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		case strings.HasPrefix(p[i:], "[^]"):
			b.WriteString(`(?s:.)`)
			i += 2
		case strings.HasPrefix(p[i:], "[]"):
			b.WriteString(`[^\x{0}-\x{10ffff}]`)
			i++
		case c == '[':
			class = true
			b.WriteByte(c)
		case c == '.':
			b.WriteString(`[^\n\r\x{2028}\x{2029}]`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// translateEscape writes what follows a backslash and returns how many bytes after the first it has read.
func translateEscape(b *strings.Builder, p string, class bool) int {
	switch c := p[0]; {
	case c == 's' && class:
		b.WriteString(jsSpace)
	case c == 's':
		b.WriteString("[" + jsSpace + "]")
	case c == 'S' && !class:
		b.WriteString("[^" + jsSpace + "]")
	case c == 'u' && len(p) >= 5:
		b.WriteString(`\x{` + p[1:5] + `}`)
		return 4
	case c == 'c' && len(p) >= 2:
		b.WriteString(regexp.QuoteMeta(string(rune(p[1] & 31))))
		return 1
	case c == '0':
		b.WriteString(`\x{0}`)
	case c == 'b' && class:
		b.WriteString(`\x08`)
	case c >= 'a' && c <= 'z' && !strings.ContainsRune("dwsbfnrtvx", rune(c)):
		b.WriteByte(c) // an escaped letter without a meaning is itself
	default:
		b.WriteByte('\\')
		b.WriteByte(c)
	}
	return 0
}
