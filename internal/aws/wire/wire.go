// Package wire translates between aws.Request, aws.Output and aws.Error and the wire protocols of AWS: JSON 1.0 and 1.1,
// query, REST-JSON, REST-XML and RPC v2 CBOR. Both halves are here: the server's (DecodeRequest, EncodeAnswer,
// EncodeError), which the gateway uses, and the client's (EncodeRequest, DecodeAnswer), which Client uses.
//
// The models decide everything: names, places, timestamp formats. What the caller of a codec sees is always the
// canonical form (package aws): JSON with API member names, blobs in base64, timestamps as epoch seconds. Where the wire
// has that form already, which is the JSON protocols' normal case, the bytes pass through after one validating scan.
//
// A codec is a pure function of its arguments: it does no I/O and keeps nothing but what it has worked out of a model.
// Input that does not fit the protocol becomes an *aws.Error with the code SerializationException (or the protocol's own
// code for it), never a panic; an answer of ours that does not fit its shape is a plain error, since it is a bug.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/http1/header"
)

// Protocol names a wire protocol as the models do, with JSON's two versions as one.
type Protocol string

// The protocols.
const (
	JSON     Protocol = "json"
	Query    Protocol = "query"
	EC2      Protocol = "ec2"
	RESTJSON Protocol = "rest-json"
	RESTXML  Protocol = "rest-xml"
	CBOR     Protocol = "smithy-rpc-v2-cbor"
)

// Message is an HTTP request or answer in memory.
type Message struct {
	Method string
	Path   string // escaped
	Query  string // raw, without the question mark
	Header header.List
	Body   []byte
	Stream io.ReadCloser // of an answer, in place of Body; whoever has the message closes it
	Status int           // of an answer
}

// newMessage makes a message with room for the few fields that most have.
func newMessage(m Message) *Message {
	roomy := &struct {
		Message
		fields [4]header.Field
	}{Message: m}
	roomy.Header = roomy.fields[:0]
	return &roomy.Message
}

// Call names what a message is about.
type Call struct {
	Protocol  Protocol
	Service   *aws.Service
	Operation *aws.Operation
	Labels    map[string]string // values of the URI's labels, unescaped; REST requests that came in
	RequestID string
}

// DecodeRequest reads the input of an operation from a request into r.Input and r.Body.
func DecodeRequest(c *Call, m *Message, r *aws.Request) error {
	var err error
	switch c.Protocol {
	case JSON:
		r.Input, err = decodeJSONInput(c, m)
	case Query, EC2:
		if r.Input, err = decodeQueryInput(c, m); err == nil {
			r.Input = queueURL(c, m, r)
		}
	case RESTJSON, RESTXML:
		err = decodeRESTInput(c, m, r)
	case CBOR:
		r.Input, err = decodeCBORInput(c, m)
	default:
		err = unsupported(c)
	}
	return err
}

// EncodeAnswer writes the output of an operation.
func EncodeAnswer(c *Call, out *aws.Output) (*Message, error) {
	value, err := Canonical(out.Value)
	if err != nil {
		return nil, fmt.Errorf("wire: %s:%s: %w", c.Service.Key, c.Operation.Name, err)
	}
	m := newMessage(Message{Status: out.Status})
	if m.Status == 0 {
		m.Status = max(c.Operation.Status, http.StatusOK)
	}
	switch c.Protocol {
	case JSON:
		err = encodeJSONOutput(c, value, m)
	case Query, EC2:
		err = encodeQueryOutput(c, value, m)
	case RESTJSON, RESTXML:
		err = encodeRESTOutput(c, value, out, m)
	case CBOR:
		err = encodeCBOROutput(c, value, m)
	default:
		err = unsupported(c)
	}
	if err != nil {
		return nil, fmt.Errorf("wire: %s:%s: %w", c.Service.Key, c.Operation.Name, err)
	}
	if len(out.Header) > 0 {
		m.Header.SetAll(out.Header)
	}
	setRequestID(c, m)
	return m, nil
}

// EncodeRequest writes a request for the service.
func EncodeRequest(c *Call, r *aws.Request) (*Message, error) {
	input := r.Input
	if len(input) == 0 {
		input = emptyObject
	}
	m := newMessage(Message{Method: http.MethodPost, Path: "/"})
	var err error
	switch c.Protocol {
	case JSON:
		err = encodeJSONInput(c, input, m)
	case Query:
		err = encodeQueryInput(c, input, m)
	case RESTJSON, RESTXML:
		err = encodeRESTInput(c, input, r.Body, m)
	default:
		err = unsupported(c)
	}
	return m, err
}

// DecodeAnswer reads an answer; if it is an error answer, the error is an *aws.Error.
func DecodeAnswer(c *Call, m *Message) (*aws.Output, error) {
	if m.Status >= 300 {
		return nil, decodeError(c, m)
	}
	out := &aws.Output{Status: m.Status, Header: m.Header.HTTP()}
	var err error
	switch c.Protocol {
	case JSON:
		err = decodeJSONOutput(c, m, out)
	case Query:
		err = decodeQueryOutput(c, m, out)
	case RESTJSON, RESTXML:
		err = decodeRESTOutput(c, m, out)
	default:
		err = unsupported(c)
	}
	return out, err
}

var emptyObject = []byte("{}")

// Canonical marshals an output value: json.RawMessage and values that hold their own bytes pass through, nil is an empty
// structure.
func Canonical(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return emptyObject, nil
	case json.RawMessage:
		return v, nil
	case interface{ Bytes() []byte }:
		return v.Bytes(), nil
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func unsupported(c *Call) error {
	return &aws.Error{Code: "UnsupportedProtocol", Status: http.StatusNotImplemented,
		Message: fmt.Sprintf("Newel does not speak the protocol %s, which the request for %s:%s asks for.", c.Protocol, c.Service.Key, c.Operation.Name)}
}

// badAnswer is the error of an answer that cannot be read. It is not an *aws.Error, whatever the decoder said: the service
// answered no error.
func badAnswer(c *Call, err error) error {
	return errors.New("the answer of " + c.Operation.Name + " cannot be read: " + err.Error())
}

func serialization(format string, args ...any) *aws.Error {
	return aws.Errorf("SerializationException", format, args...)
}

func setRequestID(c *Call, m *Message) {
	if c.RequestID == "" {
		return
	}
	if c.Service != nil && c.Service.Key == "s3" {
		m.Header.Set("x-amz-request-id", c.RequestID)
		m.Header.Set("x-amz-id-2", aws.ExtendedRequestID(c.RequestID))
		return
	}
	m.Header.Set("x-amzn-RequestId", c.RequestID)
}

// Streams reports whether a request's body is handed on as it arrives: the objects of S3.
func Streams(c *Call) bool {
	if c.Service == nil || c.Service.Key != "s3" || c.Operation == nil || c.Operation.Input == nil {
		return false
	}
	m := c.Operation.Input.Member(c.Operation.Input.Payload)
	return m != nil && m.Shape.Type == "blob"
}

// LocationName is a member's name on the wire.
func LocationName(m *aws.Member) string { return wireName(m) }
