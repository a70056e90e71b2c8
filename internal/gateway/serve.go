package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1"
)

// serveAPI answers one request of an AWS client.
func (g *Gateway) serveAPI(x *http1.Exchange, id string) {
	m := &wire.Message{Method: x.Method, Path: x.Path, Query: x.Query, Header: hoist(x)}
	from := senderOf(x)
	signed := from.signature()
	if call := g.router.streams(x.Host, *m, signed.service); call != nil {
		call.RequestID = id
		g.serveStream(x, m, call, &from, signed)
		return
	}
	if isUploadForm(x, signed) {
		g.serveForm(x, id)
		return
	}
	held := share{b: &g.budget, finishing: finishes(x)}
	defer held.release()
	body, err := g.readBody(x, &held)
	m.Body = body
	var who identity
	if err == nil {
		who, err = g.auth.identify(&from, body, signed)
	}
	if err == nil {
		err = decodeTransfer(m, g.cfg.BodyBytesMax)
	}
	// The protocol is worked out even for a request that is refused, so that its client understands the refusal.
	call, e := g.router.route(x.Host, m, signed.service)
	call.RequestID = id
	if err == nil && e != nil {
		err = e
	}
	if errors.Is(err, errCrowded) {
		call, err = g.crowd(x, call, signed.service)
	}
	if err != nil {
		g.writeError(x, call, err)
		return
	}
	req := &aws.Request{
		Service: call.Service.Key, Operation: call.Operation.Name, Account: who.account, Region: who.region,
		Principal: who.principal, Trace: x.Header.Get("X-Amzn-Trace-Id"), ID: id, Host: x.Host,
	}
	if err := wire.DecodeRequest(call, m, req); err != nil {
		g.writeError(x, call, err)
		return
	}
	req.Tail = req.Service == "lambda" && x.Header.Get("X-Amz-Log-Type") == "Tail"
	g.answer(x, call, req)
}

func (g *Gateway) answer(x *http1.Exchange, call *wire.Call, req *aws.Request) {
	began := time.Now()
	out, err := g.call(x.Context(), req)
	if g.cfg.Log.Enabled(x.Context(), slog.LevelDebug) {
		g.logRequest(req, out, err, time.Since(began))
	}
	if err != nil {
		g.writeError(x, call, err)
		return
	}
	if out == nil {
		out = &aws.Output{}
	}
	answer, err := wire.EncodeAnswer(call, out)
	if err != nil {
		if out.Stream != nil {
			_ = out.Stream.Close() // it was only read
		}
		g.writeError(x, call, err)
		return
	}
	held := int64(len(answer.Body))
	g.budget.used.Add(held)
	defer g.budget.used.Add(-held)
	if answer.Stream != nil {
		g.writeStream(x, answer)
		return
	}
	write(x, answer)
}

// logRequest says what was asked for and how it went.
func (g *Gateway) logRequest(req *aws.Request, out *aws.Output, err error, took time.Duration) {
	list := []any{"operation", req.Service + ":" + req.Operation, "request", req.ID, "account", req.Account, "region", req.Region, "durationMs", float64(took.Microseconds()) / 1000}
	var e *aws.Error
	switch {
	case errors.As(err, &e):
		list = append(list, "status", e.HTTPStatus(), "error", e.Code)
	case err != nil:
		list = append(list, "status", http.StatusInternalServerError, "error", err)
	case out != nil && out.Status != 0:
		list = append(list, "status", out.Status)
	default:
		list = append(list, "status", http.StatusOK)
	}
	g.cfg.Log.Debug("request", list...)
}

// call keeps a bug in a service from taking the connection, and the reason with it.
func (g *Gateway) call(ctx context.Context, req *aws.Request) (out *aws.Output, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return g.caller.Call(ctx, req)
}

// writeError writes an error answer; what is not an *aws.Error is our fault and is logged, not shown.
func (g *Gateway) writeError(x *http1.Exchange, call *wire.Call, err error) {
	var e *aws.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) && x.Context().Err() != nil {
			panic(http.ErrAbortHandler) // the client is gone
		}
		operation := ""
		if call.Operation != nil {
			operation = call.Service.Key + ":" + call.Operation.Name
		}
		g.cfg.Log.Error("request failed", "operation", operation, "request", call.RequestID, "error", err)
		e = &aws.Error{Code: "InternalFailure", Status: http.StatusInternalServerError, Fault: true,
			Message: "The request processing has failed because of an unknown error, exception or failure. (request " + call.RequestID + ")"}
	}
	if e.Status == http.StatusRequestEntityTooLarge || e.Code == "IncompleteBody" || x.Header.Has("Expect") {
		x.Close() // the rest of the body is not read, and a client that waits for 100 takes the next answer for this one's
	}
	write(x, wire.EncodeError(call, e))
}

// refuse answers a request that the guard does not let in, in the protocol that can be told without looking further.
func (g *Gateway) refuse(x *http1.Exchange, e *aws.Error, id string) {
	g.cfg.Log.Warn("refused a request", "host", x.Host, "origin", x.Header.Get("Origin"), "reason", e.Message)
	x.Close()
	write(x, wire.EncodeError(&wire.Call{Protocol: wire.JSON, RequestID: id}, e))
}

// write sends header and body at once.
func write(x *http1.Exchange, m *wire.Message) {
	if len(m.Body) > 0 && !m.Header.Has("Content-Type") {
		m.Header.Add("Content-Type", http.DetectContentType(m.Body))
	}
	x.Answer(m.Status, m.Header, m.Body)
}

func unknownOperation(format string, args ...any) *aws.Error {
	return &aws.Error{Code: "UnknownOperationException", Message: fmt.Sprintf(format, args...)}
}
