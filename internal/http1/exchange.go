package http1

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/http1/header"
)

// Exchange is a request and its answer.
type Exchange struct {
	Request

	conn *conn
	in   []byte // what was read is in[:w], what of it was used in[:r]
	r, w int
	out  []byte
	ctx  *requestContext
	body body
	lent *Body // that the handler reads

	http   *http.Request   // of an http.Handler
	writer *responseWriter // of the same

	answered bool
}

func (x *Exchange) buffered() int { return x.w - x.r }

// fill reads more. The buffer grows as far as somebody asks for more; whoever does limits it.
func (x *Exchange) fill() error {
	if x.r > 0 {
		copy(x.in, x.in[x.r:x.w])
		x.w -= x.r
		x.r = 0
	}
	if x.w == len(x.in) {
		x.in = append(x.in, make([]byte, len(x.in))...)
	}
	n, err := x.conn.nc.Read(x.in[x.w:])
	x.w += n
	if n > 0 {
		return nil
	}
	return err
}

// push appends a byte that was read elsewhere.
func (x *Exchange) push(b byte) {
	if x.w == len(x.in) {
		x.in = append(x.in, make([]byte, inBytes)...)
	}
	x.in[x.w] = b
	x.w++
}

func (x *Exchange) begin() {
	x.answered = false
	x.ctx = &requestContext{base: x.conn.srv.cfg.Base, conn: x.conn}
	x.conn.current.Store(x.ctx)
	x.body.begin(x)
}

// end takes back what was lent to the handler. Whatever still has it gets errors.
func (x *Exchange) end() {
	x.ctx.end()
	if x.lent != nil {
		x.lent.detach()
		x.lent = nil
	}
	if x.writer != nil {
		x.writer.detach()
	}
	x.http, x.writer = nil, nil
	x.conn.watch.rest(x.conn, x)
	x.conn.current.Store(nil)
	x.ctx = nil
}

// Context ends when the client goes away or the request is over.
func (x *Exchange) Context() context.Context { return x.ctx }

// RemoteAddr is the client's address and port.
func (x *Exchange) RemoteAddr() string { return x.conn.nc.RemoteAddr().String() }

// Close has the connection closed after the answer.
func (x *Exchange) Close() { x.close = true }

// Answer sends status, fields and body in one write, once. Content-Length, Date and Connection are added; a Content-Length
// in the fields counts for HEAD alone, whose body is not sent; Connection: close is Close.
func (x *Exchange) Answer(status int, h header.List, body []byte) {
	if x.answered {
		return
	}
	length := int64(len(body))
	x.out = x.appendHead(x.out[:0], status, h, length)
	if x.Method == http.MethodHead || bodiless(status) {
		body = nil
	}
	x.sendOut(body)
}

// oneWriteMax is the size up to which a body is copied behind its head.
const oneWriteMax = 8 << 10

// pieceBytes is how much of a body is given to the system at once.
const pieceBytes = 1 << 20

func (x *Exchange) sendOut(body []byte) {
	var err error
	if len(body) <= oneWriteMax {
		x.out = append(x.out, body...)
		err = x.conn.write(x.out)
	} else {
		first := body[:min(len(body), pieceBytes)]
		err = x.conn.writeAll(x.out, first)
		for body = body[len(first):]; err == nil && len(body) > 0; body = body[len(first):] {
			first = body[:min(len(body), pieceBytes)]
			err = x.conn.write(first)
		}
	}
	if err != nil {
		x.close = true // the client is gone
	}
}

func bodiless(status int) bool {
	return status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}

// appendHead writes the head of an answer whose body has a length; -1: it is not known.
func (x *Exchange) appendHead(b []byte, status int, h header.List, length int64) []byte {
	x.answered = true
	b = appendStatus(b, x.Minor, status)
	dated, own := false, ""
	for i := range h {
		name, value := h[i].Name, h[i].Value
		switch len(name) {
		case len("Date"):
			dated = dated || header.Same(name, "Date")
		case len("Connection"):
			if header.Same(name, "Connection") {
				x.close = x.close || hasItem(value, "close")
				continue
			}
		case len("Content-Length"):
			if header.Same(name, "Content-Length") {
				own = value
				continue
			}
		case len("Transfer-Encoding"):
			if header.Same(name, "Transfer-Encoding") {
				continue
			}
		}
		b = appendField(b, name, value)
	}
	if !dated {
		b = append(b, date()...)
	}
	switch {
	case bodiless(status):
	case x.Method == http.MethodHead && own != "":
		b = appendField(b, "Content-Length", own)
	case length >= 0:
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, length, 10), "\r\n"...)
	case x.Minor == 0:
		x.close = x.close || x.Method != http.MethodHead // the end of the body is the connection's
	default:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	x.close = x.close || !x.body.canDiscard() || x.conn.srv.stopping()
	if x.close {
		b = append(b, "Connection: close\r\n"...)
	} else if x.Minor == 0 {
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendField writes a field. A name that is none is left out; a value cannot end its line.
func appendField(b []byte, name, value string) []byte {
	if !isToken(name) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	start := len(b)
	b = append(b, value...)
	for i := start; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' || b[i] == 0 {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// statusLines has the common status lines of HTTP/1.1.
var statusLines = func() (lines [600]string) {
	for status := range lines {
		if text := http.StatusText(status); text != "" {
			lines[status] = "HTTP/1.1 " + strconv.Itoa(status) + " " + text + "\r\n"
		}
	}
	return lines
}()

func appendStatus(b []byte, minor, status int) []byte {
	if minor == 1 && status >= 0 && status < len(statusLines) && statusLines[status] != "" {
		return append(b, statusLines[status]...)
	}
	b = append(b, "HTTP/1."...)
	b = append(strconv.AppendInt(b, int64(minor), 10), ' ')
	b = append(strconv.AppendInt(b, int64(status), 10), ' ')
	return append(append(b, http.StatusText(status)...), "\r\n"...)
}

// dateLine is the Date field of one second.
type dateLine struct {
	second int64
	line   string
}

var lastDate atomic.Pointer[dateLine]

func date() string {
	now := time.Now()
	if d := lastDate.Load(); d != nil && d.second == now.Unix() {
		return d.line
	}
	d := &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
	lastDate.Store(d)
	return d.line
}

// refuse answers a request that could not be read and ends the connection.
func (x *Exchange) refuse(bad *refusal) {
	text := strconv.Itoa(bad.status) + " " + http.StatusText(bad.status) + ": " + bad.reason
	x.Request = Request{Minor: 1, Header: x.Header[:0], close: true}
	x.body = body{}
	x.answered = false
	x.Answer(bad.status, header.List{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, []byte(text))
}
