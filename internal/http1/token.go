package http1

import "github.com/newel-run/newel/internal/http1/header"

func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

// token says which bytes names and methods are made of (RFC 9110 5.6.2).
var token = func() (t [256]bool) {
	for c := range 256 {
		t[c] = isLetter(byte(c)) || c >= '0' && c <= '9'
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !token[s[i]] {
			return false
		}
	}
	return s != ""
}

// hasItem reports whether a comma-separated list names an item, whatever its case.
func hasItem(list, item string) bool {
	for list != "" {
		i := 0
		for i < len(list) && list[i] != ',' {
			i++
		}
		if header.Same(trim(list[:i]), item) {
			return true
		}
		list = list[min(i+1, len(list)):]
	}
	return false
}

// trim takes spaces and tabs off both ends.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
