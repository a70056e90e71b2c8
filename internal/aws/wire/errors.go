package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

// namespaces prefix the error types of JSON services whose clients see them in AWS's answers.
var namespaces = map[string]string{
	"dynamodb": "com.amazonaws.dynamodb.v20120810#",
	"sqs":      "com.amazonaws.sqs#",
}

// EncodeError writes an error answer. Call.Service and Call.Operation may be nil if the request named none.
func EncodeError(c *Call, e *aws.Error) *Message {
	m := newMessage(Message{Status: e.Status})
	shape := errorShape(c, e)
	if m.Status == 0 {
		if m.Status = e.HTTPStatus(); shape != nil && shape.ErrorStatus != 0 {
			m.Status = shape.ErrorStatus
		}
	}
	switch c.Protocol {
	case Query, EC2, RESTXML:
		encodeXMLError(c, e, shape, m)
	case CBOR:
		encodeCBORError(c, e, shape, m)
	default:
		encodeJSONError(c, e, shape, m)
	}
	if len(e.Header) > 0 {
		m.Header.SetAll(e.Header)
	}
	setRequestID(c, m)
	return m
}

// errorShape finds the modelled shape of an error.
func errorShape(c *Call, e *aws.Error) *aws.Shape {
	if c.Service == nil {
		return nil
	}
	if s := c.Service.Shapes[e.Code]; s != nil && s.Exception {
		return s
	}
	if c.Operation == nil {
		return nil
	}
	for _, s := range c.Operation.Errors {
		if s.ErrorCode == e.Code {
			return s
		}
	}
	return nil
}

func encodeJSONError(c *Call, e *aws.Error, shape *aws.Shape, m *Message) {
	code := e.Code
	if c.Protocol == RESTJSON {
		m.Header.Set("Content-Type", contentJSON)
		m.Header.Set("x-amzn-ErrorType", code)
	} else {
		m.Header.Set("Content-Type", jsonContentType(c.Service))
		if c.Service != nil && shape != nil {
			code = namespaces[c.Service.Key] + code
		}
	}
	setQueryError(c, e, shape, m)
	m.Body = errorBody(code, e, shape, c.Protocol != RESTJSON)
}

// setQueryError tells clients of a service that used to speak the query protocol the code of that time.
func setQueryError(c *Call, e *aws.Error, shape *aws.Shape, m *Message) {
	if c.Service == nil || !c.Service.QueryCompatible {
		return
	}
	code := queryCode(e, shape)
	m.Header.Set("x-amzn-query-error", code+";"+senderOrReceiver(e, "Receiver"))
}

func queryCode(e *aws.Error, shape *aws.Shape) string {
	switch {
	case e.QueryCode != "":
		return e.QueryCode
	case shape != nil && shape.QueryErrorCode != "":
		return shape.QueryErrorCode
	case shape != nil && shape.ErrorCode != "":
		return shape.ErrorCode
	}
	return e.Code
}

func senderOrReceiver(e *aws.Error, receiver string) string {
	if e.Fault || e.Status >= http.StatusInternalServerError {
		return receiver
	}
	return "Sender"
}

// messageName is the name of the message's member: the shape's spelling, else the lower-case one.
func messageName(shape *aws.Shape) string {
	if shape != nil {
		for i := range shape.Members {
			if strings.EqualFold(shape.Members[i].Name, "message") {
				return wireName(&shape.Members[i])
			}
		}
	}
	return "message"
}

func errorBody(code string, e *aws.Error, shape *aws.Shape, typed bool) []byte {
	b := []byte{'{'}
	if typed {
		b = rawjson.AppendString(rawjson.AppendName(b, "__type"), code)
	}
	if shape != nil && shape.Member("Type") != nil && e.Fields["Type"] == nil {
		kind := "User"
		if e.Fault {
			kind = "Service"
		}
		b = rawjson.AppendString(rawjson.AppendName(b, "Type"), kind)
	}
	if e.Message != "" {
		b = rawjson.AppendString(rawjson.AppendName(b, messageName(shape)), e.Message)
	}
	for _, name := range sortedKeys(e.Fields) {
		v, err := Canonical(e.Fields[name])
		if err != nil {
			continue
		}
		out := name
		if shape != nil {
			if mem := shape.Member(name); mem != nil {
				out = wireName(mem)
			}
		}
		b = append(rawjson.AppendName(b, out), v...)
	}
	return append(b, '}')
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// decodeError makes an *aws.Error of an error answer.
func decodeError(c *Call, m *Message) error {
	e := &aws.Error{Status: m.Status, Fault: m.Status >= http.StatusInternalServerError}
	body := bytes.TrimSpace(m.Body)
	switch {
	case len(body) > 0 && body[0] == '<':
		decodeXMLError(body, e)
	case len(body) > 0 && body[0] == '{' && rawjson.Valid(body):
		decodeJSONError(body, e)
	}
	if t := m.Header.Get("X-Amzn-Errortype"); t != "" {
		e.Code = t
	}
	if q, _, ok := strings.Cut(m.Header.Get("X-Amzn-Query-Error"), ";"); ok {
		e.QueryCode = q
	}
	if _, after, ok := strings.Cut(e.Code, "#"); ok {
		e.Code = after
	}
	e.Code, _, _ = strings.Cut(e.Code, ":")
	if e.Code == "" {
		e.Code = http.StatusText(m.Status)
		e.Message = strings.TrimSpace(e.Message + " " + string(body[:min(len(body), 200)]))
	}
	_ = c
	return e
}

func decodeJSONError(body []byte, e *aws.Error) {
	_ = rawjson.EachMember(body, func(name string, v []byte) error { // the body is valid JSON
		switch strings.ToLower(name) {
		case "__type", "code":
			if rawjson.KindOf(v) == rawjson.String {
				e.Code = rawjson.Unquote(v)
			}
		case "message":
			e.Message = rawjson.Text(v)
		default:
			if e.Fields == nil {
				e.Fields = map[string]any{}
			}
			e.Fields[name] = json.RawMessage(bytes.Clone(v))
		}
		return nil
	})
}
