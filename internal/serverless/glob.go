package serverless

import (
	"regexp"
	"strings"
)

// Includes returns a function that says whether a file of the service's folder, by its slash-separated path, is in the
// package.
func (p Package) Includes() func(path string) bool {
	type rule struct {
		pattern *regexp.Regexp
		in      bool
	}
	var rules []rule
	for _, text := range p.Patterns {
		text, out := strings.CutPrefix(text, "!")
		rules = append(rules, rule{glob(strings.TrimPrefix(text, "./")), !out})
	}
	return func(path string) bool {
		in := true
		for _, r := range rules {
			if r.pattern.MatchString(path) {
				in = r.in
			}
		}
		return in
	}
}

// glob translates a file pattern: ** crosses folders, * and ? do not, {a,b} is one of the alternatives. A pattern that
// names a folder means what is in it.
func glob(text string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(text[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '{' && strings.Contains(text[i:], "}"):
			depth++
			b.WriteString("(?:")
		case c == '}' && depth > 0:
			depth--
			b.WriteString(")")
		case c == ',' && depth > 0:
			b.WriteString("|")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	for ; depth > 0; depth-- {
		b.WriteString(")")
	}
	b.WriteString("(?:/.*)?$")
	return regexp.MustCompile(b.String())
}
