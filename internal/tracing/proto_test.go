package tracing

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
)

// part is one field of a protobuf message.
type part struct {
	number int
	value  uint64
	bytes  []byte
}

// parts splits a message into its fields.
func parts(t *testing.T, b []byte) (list []part) {
	t.Helper()
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		b = b[n:]
		p := part{number: int(tag >> 3)}
		switch tag & 7 {
		case 0:
			p.value, n = binary.Uvarint(b)
			b = b[n:]
		case 1:
			p.value = binary.LittleEndian.Uint64(b)
			b = b[8:]
		case 2:
			size, n := binary.Uvarint(b)
			p.bytes, b = b[n:n+int(size)], b[n+int(size):]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
		list = append(list, p)
	}
	return list
}

func field(t *testing.T, b []byte, number int) (list []part) {
	t.Helper()
	for _, p := range parts(t, b) {
		if p.number == number {
			list = append(list, p)
		}
	}
	return list
}

func readSpan(t *testing.T, b []byte) (s jsonSpan) {
	t.Helper()
	for _, p := range parts(t, b) {
		switch p.number {
		case 1:
			s.TraceID = hex.EncodeToString(p.bytes)
		case 2:
			s.SpanID = hex.EncodeToString(p.bytes)
		case 4:
			s.Parent = hex.EncodeToString(p.bytes)
		case 5:
			s.Name = string(p.bytes)
		case 6:
			s.Kind = int(p.value)
		case 7:
			s.Start = fmt.Sprint(p.value)
		case 8:
			s.End = fmt.Sprint(p.value)
		case 9:
			s.Attributes = append(s.Attributes, readAttribute(t, p.bytes))
		case 11:
			var e jsonEvent
			for _, p := range parts(t, p.bytes) {
				if p.number == 1 {
					e.At = fmt.Sprint(p.value)
				} else {
					e.Name = string(p.bytes)
				}
			}
			s.Events = append(s.Events, e)
		case 15:
			for _, p := range parts(t, p.bytes) {
				if p.number == 2 {
					s.Status.Message = string(p.bytes)
				} else {
					s.Status.Code = int(p.value)
				}
			}
		default:
			t.Errorf("field %d of a span", p.number)
		}
	}
	return s
}

func readAttribute(t *testing.T, b []byte) (a jsonAttribute) {
	t.Helper()
	for _, p := range parts(t, b) {
		if p.number == 1 {
			a.Key = string(p.bytes)
			continue
		}
		for _, v := range parts(t, p.bytes) {
			if v.number == 1 {
				text := string(v.bytes)
				a.Value.Text = &text
			} else {
				a.Value.Number = fmt.Sprint(v.value)
			}
		}
	}
	return a
}

// flat is a span without pointers, to be compared as text.
func flat(s jsonSpan) string {
	list := ""
	for _, a := range s.Attributes {
		text := ""
		if a.Value.Text != nil {
			text = *a.Value.Text
		}
		list += a.Key + "=" + text + a.Value.Number + ","
	}
	s.Attributes = nil
	return fmt.Sprintf("%+v %s", s, list)
}
