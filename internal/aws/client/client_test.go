package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
)

func TestCall(t *testing.T) {
	var got *http.Request
	var body string
	status, answer := 200, `{"executionArn":"e"}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	c := &Client{Endpoint: srv.URL + "/", Credentials: sigv4.Credentials{AccessKey: "AKID", Secret: "s", SessionToken: "t"}, Region: "eu-west-1", ResponseBytesMax: 1000}
	start := &aws.Request{Service: "sfn", Operation: "StartExecution", Input: []byte(`{"stateMachineArn":"a"}`)}

	out, err := c.Call(context.Background(), start)
	if err != nil || string(out.Value.(json.RawMessage)) != `{"executionArn":"e"}` {
		t.Errorf("%+v, %v", out, err)
	}
	if got.Header.Get("X-Amz-Target") != "AWSStepFunctions.StartExecution" || body != `{"stateMachineArn":"a"}` || got.Header.Get("X-Amz-Security-Token") != "t" ||
		!strings.Contains(got.Header.Get("Authorization"), "/eu-west-1/states/aws4_request") {
		t.Errorf("%v %s", got.Header, body)
	}

	status, answer = 400, `{"__type":"com.amazonaws.swf#ExecutionAlreadyExists","message":"m","reason":"R"}`
	_, err = c.Call(context.Background(), start)
	var e *aws.Error
	if !errors.As(err, &e) || e.Code != "ExecutionAlreadyExists" || e.Message != "m" || e.Status != 400 || e.Fault || len(e.Fields) != 1 {
		t.Errorf("%+v", err)
	}
	for _, c2 := range []struct {
		status int
		answer string
	}{{503, "<html>busy</html>"}, {502, ""}} {
		status, answer = c2.status, c2.answer
		if _, err = c.Call(context.Background(), start); !errors.As(err, &e) || !e.Fault || e.Status != c2.status || e.Code == "" {
			t.Errorf("%+v", err)
		}
	}
	for _, bad := range []string{"not JSON", strings.Repeat("x", 2000)} {
		status, answer = 200, bad
		if _, err = c.Call(context.Background(), start); err == nil || strings.Contains(bad, "xx") && errors.As(err, &e) {
			t.Errorf("%.20s was taken: %v", bad, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	c := &Client{Endpoint: "http://127.0.0.1:1"}
	var e *aws.Error
	for _, r := range []*aws.Request{
		{Service: "nope", Operation: "X"}, {Service: "states", Operation: "Nope"}, {Service: "states", Operation: "ListStateMachines"},
	} {
		if _, err := c.Call(context.Background(), r); err == nil || errors.As(err, &e) {
			t.Errorf("%s:%s: %v", r.Service, r.Operation, err)
		}
	}
	if _, err := c.Call(context.Background(), &aws.Request{Service: "lambda", Operation: "GetFunction"}); !errors.As(err, &e) || e.Code != "ValidationException" {
		t.Errorf("a missing label: %v", err)
	}
}
