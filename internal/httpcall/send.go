package httpcall

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Timeout is how long a request may take, from its begin to the end of the answer.
const Timeout = 60 * time.Second

// BodyMax is how much of an answer is read, in bytes: one more than a state's result may have, so that a longer one is
// seen to be too long.
const BodyMax = 262144 + 1

// Response is an answer.
type Response struct {
	Status     int
	StatusText string
	Headers    []Header // by name
	Body       []byte   // at most BodyMax
}

// Header is an answer's header, its name in lower case.
type Header struct {
	Name   string
	Values []string
}

// ContentType is the media type, without its parameters, in lower case.
func (r *Response) ContentType() string {
	for _, h := range r.Headers {
		if h.Name == "content-type" {
			kind, _, _ := strings.Cut(h.Values[0], ";")
			return strings.ToLower(strings.TrimSpace(kind))
		}
	}
	return ""
}

var client = &http.Client{
	Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true, ForceAttemptHTTP2: true, MaxIdleConns: 100,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Send sends a request and reads its answer. Any status is an answer; an error means that there is none.
func Send(ctx context.Context, r *Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	var body io.Reader
	if r.Body != "" {
		body = strings.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return nil, err
	}
	for _, h := range r.Headers {
		req.Header.Add(h.Key, h.Value)
	}
	if r.Body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", contentType)
	}
	answer, err := client.Do(req)
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // its text has the URL, and that may have credentials
	}
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	out := &Response{Status: answer.StatusCode, StatusText: strings.TrimSpace(strings.TrimPrefix(answer.Status, answer.Status[:min(3, len(answer.Status))]))}
	if out.StatusText == "" {
		out.StatusText = http.StatusText(out.Status) // HTTP/2 has none
	}
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		out.Headers = append(out.Headers, Header{strings.ToLower(name), answer.Header[name]})
	}
	out.Body, err = io.ReadAll(io.LimitReader(answer.Body, BodyMax))
	return out, err
}
