// Package servicetest is what the tests of the services share: a client at the seam, which says things in the API's own
// JSON, and the environment of a service over a store in memory.
package servicetest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store/memory"
)

// Account and Region are the client's.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// Object is a JSON object.
type Object = map[string]any

// TB is what a Client needs of a test: testing.TB and rapid.TB have it.
type TB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Env is the environment of a service whose store is in memory and runs each transaction twice.
func Env(now func() time.Time) *service.Env {
	return &service.Env{Store: memory.New(memory.Options{Partitions: 8, RunTwice: true}), Now: now, Log: slog.New(slog.DiscardHandler),
		Account: Account, Region: Region, BaseURL: func() string { return "http://127.0.0.1:4566" }}
}

// Client calls one service.
type Client struct {
	T       TB
	Service string
	Caller  aws.Caller
}

// Try calls an operation and returns its answer or its error.
func (c *Client) Try(operation string, in Object) (Object, error) {
	c.T.Helper()
	return Call(c.T, c.Caller, &aws.Request{Service: c.Service, Operation: operation}, in)
}

// Do calls an operation that must succeed.
func (c *Client) Do(operation string, in Object) Object {
	c.T.Helper()
	out, err := c.Try(operation, in)
	if err != nil {
		c.T.Fatalf("%s %v: %v", operation, in, err)
	}
	return out
}

// Fails calls an operation that must be refused with a code, which may be the one of the query protocol, and with a
// message that contains a text.
func (c *Client) Fails(operation string, in Object, code, message string) {
	c.T.Helper()
	_, err := c.Try(operation, in)
	var e *aws.Error
	if !errors.As(err, &e) || e.Code != code && e.QueryCode != code || !strings.Contains(e.Message, message) {
		c.T.Errorf("%s %v: got %v, want %s %q", operation, in, err, code, message)
	}
}

// Call completes a request with the input and the client's account and region, and makes it.
func Call(t TB, caller aws.Caller, r *aws.Request, in Object) (out Object, err error) {
	t.Helper()
	if r.Input, err = json.Marshal(in); err != nil {
		t.Fatal(err)
	}
	r.Account, r.Region = Account, Region
	answer, err := caller.Call(context.Background(), r)
	if err != nil {
		return nil, err
	}
	b, err := service.Marshal(answer.Value)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, nil
}
