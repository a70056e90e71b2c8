package apigateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1/header"
	"github.com/newel-run/newel/internal/service"
)

// answer is what an integration answered.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	selector string // what selection patterns look at
}

// integrate carries out the method's integration and answers the client.
func (v *invocation) integrate(ctx context.Context, w http.ResponseWriter) error {
	i := v.method.Integration
	switch i.Type {
	case "AWS_PROXY":
		return v.proxy(ctx, w)
	case "HTTP_PROXY":
		return v.forward(ctx, w)
	}
	in, err := v.mapped()
	if err != nil {
		return err
	}
	var a *answer
	switch i.Type {
	case "MOCK":
		a, err = mock(in.body)
	case "HTTP":
		a, err = v.fetch(ctx, in, v.r.Header.Get("Content-Type"))
	default:
		a, err = v.call(ctx, in)
	}
	if err != nil {
		return err
	}
	return v.respond(w, a)
}

// mock answers with the status that the mapped request names.
func mock(body []byte) (*answer, error) {
	var in struct{ StatusCode json.Number }
	if err := json.Unmarshal(body, &in); err != nil || in.StatusCode == "" {
		return nil, internal(errors.New("a mock integration's request template must make {\"statusCode\": ...}"))
	}
	n, err := in.StatusCode.Int64()
	if err != nil {
		return nil, internal(err)
	}
	return &answer{status: int(n), header: http.Header{}, selector: string(in.StatusCode)}, nil
}

// call carries out an integration of type AWS.
func (v *invocation) call(ctx context.Context, in *backendRequest) (*answer, error) {
	uri := v.variables(v.method.Integration.URI)
	for name, val := range in.path {
		uri = strings.ReplaceAll(uri, "{"+name+"}", url.PathEscape(val))
	}
	to, err := parseURI(uri)
	if err != nil {
		return nil, internal(err)
	}
	if to.function != "" {
		return v.invokeFunction(ctx, to.function, in)
	}
	return v.callService(ctx, to, in)
}

func (v *invocation) invokeFunction(ctx context.Context, function string, in *backendRequest) (*answer, error) {
	input, err := json.Marshal(map[string]string{"FunctionName": function, "InvocationType": in.header.Get("X-Amz-Invocation-Type")})
	if err != nil {
		return nil, err
	}
	req := v.s.request(v.at)
	req.Service, req.Operation, req.Input, req.Body = "lambda", "Invoke", input, in.body
	out, err := v.s.Env.Caller.Call(ctx, req)
	if err != nil {
		return nil, internal(err)
	}
	a := &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: out.Body}
	if out.Header.Get("X-Amz-Function-Error") != "" {
		var e struct {
			ErrorMessage string `json:"errorMessage"`
		}
		_ = json.Unmarshal(out.Body, &e) // a crash may leave anything
		a.selector = e.ErrorMessage
	}
	return a, nil
}

// callService calls an operation of another service in the protocol that an HTTP client would use.
func (v *invocation) callService(ctx context.Context, to target, in *backendRequest) (*answer, error) {
	model := aws.MustModel(to.service)
	call := &wire.Call{Service: model, RequestID: aws.NewUUID()}
	m := &wire.Message{Method: http.MethodPost, Path: "/" + to.path, Query: in.query.Encode(), Header: header.Of(in.header), Body: in.body}
	action := to.action
	if named := queryAction(in); named != "" {
		action = named
	}
	form := strings.HasPrefix(in.header.Get("Content-Type"), "application/x-www-form-urlencoded") || in.query.Get("Action") != ""
	query := slices.Contains(model.Protocols, "query") || model.QueryCompatible
	switch {
	case slices.Contains(model.Protocols, "json") && !(form && query):
		call.Protocol = wire.JSON
		if len(bytes.TrimSpace(m.Body)) == 0 {
			m.Body = []byte("{}")
		}
	case query:
		call.Protocol = wire.Query
		if !form {
			m.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if in.query.Get("Action") != "" {
			m.Method, m.Body = http.MethodGet, nil
		}
	}
	if t := in.header.Get("X-Amz-Target"); t != "" {
		action = t[strings.LastIndexByte(t, '.')+1:]
	}
	call.Operation = model.Operations[action]
	if call.Protocol == "" || call.Operation == nil {
		return nil, internal(fmt.Errorf("Newel does not support the integration %s", v.method.Integration.URI))
	}
	req := v.s.request(place{v.at.account, to.region})
	req.Service, req.Operation, req.ID, req.Principal = model.Key, action, call.RequestID, v.method.Integration.role()
	if err := wire.DecodeRequest(call, m, req); err != nil {
		return serviceAnswer(call, nil, err)
	}
	out, err := v.s.Env.Caller.Call(ctx, req)
	return serviceAnswer(call, out, err)
}

// role is the role that the integration takes on; there is none where it is the caller's own.
func (i *integration) role() string {
	if strings.Contains(i.Credentials, ":role/") {
		return i.Credentials
	}
	return ""
}

// queryAction is the Action of a request in the query protocol.
func queryAction(in *backendRequest) string {
	if a := in.query.Get("Action"); a != "" {
		return a
	}
	for part := range bytes.SplitSeq(in.body, []byte("&")) {
		if name, ok := bytes.CutPrefix(part, []byte("Action=")); ok {
			return string(bytes.TrimSpace(name))
		}
	}
	return ""
}

// serviceAnswer is the answer of a service as JSON, which is what API Gateway asks for.
func serviceAnswer(call *wire.Call, out *aws.Output, err error) (*answer, error) {
	var e *aws.Error
	if err != nil && !errors.As(err, &e) {
		return nil, internal(err)
	}
	a := &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}, "X-Amzn-Requestid": {call.RequestID}}}
	switch {
	case call.Protocol == wire.Query && e != nil:
		kind := "Sender"
		if e.Fault {
			kind = "Receiver"
		}
		a.status = e.HTTPStatus()
		code := e.Code
		if e.QueryCode != "" {
			code = e.QueryCode
		}
		a.body, err = service.Marshal(map[string]any{"Error": map[string]string{"Code": code, "Message": e.Message, "Type": kind}, "RequestId": call.RequestID})
	case call.Protocol == wire.Query:
		name := call.Operation.Name
		inner := map[string]any{"ResponseMetadata": map[string]string{"RequestId": call.RequestID}}
		if call.Operation.Output != nil {
			inner[name+"Result"] = out.Value
		}
		a.body, err = service.Marshal(map[string]any{name + "Response": inner})
	default:
		var m *wire.Message
		if e != nil {
			m, err = wire.EncodeError(call, e), nil
		} else if m, err = wire.EncodeAnswer(call, out); err != nil {
			return nil, internal(err)
		}
		a.status, a.body, a.header = m.Status, m.Body, m.Header.HTTP()
	}
	a.selector = fmt.Sprint(a.status)
	if err != nil {
		return nil, internal(err)
	}
	return a, nil
}

// client makes the calls of HTTP integrations. Redirects are the caller's to follow.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// fetch carries out an integration of type HTTP.
func (v *invocation) fetch(ctx context.Context, in *backendRequest, contentType string) (*answer, error) {
	i := v.method.Integration
	uri := v.variables(i.URI)
	for name, val := range in.path {
		for _, mark := range []string{"{" + name + "}", "{" + name + "+}"} {
			uri = strings.ReplaceAll(uri, mark, (&url.URL{Path: val}).EscapedPath())
		}
	}
	u, err := url.Parse(uri)
	if err != nil {
		return nil, internal(err)
	}
	q := u.Query()
	for k, values := range in.query {
		q[k] = values
	}
	u.RawQuery = q.Encode()
	verb := i.HTTPMethod
	if verb == "" || verb == "ANY" {
		verb = v.r.Method
	}
	req, err := http.NewRequestWithContext(ctx, verb, u.String(), bytes.NewReader(in.body))
	if err != nil {
		return nil, internal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, values := range in.header {
		req.Header[k] = values
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, internal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyMax))
	if err != nil {
		return nil, internal(err)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body, selector: fmt.Sprint(res.StatusCode)}, nil
}

// hop are the headers that concern one connection only.
var hop = []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Content-Length", "Host", "Accept-Encoding"}

// forward carries out an integration of type HTTP_PROXY.
func (v *invocation) forward(ctx context.Context, w http.ResponseWriter) error {
	in := &backendRequest{path: map[string]string{}, query: v.r.URL.Query(), header: v.r.Header.Clone(), body: v.body}
	for name, val := range v.parameters {
		in.path[name] = val
	}
	for to, from := range v.method.Integration.RequestParameters {
		s, ok := v.requestValue(from)
		if kind, name, _ := strings.Cut(strings.TrimPrefix(to, "integration.request."), "."); ok {
			switch kind {
			case "path":
				in.path[name] = s
			case "querystring":
				in.query.Set(name, s)
			case "header":
				in.header.Set(name, s)
			}
		}
	}
	for _, name := range hop {
		in.header.Del(name)
	}
	a, err := v.fetch(ctx, in, "")
	if err != nil {
		return err
	}
	for name, values := range a.header {
		if !slices.Contains(hop, name) {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client is gone if this fails
	return nil
}
