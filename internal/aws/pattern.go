package aws

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Patterns of the models are written for Java's regular expressions and must match the whole value. Go's have no
// look-ahead and no repetition above 1,000. Look-aheads at the start, which is where the models have them, become
// expressions of their own; larger repetitions are left to the length constraint that goes with them. A pattern that
// still does not compile is not checked: refusing what AWS takes would be worse than taking what it refuses.
type pattern struct {
	ahead []lookahead
	whole *regexp.Regexp
}

type lookahead struct {
	re   *regexp.Regexp
	want bool
}

var patterns sync.Map // text of the pattern -> *pattern, nil if it cannot be checked

func matches(text, value string) bool {
	p, ok := patterns.Load(text)
	if !ok {
		p, _ = patterns.LoadOrStore(text, compilePattern(text))
	}
	return p.(*pattern).match(value)
}

func (p *pattern) match(value string) bool {
	if p == nil {
		return true
	}
	for _, a := range p.ahead {
		if a.re.MatchString(value) != a.want {
			return false
		}
	}
	return p.whole.MatchString(value)
}

func compilePattern(text string) *pattern {
	p := &pattern{}
	rest := strings.TrimPrefix(text, "^")
	for strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!") {
		end := groupEnd(rest)
		if end < 0 {
			return nil
		}
		re, err := regexp.Compile("^(?:" + goPattern(rest[3:end]) + ")")
		if err != nil {
			return nil
		}
		p.ahead = append(p.ahead, lookahead{re, rest[2] == '='})
		rest = rest[end+1:]
		if hasAlternative(rest) {
			return nil // the look-ahead belongs to the first alternative only
		}
	}
	var err error
	if p.whole, err = regexp.Compile("^(?:" + goPattern(rest) + ")$"); err != nil {
		return nil
	}
	return p
}

// hasAlternative reports whether s has a bar outside groups.
func hasAlternative(s string) bool {
	wrapped := "(" + s + ")"
	for i, c := range wrapped {
		if c == '|' && groupEnd(wrapped[:i]+")") == i {
			return true
		}
	}
	return false
}

// groupEnd is the index of the parenthesis that closes the group at the start of s, -1 if there is none.
func groupEnd(s string) int {
	depth, class := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

var (
	javaUnicode = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)
	repetition  = regexp.MustCompile(`\{([0-9]+)(,?)([0-9]*)\}`)
	javaLetters = strings.NewReplacer(`\p{IsAlphabetic}`, `\pL`, `\p{IsLetter}`, `\pL`)
	javaClass   = regexp.MustCompile(`^\\p\{(Alnum|Alpha|Digit|Graph|Punct|Print|Space|ASCII)\}`)
)

// goClasses rewrites Java's names of classes, which stand in brackets or by themselves; Go's stand in brackets only.
func goClasses(s string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			text := s[i : i+2]
			if m := javaClass.FindStringSubmatch(s[i:]); m != nil {
				text = m[0]
				name := "[:" + strings.ToLower(m[1]) + ":]"
				if !class {
					name = "[" + name + "]"
				}
				b.WriteString(name)
			} else {
				b.WriteString(text)
			}
			i += len(text) - 1
			continue
		case c == '[':
			class = true
		case c == ']':
			class = false
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// goPattern rewrites what Go spells differently.
func goPattern(s string) string {
	s = javaUnicode.ReplaceAllString(s, `\x{$1}`)
	s = goClasses(javaLetters.Replace(s))
	return repetition.ReplaceAllStringFunc(s, func(r string) string {
		p := repetition.FindStringSubmatch(r)
		low, _ := strconv.Atoi(p[1])
		high, _ := strconv.Atoi(p[3])
		if max(low, high) <= 1000 {
			return r
		}
		return "{" + strconv.Itoa(min(low, 1000)) + ",}"
	})
}
