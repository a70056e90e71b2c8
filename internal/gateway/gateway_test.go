package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
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
	return c.output, c.err
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
