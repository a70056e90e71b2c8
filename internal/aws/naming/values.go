package naming

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
	"github.com/newel-run/newel/internal/aws/wire"
)

// UnknownFieldsError names the fields of a task's parameters that an operation does not have.
type UnknownFieldsError struct {
	Fields []string // paths with dots: "Item.id.Strin"
}

func (e *UnknownFieldsError) Error() string {
	return "unknown fields: " + strings.Join(e.Fields, ", ")
}

// Times says how timestamps stand in a result.
type Times int

// The ways.
const (
	ISO8601 Times = iota // "2023-11-14T22:13:20.123Z": integrations that answer a request
	Millis               // 1700000000123: the results of .sync integrations
)

// ToMembers turns a task's parameters into an operation's canonical input. A blob that is the operation's body comes back
// in body: it is the JSON text of what the parameters say. Objects and lists in the place of a text become their JSON
// text, ISO-8601 times epoch seconds. Besides the style's names the API's own names with a capital first letter are
// taken. An error is an *UnknownFieldsError or names the value that does not fit.
func ToMembers(s *aws.Shape, style Style, params []byte) (canonical, body []byte, err error) {
	if s == nil {
		s = &aws.Shape{Type: "structure"}
	}
	t := &reader{style: style}
	dst := []byte{'{'}
	err = rawjson.EachMember(params, func(name string, v []byte) error {
		m := t.find(s, name)
		switch {
		case m == nil:
			t.unknown = append(t.unknown, name)
			return nil
		case rawjson.KindOf(v) == rawjson.Null:
			return nil
		case m.Name == s.Payload && m.Shape.Type == "blob":
			body, err = compact(v)
			return err
		}
		dst, err = t.value(rawjson.AppendName(dst, m.Name), m, name, v)
		return err
	})
	if err == nil && len(t.unknown) > 0 {
		err = &UnknownFieldsError{t.unknown}
	}
	if err != nil {
		return nil, nil, err
	}
	return append(dst, '}'), body, nil
}

type reader struct {
	style   Style
	unknown []string
}

// find finds a member by its name in a state machine.
func (t *reader) find(s *aws.Shape, name string) *aws.Member {
	var second *aws.Member
	for i := range s.Members {
		m := &s.Members[i]
		if Member(t.style, s, m.Name) == name {
			return m
		}
		if capital(m.Name) == name {
			second = m
		}
	}
	return second
}

func (t *reader) value(dst []byte, m *aws.Member, path string, raw []byte) ([]byte, error) {
	raw = rawjson.SkipSpace(raw)
	kind := rawjson.KindOf(raw)
	s := m.Shape
	if kind == rawjson.Null || s.Document {
		return append(dst, raw...), nil
	}
	switch s.Type {
	case "structure":
		if kind == rawjson.Object {
			return t.structure(dst, s, path, raw)
		}
	case "list":
		if kind == rawjson.Array {
			return t.list(dst, s, path, raw)
		}
	case "map":
		if kind == rawjson.Object {
			return t.mapping(dst, s, path, raw)
		}
	case "string", "blob":
		return t.text(dst, s, raw)
	case "timestamp":
		if kind == rawjson.String {
			out, err := wire.AppendTime(dst, rawjson.Unquote(raw))
			if err != nil {
				return nil, fmt.Errorf("the value of the field '%s' must be a timestamp: %w", path, err)
			}
			return out, nil
		}
	}
	return append(dst, raw...), nil
}

func (t *reader) structure(dst []byte, s *aws.Shape, path string, raw []byte) ([]byte, error) {
	dst = append(dst, '{')
	err := rawjson.EachMember(raw, func(name string, v []byte) (err error) {
		m := t.find(s, name)
		if m == nil {
			t.unknown = append(t.unknown, path+"."+name)
			return nil
		}
		dst, err = t.value(rawjson.AppendName(dst, m.Name), m, path+"."+name, v)
		return err
	})
	return append(dst, '}'), err
}

func (t *reader) list(dst []byte, s *aws.Shape, path string, raw []byte) ([]byte, error) {
	dst = append(dst, '[')
	n := 0
	err := rawjson.EachItem(raw, func(v []byte) (err error) {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst, err = t.value(dst, s.Elem, fmt.Sprintf("%s[%d]", path, n), v)
		n++
		return err
	})
	return append(dst, ']'), err
}

func (t *reader) mapping(dst []byte, s *aws.Shape, path string, raw []byte) ([]byte, error) {
	dst = append(dst, '{')
	err := rawjson.EachMember(raw, func(name string, v []byte) (err error) {
		dst, err = t.value(rawjson.AppendName(dst, name), s.Value, path+"."+name, v)
		return err
	})
	return append(dst, '}'), err
}

// text writes what stands in the place of a text or blob. Objects and lists become their JSON text; a number or boolean
// is left as it is, for the service to refuse.
func (t *reader) text(dst []byte, s *aws.Shape, raw []byte) ([]byte, error) {
	kind := rawjson.KindOf(raw)
	if kind != rawjson.Object && kind != rawjson.Array {
		return append(dst, raw...), nil
	}
	b, err := compact(raw)
	if err != nil {
		return nil, err
	}
	if s.Type == "blob" {
		return rawjson.AppendString(dst, base64.StdEncoding.EncodeToString(b)), nil
	}
	return rawjson.AppendString(dst, string(b)), nil
}

func compact(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.Bytes(), err
}

// ToPascal turns an operation's canonical output into a task's result. body is the output's streaming blob; it stands
// last, as text.
func ToPascal(s *aws.Shape, style Style, times Times, canonical, body []byte) ([]byte, error) {
	if s == nil {
		return []byte("{}"), nil
	}
	if len(canonical) == 0 {
		canonical = []byte("{}")
	}
	w := writer{style, times}
	out, err := w.value(nil, &aws.Member{Shape: s}, canonical)
	if err != nil {
		return nil, err
	}
	if m := s.Member(s.Payload); m != nil && m.Shape.Type == "blob" {
		text := string(body)
		if !utf8.ValidString(text) {
			text = base64.StdEncoding.EncodeToString(body)
		}
		out = out[:len(out)-1]
		out = append(rawjson.AppendString(rawjson.AppendName(out, Member(style, s, m.Name)), text), '}')
	}
	return out, nil
}

type writer struct {
	style Style
	times Times
}

func (w writer) value(dst []byte, m *aws.Member, raw []byte) ([]byte, error) {
	raw = rawjson.SkipSpace(raw)
	s := m.Shape
	if rawjson.KindOf(raw) == rawjson.Null || s.Document {
		return append(dst, raw...), nil
	}
	switch s.Type {
	case "structure":
		dst = append(dst, '{')
		err := rawjson.EachMember(raw, func(name string, v []byte) (err error) {
			mem := s.Member(name)
			if mem == nil || rawjson.KindOf(v) == rawjson.Null {
				return nil
			}
			dst, err = w.value(rawjson.AppendName(dst, Member(w.style, s, name)), mem, v)
			return err
		})
		return append(dst, '}'), err
	case "list":
		dst = append(dst, '[')
		first := true
		err := rawjson.EachItem(raw, func(v []byte) (err error) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst, err = w.value(dst, s.Elem, v)
			return err
		})
		return append(dst, ']'), err
	case "map":
		dst = append(dst, '{')
		err := rawjson.EachMember(raw, func(name string, v []byte) (err error) {
			dst, err = w.value(rawjson.AppendName(dst, name), s.Value, v)
			return err
		})
		return append(dst, '}'), err
	case "timestamp":
		return w.time(dst, raw)
	}
	return append(dst, raw...), nil
}

func (w writer) time(dst, raw []byte) ([]byte, error) {
	if w.times == Millis {
		return wire.AppendMillis(dst, raw)
	}
	t, err := wire.FormatTime(raw)
	return rawjson.AppendString(dst, t), err
}
