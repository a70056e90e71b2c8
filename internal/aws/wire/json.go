package wire

import (
	"bytes"
	"encoding/json"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

// decodeJSONInput checks a JSON body and turns it into the canonical form, which it normally has already.
func decodeJSONInput(c *Call, m *Message) ([]byte, error) {
	return decodeJSONBody(c.Operation.Input, m.Body)
}

func decodeJSONBody(s *aws.Shape, body []byte) ([]byte, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return emptyObject, nil
	}
	if body[0] != '{' || !rawjson.Valid(body) {
		return nil, serialization("The request body is not a JSON object.")
	}
	if s == nil || sameJSON(s) {
		return body, nil
	}
	out, err := translate(nil, s, "", body, fromWire)
	if err != nil {
		return nil, serialization("%s", err)
	}
	return out, nil
}

func encodeJSONBody(s *aws.Shape, value []byte) ([]byte, error) {
	if s == nil {
		return emptyObject, nil
	}
	if sameJSON(s) {
		return value, nil
	}
	return translate(nil, s, "", value, toWire)
}

func jsonContentType(s *aws.Service) string {
	if s != nil && s.JSONVersion == "1.1" {
		return contentJSON11
	}
	return contentJSON10
}

var (
	contentJSON10 = "application/x-amz-json-1.0"
	contentJSON11 = "application/x-amz-json-1.1"
	contentJSON   = "application/json"
)

func encodeJSONOutput(c *Call, value []byte, m *Message) (err error) {
	m.Header.Set("Content-Type", jsonContentType(c.Service))
	if c.Operation.Output == nil {
		// Operations without an output answer an empty body in JSON 1.0 and 1.1 alike, but a client that reads JSON
		// takes an empty object just as well.
		m.Body = value
		return nil
	}
	m.Body, err = encodeJSONBody(c.Operation.Output, value)
	return err
}

func encodeJSONInput(c *Call, input []byte, m *Message) (err error) {
	m.Header.Set("Content-Type", jsonContentType(c.Service))
	m.Header.Set("X-Amz-Target", c.Service.TargetPrefix+"."+c.Operation.Name)
	m.Body, err = encodeJSONBody(c.Operation.Input, input)
	return err
}

func decodeJSONOutput(c *Call, m *Message, out *aws.Output) error {
	body := bytes.TrimSpace(m.Body)
	if len(body) == 0 {
		out.Value = json.RawMessage(emptyObject)
		return nil
	}
	value, err := decodeJSONBody(c.Operation.Output, body)
	if err != nil {
		return badAnswer(c, err)
	}
	out.Value = json.RawMessage(value)
	return nil
}
