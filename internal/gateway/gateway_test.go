package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

// serve runs a gateway on a free port of loopback until the test ends and returns its address.
func serve(t testing.TB, cfg Config, caller aws.Caller) string {
	t.Helper()
	g, err := New(cfg, caller)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, g)
}

func run(t testing.TB, g *Gateway) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// recorder is a caller that keeps the last request and answers what it is told.
type recorder struct {
	last   *aws.Request
	output *aws.Output
	err    error
}

func (c *recorder) Call(_ context.Context, r *aws.Request) (*aws.Output, error) {
	c.last = r
	return c.output, errors.Join(readStream(r), c.err)
}

// readStream reads a streamed body as a service does, so that Body has it either way.
func readStream(r *aws.Request) (err error) {
	if r.Stream != nil {
		r.Body, err = io.ReadAll(r.Stream)
	}
	return err
}

type reply struct {
	status int
	header http.Header
	body   string
}

func send(t testing.TB, method, addr, path, body string, header map[string]string) reply {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		if k == "Host" {
			req.Host = v
		} else {
			req.Header.Set(k, v)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

func signedFor(account, region, service string) string {
	return "AWS4-HMAC-SHA256 Credential=" + account + "/20260102/" + region + "/" + service +
		"/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=00"
}

func TestJSONRequest(t *testing.T) {
	c := &recorder{output: &aws.Output{Value: json.RawMessage(`{"executionArn":"arn","startDate":1.5}`)}}
	addr := serve(t, Config{}, c)
	got := send(t, "POST", addr, "/", `{"stateMachineArn":"a","input":"{}"}`, map[string]string{
		"X-Amz-Target": "AWSStepFunctions.StartExecution", "Content-Type": "application/x-amz-json-1.0",
		"Authorization": signedFor("123456789012", "eu-west-1", "states"),
	})
	if got.status != 200 || got.body != `{"executionArn":"arn","startDate":1.5}` || got.header.Get("Content-Type") != "application/x-amz-json-1.0" {
		t.Errorf("answer %+v", got)
	}
	if len(got.header.Get("X-Amzn-Requestid")) != 36 {
		t.Errorf("request id %q", got.header.Get("X-Amzn-Requestid"))
	}
	r := c.last
	if r.Service != "states" || r.Operation != "StartExecution" || r.Account != "123456789012" || r.Region != "eu-west-1" || r.Host != addr {
		t.Errorf("request %+v", r)
	}
	if string(r.Input) != `{"stateMachineArn":"a","input":"{}"}` {
		t.Errorf("input %s", r.Input)
	}
}

// A request that cannot be served is answered in its own protocol and says what is missing.
func TestUnknown(t *testing.T) {
	addr := serve(t, Config{Services: []string{"states", "lambda"}}, aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) {
		return nil, &aws.Error{Code: "NotImplemented", Status: 501, Message: "Newel does not implement " + r.Service + ":" + r.Operation + " yet."}
	}))
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct {
		method, path, body string
		header             map[string]string
		status             int
		contains           []string
	}{
		{"POST", "/", "{}", map[string]string{"X-Amz-Target": "Nope.Do"}, 400, []string{`"__type":"UnknownOperationException"`, "Nope"}},
		{"POST", "/", "{}", map[string]string{"X-Amz-Target": "AmazonSQS.Fly"}, 400, []string{`"__type":"UnknownOperationException"`, "SQS has no operation 'Fly'"}},
		{"POST", "/", "{}", map[string]string{"X-Amz-Target": "AmazonSQS.SendMessage"}, 501, []string{`"__type":"NotImplemented"`, "sqs:SendMessage"}},
		{"POST", "/", "Action=Fly&Version=2010-05-08", map[string]string{"Content-Type": form, "Authorization": signedFor("AKID", "us-east-1", "iam")}, 400, []string{"<ErrorResponse", "<Code>InvalidAction</Code>", "operation Fly of IAM"}},
		{"POST", "/", "Action=GetRole&Version=2010-05-08", map[string]string{"Content-Type": form, "Authorization": signedFor("AKID", "us-east-1", "iam")}, 501, []string{"<Code>NotImplemented</Code>"}},
		{"GET", "/nope", "", map[string]string{"Authorization": signedFor("AKID", "us-east-1", "lambda")}, 404, []string{`"message":"Lambda has no operation for GET /nope."`}},
		{"GET", "/nope", "", nil, 404, []string{"GET /nope"}},
		{"POST", "/", "{", map[string]string{"X-Amz-Target": "AWSStepFunctions.StartExecution"}, 400, []string{`"__type":"SerializationException"`}},
		{"GET", "/_newel/nope", "", nil, 404, nil},
	} {
		got := send(t, c.method, addr, c.path, c.body, c.header)
		if got.status != c.status {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, got.status, got.body)
		}
		for _, want := range c.contains {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s %s %s: %s lacks %s", c.method, c.path, c.body, got.body, want)
			}
		}
	}
}

// What is not an AWS error stays inside.
func TestInternalFailure(t *testing.T) {
	addr := serve(t, Config{}, &recorder{err: errors.New("secret detail")})
	got := send(t, "POST", addr, "/", "{}", target())
	if got.status != 500 || strings.Contains(got.body, "secret") || !strings.Contains(got.body, "InternalFailure") || !strings.Contains(got.body, got.header.Get("X-Amzn-Requestid")) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestPanic(t *testing.T) {
	var log bytes.Buffer
	addr := serve(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) { panic("bug 17") }))
	if got := send(t, "POST", addr, "/", "{}", target()); got.status != 500 || !strings.Contains(got.body, "InternalFailure") || !strings.Contains(log.String(), "bug 17") {
		t.Errorf("%d %s, log %s", got.status, got.body, log.String())
	}
}

func TestHeaderLimit(t *testing.T) {
	addr := serve(t, Config{HeaderBytesMax: 4096}, &recorder{output: &aws.Output{}})
	if got := send(t, "POST", addr, "/", "{}", target("X-Long", strings.Repeat("a", 20000))); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d", got.status)
	}
}

func TestBodies(t *testing.T) {
	c := &recorder{output: &aws.Output{}}
	addr := serve(t, Config{BodyBytesMax: 2000}, c)
	if got := send(t, "POST", addr, "/", `{"x":"`+strings.Repeat("a", 3000)+`"}`, target()); got.status != 413 {
		t.Errorf("a large body: %d %s", got.status, got.body)
	}
	req, _ := http.NewRequest("POST", "http://"+addr, io.MultiReader(strings.NewReader(`{"x":"`), strings.NewReader(strings.Repeat("a", 3000))))
	req.Header.Set("X-Amz-Target", "AWSStepFunctions.StartExecution")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 413 || c.last != nil {
		t.Errorf("a large body of unknown length: %d", res.StatusCode)
	}
	chunked := "5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0;chunk-signature=cd\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
	put := map[string]string{"Authorization": signedFor("AKID", "us-east-1", "s3"), "Content-Encoding": "aws-chunked", "X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Trailer": "x-amz-checksum-crc32"}
	if got := send(t, "PUT", addr, "/b/k", chunked, put); got.status != 200 || string(c.last.Body) != "hello world" {
		t.Errorf("aws-chunked: %d %s, body %q", got.status, got.body, c.last.Body)
	}
	if got := send(t, "PUT", addr, "/b/k", "ff\r\nx", put); got.status != 400 {
		t.Errorf("damaged aws-chunked: %d %s", got.status, got.body)
	}
	zip := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return b.String()
	}
	if got := send(t, "POST", addr, "/", zip(describe), target("Content-Encoding", "gzip")); got.status != 200 || string(c.last.Input) != describe {
		t.Errorf("gzip: %d %s, input %s", got.status, got.body, c.last.Input)
	}
	if got := send(t, "POST", addr, "/", zip(`{"x":"`+strings.Repeat("a", 100000)+`"}`), target("Content-Encoding", "gzip")); got.status != 413 {
		t.Errorf("a gzip bomb: %d %s", got.status, got.body)
	}
}

// A large answer arrives whole, and on a connection that is used again.
func TestLargeAnswers(t *testing.T) {
	outputs := make(chan *aws.Output, 1)
	addr := serve(t, Config{}, aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) { return <-outputs, nil }))
	for _, size := range []int{0, 1, 2000, 4096, 5000, 70000, 3 << 20} {
		text := strings.Repeat("x", size)
		for range 2 {
			outputs <- &aws.Output{Value: map[string]string{"definition": text}}
			if got := send(t, "POST", addr, "/", describe, target()); got.body != `{"definition":"`+text+`"}` {
				t.Errorf("%d bytes: %d arrived", size, len(got.body))
			}
		}
	}
}

// writes counts the calls of Write on a connection.
type writes struct {
	net.Conn
	n *atomic.Int64
}

func (w writes) Write(b []byte) (int, error) { w.n.Add(1); return w.Conn.Write(b) }

type countingListener struct {
	net.Listener
	n atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return writes{c, &l.n}, err
}

// Header and body leave in one write, whatever the size.
func TestOneWrite(t *testing.T) {
	c := &recorder{output: &aws.Output{Value: map[string]string{"definition": strings.Repeat("x", 60000)}}}
	g, err := New(Config{}, c)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &countingListener{Listener: inner}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, l) }()
	for range 5 {
		if got := send(t, "POST", inner.Addr().String(), "/", describe, target()); got.status != 200 {
			t.Errorf("%d", got.status)
		}
	}
	cancel()
	http.DefaultClient.CloseIdleConnections()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := l.n.Load(); n != 5 {
		t.Errorf("5 answers took %d writes", n)
	}
}

func TestHealthAndHooks(t *testing.T) {
	var ready atomic.Bool
	g, err := New(Config{Version: "1.2", Health: func() (map[string]string, bool) { return map[string]string{"states": "running"}, ready.Load() }}, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	g.Handle("/_newel/x/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	addr := run(t, g)
	if r := send(t, "GET", addr, "/_newel/health", "", nil); r.status != 503 || !strings.Contains(r.body, `"status":"starting"`) {
		t.Errorf("before it is ready: %+v", r)
	}
	ready.Store(true)
	if r := send(t, "GET", addr, "/_newel/health", "", nil); r.status != 200 || r.body != `{"status":"ok","version":"1.2","services":{"states":"running"}}`+"\n" {
		t.Errorf("%+v", r)
	}
	for _, path := range []string{"/_newel/x/y", "/%5Fnewel/x/y"} {
		if r := send(t, "GET", addr, path, "", nil); r.body != "/_newel/x/y" {
			t.Errorf("%s: %+v", path, r)
		}
	}
}

// A stop ends a waiting request by its Draining channel, answers it, and refuses new connections.
func TestDrain(t *testing.T) {
	entered := make(chan struct{})
	g, err := New(Config{}, aws.CallerFunc(func(ctx context.Context, _ *aws.Request) (*aws.Output, error) {
		close(entered)
		select {
		case <-aws.Draining(ctx):
			return &aws.Output{Value: json.RawMessage(`{"name":"drained"}`)}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, l) }()
	answer := make(chan reply, 1)
	go func() { answer <- send(t, "POST", l.Addr().String(), "/", describe, target()) }()
	<-entered
	cancel()
	if got := <-answer; got.body != `{"name":"drained"}` {
		t.Errorf("the waiting request was answered %d %s", got.status, got.body)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}
