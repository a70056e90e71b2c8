package attr

import (
	"encoding/json"
	"strings"
)

// scanner walks JSON text that is known to be valid (encoding/json has checked it, or we wrote it).
type scanner struct {
	text []byte
	pos  int
}

// peek is the next byte that is not space, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) object(member func(name string) error) error {
	switch s.peek() {
	case '{':
	case '[':
		return Malformed("Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>")
	default:
		return Malformed("Unexpected field type")
	}
	s.pos++
	for s.peek() != '}' {
		name := s.str()
		s.peek()
		s.pos++
		if err := member(name); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.pos++
			s.peek()
		}
	}
	s.pos++
	return nil
}

func (s *scanner) array(element func() error) error {
	switch s.peek() {
	case '[':
	case '{':
		return Malformed("Start of structure or map found where not expected")
	default:
		return Malformed("Unexpected field type")
	}
	s.pos++
	for s.peek() != ']' {
		if err := element(); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.pos++
		}
	}
	s.pos++
	return nil
}

// str reads a string; the scanner stands at its opening quote.
func (s *scanner) str() string {
	start := s.pos
	plain := true
	for s.pos++; s.text[s.pos] != '"'; s.pos++ {
		if s.text[s.pos] == '\\' {
			plain = false
			s.pos++
		}
	}
	s.pos++
	raw := s.text[start:s.pos]
	if plain {
		return strings.ToValidUTF8(string(raw[1:len(raw)-1]), "\ufffd")
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		panic("attr: text was not checked: " + err.Error())
	}
	return text
}

// skip passes over the next value, however deep, and gives its text.
func (s *scanner) skip() []byte {
	s.peek()
	start, depth := s.pos, 0
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case '"':
			s.str()
			if depth == 0 {
				return s.text[start:s.pos]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.text[start:s.pos]
			}
			if depth--; depth == 0 {
				s.pos++
				return s.text[start:s.pos]
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return s.text[start:s.pos]
			}
		}
		s.pos++
	}
	return s.text[start:s.pos]
}
