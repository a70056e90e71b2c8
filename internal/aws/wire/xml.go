package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

func sortBy[T any](items []T, cmp func(a, b T) int) { slices.SortStableFunc(items, cmp) }

// xmlWriter writes canonical JSON as XML in the order of the JSON.
type xmlWriter struct{ bytes.Buffer }

func (x *xmlWriter) open(name string) { x.WriteString("<" + name + ">") }

func (x *xmlWriter) openNS(name, namespace string) {
	x.WriteString("<" + name)
	if namespace != "" {
		x.attribute("xmlns", namespace)
	}
	x.WriteByte('>')
}

func (x *xmlWriter) attribute(name, value string) {
	x.WriteString(" " + name + `="`)
	_ = xml.EscapeText(&x.Buffer, []byte(value)) // a buffer never fails
	x.WriteByte('"')
}

// close ends an element; an attribute's prefix is not part of it.
func (x *xmlWriter) close(name string) { x.WriteString("</" + name + ">") }

func (x *xmlWriter) element(name, value string) {
	x.open(name)
	_ = xml.EscapeText(&x.Buffer, []byte(value)) // a buffer never fails
	x.close(name)
}

func xmlName(m *aws.Member) string {
	switch {
	case m.LocationName != "":
		return m.LocationName
	case m.QueryName != "":
		return m.QueryName
	}
	return m.Name
}

// structure writes a structure's members that belong into the body.
func (x *xmlWriter) structure(s *aws.Shape, raw []byte) error {
	return rawjson.EachMember(raw, func(name string, v []byte) error {
		m := s.Member(name)
		if m == nil || m.Location != "" || m.XMLAttribute || rawjson.KindOf(v) == rawjson.Null {
			return nil
		}
		if err := x.member(xmlName(m), m, v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// member writes one member under a name.
func (x *xmlWriter) member(name string, m *aws.Member, raw []byte) error {
	raw = rawjson.SkipSpace(raw)
	switch m.Shape.Type {
	case "structure":
		return x.nested(name, m, raw)
	case "list":
		return x.list(name, m, raw)
	case "map":
		return x.mapping(name, m, raw)
	}
	s, err := scalarText(m, raw, iso8601)
	if err != nil {
		return err
	}
	x.element(name, s)
	return nil
}

func (x *xmlWriter) nested(name string, m *aws.Member, raw []byte) error {
	x.WriteString("<" + name)
	if m.XMLNamespace != "" {
		x.attribute("xmlns", m.XMLNamespace)
	}
	err := rawjson.EachMember(raw, func(field string, v []byte) error {
		if a := m.Shape.Member(field); a != nil && a.XMLAttribute {
			n := xmlName(a)
			if prefix, _, ok := strings.Cut(n, ":"); ok {
				x.attribute("xmlns:"+prefix, "http://www.w3.org/2001/XMLSchema-instance")
			}
			x.attribute(n, rawjson.Text(v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	x.WriteByte('>')
	if err := x.structure(m.Shape, raw); err != nil {
		return err
	}
	x.close(name)
	return nil
}

func (x *xmlWriter) list(name string, m *aws.Member, raw []byte) error {
	item := elementName(m.Shape)
	if isFlattened(m) {
		if item == "" {
			item = name
		}
	} else {
		if item == "" {
			item = "member"
		}
		x.open(name)
	}
	err := rawjson.EachItem(raw, func(v []byte) error { return x.member(item, m.Shape.Elem, v) })
	if !isFlattened(m) {
		x.close(name)
	}
	return err
}

func (x *xmlWriter) mapping(name string, m *aws.Member, raw []byte) error {
	keyName, valueName := entryNames(m.Shape)
	entry := "entry"
	if isFlattened(m) {
		entry = name
	} else {
		x.open(name)
	}
	err := rawjson.EachMember(raw, func(key string, v []byte) error {
		x.open(entry)
		x.element(keyName, key)
		if err := x.member(valueName, m.Shape.Value, v); err != nil {
			return err
		}
		x.close(entry)
		return nil
	})
	if !isFlattened(m) {
		x.close(name)
	}
	return err
}

// element is an element of an XML document that came in.
type element struct {
	name     string
	attrs    []xml.Attr
	text     strings.Builder
	children []*element
}

func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (e *element) all(name string) []*element {
	var out []*element
	for _, c := range e.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

const xmlDepthMax = 200

func parseXML(b []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("the charset %s is not supported", charset)
	}
	var stack []*element
	var root *element
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && root != nil && len(stack) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, fmt.Errorf("XML: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local, attrs: t.Attr}
			if len(stack) >= xmlDepthMax {
				return nil, errors.New("XML: nested too deeply")
			}
			if len(stack) > 0 {
				up := stack[len(stack)-1]
				up.children = append(up.children, e)
			} else if root != nil {
				return nil, errors.New("XML: more than one root")
			} else {
				root = e
			}
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text.Write(t)
			}
		}
	}
}

// appendXML appends the canonical form of a member that the given elements say: one element, or those of a flattened
// list or map.
func appendXML(dst []byte, m *aws.Member, found []*element) (_ []byte, err error) {
	switch m.Shape.Type {
	case "structure":
		return appendXMLStructure(dst, m.Shape, found[0])
	case "list":
		if !isFlattened(m) {
			name := elementName(m.Shape)
			if name == "" {
				name = "member"
			}
			found = found[0].all(name)
		}
		dst = append(dst, '[')
		for i, e := range found {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendXML(dst, m.Shape.Elem, []*element{e}); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case "map":
		return appendXMLMap(dst, m, found)
	}
	e := found[0]
	s := e.text.String()
	if dst, err = appendScalar(dst, m, s); err != nil {
		err = fmt.Errorf("element %s: %w", e.name, err)
	}
	return dst, err
}

func appendXMLStructure(dst []byte, s *aws.Shape, e *element) (_ []byte, err error) {
	dst = append(dst, '{')
	for i := range s.Members {
		m := &s.Members[i]
		if m.Location != "" {
			continue
		}
		name := xmlName(m)
		if m.XMLAttribute {
			dst = appendAttribute(dst, m.Name, name, e)
			continue
		}
		if m.Shape.Type == "list" && isFlattened(m) && elementName(m.Shape) != "" {
			name = elementName(m.Shape)
		}
		found := e.all(name)
		if len(found) == 0 {
			continue
		}
		dst = rawjson.AppendName(dst, m.Name)
		if dst, err = appendXML(dst, m, found); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendAttribute(dst []byte, member, name string, e *element) []byte {
	_, local, ok := strings.Cut(name, ":")
	if !ok {
		local = name
	}
	for _, a := range e.attrs {
		if a.Name.Local == local && a.Name.Space != "xmlns" {
			return rawjson.AppendString(rawjson.AppendName(dst, member), a.Value)
		}
	}
	return dst
}

func appendXMLMap(dst []byte, m *aws.Member, found []*element) (_ []byte, err error) {
	if !isFlattened(m) {
		found = found[0].all("entry")
	}
	keyName, valueName := entryNames(m.Shape)
	dst = append(dst, '{')
	for _, e := range found {
		key, value := e.child(keyName), e.child(valueName)
		if key == nil || value == nil {
			return dst, fmt.Errorf("element %s needs %s and %s", e.name, keyName, valueName)
		}
		dst = rawjson.AppendName(dst, key.text.String())
		if dst, err = appendXML(dst, m.Shape.Value, []*element{value}); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// encodeXMLError writes an error as the query protocol, EC2, S3 and the other REST-XML services do.
func encodeXMLError(c *Call, e *aws.Error, shape *aws.Shape, m *Message) {
	m.Header.Set("Content-Type", contentXML)
	code := queryCode(e, shape)
	var x xmlWriter
	namespace := ""
	if c.Service != nil {
		namespace = c.Service.XMLNamespace
	}
	switch {
	case c.Protocol == EC2:
		x.WriteString("<Response><Errors>")
		x.errorElement("", code, e, shape)
		x.WriteString("</Errors>")
		x.element("RequestID", c.RequestID)
		x.close("Response")
	case c.Service != nil && c.Service.Key == "s3":
		m.Header.Set("Content-Type", contentApplicationXML)
		x.WriteString(xml.Header + "<Error>")
		x.errorFields(code, e, shape)
		x.element("RequestId", c.RequestID)
		x.element("HostId", aws.ExtendedRequestID(c.RequestID))
		x.close("Error")
	default:
		x.openNS("ErrorResponse", namespace)
		x.errorElement(senderOrReceiver(e, "Receiver"), code, e, shape)
		x.element("RequestId", c.RequestID)
		x.close("ErrorResponse")
	}
	m.Body = x.Bytes()
}

var contentApplicationXML = "application/xml"

func (x *xmlWriter) errorElement(kind, code string, e *aws.Error, shape *aws.Shape) {
	x.open("Error")
	if kind != "" {
		x.element("Type", kind)
	}
	x.errorFields(code, e, shape)
	x.close("Error")
}

func (x *xmlWriter) errorFields(code string, e *aws.Error, shape *aws.Shape) {
	x.element("Code", code)
	x.element("Message", e.Message)
	for _, name := range sortedKeys(e.Fields) {
		raw, err := Canonical(e.Fields[name])
		if err != nil {
			continue
		}
		var m *aws.Member
		if shape != nil {
			m = shape.Member(name)
		}
		if m != nil {
			_ = x.member(xmlName(m), m, raw) // a field that does not fit its shape is left out
		} else if k := rawjson.KindOf(raw); k != rawjson.Array && k != rawjson.Object {
			x.element(name, rawjson.Text(raw))
		}
	}
}

// decodeXMLError reads any of these forms.
func decodeXMLError(body []byte, e *aws.Error) {
	root, err := parseXML(body)
	if err != nil {
		e.Message = http.StatusText(e.Status)
		return
	}
	if inner := root.child("Errors"); inner != nil {
		root = inner
	}
	if inner := root.child("Error"); inner != nil {
		root = inner
	}
	for _, c := range root.children {
		switch c.name {
		case "Code":
			e.Code = c.text.String()
		case "Message":
			e.Message = c.text.String()
		case "Type", "RequestId", "HostId":
		default:
			if len(c.children) == 0 {
				if e.Fields == nil {
					e.Fields = map[string]any{}
				}
				e.Fields[c.name] = c.text.String()
			}
		}
	}
}
