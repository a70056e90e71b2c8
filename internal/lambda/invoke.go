package lambda

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/lambda/toolchain"
	"github.com/newel-run/newel/internal/service"
)

// AWS's limits on payloads, bytes.
const (
	payloadMax      = 6 << 20
	eventPayloadMax = 1 << 20
	contextMax      = 3583
)

type invokeInput struct{ FunctionName, Qualifier, InvocationType, LogType, ClientContext string }

// invoke runs a function. The payload is the request's Body and the answer's; the answer's other members are headers.
func (s *Service) invoke(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in invokeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, arn, err := s.invoked(ctx, c, in)
	if err != nil {
		return nil, err
	}
	inv, err := invocation(c, in, arn)
	if err != nil {
		return nil, err
	}
	switch in.InvocationType {
	case "DryRun":
		return answer(204, inv), nil
	case "Event":
		if err = s.events.accept(ctx, c, f, inv); err != nil {
			return nil, service.Wire(err)
		}
		return answer(202, inv), nil
	}
	r, err := s.execute(ctx, f, inv)
	if err != nil {
		return nil, err
	}
	out := answer(200, inv)
	out.Body = r.Payload
	v := members{StatusCode: 200, ExecutedVersion: f.version(), FunctionError: r.FunctionError}
	out.Header.Set("X-Amz-Executed-Version", v.ExecutedVersion)
	if r.FunctionError != "" {
		out.Header.Set("X-Amz-Function-Error", r.FunctionError)
	}
	if inv.Tail {
		v.LogResult = base64.StdEncoding.EncodeToString(r.Tail)
		out.Header.Set("X-Amz-Log-Result", v.LogResult)
	}
	out.Value = v
	return out, nil
}

// members are the answer's members beside the payload. They are in the headers too, which is where HTTP has them.
type members struct {
	StatusCode      int
	ExecutedVersion string `json:",omitempty"`
	FunctionError   string `json:",omitempty"`
	LogResult       string `json:",omitempty"`
}

func answer(status int, inv runtime.Invocation) *aws.Output {
	h := http.Header{"X-Amzn-Remapped-Content-Length": {"0"}, "X-Amzn-Trace-Id": {inv.TraceID}}
	return &aws.Output{Status: status, Header: h, Value: members{StatusCode: status}}
}

// invokeAsync is the operation of 2014 that Invoke with type Event replaced.
func (s *Service) invokeAsync(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in invokeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, arn, err := s.invoked(ctx, c, in)
	if err != nil {
		return nil, err
	}
	in.InvocationType = "Event"
	inv, err := invocation(c, in, arn)
	if err != nil {
		return nil, err
	}
	if err = s.events.accept(ctx, c, f, inv); err != nil {
		return nil, service.Wire(err)
	}
	return &aws.Output{Status: 202, Value: map[string]int{"Status": 202}}, nil
}

// invoked finds the function that is to run and the ARN by which it was invoked.
func (s *Service) invoked(ctx context.Context, c *service.Context, in invokeInput) (*record, string, error) {
	id, q, err := target(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, "", err
	}
	f, err := s.loadQualified(ctx, id, q)
	switch {
	case errors.Is(err, errNoSuchFunction):
		return nil, "", notFound(id.arn() + ":" + cmp.Or(q, latest))
	case err != nil:
		return nil, "", service.Wire(err)
	}
	arn := id.arn()
	if q != "" {
		arn += ":" + q
	}
	return f, arn, nil
}

// invocation checks what is sent to the function.
func invocation(c *service.Context, in invokeInput, arn string) (inv runtime.Invocation, err error) {
	limit := payloadMax
	switch in.InvocationType {
	case "", "RequestResponse", "DryRun":
	case "Event":
		limit = eventPayloadMax
	default:
		return inv, constraint("invocationType", in.InvocationType, "Member must satisfy enum value set: [Event, RequestResponse, DryRun]")
	}
	payload := c.Body
	if len(payload) > limit {
		if in.InvocationType == "Event" {
			return inv, fail("RequestEntityTooLargeException", 413, "%d byte payload is too large for the Event invocation type (limit %d bytes)", len(payload), limit)
		}
		return inv, fail("RequestEntityTooLargeException", 413, "Request must be smaller than %d bytes for the InvokeFunction operation", limit)
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if !json.Valid(payload) {
		var v any
		return inv, fail("InvalidRequestContentException", 400,
			"Could not parse request body into json: Could not parse payload into json: %v", json.Unmarshal(payload, &v))
	}
	inv = runtime.Invocation{RequestID: c.ID, ARN: arn, Payload: payload, Tail: c.Tail || in.LogType == "Tail", TraceID: traceID(c.Trace, c.Now)}
	if inv.RequestID == "" {
		inv.RequestID = aws.NewUUID()
	}
	if in.ClientContext != "" {
		b, err := base64.StdEncoding.DecodeString(in.ClientContext)
		if err != nil || !json.Valid(b) {
			return inv, fail("InvalidRequestContentException", 400, "Client context must be a valid Base64-encoded JSON object.")
		}
		if len(in.ClientContext) > contextMax {
			return inv, fail("InvalidRequestContentException", 400, "Client context must be no more than %d bytes when base64-encoded.", contextMax)
		}
		inv.ClientContext = string(b)
	}
	return inv, nil
}

// traceID is the trace header that a function gets: the caller's, or that of a trace which nobody follows.
func traceID(header string, now time.Time) string {
	if strings.HasPrefix(header, "Root=1-") {
		return header
	}
	var b [20]byte
	rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", now.Unix(), hex.EncodeToString(b[:12]), hex.EncodeToString(b[12:]))
}

// execute runs one invocation on the pool, within the function's reserved concurrency.
func (s *Service) execute(ctx context.Context, f *record, inv runtime.Invocation) (*runtime.Result, error) {
	if s.pool == nil {
		return nil, runtime.ErrClosed
	}
	if f.Reserved != nil {
		if !s.enter(f) {
			s.throttled(f)
			e := fail("TooManyRequestsException", 429, "Rate Exceeded.")
			e.Fields["Reason"] = "ReservedFunctionConcurrentInvocationLimitExceeded"
			return nil, e
		}
		defer s.leave(f)
	}
	done := s.measure(f)
	for {
		r, err := s.pool.Invoke(ctx, s.spec(f), inv)
		if errors.Is(err, runtime.ErrBusy) {
			s.throttled(f)
		}
		if !errors.Is(err, errCodeGone) {
			done(r, err)
			return r, serviceError(err)
		}
		if f, err = s.loadQualified(ctx, f.identity, f.Version); err != nil {
			done(nil, err)
			if errors.Is(err, errNoSuchFunction) {
				return nil, notFound(inv.ARN)
			}
			return nil, service.Wire(err)
		}
	}
}

// serviceError is the answer to a failure that is not the function's.
func serviceError(err error) error {
	var missing *toolchain.MissingError
	switch {
	case errors.As(err, &missing):
		return fail("InvalidRuntimeException", 502, "%v.", err)
	case errors.Is(err, runtime.ErrBusy):
		e := fail("TooManyRequestsException", 429, "Rate Exceeded.")
		e.Fields["Reason"], e.Header = "ConcurrentInvocationLimitExceeded", http.Header{"Retry-After": {"1"}}
		return e
	case errors.Is(err, runtime.ErrClosed):
		return fail("ServiceException", 500, "%v", err)
	}
	return service.Wire(err)
}

func (s *Service) enter(f *record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[f.arn()] >= *f.Reserved {
		return false
	}
	s.running[f.arn()]++
	return true
}

func (s *Service) leave(f *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[f.arn()]--; s.running[f.arn()] == 0 {
		delete(s.running, f.arn())
	}
}
