package apigateway

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/apigateway/velocity"
	"github.com/newel-run/newel/internal/aws"
)

// document is a body as JSONPath sees it: JSON, or else a text; nothing is an empty object.
func document(body []byte) value.Value {
	if len(strings.TrimSpace(string(body))) == 0 {
		return value.NewObject()
	}
	if v, err := value.Parse(body); err == nil {
		return v
	}
	return string(body)
}

// lookup follows a path into a document; ok is false if it leads nowhere.
func lookup(doc value.Value, path string) (value.Value, bool) {
	p, err := jsonpath.Parse(path)
	if err != nil {
		return nil, false
	}
	v, err := p.Get(doc)
	return v, err == nil
}

// inputObject is $input.
type inputObject struct {
	body   []byte
	doc    value.Value
	params func() *velocity.Map // sections path, querystring and header; nil where there are none
}

func (o *inputObject) Get(name string) any {
	if name == "body" {
		return string(o.body)
	}
	return nil
}

func (o *inputObject) Call(name string, args []any) (any, bool) {
	text := ""
	if len(args) == 1 {
		s, ok := args[0].(string)
		if !ok {
			return nil, false
		}
		text = s
	}
	switch {
	case name == "json" && len(args) == 1:
		v, ok := lookup(o.doc, text)
		if !ok {
			return "", true
		}
		return string(value.Append(nil, v)), true
	case name == "path" && len(args) == 1:
		v, ok := lookup(o.doc, text)
		return velocity.FromJSON(v), ok
	case name == "params" && o.params != nil && len(args) == 0:
		return o.params(), true
	case name == "params" && o.params != nil && len(args) == 1:
		all := o.params()
		for _, section := range []string{"path", "querystring", "header"} {
			m := all.Get(section).(*velocity.Map)
			for _, k := range m.Keys() {
				if k == text || section == "header" && strings.EqualFold(k, text) {
					return m.Get(k), true
				}
			}
		}
		return "", true
	}
	return nil, false
}

// utilObject is $util.
type utilObject struct{}

func (utilObject) Get(string) any { return nil }

func (utilObject) Call(name string, args []any) (any, bool) {
	if len(args) != 1 {
		return nil, false
	}
	s, ok := args[0].(string)
	if !ok {
		if args[0] == nil {
			return nil, false
		}
		s = fmt.Sprint(args[0])
	}
	switch name {
	case "escapeJavaScript":
		return escapeJavaScript(s), true
	case "parseJson":
		v, err := value.Parse([]byte(s))
		return velocity.FromJSON(v), err == nil
	case "urlEncode":
		return url.QueryEscape(s), true
	case "urlDecode":
		out, err := url.QueryUnescape(s)
		return out, err == nil
	case "base64Encode":
		return base64.StdEncoding.EncodeToString([]byte(s)), true
	case "base64Decode":
		b, err := base64.StdEncoding.DecodeString(s)
		return string(b), err == nil
	}
	return nil, false
}

// escapeJavaScript escapes a text as a JavaScript string's content, single quotes and slashes too.
func escapeJavaScript(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\'' || r == '"' || r == '\\' || r == '/':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r > '~' && r < 0x10000:
			fmt.Fprintf(&b, `\u%04X`, r)
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04X\u%04X`, hi, lo)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func textMap(from map[string]string) *velocity.Map {
	m := velocity.NewMap()
	for _, k := range sorted(from) {
		m.Set(k, from[k])
	}
	return m
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func last(values map[string][]string) map[string]string {
	out := make(map[string]string, len(values))
	for k, v := range values {
		if len(v) > 0 {
			out[k] = v[len(v)-1]
		}
	}
	return out
}

func (v *invocation) params() *velocity.Map {
	m := velocity.NewMap()
	m.Set("path", textMap(v.parameters))
	m.Set("querystring", textMap(last(v.r.URL.Query())))
	header := last(v.r.Header)
	header["Host"] = v.r.Host
	m.Set("header", textMap(header))
	return m
}

// context is $context, as far as there is something to tell.
func (v *invocation) context() *velocity.Map {
	identity := textMap(map[string]string{"sourceIp": v.sourceIP(), "userAgent": v.r.UserAgent(), "apiKey": v.r.Header.Get("x-api-key")})
	domain, _, _ := strings.Cut(v.r.Host, ":")
	prefix, _, _ := strings.Cut(domain, ".")
	m := textMap(map[string]string{
		"accountId": v.at.account, "apiId": v.apiID, "stage": v.stage.StageName, "requestId": v.id, "extendedRequestId": v.extendedID(),
		"httpMethod": v.r.Method, "resourceId": v.resource.ID, "resourcePath": v.resource.Path, "path": "/" + v.stage.StageName + v.path,
		"protocol": v.r.Proto, "requestTime": v.now.UTC().Format("02/Jan/2006:15:04:05 -0700"), "domainName": domain, "domainPrefix": prefix,
		"deploymentId": v.stage.DeploymentID,
	})
	m.Set("requestTimeEpoch", v.now.UnixMilli())
	m.Set("identity", identity)
	m.Set("authorizer", velocity.NewMap())
	override := velocity.NewMap()
	override.Set("header", velocity.NewMap())
	m.Set("responseOverride", override)
	return m
}

func (v *invocation) extendedID() string { return v.id[:8] + "=" }

// render evaluates a mapping template over a body.
func (v *invocation) render(text string, body []byte, params func() *velocity.Map) ([]byte, error) {
	t, err := velocity.Parse(text)
	if err != nil {
		return nil, internal(fmt.Errorf("mapping template: %w", err))
	}
	context := v.context()
	out, err := t.Render(map[string]any{
		"input": &inputObject{body, document(body), params}, "util": utilObject{}, "context": context, "stageVariables": textMap(v.stage.Variables),
	}, velocity.Limits{})
	if err != nil {
		return nil, internal(fmt.Errorf("mapping template: %w", err))
	}
	if o, ok := context.Get("responseOverride").(*velocity.Map); ok {
		v.override(o)
	}
	return []byte(out), nil
}

func (v *invocation) override(o *velocity.Map) {
	if status, err := strconv.Atoi(fmt.Sprint(o.Get("status"))); err == nil && status >= 100 && status < 600 {
		v.overrides.status = status
	}
	if header, ok := o.Get("header").(*velocity.Map); ok {
		for _, k := range header.Keys() {
			if v.overrides.header == nil {
				v.overrides.header = map[string]string{}
			}
			v.overrides.header[k] = fmt.Sprint(header.Get(k))
		}
	}
}

// variables puts stage variables into a text: ${stageVariables.NAME}.
func (v *invocation) variables(text string) string {
	for name, val := range v.stage.Variables {
		text = strings.ReplaceAll(text, "${stageVariables."+name+"}", val)
	}
	return text
}

// requestValue is what a parameter mapping of the request stands for; ok is false if there is nothing.
func (v *invocation) requestValue(expression string) (string, bool) {
	if s, ok := v.common(expression); ok {
		return s, true
	}
	from, name, _ := strings.Cut(strings.TrimPrefix(expression, "method.request."), ".")
	switch from {
	case "path":
		s, ok := v.parameters[name]
		return s, ok
	case "querystring", "multivaluequerystring":
		values, ok := v.r.URL.Query()[name]
		return strings.Join(values, ","), ok
	case "header", "multivalueheader":
		values := v.r.Header.Values(name)
		return strings.Join(values, ","), len(values) > 0
	case "body":
		return bodyValue(v.body, name)
	}
	return "", false
}

// common is the value of the expressions that requests and responses share.
func (v *invocation) common(expression string) (string, bool) {
	if len(expression) >= 2 && expression[0] == '\'' && expression[len(expression)-1] == '\'' {
		return expression[1 : len(expression)-1], true
	}
	if name, ok := strings.CutPrefix(expression, "stageVariables."); ok {
		s, ok := v.stage.Variables[name]
		return s, ok
	}
	if path, ok := strings.CutPrefix(expression, "context."); ok {
		var at any = v.context()
		for part := range strings.SplitSeq(path, ".") {
			m, isMap := at.(*velocity.Map)
			if !isMap {
				return "", false
			}
			at = m.Get(part)
		}
		return fmt.Sprint(at), at != nil
	}
	return "", false
}

func bodyValue(body []byte, path string) (string, bool) {
	doc := document(body)
	if path == "" {
		return string(body), true
	}
	found, ok := lookup(doc, "$."+strings.TrimPrefix(path, "$."))
	if s, isText := found.(string); isText {
		return s, ok
	}
	return string(value.Append(nil, found)), ok
}

// backendRequest is what the mappings make for an integration.
type backendRequest struct {
	path   map[string]string
	query  url.Values
	header http.Header
	body   []byte
}

// mapped makes the integration's request: parameters, then the template of the request's content type.
func (v *invocation) mapped() (*backendRequest, error) {
	i := v.method.Integration
	out := &backendRequest{path: map[string]string{}, query: url.Values{}, header: http.Header{}}
	for to, from := range i.RequestParameters {
		s, ok := v.requestValue(from)
		kind, name, _ := strings.Cut(strings.TrimPrefix(to, "integration.request."), ".")
		switch {
		case !ok:
		case kind == "path":
			out.path[name] = s
		case kind == "querystring":
			out.query.Set(name, s)
		case kind == "header":
			out.header.Set(name, s)
		}
	}
	var err error
	out.body, err = v.mappedBody()
	return out, err
}

func (v *invocation) mappedBody() ([]byte, error) {
	i := v.method.Integration
	unsupported := &refusal{http.StatusUnsupportedMediaType, "BadRequestException", "Unsupported Media Type", nil}
	for mediaType, text := range i.RequestTemplates {
		if strings.EqualFold(mediaType, v.contentType()) {
			if text == "" {
				return v.body, nil
			}
			return v.render(text, v.body, v.params)
		}
	}
	if i.PassthroughBehavior == "NEVER" || i.PassthroughBehavior == "WHEN_NO_TEMPLATES" && len(i.RequestTemplates) > 0 {
		return nil, unsupported
	}
	return v.body, nil
}

// request is a call in the name of an API's account.
func (s *Service) request(at place) *aws.Request {
	return &aws.Request{Account: at.account, Region: at.region}
}
