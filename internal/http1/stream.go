package http1

import (
	"io"
	"net/http"
	"strconv"

	"github.com/newel-run/newel/internal/http1/header"
)

// Writer sends the body of an answer piece by piece. Small pieces wait for each other; the head leaves with the first.
type Writer struct {
	x       *Exchange
	chunked bool
	left    int64 // of the length that was said, -1 if none was
	silent  bool  // the body is not sent: HEAD, 204
	whole   bool  // the answer is short enough to leave in one write
	pending []byte
	err     error
}

const (
	streamBytes = 16 << 10 // that wait at most, but for
	wholeBytes  = 64 << 10 // answers whose length is at most this
)

// Stream begins an answer whose body has the given length; -1: as long as it turns out. Close ends it. An answer that was
// given already cannot be begun: then all writes fail.
func (x *Exchange) Stream(status int, h header.List, length int64) *Writer {
	if x.answered {
		return &Writer{x: x, err: http.ErrBodyNotAllowed}
	}
	x.out = x.appendHead(x.out[:0], status, h, length)
	silent := x.Method == http.MethodHead || bodiless(status)
	return &Writer{x: x, left: length, silent: silent, chunked: length < 0 && x.Minor == 1 && !silent, whole: length >= 0 && length <= wholeBytes}
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.silent {
		return len(p), nil
	}
	cut := false
	if w.left >= 0 {
		if cut = int64(len(p)) > w.left; cut {
			p = p[:w.left]
		}
		w.left -= int64(len(p))
	}
	if w.whole || len(w.pending)+len(p) <= streamBytes {
		w.pending = append(w.pending, p...)
	} else if w.err = w.flush(p); w.err != nil {
		return 0, w.err
	}
	if cut {
		return len(p), http.ErrContentLength
	}
	return len(p), nil
}

// flush sends what waits and p behind it.
func (w *Writer) flush(p []byte) error {
	x := w.x
	b := x.out
	n := len(w.pending) + len(p)
	if w.chunked && n > 0 {
		b = append(strconv.AppendInt(b, int64(n), 16), "\r\n"...)
	}
	b = append(b, w.pending...)
	x.out, w.pending = b[:0], w.pending[:0]
	end := []byte(nil)
	if w.chunked && n > 0 {
		end = crlf
	}
	switch {
	case len(p) > oneWriteMax && len(b) == 0 && end == nil:
		return x.conn.write(p)
	case len(p) > oneWriteMax:
		return x.conn.writeAll(b, p, end)
	}
	if b = append(append(b, p...), end...); len(b) == 0 {
		return nil
	}
	return x.conn.write(b)
}

var crlf = []byte("\r\n")

// Flush sends what waits.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.err = w.flush(nil)
	}
	return w.err
}

// Close ends the answer. If less came than was said, the connection is closed, so that the client sees it.
func (w *Writer) Close() error {
	if w.err == nil && w.chunked {
		w.err = w.last()
	} else if w.err == nil {
		w.err = w.flush(nil)
	}
	if w.err == nil && w.left > 0 && !w.silent {
		w.err = io.ErrShortWrite
	}
	if w.err != nil {
		w.x.close = true
	}
	return w.err
}

// last sends what waits and the end of the chunks in one write.
func (w *Writer) last() error {
	b := w.x.out
	if len(w.pending) > 0 {
		b = append(strconv.AppendInt(b, int64(len(w.pending)), 16), "\r\n"...)
		b = append(append(b, w.pending...), "\r\n"...)
	}
	return w.x.conn.write(append(b, "0\r\n\r\n"...))
}
