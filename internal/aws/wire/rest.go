package wire

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
	"github.com/newel-run/newel/internal/http1/header"
)

// decodeRESTInput reads the members of a REST request from where the model puts them: labels of the URI, query, headers
// and body.
func decodeRESTInput(c *Call, m *Message, r *aws.Request) error {
	s := c.Operation.Input
	if s == nil {
		r.Input = emptyObject
		return nil
	}
	query, err := url.ParseQuery(m.Query)
	if err != nil {
		return serialization("The query string cannot be read: %s", err)
	}
	dst := []byte{'{'}
	for i := range s.Members {
		mem := &s.Members[i]
		if dst, err = appendBound(dst, mem, c, m, query); err != nil {
			return serialization("%s: %s", mem.Name, err)
		}
	}
	if s.Payload != "" {
		dst, err = appendPayload(dst, c, s.Member(s.Payload), m.Body, func(b []byte) { r.Body = b })
	} else {
		dst, err = appendBody(dst, c, s, m.Body)
	}
	if err != nil {
		return err
	}
	r.Input = append(dst, '}')
	return nil
}

// appendBound appends a member that travels outside the body, if it is there.
func appendBound(dst []byte, mem *aws.Member, c *Call, m *Message, query url.Values) ([]byte, error) {
	switch mem.Location {
	case "uri":
		if v, ok := c.Labels[wireName(mem)]; ok {
			return appendScalar(rawjson.AppendName(dst, mem.Name), mem, v)
		}
	case "querystring":
		return appendQueryMember(dst, mem, c.Operation, query)
	case "header":
		if v := m.Header.Values(wireName(mem)); len(v) > 0 {
			return appendHeader(rawjson.AppendName(dst, mem.Name), mem, v)
		}
	case "headers":
		return appendHeaderMap(dst, mem, m.Header), nil
	}
	return dst, nil
}

func appendQueryMember(dst []byte, mem *aws.Member, op *aws.Operation, query url.Values) (_ []byte, err error) {
	switch mem.Shape.Type {
	case "map":
		return appendQueryMap(dst, mem, op, query)
	case "list":
		values, ok := query[wireName(mem)]
		if !ok {
			return dst, nil
		}
		dst = append(rawjson.AppendName(dst, mem.Name), '[')
		for i, v := range values {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendScalar(dst, mem.Shape.Elem, v); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	values, ok := query[wireName(mem)]
	if !ok {
		return dst, nil
	}
	return appendScalar(rawjson.AppendName(dst, mem.Name), mem, values[0])
}

// appendQueryMap collects the query parameters that no other member takes.
func appendQueryMap(dst []byte, mem *aws.Member, op *aws.Operation, query url.Values) (_ []byte, err error) {
	taken := map[string]bool{}
	for i := range op.Input.Members {
		if o := &op.Input.Members[i]; o.Location == "querystring" && o.Shape.Type != "map" {
			taken[wireName(o)] = true
		}
	}
	var names []string
	for name := range query {
		if !taken[name] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return dst, nil
	}
	sortBy(names, strings.Compare)
	dst = append(rawjson.AppendName(dst, mem.Name), '{')
	for _, name := range names {
		dst = rawjson.AppendName(dst, name)
		if mem.Shape.Value.Shape.Type != "list" {
			if dst, err = appendScalar(dst, mem.Shape.Value, query[name][0]); err != nil {
				return dst, err
			}
			continue
		}
		dst = append(dst, '[')
		for i, v := range query[name] {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendScalar(dst, mem.Shape.Value.Shape.Elem, v); err != nil {
				return dst, err
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}'), nil
}

func appendHeader(dst []byte, mem *aws.Member, values []string) (_ []byte, err error) {
	if mem.JSONValue {
		// The member is a text that holds JSON; on the wire it is in base64.
		b, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil {
			return dst, err
		}
		return rawjson.AppendString(dst, string(b)), nil
	}
	if mem.Shape.Type != "list" {
		return appendScalar(dst, mem, values[0])
	}
	dst = append(dst, '[')
	n := 0
	for _, line := range values {
		for item := range strings.SplitSeq(line, ",") {
			if n > 0 {
				dst = append(dst, ',')
			}
			n++
			if dst, err = appendScalar(dst, mem.Shape.Elem, strings.Trim(strings.TrimSpace(item), `"`)); err != nil {
				return dst, err
			}
		}
	}
	return append(dst, ']'), nil
}

// appendHeaderMap collects the headers with a prefix (x-amz-meta-), whose names count in lower case.
func appendHeaderMap(dst []byte, mem *aws.Member, h header.List) []byte {
	prefix := strings.ToLower(wireName(mem))
	var names []string
	for i := range h {
		if n := strings.ToLower(h[i].Name); strings.HasPrefix(n, prefix) && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return dst
	}
	sortBy(names, strings.Compare)
	dst = append(rawjson.AppendName(dst, mem.Name), '{')
	for _, name := range names {
		dst = rawjson.AppendString(rawjson.AppendName(dst, name[len(prefix):]), strings.Join(h.Values(name), ","))
	}
	return append(dst, '}')
}

// appendPayload appends the member that is the whole body. A blob goes to body instead.
func appendPayload(dst []byte, c *Call, mem *aws.Member, b []byte, body func([]byte)) ([]byte, error) {
	switch mem.Shape.Type {
	case "blob":
		body(b)
		return dst, nil
	case "string":
		if len(b) == 0 {
			return dst, nil
		}
		return rawjson.AppendString(rawjson.AppendName(dst, mem.Name), string(b)), nil
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return dst, nil
	}
	if c.Protocol == RESTXML {
		root, err := parseXML(b)
		if err != nil {
			return dst, &aws.Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"}
		}
		out, err := appendXML(rawjson.AppendName(dst, mem.Name), mem, []*element{root})
		if err != nil {
			return dst, &aws.Error{Code: "MalformedXML", Message: err.Error()}
		}
		return out, nil
	}
	b = bytes.TrimSpace(b)
	if !rawjson.Valid(b) {
		return dst, serialization("The request body is not JSON.")
	}
	out, err := translate(rawjson.AppendName(dst, mem.Name), mem.Shape, "", b, fromWire)
	if err != nil {
		return dst, serialization("%s: %s", mem.Name, err)
	}
	return out, nil
}

// appendBody appends the members that the body holds when there is no payload member.
func appendBody(dst []byte, c *Call, s *aws.Shape, body []byte) ([]byte, error) {
	if len(bytes.TrimSpace(body)) == 0 || !hasBody(s) {
		return dst, nil
	}
	var inner []byte
	if c.Protocol == RESTXML {
		root, err := parseXML(body)
		if err == nil {
			inner, err = appendXMLStructure(nil, s, root)
		}
		if err != nil {
			return dst, &aws.Error{Code: "MalformedXML", Message: err.Error()}
		}
	} else {
		var err error
		if inner, err = decodeJSONBody(s, body); err != nil {
			return dst, err
		}
	}
	return splice(dst, inner), nil
}

// hasBody reports whether a structure has members that travel in the body.
func hasBody(s *aws.Shape) bool {
	for i := range s.Members {
		if s.Members[i].Location == "" {
			return true
		}
	}
	return false
}

// splice appends the members of an object to one that is still open.
func splice(dst, object []byte) []byte {
	object = bytes.TrimSpace(object)
	inner := bytes.TrimSpace(object[1 : len(object)-1])
	if len(inner) == 0 {
		return dst
	}
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(dst, inner...)
}

// encodeRESTOutput puts the members of an output where the model wants them.
func encodeRESTOutput(c *Call, value []byte, out *aws.Output, m *Message) error {
	s := c.Operation.Output
	if s == nil {
		m.Body = out.Body
		return nil
	}
	err := rawjson.EachMember(value, func(name string, v []byte) error {
		mem := s.Member(name)
		if mem == nil || rawjson.KindOf(v) == rawjson.Null {
			return nil
		}
		if mem.Location == "statusCode" {
			n, err := strconv.Atoi(string(v))
			if err == nil && out.Status == 0 {
				m.Status = n
			}
			return err
		}
		return writeHeaderMember(mem, v, &m.Header)
	})
	if err != nil {
		return err
	}
	if s.Payload != "" {
		m.Stream = out.Stream
		return encodePayload(c, s.Member(s.Payload), value, out.Body, m)
	}
	if m.Status == http.StatusNoContent || c.Protocol == RESTXML && !hasBody(s) {
		return nil
	}
	if c.Protocol == RESTXML {
		var x xmlWriter
		x.WriteString(xmlHeader)
		if c.Operation.Name == "GetBucketLocation" { // the one answer of S3 whose root is the member itself
			m.Header.Set("Content-Type", contentApplicationXML)
			region := ""
			if v := memberValue(value, "LocationConstraint"); rawjson.KindOf(v) == rawjson.String {
				region = rawjson.Unquote(v)
			}
			x.element("LocationConstraint", region)
			m.Body = x.Bytes()
			return nil
		}
		root := rootName(c.Service, s)
		x.openNS(root, c.Service.XMLNamespace)
		if err := x.structure(s, value); err != nil {
			return err
		}
		x.close(root)
		m.Header.Set("Content-Type", contentApplicationXML)
		m.Body = x.Bytes()
		return nil
	}
	m.Header.Set("Content-Type", contentJSON)
	m.Body, err = encodeJSONBody(s, value)
	return err
}

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func writeHeaderMember(mem *aws.Member, v []byte, h *header.List) error {
	switch {
	case mem.Location == "headers":
		return rawjson.EachMember(v, func(name string, v []byte) error {
			h.Set(wireName(mem)+name, headerText(rawjson.Text(v))) // as it is written: clients compare names of metadata in lower case
			return nil
		})
	case mem.Location != "header":
		return nil
	case mem.JSONValue:
		h.Set(wireName(mem), base64.StdEncoding.EncodeToString([]byte(rawjson.Text(v))))
		return nil
	case mem.Shape.Type == "list":
		var items []string
		err := rawjson.EachItem(v, func(v []byte) error {
			s, err := scalarText(mem.Shape.Elem, v, rfc822)
			items = append(items, s)
			return err
		})
		h.Set(wireName(mem), headerText(strings.Join(items, ",")))
		return err
	}
	s, err := scalarText(mem, v, rfc822)
	h.Set(wireName(mem), headerText(s))
	return err
}

// headerText puts spaces for what must not be in a header's value: what a client said, as in response-content-type, comes back.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// memberValue finds a member's value in a canonical object, nil if it is not there.
func memberValue(object []byte, name string) (found []byte) {
	_ = rawjson.EachMember(object, func(n string, v []byte) error { // the object is canonical
		if n == name {
			found = v
		}
		return nil
	})
	return found
}

// encodePayload makes a member the whole body.
func encodePayload(c *Call, mem *aws.Member, value, blob []byte, m *Message) error {
	switch mem.Shape.Type {
	case "blob", "structure", "string", "list", "map", "document":
	default:
		return fmt.Errorf("%s: a %s cannot be a body", mem.Name, mem.Shape.Type)
	}
	v := memberValue(value, mem.Name)
	if mem.Shape.Type == "blob" {
		if blob == nil && rawjson.KindOf(v) == rawjson.String {
			b, err := base64.StdEncoding.DecodeString(rawjson.Unquote(v))
			if err != nil {
				return fmt.Errorf("%s: %w", mem.Name, err)
			}
			blob = b
		}
		if !m.Header.Has("Content-Type") {
			m.Header.Set("Content-Type", contentOctets)
		}
		m.Body = blob
		return nil
	}
	if rawjson.KindOf(v) == rawjson.Null {
		return nil
	}
	if mem.Shape.Type == "string" {
		m.Body = []byte(rawjson.Unquote(v))
		return nil
	}
	if c.Protocol == RESTXML {
		var x xmlWriter
		x.WriteString(xmlHeader)
		if err := x.member(xmlName(mem), mem, v); err != nil {
			return err
		}
		m.Header.Set("Content-Type", contentApplicationXML)
		m.Body = x.Bytes()
		return nil
	}
	var err error
	m.Header.Set("Content-Type", contentJSON)
	m.Body, err = translate(nil, mem.Shape, "", v, toWire)
	return err
}

var contentOctets = "application/octet-stream"
