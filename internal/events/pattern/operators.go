package pattern

import (
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// operators are the rules that are written as objects: each reads its argument.
var operators = map[string]func(p *parser) (rule, error){
	"prefix":             affix("prefix", strings.HasPrefix),
	"suffix":             affix("suffix", strings.HasSuffix),
	"equals-ignore-case": ignoreCase,
	"anything-but":       anythingBut,
	"numeric":            numeric,
	"exists":             exists,
	"cidr":               cidr,
	"wildcard":           wildcard,
}

// equal matches a value as JSON has it: numbers by value.
func equal(want value.Value) func(value.Value) bool {
	if n, ok := want.(value.Number); ok {
		return func(v value.Value) bool {
			m, ok := v.(value.Number)
			return ok && value.Compare(n, m) == 0
		}
	}
	return func(v value.Value) bool { return v == want }
}

func text(match func(s string) bool) func(value.Value) bool {
	return func(v value.Value) bool {
		s, ok := v.(string)
		return ok && match(s)
	}
}

// word reads a text argument.
func (p *parser) word(complaint string) (string, error) {
	s, ok := p.next().v.(string)
	if !ok {
		return "", p.fail("%s", complaint)
	}
	p.skip()
	return s, nil
}

// affix is prefix or suffix: a text, or {"equals-ignore-case": text}.
func affix(name string, has func(s, affix string) bool) func(p *parser) (rule, error) {
	complaint := name + " match pattern must be a string"
	return func(p *parser) (rule, error) {
		switch v := p.next().v.(type) {
		case string:
			p.skip()
			return rule{match: text(func(s string) bool { return has(s, v) })}, nil
		case json.Delim:
			if v != '{' {
				break
			}
			if key, _ := p.next().v.(string); key != "equals-ignore-case" {
				return rule{}, p.fail("Unsupported %s pattern: %s", name, key)
			}
			p.skip()
			w, err := p.word(complaint)
			if err != nil {
				return rule{}, err
			}
			if p.next().v != json.Delim('}') {
				return rule{}, p.fail("Only one key allowed in match expression")
			}
			w = strings.ToLower(w)
			return rule{match: text(func(s string) bool { return has(strings.ToLower(s), w) })}, nil
		}
		return rule{}, p.fail("%s", complaint)
	}
}

func ignoreCase(p *parser) (rule, error) {
	w, err := p.word("equals-ignore-case match pattern must be a string")
	return rule{match: text(func(s string) bool { return strings.EqualFold(s, w) })}, err
}

func exists(p *parser) (rule, error) {
	switch p.next().v {
	case true:
		return rule{match: func(value.Value) bool { return true }}, nil
	case false:
		return rule{absent: true}, nil
	}
	return rule{}, p.fail("exists match pattern must be either true or false.")
}

func cidr(p *parser) (rule, error) {
	w, err := p.word("prefix match pattern must be a string")
	if err != nil {
		return rule{}, err
	}
	if strings.Count(w, "/") != 1 {
		return rule{}, p.fail("Malformed CIDR, one '/' required")
	}
	network, err := netip.ParsePrefix(w)
	if err != nil {
		ip, _, _ := strings.Cut(w, "/")
		if _, ipErr := netip.ParseAddr(ip); ipErr != nil {
			return rule{}, p.fail("Malformed CIDR, IP address string required")
		}
		return rule{}, p.fail("Malformed CIDR, mask bits must be an integer")
	}
	return rule{match: text(func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && network.Contains(a)
	})}, nil
}

func wildcard(p *parser) (rule, error) {
	w, err := p.word("wildcard match pattern must be a string")
	if err != nil {
		return rule{}, err
	}
	match, err := glob(p, w)
	return rule{match: text(match)}, err
}

// glob compiles a wildcard: * is any text; \* and \\ are the characters themselves.
func glob(p *parser, w string) (func(string) bool, error) {
	parts := []string{""}
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case c == '\\':
			if i+1 == len(w) || w[i+1] != '*' && w[i+1] != '\\' {
				return nil, p.fail("Invalid escape character at pos %d", i)
			}
			i++
			parts[len(parts)-1] += w[i : i+1]
		case c == '*':
			if i > 0 && w[i-1] == '*' && len(parts) > 1 && parts[len(parts)-1] == "" {
				return nil, p.fail("Consecutive wildcard characters at pos %d", i-1)
			}
			parts = append(parts, "")
		default:
			parts[len(parts)-1] += w[i : i+1]
		}
	}
	return func(s string) bool { return matchGlob(parts, s) }, nil
}

// matchGlob matches text against parts with anything between them. Taking each part where it first fits is enough.
func matchGlob(parts []string, s string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(s, first) || len(s) < len(first)+len(last) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// anythingBut matches a value that is there and that its argument does not match.
func anythingBut(p *parser) (rule, error) {
	const complaint = "Value of anything-but must be an array or single string/number value."
	var refused []func(value.Value) bool
	switch v := p.next().v.(type) {
	case string:
		p.skip()
		refused = append(refused, equal(v))
	case json.Number:
		refused = append(refused, equal(scalar(v)))
	case json.Delim:
		var err error
		switch v {
		case '[':
			refused, err = p.scalars()
		case '{':
			refused, err = p.nested()
		default:
			err = p.fail("%s", complaint)
		}
		if err != nil {
			return rule{}, err
		}
	default:
		return rule{}, p.fail("%s", complaint)
	}
	return rule{match: func(v value.Value) bool {
		for _, match := range refused {
			if match(v) {
				return false
			}
		}
		return true
	}}, nil
}

func (p *parser) scalars() (list []func(value.Value) bool, err error) {
	for p.dec.More() {
		switch v := p.next().v.(type) {
		case string:
			p.skip()
			list = append(list, equal(v))
		case json.Number:
			list = append(list, equal(scalar(v)))
		default:
			return nil, p.fail("Inside anything but list, start|null|boolean is not supported.")
		}
	}
	p.next()
	if len(list) == 0 {
		return nil, p.fail("Empty arrays are not allowed")
	}
	return list, nil
}

// nested reads anything-but's {"prefix": ...}, whose argument is a text or a list of texts.
func (p *parser) nested() (list []func(value.Value) bool, err error) {
	if !p.dec.More() {
		p.next()
		return nil, p.fail("Empty objects are not allowed")
	}
	name := p.next().v.(string)
	p.skip()
	var make func(w string) (func(string) bool, error)
	switch name {
	case "prefix":
		make = func(w string) (func(string) bool, error) {
			return func(s string) bool { return strings.HasPrefix(s, w) }, nil
		}
	case "suffix":
		make = func(w string) (func(string) bool, error) {
			return func(s string) bool { return strings.HasSuffix(s, w) }, nil
		}
	case "equals-ignore-case":
		make = func(w string) (func(string) bool, error) {
			return func(s string) bool { return strings.EqualFold(s, w) }, nil
		}
	case "wildcard":
		make = func(w string) (func(string) bool, error) { return glob(p, w) }
	default:
		return nil, p.fail("Unsupported anything-but pattern: %s", name)
	}
	add := func(w string) error {
		if w == "" && name != "wildcard" {
			return p.fail("Null prefix/suffix not allowed")
		}
		p.skip()
		match, err := make(w)
		list = append(list, text(match))
		return err
	}
	switch v := p.next().v.(type) {
	case string:
		err = add(v)
	case json.Delim:
		for v == '[' && p.dec.More() {
			w, wordErr := p.word(name + " match pattern must be a string")
			if wordErr != nil {
				return nil, wordErr
			}
			if err = add(w); err != nil {
				return nil, err
			}
		}
		if v != '[' || len(list) == 0 {
			return nil, p.fail("Empty arrays are not allowed")
		}
		p.next()
	default:
		err = p.fail("%s match pattern must be a string", name)
	}
	if err != nil {
		return nil, err
	}
	if p.next().v != json.Delim('}') {
		return nil, p.fail("Only one key allowed in match expression")
	}
	return list, nil
}
