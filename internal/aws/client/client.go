// Package client calls AWS's APIs over HTTP: Newel at another address, AWS itself, or any compatible endpoint. A Client is
// an aws.Caller, so that what works on the embedded services works on a remote server too.
//
// Nothing is retried: a caller that retries knows whether it may. A server that cannot be reached, or answers something
// that is no answer of AWS's, is a plain error; an error answer is an *aws.Error.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1/header"
)

// Client calls one endpoint. Its fields are not changed after the first call.
type Client struct {
	Endpoint    string            // "http://127.0.0.1:4566"; host prefixes ("sync-") are not added to it
	Credentials sigv4.Credentials // without an access key requests are not signed
	Region      string            // of requests that name none; default "us-east-1"
	HTTP        *http.Client      // default: http.DefaultClient
	Now         func() time.Time  // default: time.Now

	// ResponseBytesMax bounds an answer; default 256 MiB.
	ResponseBytesMax int64
}

// Call sends one request. Account, Principal and Token of the request have no meaning to a remote server and are not
// sent.
func (c *Client) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	s, ok := aws.Model(r.Service)
	if !ok {
		return nil, fmt.Errorf("client: there is no service %s", r.Service)
	}
	op := s.Operations[r.Operation]
	if op == nil {
		return nil, fmt.Errorf("client: %s has no operation %s", s.ID, r.Operation)
	}
	call := &wire.Call{Protocol: protocolOf(s), Service: s, Operation: op}
	m, err := wire.EncodeRequest(call, r)
	if err != nil {
		return nil, err
	}
	req, err := c.request(ctx, s, m, r.Region)
	if err != nil {
		return nil, err
	}
	answer, err := c.send(req)
	if err != nil {
		return nil, fmt.Errorf("%s:%s at %s: %w", s.Key, op.Name, c.Endpoint, err)
	}
	return wire.DecodeAnswer(call, answer)
}

// protocolOf picks the first of a service's protocols that a client of ours speaks; CBOR is left to the servers' clients
// since every service that has it has another.
func protocolOf(s *aws.Service) wire.Protocol {
	for _, p := range s.Protocols {
		switch p := wire.Protocol(p); p {
		case wire.JSON, wire.Query, wire.RESTJSON, wire.RESTXML:
			return p
		}
	}
	return wire.Protocol(s.Protocols[0])
}

func (c *Client) request(ctx context.Context, s *aws.Service, m *wire.Message, region string) (*http.Request, error) {
	url := strings.TrimSuffix(c.Endpoint, "/") + m.Path
	if m.Query != "" {
		url += "?" + m.Query
	}
	req, err := http.NewRequestWithContext(ctx, m.Method, url, bytes.NewReader(m.Body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	req.Header = m.Header.HTTP()
	for _, r := range []string{c.Region, "us-east-1"} {
		if region == "" {
			region = r
		}
	}
	req.Host = req.URL.Host
	if c.Credentials.AccessKey != "" {
		now := time.Now
		if c.Now != nil {
			now = c.Now
		}
		sigv4.Sign(req, m.Body, c.Credentials, s.SigningName, region, now())
	}
	return req, nil
}

func (c *Client) send(req *http.Request) (*wire.Message, error) {
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	res, err := h.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	limit := c.ResponseBytesMax
	if limit == 0 {
		limit = 256 << 20
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, errors.New("the answer is too large")
	}
	return &wire.Message{Status: res.StatusCode, Header: header.Of(res.Header), Body: body}, nil
}
