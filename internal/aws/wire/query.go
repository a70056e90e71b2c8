package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/rawjson"
)

var contentForm = "application/x-www-form-urlencoded; charset=utf-8"

// decodeQueryInput reads the parameters of a query request, which are in the body of a POST or in the URL.
func decodeQueryInput(c *Call, m *Message) ([]byte, error) {
	raw := m.Query
	if m.Method == http.MethodPost && len(m.Body) > 0 {
		raw = string(m.Body)
		if m.Query != "" {
			raw += "&" + m.Query
		}
	}
	form, err := parseForm(raw)
	if err != nil {
		return nil, malformed("%s", err)
	}
	if c.Operation.Input == nil {
		return emptyObject, nil
	}
	out, err := appendForm(nil, &aws.Member{Shape: c.Operation.Input}, form, c.Protocol)
	if err != nil {
		return nil, malformed("%s", err)
	}
	return out, nil
}

// queueURL adds the queue to a request of a client of SQS's first years, which only said it by the URL that it sent the
// request to.
func queueURL(c *Call, m *Message, r *aws.Request) []byte {
	if c.Service.Key != "sqs" || c.Operation.Input == nil || c.Operation.Input.Member("QueueUrl") == nil || strings.Count(m.Path, "/") != 2 {
		return r.Input
	}
	if memberValue(r.Input, "QueueUrl") != nil {
		return r.Input
	}
	url := rawjson.AppendString(rawjson.AppendName([]byte{'{'}, "QueueUrl"), "http://"+r.Host+m.Path)
	return append(splice(url, r.Input), '}')
}

func malformed(format string, args ...any) *aws.Error {
	return aws.Errorf("MalformedInput", format, args...)
}

// param is a parameter of a query request, or several whose names begin alike: "A.B.1" is under A, B and 1.
type param struct {
	name  string
	value string
	set   bool // the name itself has a value
	parts []*param
}

func (p *param) part(name string) *param {
	for _, c := range p.parts {
		if c.name == name {
			return c
		}
	}
	return nil
}

// The number and depth of parameters are bounded because the search for a name is linear: 20,000 entries of one level
// would take seconds.
const (
	paramsMax     = 20000
	paramDepthMax = 64
)

func parseForm(raw string) (*param, error) {
	root := &param{}
	seen := map[string]*param{"": root}
	n := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if n++; n > paramsMax {
			return nil, fmt.Errorf("more than %d parameters", paramsMax)
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", rawjson.Shorten([]byte(pair)), err)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		if strings.Count(name, ".") > paramDepthMax {
			return nil, fmt.Errorf("parameter %s has too many parts", rawjson.Shorten([]byte(name)))
		}
		p := descend(seen, name)
		p.value, p.set = value, true
	}
	return root, nil
}

// descend finds or makes the parameter of a dotted name; seen holds those that were made.
func descend(seen map[string]*param, name string) *param {
	if p := seen[name]; p != nil {
		return p
	}
	parent, last := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		parent, last = name[:i], name[i+1:]
	}
	up := seen[""]
	if parent != "" {
		up = descend(seen, parent)
	}
	p := &param{name: last}
	up.parts = append(up.parts, p)
	seen[name] = p
	return p
}

func queryName(m *aws.Member, protocol Protocol) string {
	if m.QueryName != "" {
		return m.QueryName
	}
	if protocol == EC2 {
		n := wireName(m)
		return strings.ToUpper(n[:1]) + n[1:]
	}
	return wireName(m)
}

// appendForm appends the canonical form of what a parameter says about a member.
func appendForm(dst []byte, m *aws.Member, p *param, protocol Protocol) ([]byte, error) {
	switch m.Shape.Type {
	case "structure":
		return appendFormStructure(dst, m.Shape, p, protocol)
	case "list":
		return appendFormList(dst, m.Shape, p, protocol)
	case "map":
		return appendFormMap(dst, m, p, protocol)
	}
	if !p.set {
		return dst, fmt.Errorf("parameter %s: a %s is needed", p.name, m.Shape.Type)
	}
	out, err := appendScalar(dst, m, p.value)
	if err != nil {
		err = fmt.Errorf("parameter %s: %w", p.name, err)
	}
	return out, err
}

func appendFormStructure(dst []byte, s *aws.Shape, p *param, protocol Protocol) (_ []byte, err error) {
	dst = append(dst, '{')
	for i := range s.Members {
		m := &s.Members[i]
		found := findParam(m, p, protocol)
		if found == nil {
			continue
		}
		dst = rawjson.AppendName(dst, m.Name)
		if dst, err = appendForm(dst, m, found, protocol); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// findParam finds the parameter of a structure's member. A flattened list goes by the name of its elements.
func findParam(m *aws.Member, p *param, protocol Protocol) *param {
	if m.Shape.Type == "list" && isFlattened(m) {
		if name := elementName(m.Shape); name != "" {
			if found := p.part(name); found != nil {
				return found
			}
		}
	}
	return p.part(queryName(m, protocol))
}

func isFlattened(m *aws.Member) bool { return m.Flattened || m.Shape.Flattened }

// elementName is the name of a list's elements, "" if the model gives none.
func elementName(s *aws.Shape) string {
	if s.Elem.QueryName != "" {
		return s.Elem.QueryName
	}
	return s.Elem.LocationName
}

func appendFormList(dst []byte, s *aws.Shape, p *param, protocol Protocol) (_ []byte, err error) {
	at := p
	for _, name := range []string{"member", elementName(s)} {
		if inner := p.part(name); inner != nil && name != "" && len(inner.parts) > 0 {
			at = inner
			break
		}
	}
	dst = append(dst, '[')
	for i, item := range numbered(at) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendForm(dst, s.Elem, item, protocol); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendFormMap(dst []byte, m *aws.Member, p *param, protocol Protocol) (_ []byte, err error) {
	at := p
	if entry := p.part("entry"); entry != nil && len(entry.parts) > 0 {
		at = entry
	}
	keyName, valueName := entryNames(m.Shape)
	dst = append(dst, '{')
	for _, item := range numbered(at) {
		key, value := item.part(keyName), item.part(valueName)
		if key == nil || !key.set || value == nil {
			return dst, fmt.Errorf("parameter %s.%s needs %s and %s", p.name, item.name, keyName, valueName)
		}
		dst = rawjson.AppendName(dst, key.value)
		if dst, err = appendForm(dst, m.Shape.Value, value, protocol); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func entryNames(s *aws.Shape) (key, value string) {
	name := func(m *aws.Member, byDefault string) string {
		switch {
		case m.QueryName != "":
			return m.QueryName
		case m.LocationName != "":
			return m.LocationName
		}
		return byDefault
	}
	return name(s.Key, "key"), name(s.Value, "value")
}

// numbered lists the parts whose names are numbers, in the order of the numbers.
func numbered(p *param) []*param {
	type item struct {
		n int
		p *param
	}
	items := make([]item, 0, len(p.parts))
	for _, c := range p.parts {
		if n, err := strconv.Atoi(c.name); err == nil && n >= 0 {
			items = append(items, item{n, c})
		}
	}
	sortBy(items, func(a, b item) int { return a.n - b.n })
	out := make([]*param, len(items))
	for i := range items {
		out[i] = items[i].p
	}
	return out
}

// encodeQueryInput writes a query request.
func encodeQueryInput(c *Call, input []byte, m *Message) error {
	m.Header.Set("Content-Type", contentForm)
	b := []byte("Action=" + url.QueryEscape(c.Operation.Name) + "&Version=" + url.QueryEscape(c.Service.APIVersion))
	if c.Operation.Input == nil {
		m.Body = b
		return nil
	}
	var err error
	m.Body, err = writeForm(b, "", &aws.Member{Shape: c.Operation.Input}, input)
	return err
}

func writeForm(b []byte, prefix string, m *aws.Member, raw []byte) (_ []byte, err error) {
	raw = rawjson.SkipSpace(raw)
	if rawjson.KindOf(raw) == rawjson.Null {
		return b, nil
	}
	join := func(name string) string {
		if prefix == "" {
			return name
		}
		return prefix + "." + name
	}
	switch m.Shape.Type {
	case "structure":
		err = rawjson.EachMember(raw, func(name string, v []byte) error {
			mem := m.Shape.Member(name)
			if mem == nil {
				return fmt.Errorf("unknown member %s", name)
			}
			out := queryName(mem, Query)
			if mem.Shape.Type == "list" && isFlattened(mem) && elementName(mem.Shape) != "" {
				out = elementName(mem.Shape)
			}
			b, err = writeForm(b, join(out), mem, v)
			return err
		})
		return b, err
	case "list":
		if !isFlattened(m) {
			name := elementName(m.Shape)
			if name == "" {
				name = "member"
			}
			prefix = join(name)
		}
		return writeFormList(b, prefix, m, raw)
	case "map":
		if !isFlattened(m) {
			prefix = join("entry")
		}
		return writeFormMap(b, prefix, m, raw)
	}
	s, err := scalarText(m, raw, iso8601)
	return append(append(append(append(b, '&'), prefix...), '='), url.QueryEscape(s)...), err
}

func writeFormList(b []byte, prefix string, m *aws.Member, raw []byte) ([]byte, error) {
	n := 0
	err := rawjson.EachItem(raw, func(v []byte) (err error) {
		n++
		b, err = writeForm(b, prefix+"."+strconv.Itoa(n), m.Shape.Elem, v)
		return err
	})
	return b, err
}

func writeFormMap(b []byte, prefix string, m *aws.Member, raw []byte) ([]byte, error) {
	n := 0
	keyName, valueName := entryNames(m.Shape)
	err := rawjson.EachMember(raw, func(name string, v []byte) (err error) {
		n++
		at := prefix + "." + strconv.Itoa(n) + "."
		b = append(b, "&"+at+keyName+"="+url.QueryEscape(name)...)
		b, err = writeForm(b, at+valueName, m.Shape.Value, v)
		return err
	})
	return b, err
}

var contentXML = "text/xml"

// encodeQueryOutput writes the XML answer of a query request.
func encodeQueryOutput(c *Call, value []byte, m *Message) error {
	m.Header.Set("Content-Type", contentXML)
	var x xmlWriter
	name := c.Operation.Name + "Response"
	x.openNS(name, c.Service.XMLNamespace)
	if out := c.Operation.Output; out != nil {
		wrapper := c.Operation.ResultWrapper
		if wrapper == "" && c.Protocol != EC2 {
			wrapper = c.Operation.Name + "Result"
		}
		if wrapper != "" {
			x.open(wrapper)
		}
		if err := x.structure(out, value); err != nil {
			return err
		}
		if wrapper != "" {
			x.close(wrapper)
		}
	}
	if c.Protocol == EC2 {
		x.element("requestId", c.RequestID)
	} else {
		x.open("ResponseMetadata")
		x.element("RequestId", c.RequestID)
		x.close("ResponseMetadata")
	}
	x.close(name)
	m.Body = x.Bytes()
	return nil
}

// decodeQueryOutput reads the XML answer of a query request.
func decodeQueryOutput(c *Call, m *Message, out *aws.Output) error {
	out.Value = json.RawMessage(emptyObject)
	if c.Operation.Output == nil || len(bytes.TrimSpace(m.Body)) == 0 {
		return nil
	}
	root, err := parseXML(m.Body)
	if err != nil {
		return badAnswer(c, err)
	}
	wrapper := c.Operation.ResultWrapper
	if wrapper == "" {
		wrapper = c.Operation.Name + "Result"
	}
	if inner := root.child(wrapper); inner != nil {
		root = inner
	}
	value, err := appendXML(nil, &aws.Member{Shape: c.Operation.Output}, []*element{root})
	if err != nil {
		return badAnswer(c, err)
	}
	out.Value = json.RawMessage(value)
	return nil
}
