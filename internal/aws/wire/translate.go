package wire

import (
	"fmt"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

type direction bool

const (
	toWire   direction = true
	fromWire direction = false
)

// same remembers of each shape whether its JSON on the wire is the canonical form.
var same sync.Map // *aws.Shape -> bool

// sameJSON reports whether a shape's JSON on the wire is canonical: no member has another name or another timestamp
// format there, and none travels outside the body.
func sameJSON(s *aws.Shape) bool {
	if v, ok := same.Load(s); ok {
		return v.(bool)
	}
	v := !differs(s, map[*aws.Shape]bool{})
	same.Store(s, v)
	return v
}

func differs(s *aws.Shape, seen map[*aws.Shape]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	for i := range s.Members {
		if memberDiffers(&s.Members[i], seen) {
			return true
		}
	}
	for _, m := range []*aws.Member{s.Elem, s.Value} {
		if m != nil && (timestampFormat(m, unixTimestamp) != unixTimestamp && m.Shape.Type == "timestamp" || differs(m.Shape, seen)) {
			return true
		}
	}
	return false
}

func memberDiffers(m *aws.Member, seen map[*aws.Shape]bool) bool {
	return m.Location != "" || m.LocationName != "" || m.JSONValue ||
		m.Shape.Type == "timestamp" && timestampFormat(m, unixTimestamp) != unixTimestamp ||
		differs(m.Shape, seen)
}

func wireName(m *aws.Member) string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return m.Name
}

// translate appends a JSON value with the names and timestamps of the other side. Members that the shape does not have
// are kept from the wire, so that a service can complain of them, and are dropped on the way to it. Members that travel
// outside the body are left out.
func translate(dst []byte, s *aws.Shape, format string, raw []byte, d direction) ([]byte, error) {
	raw = rawjson.SkipSpace(raw)
	k := rawjson.KindOf(raw)
	if k == rawjson.Null || s.Document {
		return append(dst, raw...), nil
	}
	switch s.Type {
	case "structure":
		return translateStructure(dst, s, raw, d)
	case "list":
		dst = append(dst, '[')
		first := true
		err := rawjson.EachItem(raw, func(v []byte) (err error) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst, err = translate(dst, s.Elem.Shape, timestampFormat(s.Elem, unixTimestamp), v, d)
			return err
		})
		return append(dst, ']'), err
	case "map":
		dst = append(dst, '{')
		err := rawjson.EachMember(raw, func(name string, v []byte) (err error) {
			dst = rawjson.AppendName(dst, name)
			dst, err = translate(dst, s.Value.Shape, timestampFormat(s.Value, unixTimestamp), v, d)
			return err
		})
		return append(dst, '}'), err
	case "timestamp":
		return translateTime(dst, format, raw, d)
	}
	return append(dst, raw...), nil
}

func translateStructure(dst []byte, s *aws.Shape, raw []byte, d direction) ([]byte, error) {
	dst = append(dst, '{')
	err := rawjson.EachMember(raw, func(name string, v []byte) (err error) {
		m := findMember(s, name, d)
		if m == nil {
			if d == fromWire {
				dst = append(rawjson.AppendName(dst, name), v...)
			}
			return nil
		}
		if m.Location != "" {
			return nil
		}
		out := m.Name
		if d == toWire {
			out = wireName(m)
		}
		dst = rawjson.AppendName(dst, out)
		if dst, err = translate(dst, m.Shape, timestampFormat(m, unixTimestamp), v, d); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		return nil
	})
	return append(dst, '}'), err
}

func findMember(s *aws.Shape, name string, d direction) *aws.Member {
	if d == toWire {
		return s.Member(name)
	}
	for i := range s.Members {
		if wireName(&s.Members[i]) == name {
			return &s.Members[i]
		}
	}
	return nil
}

func translateTime(dst []byte, format string, raw []byte, d direction) ([]byte, error) {
	if format == unixTimestamp || format == "" {
		return append(dst, raw...), nil
	}
	if d == toWire {
		t, err := formatTime(raw, format)
		return rawjson.AppendString(dst, t), err
	}
	if rawjson.KindOf(raw) == rawjson.Number {
		return append(dst, raw...), nil
	}
	return appendTime(dst, rawjson.Unquote(raw))
}
