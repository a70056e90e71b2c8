package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/httpcall"
	"github.com/newel-run/newel/internal/service"
)

// invokeHTTP runs an HTTP task: a request to any HTTP API, with what its EventBridge connection adds. A request that was out
// at a crash is sent again. A token that the API refuses is replaced once.
func (r *Runner) invokeHTTP(ctx context.Context, c *call, d engine.Dispatch) engine.Outcome {
	call, connection, err := httpCall(d.Task.Arguments, c.request.Region)
	if err != nil {
		return failed(err)
	}
	var exchange *engine.Exchange
	for fresh := false; ; fresh = true {
		add, renewable, err := r.credentials(ctx, c, connection, fresh)
		if err != nil {
			return failed(err)
		}
		req, err := call.Build(add)
		if err != nil {
			return failed(unusable(d.Task.Arguments, err.Error()))
		}
		exchange = exchangeOf(call, req)
		answer, err := httpcall.Send(ctx, req)
		if err == nil && answer.Status == http.StatusUnauthorized && renewable {
			continue
		}
		out := outcome(answer, err, exchange)
		out.Exchange = exchange
		return out
	}
}

// credentials asks EventBridge for what a connection adds.
func (r *Runner) credentials(ctx context.Context, c *call, connection string, fresh bool) (add httpcall.Additions, renewable bool, err error) {
	req := *c.request
	req.Service, req.Operation, req.Token = "events", "RetrieveConnectionCredentials", aws.Token{}
	if req.Input, err = json.Marshal(map[string]any{"ConnectionArn": connection, "Fresh": fresh}); err != nil {
		return add, false, err
	}
	answer, err := r.Caller.Call(ctx, &req)
	var e *aws.Error
	switch {
	case errors.As(err, &e) && !e.Fault:
		return add, false, &Failure{"Events.ConnectionResource." + e.Code, e.Message}
	case err != nil:
		return add, false, &Failure{"Events.ConnectionResource.InternalError", err.Error()}
	}
	text, err := service.Marshal(answer.Value)
	if err != nil {
		return add, false, err
	}
	var out struct {
		httpcall.Additions
		Renewable bool
	}
	err = json.Unmarshal(text, &out)
	return out.Additions, out.Renewable, err
}

// outcome turns an answer into the task's.
func outcome(answer *httpcall.Response, err error, exchange *engine.Exchange) engine.Outcome {
	if err != nil {
		return failed(&Failure{"States.Http.Socket", err.Error()})
	}
	exchange.Answer = answerView(answer, exchange.Full.Protocol)
	if answer.Status < 200 || answer.Status > 299 {
		return failed(&Failure{fmt.Sprintf("States.Http.StatusCode.%d", answer.Status), answer.StatusText})
	}
	kind := answer.ContentType()
	for _, binary := range []string{"application/octet-stream", "image/", "video/", "audio/"} {
		if strings.HasPrefix(kind, binary) {
			return failed(&Failure{"States.Runtime", fmt.Sprintf("The response with content type '%s' is not supported by HTTP Task", kind)})
		}
	}
	if !utf8.Valid(answer.Body) && len(answer.Body) < httpcall.BodyMax {
		return failed(&Failure{"States.Runtime", "The response of the HTTP Task cannot be read as a valid string"})
	}
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: httpResult(answer, kind)}
}

// httpResult is the task's result: JSON is taken as such if the answer says that it is JSON, else it is a text.
func httpResult(answer *httpcall.Response, kind string) *value.Doc {
	headers := value.NewObject()
	for _, h := range answer.Headers {
		list := make(value.Array, len(h.Values))
		for i, v := range h.Values {
			list[i] = v
		}
		headers.Set(h.Name, list)
	}
	b := append([]byte(`{"Headers":`), value.Append(nil, headers)...)
	b = append(b, `,"ResponseBody":`...)
	if (kind == "" || strings.HasSuffix(kind, "json")) && value.Valid(answer.Body) == nil {
		b = value.Compact(b, answer.Body)
	} else {
		b = value.AppendString(b, strings.ToValidUTF8(string(answer.Body), "\ufffd"))
	}
	b = fmt.Appendf(b, `,"StatusCode":%d,"StatusText":`, answer.Status)
	return value.Text(append(value.AppendString(b, answer.StatusText), '}'))
}

// exchangeOf is what TestState shows of a request.
func exchangeOf(call *httpcall.Call, req *httpcall.Request) *engine.Exchange {
	x := &engine.Exchange{Full: requestView(req), Public: requestView(req)}
	if public, err := call.Build(httpcall.Additions{}); err == nil {
		x.Public = requestView(public)
	}
	return x
}

func requestView(r *httpcall.Request) engine.HTTPMessage {
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.Key+": "+h.Value)
	}
	scheme, _, _ := strings.Cut(r.URL, ":")
	return engine.HTTPMessage{Protocol: strings.ToLower(scheme), Method: r.Method, URL: r.URL, Headers: "[" + strings.Join(headers, ", ") + "]", Body: r.Body}
}

func answerView(r *httpcall.Response, protocol string) *engine.HTTPMessage {
	var headers []string
	for _, h := range r.Headers {
		for _, v := range h.Values {
			headers = append(headers, h.Name+": "+v)
		}
	}
	return &engine.HTTPMessage{Protocol: protocol, StatusCode: fmt.Sprint(r.Status), StatusMessage: r.StatusText, Headers: "[" + strings.Join(headers, ", ") + "]",
		Body: strings.ToValidUTF8(string(r.Body), "\ufffd")}
}

// forbidden are the headers that a definition may not set, in lower case; a * stands for any end.
var forbidden = strings.Fields(`a-im accept-charset accept-datetime accept-encoding authorization cache-control connection content-encoding content-md5 date
	expect forwarded from host http2-settings if-match if-modified-since if-none-match if-range if-unmodified-since max-forwards origin pragma
	proxy-authorization referer server te trailer transfer-encoding upgrade via warning x-forwarded-* x-amz-* x-amzn-*`)

func isForbidden(header string) bool {
	header = strings.ToLower(header)
	return slices.ContainsFunc(forbidden, func(f string) bool {
		start, any := strings.CutSuffix(f, "*")
		return header == f || any && strings.HasPrefix(header, start)
	})
}

var httpMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, http.MethodHead}

// httpCall reads the parameters of http:invoke.
func httpCall(params *value.Doc, region string) (*httpcall.Call, string, error) {
	p := &httpParams{call: httpcall.Call{Fixed: []httpcall.Pair{{Key: "User-Agent", Value: "Amazon|StepFunctions|HttpInvoke|" + region}, {Key: "Range", Value: "bytes=0-262144"}}}}
	for name, v := range params.Value().(*value.Object).All() {
		if problem := p.take(name, v); problem != "" {
			return nil, "", unusable(params, problem)
		}
	}
	for _, required := range []struct{ name, v string }{{"ApiEndpoint", p.call.Endpoint}, {"Method", p.call.Method}, {"ConnectionArn", p.connection}} {
		if required.v == "" {
			return nil, "", unusable(params, "The field '"+required.name+"' is required but was missing")
		}
	}
	return &p.call, p.connection, nil
}

type httpParams struct {
	call       httpcall.Call
	connection string
}

// take takes one parameter over, or says what is wrong with it.
func (p *httpParams) take(name string, v value.Value) string {
	bad := "The value of the field '" + name + "' has an invalid format"
	ok := true
	switch name {
	case "ApiEndpoint":
		p.call.Endpoint, ok = v.(string)
	case "Method":
		p.call.Method, ok = v.(string)
		ok = ok && slices.Contains(httpMethods, p.call.Method)
	case "Authentication", "InvocationConfig":
		p.connection, ok = memberText(v, "ConnectionArn")
	case "Headers":
		p.call.Headers, ok = httpPairs(v)
		for _, h := range p.call.Headers {
			if isForbidden(h.Key) {
				return "The header '" + h.Key + "' is not allowed in HTTP Task"
			}
		}
	case "QueryParameters":
		p.call.Query, ok = httpPairs(v)
	case "RequestBody":
		p.call.Body = v
	case "Transform":
		return p.transform(v)
	default:
		return "The field '" + name + "' is not supported by Step Functions"
	}
	if !ok {
		return bad
	}
	return ""
}

func (p *httpParams) transform(v value.Value) string {
	o, ok := v.(*value.Object)
	if !ok {
		return "The value of the field 'Transform' has an invalid format"
	}
	for name, v := range o.All() {
		switch name {
		case "RequestBodyEncoding":
			p.call.Form = v == "URL_ENCODED"
			ok = p.call.Form || v == "NONE"
		case "RequestEncodingOptions":
			p.call.ArrayFormat, ok = memberText(v, "ArrayFormat")
			ok = ok && slices.Contains([]string{"INDICES", "REPEAT", "COMMAS", "BRACKETS"}, p.call.ArrayFormat)
		default:
			return "The field '" + name + "' is not supported by Step Functions"
		}
		if !ok {
			return "The value of the field '" + name + "' has an invalid format"
		}
	}
	return ""
}

// memberText is the text of an object's only member.
func memberText(v value.Value, name string) (string, bool) {
	o, ok := v.(*value.Object)
	if !ok || o.Len() != 1 {
		return "", false
	}
	member, _ := o.Get(name)
	text, ok := member.(string)
	return text, ok
}

// httpPairs reads headers and query parameters: an object whose values are scalars, or lists of them.
func httpPairs(v value.Value) (out []httpcall.Pair, ok bool) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil, false
	}
	for name, v := range o.All() {
		list, many := v.(value.Array)
		if !many {
			list = value.Array{v}
		}
		for _, item := range list {
			switch item.(type) {
			case *value.Object, value.Array:
				return nil, false
			}
			out = append(out, httpcall.Pair{Key: name, Value: httpcall.Text(item)})
		}
	}
	return out, true
}
