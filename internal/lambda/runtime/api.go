package runtime

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The Runtime API, version 2018-06-01: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
const apiPrefix = "/2018-06-01/runtime/"

const (
	maxResponse     = 6*1024*1024 + 100 // AWS's limit on a response, bytes
	maxErrorPayload = 1 << 20
)

// accept serves the worker's connections until the listener is closed.
func (w *worker) accept() {
	defer w.pool.wg.Done()
	for {
		conn, err := w.ln.Accept()
		if err != nil {
			return
		}
		w.pool.wg.Add(1)
		go w.serve(conn)
	}
}

// serve is a small HTTP/1.1 loop: one goroutine and one write for each answer, because a warm invocation costs little
// more than its two requests.
func (w *worker) serve(conn net.Conn) {
	defer w.pool.wg.Done()
	defer conn.Close()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a connection must not outlive its worker
		select {
		case <-w.gone:
			conn.SetReadDeadline(time.Now().Add(time.Second))
		case <-stop:
		}
	}()
	br := bufio.NewReaderSize(conn, 16<<10)
	for {
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		if strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
			io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		a := w.route(req)
		if a == nil {
			return // the worker ended while it waited for an invocation
		}
		io.Copy(io.Discard, req.Body)
		if _, err = conn.Write(a.bytes(req.Close)); err != nil || req.Close {
			return
		}
	}
}

type answer struct {
	status int
	header []string // name, value, ...
	body   []byte
}

func (a *answer) bytes(closing bool) []byte {
	b := make([]byte, 0, 512+len(a.body))
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(a.status)...)
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(a.body)), 10)
	for i := 0; i < len(a.header); i += 2 {
		b = append(b, "\r\n"...)
		b = append(b, a.header[i]...)
		b = append(b, ": "...)
		b = append(b, a.header[i+1]...)
	}
	if closing {
		b = append(b, "\r\nConnection: close"...)
	}
	b = append(b, "\r\n\r\n"...)
	return append(b, a.body...)
}

func accepted() *answer { return &answer{status: 202, body: []byte(`{"status":"OK"}` + "\n")} }

func refused(status int, kind, message string) *answer {
	b, _ := json.Marshal(map[string]string{"errorMessage": message, "errorType": kind})
	return &answer{status: status, body: b}
}

// route runs one request of the runtime.
func (w *worker) route(req *http.Request) *answer {
	path := req.URL.Path
	if req.Method == http.MethodGet && path == "/newel/module" {
		return w.module(req)
	}
	path, ok := strings.CutPrefix(path, apiPrefix)
	if !ok {
		return refused(404, "InvalidRequest", "no such path: "+req.URL.Path)
	}
	switch {
	case req.Method == http.MethodGet && path == "invocation/next":
		return w.next()
	case req.Method == http.MethodPost && path == "init/error":
		return w.initError(req)
	}
	if id, ok := strings.CutPrefix(path, "invocation/"); ok && req.Method == http.MethodPost {
		if id, ok := strings.CutSuffix(id, "/response"); ok {
			return w.response(req, id)
		}
		if id, ok := strings.CutSuffix(id, "/error"); ok {
			return w.invocationError(req, id)
		}
	}
	return refused(404, "InvalidRequest", "no such path: "+req.URL.Path)
}

// next waits for an invocation and hands it to the runtime; nil when the worker ends.
func (w *worker) next() *answer {
	p := w.pool
	p.mu.Lock()
	switch {
	case w.state == busy && w.handed:
		p.mu.Unlock()
		return refused(403, "InvalidStateTransition", "the invocation at hand has not been answered")
	case w.state == starting, w.state == released:
		p.ready(w)
	}
	p.mu.Unlock()
	select {
	case <-w.wake:
	case <-w.gone:
		return nil
	}
	p.mu.Lock()
	c := w.call
	if c == nil {
		p.mu.Unlock()
		return nil
	}
	w.handed = true
	deadline := w.deadline
	p.mu.Unlock()
	w.out.begin(c)
	a := &answer{status: 200, body: c.inv.Payload, header: []string{
		"Lambda-Runtime-Aws-Request-Id", c.inv.RequestID,
		"Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn", c.inv.ARN,
		"Lambda-Runtime-Trace-Id", c.inv.TraceID,
	}}
	if c.inv.ClientContext != "" {
		a.header = append(a.header, "Lambda-Runtime-Client-Context", oneLine(c.inv.ClientContext))
	}
	return a
}

// oneLine makes JSON text fit for a header: a line break in it can only be white space between tokens.
func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

// response takes the function's answer.
func (w *worker) response(req *http.Request, id string) *answer {
	body, err := readBody(req, maxResponse)
	if errors.Is(err, errTooLarge) {
		if !w.finish(id, func(c *call) *Result { return tooLarge() }) {
			return unknownRequest()
		}
		return refused(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).")
	}
	if err != nil {
		return refused(400, "InvalidRequest", err.Error())
	}
	// A streaming response tells of an error in a trailer.
	failed := req.Trailer.Get("Lambda-Runtime-Function-Error-Type") != ""
	if !w.finish(id, func(c *call) *Result {
		r := &Result{Payload: body}
		if failed {
			r.FunctionError = unhandled
		}
		return r
	}) {
		return unknownRequest()
	}
	return accepted()
}

// invocationError takes the function's error.
func (w *worker) invocationError(req *http.Request, id string) *answer {
	body, err := readBody(req, maxErrorPayload)
	if err != nil {
		return refused(400, "InvalidRequest", err.Error())
	}
	kind := req.Header.Get("Lambda-Runtime-Function-Error-Type")
	if !w.finish(id, func(c *call) *Result { return &Result{Payload: errorPayload(body, kind), FunctionError: unhandled} }) {
		return unknownRequest()
	}
	return accepted()
}

// initError takes the error of a runtime that could not start; it is the answer of the oldest waiting invocation.
func (w *worker) initError(req *http.Request) *answer {
	body, err := readBody(req, maxErrorPayload)
	if err != nil {
		return refused(400, "InvalidRequest", err.Error())
	}
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.state != starting {
		return refused(403, "InvalidStateTransition", "the runtime has started already")
	}
	payload := errorPayload(body, req.Header.Get("Lambda-Runtime-Function-Error-Type"))
	w.state = failed
	p.starting--
	w.group.starting--
	w.stopTimer()
	w.arm(time.Second) // it should exit by itself
	p.failOldest(w.group, func(c *call) outcome {
		return outcome{result: w.report(c, &Result{Payload: payload, FunctionError: unhandled})}
	})
	return accepted()
}

// finish ends the invocation with the given id; false if the worker has no such invocation. The result is made before
// the caller is told, the log's last lines after it unless the caller wants them too.
func (w *worker) finish(id string, make func(c *call) *Result) bool {
	p := w.pool
	p.mu.Lock()
	c := w.call
	if c == nil || !w.handed || c.inv.RequestID != id {
		p.mu.Unlock()
		return false
	}
	w.call = nil
	w.state = released // the timer runs on: the runtime has to ask for the next invocation in time
	p.mu.Unlock()
	r := make(c)
	w.out.drain(p)
	if c.inv.Tail {
		c.out <- outcome{result: w.report(c, r)}
		return true
	}
	c.out <- outcome{result: r}
	w.report(c, r)
	return true
}

func unknownRequest() *answer { return refused(400, "InvalidRequestID", "Invalid request ID") }

var errTooLarge = errors.New("too large")

// readBody reads a body of at most limit bytes, and the rest of a larger one without keeping it.
func readBody(req *http.Request, limit int64) ([]byte, error) {
	if req.ContentLength > limit {
		return nil, errTooLarge
	}
	if req.ContentLength >= 0 {
		b := make([]byte, req.ContentLength)
		_, err := io.ReadFull(req.Body, b)
		return b, err
	}
	b, err := io.ReadAll(io.LimitReader(req.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errTooLarge
	}
	return b, err
}

// module answers a shim that looks for a module which AWS's runtimes carry. The worker's clock stands still meanwhile.
func (w *worker) module(req *http.Request) *answer {
	m := w.pool.o.Modules
	if m == nil {
		return &answer{status: 424, body: []byte("no module source")}
	}
	w.pause()
	defer w.resume()
	dir, err := m.Module(req.Context(), w.spec, req.URL.Query().Get("name"))
	if err != nil {
		return &answer{status: 424, body: []byte(err.Error())}
	}
	return &answer{status: 200, body: []byte(dir)}
}
