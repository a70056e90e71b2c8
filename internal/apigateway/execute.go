package apigateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// executeInput has the parameters of the task integration apigateway:invoke.
type executeInput struct {
	APIEndpoint, Method, Stage, Path, AuthType string
	Headers, QueryParameters                   map[string][]any
}

// executeAPI invokes an API for a task: one that lives here without a detour, any other over HTTPS. It is not an operation
// of AWS's API. An answer of 400 and more is an error whose code is the status and whose message is the body.
func (s *Service) executeAPI(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in executeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	r, err := in.request(ctx, c.Input)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	id, _, _ := strings.Cut(r.URL.Host, ".")
	var res *answer
	if _, here := s.locate(id); here {
		w := &recorder{header: http.Header{}, status: http.StatusOK}
		s.ServeHTTP(w, r)
		res = &answer{status: w.status, header: w.header, body: w.body.Bytes()}
		for name, v := range map[string]string{"Connection": "keep-alive", "Content-Length": fmt.Sprint(w.body.Len()), "Date": c.Now.UTC().Format(http.TimeFormat)} {
			res.header.Set(name, v)
		}
	} else if res, err = send(r); err != nil {
		return nil, err
	}
	if res.status >= 400 {
		return nil, &aws.Error{Code: fmt.Sprint(res.status), Status: res.status, Message: string(res.body)}
	}
	return &aws.Output{Value: value.Of(res.result())}, nil
}

func (in *executeInput) request(ctx context.Context, raw []byte) (*http.Request, error) {
	if strings.Contains(in.APIEndpoint, "/") || in.APIEndpoint == "" {
		return nil, fmt.Errorf("the ApiEndpoint must be a host name: %q", in.APIEndpoint)
	}
	query := url.Values{}
	for name, values := range in.QueryParameters {
		for _, v := range values {
			query.Add(name, fmt.Sprint(v))
		}
	}
	path := "/"
	for _, part := range []string{in.Stage, in.Path} {
		if part = strings.Trim(part, "/"); part != "" {
			path = strings.TrimSuffix(path, "/") + "/" + part
		}
	}
	u := url.URL{Scheme: "https", Host: in.APIEndpoint, Path: path, RawQuery: query.Encode()}
	var body []byte
	if text, ok := value.Field(raw, "RequestBody"); ok && string(text) != "null" {
		body = text
	}
	r, err := http.NewRequestWithContext(ctx, in.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Amazon|StepFunctions")
	for name, values := range in.Headers {
		r.Header.Del(name)
		for _, v := range values {
			r.Header.Add(name, fmt.Sprint(v))
		}
	}
	return r, nil
}

func send(r *http.Request) (*answer, error) {
	res, err := client.Do(r)
	if err != nil {
		return nil, &aws.Error{Code: "SdkClientException", Status: 500, Fault: true, Message: err.Error()}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyMax))
	if err != nil {
		return nil, errors.Join(errors.New("apigateway: answer"), err)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body}, nil
}

// spelling is how API Gateway writes its own headers.
var spelling = map[string]string{"X-Amz-Apigw-Id": "x-amz-apigw-id", "X-Amzn-Requestid": "x-amzn-RequestId", "X-Amzn-Errortype": "x-amzn-ErrorType"}

// result is the task's result: the body as JSON if it says that it is.
func (a *answer) result() value.Value {
	headers := &value.Object{}
	for _, name := range sorted(a.header) {
		list := value.Array{}
		for _, v := range a.header[name] {
			list = append(list, v)
		}
		if written := spelling[name]; written != "" {
			name = written
		}
		headers.Set(name, list)
	}
	out := value.NewObject(value.Member{Name: "Headers", Value: headers})
	if len(a.body) > 0 {
		var body value.Value = string(a.body)
		if strings.Contains(a.header.Get("Content-Type"), "json") {
			if v, err := value.Parse(a.body); err == nil {
				body = v
			}
		}
		out.Set("ResponseBody", body)
	}
	out.Set("StatusCode", value.Int(int64(a.status)))
	out.Set("StatusText", http.StatusText(a.status))
	return out
}

// recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	body   bytes.Buffer
	status int
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
