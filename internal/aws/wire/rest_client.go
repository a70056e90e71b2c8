package wire

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

// encodeRESTInput writes a REST request. A missing label is an error: the URI would mean something else.
func encodeRESTInput(c *Call, input, blob []byte, m *Message) error {
	m.Method = c.Operation.Method
	path, query, _ := strings.Cut(c.Operation.URI, "?")
	var params []string
	if query != "" {
		params = append(params, query)
	}
	s := c.Operation.Input
	if s != nil {
		err := rawjson.EachMember(input, func(name string, v []byte) (err error) {
			mem := s.Member(name)
			if mem == nil || rawjson.KindOf(v) == rawjson.Null {
				return nil
			}
			switch mem.Location {
			case "uri":
				path, err = fillLabel(path, mem, v)
			case "querystring":
				params, err = appendParams(params, mem, v)
			default:
				err = writeHeaderMember(mem, v, &m.Header)
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := encodeRESTBody(c, s, input, blob, m); err != nil {
			return err
		}
	}
	if i := strings.IndexByte(path, '{'); i >= 0 {
		return aws.Errorf("ValidationException", "%s:%s needs a value for %s", c.Service.Key, c.Operation.Name, path[i:])
	}
	m.Path, m.Query = path, strings.Join(params, "&")
	return nil
}

func fillLabel(path string, mem *aws.Member, v []byte) (string, error) {
	s, err := scalarText(mem, v, iso8601)
	if err != nil {
		return path, err
	}
	if s == "" {
		return path, aws.Errorf("ValidationException", "%s must not be empty", mem.Name)
	}
	name := wireName(mem)
	greedy := "{" + name + "+}"
	if strings.Contains(path, greedy) {
		parts := strings.Split(s, "/")
		for i := range parts {
			parts[i] = url.PathEscape(parts[i])
		}
		return strings.ReplaceAll(path, greedy, strings.Join(parts, "/")), nil
	}
	// A colon would do in a path segment, but signers differ in how they treat it.
	return strings.ReplaceAll(path, "{"+name+"}", strings.ReplaceAll(url.PathEscape(s), ":", "%3A")), nil
}

func appendParams(params []string, mem *aws.Member, v []byte) ([]string, error) {
	add := func(name string, m *aws.Member, v []byte) error {
		s, err := scalarText(m, v, iso8601)
		params = append(params, url.QueryEscape(name)+"="+url.QueryEscape(s))
		return err
	}
	name := wireName(mem)
	switch mem.Shape.Type {
	case "list":
		return params, rawjson.EachItem(v, func(v []byte) error { return add(name, mem.Shape.Elem, v) })
	case "map":
		err := rawjson.EachMember(v, func(key string, v []byte) error {
			if mem.Shape.Value.Shape.Type != "list" {
				return add(key, mem.Shape.Value, v)
			}
			return rawjson.EachItem(v, func(v []byte) error { return add(key, mem.Shape.Value.Shape.Elem, v) })
		})
		return params, err
	}
	err := add(name, mem, v)
	return params, err
}

func encodeRESTBody(c *Call, s *aws.Shape, input, blob []byte, m *Message) (err error) {
	if s.Payload != "" {
		return encodePayload(c, s.Member(s.Payload), input, blob, m)
	}
	if !hasBody(s) {
		return nil
	}
	if c.Protocol == RESTXML {
		name := c.Operation.InputName
		if name == "" {
			name = s.Name
		}
		var x xmlWriter
		x.openNS(name, c.Service.XMLNamespace)
		if err := x.structure(s, input); err != nil {
			return err
		}
		x.close(name)
		m.Header.Set("Content-Type", contentApplicationXML)
		m.Body = x.Bytes()
		return nil
	}
	m.Header.Set("Content-Type", contentJSON)
	m.Body, err = encodeJSONBody(s, input)
	return err
}

// decodeRESTOutput reads a REST answer.
func decodeRESTOutput(c *Call, m *Message, out *aws.Output) (err error) {
	s := c.Operation.Output
	if s == nil {
		out.Value = json.RawMessage(emptyObject)
		return nil
	}
	dst := []byte{'{'}
	for i := range s.Members {
		mem := &s.Members[i]
		switch mem.Location {
		case "header":
			if v := m.Header.Values(wireName(mem)); len(v) > 0 {
				dst, err = appendHeader(rawjson.AppendName(dst, mem.Name), mem, v)
			}
		case "headers":
			dst = appendHeaderMap(dst, mem, m.Header)
		case "statusCode":
			dst = strconv.AppendInt(rawjson.AppendName(dst, mem.Name), int64(m.Status), 10)
		}
		if err != nil {
			return badAnswer(c, fmt.Errorf("%s: %w", mem.Name, err))
		}
	}
	if s.Payload != "" {
		dst, err = appendPayload(dst, c, s.Member(s.Payload), m.Body, func(b []byte) { out.Body = b })
	} else {
		dst, err = appendBody(dst, c, s, m.Body)
	}
	if err != nil {
		return badAnswer(c, err)
	}
	out.Value = json.RawMessage(append(dst, '}'))
	return nil
}
