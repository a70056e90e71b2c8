package tracing

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// The two encodings of OTLP's ExportTraceServiceRequest over HTTP (opentelemetry-proto 1.x): the protobuf wire format and
// the JSON mapping, in which ids are hexadecimal. What is written is one resource with one scope.

const scopeName = "newel"

// Span kinds and status codes of the protocol.
const (
	kindInternal = 1
	kindClient   = 3
	codeError    = 2
)

// proto is a message under construction. Fields of length-delimited type are written by their field number.
type proto []byte

func (b proto) tag(field, wire int) proto { return binary.AppendUvarint(b, uint64(field<<3|wire)) }

func (b proto) bytes(field int, v []byte) proto {
	if len(v) == 0 {
		return b
	}
	return append(binary.AppendUvarint(b.tag(field, 2), uint64(len(v))), v...)
}

// message writes an embedded message, also an empty one.
func (b proto) message(field int, v proto) proto {
	return append(binary.AppendUvarint(b.tag(field, 2), uint64(len(v))), v...)
}

func (b proto) text(field int, v string) proto { return b.bytes(field, []byte(v)) }

func (b proto) varint(field int, v uint64) proto { return binary.AppendUvarint(b.tag(field, 0), v) }

func (b proto) fixed64(field int, v uint64) proto {
	return binary.LittleEndian.AppendUint64(b.tag(field, 1), v)
}

func (b proto) attributes(field int, list []Attribute) proto {
	for _, a := range list {
		v := proto(nil).message(1, proto(a.Text))
		if a.Text == "" {
			v = proto(nil).varint(3, uint64(a.Number))
		}
		b = b.message(field, proto(nil).text(1, a.Name).message(2, v))
	}
	return b
}

func encodeProto(resource []Attribute, version string, spans []Span) []byte {
	scope := proto(nil).message(1, proto(nil).text(1, scopeName).text(2, version))
	for i := range spans {
		scope = scope.message(2, protoSpan(&spans[i]))
	}
	r := proto(nil).message(1, proto(nil).attributes(1, resource)).message(2, scope)
	return proto(nil).message(1, r)
}

func protoSpan(s *Span) proto {
	b := proto(nil).bytes(1, s.Trace[:]).bytes(2, s.ID[:])
	if s.Parent != (SpanID{}) {
		b = b.bytes(4, s.Parent[:])
	}
	b = b.text(5, s.Name).varint(6, uint64(s.kind())).fixed64(7, uint64(s.Start.UnixNano())).fixed64(8, uint64(s.End.UnixNano()))
	b = b.attributes(9, s.Attributes)
	for _, e := range s.Events {
		b = b.message(11, proto(nil).fixed64(1, uint64(e.At.UnixNano())).text(2, e.Name))
	}
	if s.Failed {
		b = b.message(15, proto(nil).text(2, s.Error).varint(3, codeError))
	}
	return b
}

func (s *Span) kind() int {
	if s.Client {
		return kindClient
	}
	return kindInternal
}

type jsonValue struct {
	Text   *string `json:"stringValue,omitempty"`
	Number string  `json:"intValue,omitempty"`
}

type jsonAttribute struct {
	Key   string    `json:"key"`
	Value jsonValue `json:"value"`
}

type jsonEvent struct {
	At   string `json:"timeUnixNano"`
	Name string `json:"name"`
}

type jsonStatus struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

type jsonSpan struct {
	TraceID    string          `json:"traceId"`
	SpanID     string          `json:"spanId"`
	Parent     string          `json:"parentSpanId,omitempty"`
	Name       string          `json:"name"`
	Kind       int             `json:"kind"`
	Start      string          `json:"startTimeUnixNano"`
	End        string          `json:"endTimeUnixNano"`
	Attributes []jsonAttribute `json:"attributes,omitempty"`
	Events     []jsonEvent     `json:"events,omitempty"`
	Status     jsonStatus      `json:"status"`
}

func jsonAttributes(list []Attribute) []jsonAttribute {
	out := make([]jsonAttribute, len(list))
	for i, a := range list {
		out[i].Key = a.Name
		if a.Text != "" {
			out[i].Value.Text = &list[i].Text
		} else {
			out[i].Value.Number = strconv.FormatInt(a.Number, 10)
		}
	}
	return out
}

func encodeJSON(resource []Attribute, version string, spans []Span) ([]byte, error) {
	list := make([]jsonSpan, len(spans))
	for i := range spans {
		s := &spans[i]
		j := jsonSpan{TraceID: hex.EncodeToString(s.Trace[:]), SpanID: hex.EncodeToString(s.ID[:]), Name: s.Name, Kind: s.kind(),
			Start: strconv.FormatInt(s.Start.UnixNano(), 10), End: strconv.FormatInt(s.End.UnixNano(), 10), Attributes: jsonAttributes(s.Attributes)}
		if s.Parent != (SpanID{}) {
			j.Parent = hex.EncodeToString(s.Parent[:])
		}
		for _, e := range s.Events {
			j.Events = append(j.Events, jsonEvent{strconv.FormatInt(e.At.UnixNano(), 10), e.Name})
		}
		if s.Failed {
			j.Status = jsonStatus{s.Error, codeError}
		}
		list[i] = j
	}
	type object = map[string]any
	return json.Marshal(object{"resourceSpans": []any{object{
		"resource":   object{"attributes": jsonAttributes(resource)},
		"scopeSpans": []any{object{"scope": object{"name": scopeName, "version": version}, "spans": list}},
	}}})
}
