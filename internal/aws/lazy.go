package aws

import (
	"regexp"
	"sync"
)

// LazyPattern is a regular expression that is compiled when it is first used. Those with counted repetitions ({1,512}) take up to
// hundreds of kilobytes and a millisecond each, which a server that starts does not spend on services that nobody calls.
type LazyPattern struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

// Lazy makes a LazyPattern of an expression, which must be right.
func Lazy(text string) *LazyPattern { return &LazyPattern{text: text} }

// MatchString is regexp.Regexp's.
func (p *LazyPattern) MatchString(s string) bool {
	p.once.Do(func() { p.re = regexp.MustCompile(p.text) })
	return p.re.MatchString(s)
}
