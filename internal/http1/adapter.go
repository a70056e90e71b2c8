package http1

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"github.com/newel-run/newel/internal/http1/header"
)

// ServeHTTP answers the exchange by an http.Handler. Its ResponseWriter is an http.Flusher; it cannot be hijacked, and
// sends neither informational answers nor trailers.
func (x *Exchange) ServeHTTP(h http.Handler) {
	r := x.HTTPRequest()
	w := &responseWriter{x: x, header: http.Header{}}
	x.writer = w
	h.ServeHTTP(w, r)
	w.finish()
}

// HTTPRequest is the request as net/http has it, the same at each call.
func (x *Exchange) HTTPRequest() *http.Request {
	if x.http != nil {
		return x.http
	}
	u, err := url.ParseRequestURI(x.Target)
	if err != nil { // the head was parsed: it cannot happen
		u = &url.URL{Path: x.Path, RawQuery: x.Query}
	}
	r := &http.Request{Method: x.Method, URL: u, Proto: "HTTP/1." + strconv.Itoa(x.Minor), ProtoMajor: 1, ProtoMinor: x.Minor,
		Header: make(http.Header, len(x.Header)), Body: http.NoBody, ContentLength: x.ContentLength, Host: x.Host, Close: x.close,
		RemoteAddr: x.RemoteAddr(), RequestURI: x.Target}
	chunked := x.ContentLength < 0
	if chunked {
		r.TransferEncoding = []string{"chunked"}
	}
	for _, f := range x.Header {
		key := http.CanonicalHeaderKey(f.Name)
		if key == "Host" || chunked && (key == "Transfer-Encoding" || key == "Trailer") {
			continue
		}
		r.Header[key] = append(r.Header[key], f.Value)
	}
	if x.ContentLength != 0 {
		r.Body = x.Body()
	}
	x.http = r.WithContext(x.ctx)
	return x.http
}

// responseWriter is an http.ResponseWriter. A short answer waits for its end, so that its length can be told.
type responseWriter struct {
	mu      sync.Mutex
	x       *Exchange // nil when the request is over
	header  http.Header
	status  int         // 0 until it is written
	fields  header.List // as they were at that time
	length  int64       // that the fields say, -1 for none
	pending []byte
	stream  *Writer // nil until the head is out
}

var errOver = errors.New("http1: the request is over")

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *responseWriter) writeHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.length = status, -1
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		for _, value := range w.header[name] {
			w.fields = append(w.fields, header.Field{Name: name, Value: value})
		}
	}
	if n, err := strconv.ParseInt(w.fields.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

// waitBytes is how much of an answer waits for more.
const waitBytes = 4 << 10

func (w *responseWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.x == nil {
		return 0, errOver
	}
	w.writeHeader(http.StatusOK)
	if bodiless(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.stream == nil && w.length < 0 && len(w.pending)+len(p) <= waitBytes {
		w.pending = append(w.pending, p...)
		return len(p), nil
	}
	w.begin(p)
	return w.stream.Write(p)
}

// begin starts the stream; next is what is to be written.
func (w *responseWriter) begin(next []byte) {
	if w.stream != nil {
		return
	}
	w.sniff(next)
	w.stream = w.x.Stream(w.status, w.fields, w.length)
	_, _ = w.stream.Write(w.pending) // the next write fails too
	w.pending = nil
}

// sniff adds the type of a body that says none, as net/http does.
func (w *responseWriter) sniff(next []byte) {
	b := w.pending
	if len(b) < 512 {
		b = append(b[:len(b):len(b)], next...)
	}
	if len(b) > 0 && !w.fields.Has("Content-Type") && w.fields.Get("Content-Encoding") == "" && !bodiless(w.status) {
		w.fields = append(w.fields, header.Field{Name: "Content-Type", Value: http.DetectContentType(b)})
	}
}

// Flush implements http.Flusher.
func (w *responseWriter) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.x == nil {
		return
	}
	w.writeHeader(http.StatusOK)
	w.begin(nil)
	_ = w.stream.Flush() // the next write fails too
}

// finish ends the answer.
func (w *responseWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	if w.stream == nil && w.length <= 0 {
		w.sniff(nil)
		w.x.Answer(w.status, w.fields, w.pending)
		return
	}
	w.begin(nil)
	_ = w.stream.Close() // the connection is closed if something is missing
}

func (w *responseWriter) detach() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.x = nil
}
