package value

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Parse decodes a JSON text: strict JSON, at most 1,000 levels deep, numbers as written, members in order. Its errors
// are *SyntaxError. Strings of the value share one copy of the text.
func Parse(text []byte) (Value, error) {
	p := parser{b: text, s: string(text)}
	i := skipSpace(text, 0)
	v, end, e := p.value(i, 0)
	if e == nil {
		e = expectEnd(text, end)
	}
	if e != nil {
		return nil, e
	}
	return v, nil
}

// parser builds values; what is between them is checked by the functions of scan.go.
type parser struct {
	b       []byte
	s       string   // the same text: what strings and numbers are cut from
	members []Member // stack of the objects that are being read
	elems   []Value  // stack of the arrays that are being read
}

func (p *parser) value(i, depth int) (Value, int, *SyntaxError) {
	if i >= len(p.b) {
		return nil, i, endOfInput(p.b, depth)
	}
	switch c := p.b[i]; {
	case c == '"':
		s, end, e := p.str(i)
		return s, end, e
	case c == '{':
		return p.object(i, depth+1)
	case c == '[':
		return p.array(i, depth+1)
	case c == '-' || c-'0' <= 9:
		end, e := skipNumber(p.b, i)
		return Number(p.s[i:end]), end, e
	case c == 't':
		end, e := skipWord(p.b, i, "true")
		return true, end, e
	case c == 'f':
		end, e := skipWord(p.b, i, "false")
		return false, end, e
	case c == 'n':
		end, e := skipWord(p.b, i, "null")
		return nil, end, e
	}
	return nil, i, badValue(p.b, i)
}

func (p *parser) str(i int) (string, int, *SyntaxError) {
	end, plain, e := skipString(p.b, i)
	if e != nil {
		return "", i, e
	}
	return p.cut(i, end, plain), end, nil
}

func (p *parser) cut(i, end int, plain bool) string {
	if plain {
		return p.s[i+1 : end-1]
	}
	return unescape(p.s[i+1 : end-1])
}

func (p *parser) object(start, depth int) (Value, int, *SyntaxError) {
	if depth > maxDepth {
		return nil, start, tooDeep(p.b, start, depth)
	}
	i := skipSpace(p.b, start+1)
	if i < len(p.b) && p.b[i] == '}' {
		return &Object{}, i + 1, nil
	}
	base := len(p.members)
	for {
		end, plain, e := skipName(p.b, i, start)
		if e != nil {
			return nil, i, e
		}
		name := p.cut(i, end, plain)
		if i, e = skipColon(p.b, end); e != nil {
			return nil, i, e
		}
		var v Value
		if v, i, e = p.value(i, depth); e != nil {
			return nil, i, e
		}
		p.members = append(p.members, Member{name, v})
		var done bool
		if i, done, e = skipComma(p.b, i, start, '}'); e != nil {
			return nil, i, e
		}
		if done {
			break
		}
	}
	o := objectOf(p.members[base:])
	clear(p.members[base:])
	p.members = p.members[:base]
	return o, i, nil
}

// objectOf copies members, of which a later one of the same name replaces the value of the earlier.
func objectOf(members []Member) *Object {
	if len(members) >= indexFrom {
		return NewObject(members...)
	}
	o := &Object{members: make([]Member, 0, len(members))}
	for _, m := range members {
		o.Set(m.Name, m.Value)
	}
	return o
}

func (p *parser) array(start, depth int) (Value, int, *SyntaxError) {
	if depth > maxDepth {
		return nil, start, tooDeep(p.b, start, depth)
	}
	i := skipSpace(p.b, start+1)
	if i < len(p.b) && p.b[i] == ']' {
		return Array{}, i + 1, nil
	}
	base := len(p.elems)
	for {
		if i >= len(p.b) {
			return nil, i, unclosed(p.b, start)
		}
		v, end, e := p.value(i, depth)
		if e != nil {
			return nil, end, e
		}
		p.elems = append(p.elems, v)
		var done bool
		if i, done, e = skipComma(p.b, end, start, ']'); e != nil {
			return nil, i, e
		}
		if done {
			break
		}
	}
	a := append(Array(nil), p.elems[base:]...)
	clear(p.elems[base:])
	p.elems = p.elems[:base]
	return a, i, nil
}

// unescape decodes the inside of a valid JSON string. An escaped surrogate without its partner becomes U+FFFD.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		c = s[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hexRune(s[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
					low = hexRune(s[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

func hexRune(s string) rune {
	var r rune
	for i := range 4 {
		r = r<<4 | rune(hexValue(s[i]))
	}
	return r
}
