package attr

import (
	"encoding/base64"
	"strconv"

	"github.com/newel-run/newel/asl/value"
)

// AppendJSON appends the JSON form of a value, for example {"S":"text"}.
func AppendJSON(dst []byte, v *Value) []byte {
	dst = append(dst, '{', '"')
	dst = append(dst, v.Kind.String()...)
	dst = append(dst, '"', ':')
	switch v.Kind {
	case S:
		dst = value.AppendString(dst, v.Str)
	case N:
		dst = append(dst, '"')
		dst = append(dst, v.Str...)
		dst = append(dst, '"')
	case B:
		dst = appendBlob(dst, v.Str)
	case Bool:
		dst = strconv.AppendBool(dst, v.Bool)
	case Null:
		dst = append(dst, "true"...)
	case SS, NS, BS:
		dst = appendSet(dst, v)
	case L:
		dst = append(dst, '[')
		for i, e := range v.List {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, e)
		}
		dst = append(dst, ']')
	case M:
		dst = v.Map.AppendJSON(dst)
	}
	return append(dst, '}')
}

func appendSet(dst []byte, v *Value) []byte {
	dst = append(dst, '[')
	for i, e := range v.Set {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v.Kind == BS {
			dst = appendBlob(dst, e)
		} else {
			dst = value.AppendString(dst, e)
		}
	}
	return append(dst, ']')
}

func appendBlob(dst []byte, raw string) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, []byte(raw))
	return append(dst, '"')
}

// AppendJSON appends the JSON form of an item: an object of its attributes in order.
func (m *Map) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range m.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = value.AppendString(dst, m.members[i].Name)
		dst = append(dst, ':')
		dst = AppendJSON(dst, m.members[i].Value)
	}
	return append(dst, '}')
}

// MarshalJSON is the JSON form of an item.
func (m *Map) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil), nil }
