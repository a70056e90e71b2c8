package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/newel-run/newel/internal/aws"
	awsclient "github.com/newel-run/newel/internal/aws/client"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/aws/wire"
)

// client is a server as the commands see it: over HTTP, or in this process.
type client struct {
	caller          aws.Caller
	account, region string
	at              string // where, for messages
}

// client is the server at the endpoint.
func (a *app) client() (*client, error) {
	u, err := url.Parse(a.endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usage("endpoint %q: an http or https URL is needed", a.endpoint)
	}
	caller := &awsclient.Client{Endpoint: strings.TrimSuffix(a.endpoint, "/"), Region: a.region, Credentials: sigv4.Credentials{
		AccessKey: firstOf(a.getenv("AWS_ACCESS_KEY_ID"), "test"), Secret: firstOf(a.getenv("AWS_SECRET_ACCESS_KEY"), "test"),
		SessionToken: a.getenv("AWS_SESSION_TOKEN"),
	}}
	return &client{caller: caller, region: a.region, at: a.endpoint}, nil
}

// call makes one call; in and out are in the canonical form (API member names).
func (c *client) call(ctx context.Context, service, operation string, in, out any) error {
	input, err := wire.Canonical(in)
	if err != nil {
		return err
	}
	answer, err := c.caller.Call(ctx, &aws.Request{Service: service, Operation: operation, Account: c.account, Region: c.region, Input: input})
	if err != nil {
		return c.explain(err)
	}
	if out == nil {
		return nil
	}
	b, err := wire.Canonical(answer.Value)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

var errNoServer = errors.New("no server answers")

// explain says what to do about a server that is not there.
func (c *client) explain(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w at %s; start one with 'newel serve' or name another with --endpoint", errNoServer, c.at)
	}
	return err
}

// lost reports whether an error is that of a server that was there and is gone, perhaps to come back.
func lost(err error) bool {
	return errors.Is(err, errNoServer) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// is reports whether an error is AWS's answer with a code.
func is(err error, code string) bool {
	var e *aws.Error
	return errors.As(err, &e) && e.Code == code
}

// health asks whether a Newel server answers: not there, there, or something else that is an error.
func (a *app) health(ctx context.Context) (there bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.endpoint, "/")+"/_newel/health", nil)
	if err != nil {
		return false, usage("endpoint %q: %s", a.endpoint, err)
	}
	resp, err := http.DefaultClient.Do(req)
	var refused *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return false, nil
	case errors.As(err, &refused) && refused.Op == "dial":
		return false, fmt.Errorf("the server at %s cannot be reached: %w", a.endpoint, err)
	case err != nil:
		return false, err
	}
	defer resp.Body.Close()
	var h struct{ Status string }
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&h) != nil || h.Status == "" {
		return false, fmt.Errorf("something other than Newel answers at %s", a.endpoint)
	}
	return true, nil
}
