package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// body is the state of a request's body.
type body struct {
	left     int64 // of the body, or of the chunk if it is chunked
	chunked  bool
	begun    bool // of a chunked one: its first chunk's size was read
	over     bool // all was read
	waiting  bool // the client waits for 100 Continue
	overhead int  // bytes of extensions and trailers so far
	err      error

	waited time.Duration // for the client, in all
	got    int64         // bytes that came meanwhile
}

// bodyRateMin is how many bytes of a body a second of waiting for it must bring, on average and once the stall time is used up:
// who sends a byte now and then is ended too.
const bodyRateMin = 1 << 10

// fetch waits for more of the body.
func (x *Exchange) fetch(read func() (int, error)) (int, error) {
	b, stall := &x.body, x.conn.srv.cfg.StallTimeout
	left := stall + time.Duration(b.got/bodyRateMin)*time.Second - b.waited
	if left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	if err := x.conn.allowRead(min(stall, left)); err != nil {
		return 0, err
	}
	began := time.Now()
	n, err := read()
	b.waited += time.Since(began)
	b.got += int64(n)
	return n, err
}

func (b *body) begin(x *Exchange) {
	*b = body{left: max(x.ContentLength, 0), chunked: x.ContentLength < 0, over: x.ContentLength == 0, waiting: x.expects}
	x.conn.watch.open.Store(!b.over)
}

// discardBytesMax is how much of a body that the handler did not want is read so that the connection can go on.
const discardBytesMax = 256 << 10

// canDiscard reports whether the rest of the body may be read and thrown away, as far as that is known.
func (b *body) canDiscard() bool {
	return b.over || b.err == nil && !b.waiting && (b.chunked || b.left <= discardBytesMax)
}

// discardBody reads the rest of the body; it is false if the connection cannot go on after it.
func (x *Exchange) discardBody() bool {
	b := &x.body
	if b.over {
		return true
	}
	if x.close || !b.canDiscard() {
		return false
	}
	scratch := make([]byte, 4<<10)
	for total := 0; total <= discardBytesMax; {
		n, err := x.readBody(scratch)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		total += n
	}
	return false
}

// Buffered is the whole body if it came together with the head; ok is false if it did not, and then nothing is used of
// it. The bytes are the connection's: they are good until the next call of the exchange.
func (x *Exchange) Buffered() (b []byte, ok bool) {
	n := x.body.left
	if x.body.chunked || x.body.err != nil || int64(x.buffered()) < n {
		return nil, false
	}
	b = x.in[x.r : x.r+int(n)]
	x.r += int(n)
	x.bodyRead()
	return b, true
}

func (x *Exchange) bodyRead() {
	x.body.left, x.body.over = 0, true
	x.conn.watch.open.Store(false)
}

// errBody is the error of a body whose chunks are not well-formed.
var errBody = errors.New("http1: malformed chunked body")

// readBody reads some of the body; io.EOF at its end, io.ErrUnexpectedEOF if the connection ends before.
func (x *Exchange) readBody(p []byte) (int, error) {
	b := &x.body
	if b.err != nil {
		return 0, b.err
	}
	if b.over {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := x.readSome(p)
	if err != nil && !errors.Is(err, io.EOF) || err != nil && !b.over {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		b.err = err
		x.close = true
	}
	return n, err
}

func (x *Exchange) readSome(p []byte) (int, error) {
	b := &x.body
	if b.waiting {
		b.waiting = false
		if !x.answered {
			if err := x.conn.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
				return 0, err
			}
		}
	}
	if b.chunked && b.left == 0 {
		if err := x.nextChunk(); err != nil {
			return 0, err
		}
	}
	p = p[:min(int64(len(p)), b.left)]
	n := copy(p, x.in[x.r:x.w])
	x.r += n
	if n == 0 {
		var err error
		if n, err = x.fetch(func() (int, error) { return x.conn.nc.Read(p) }); n == 0 && err != nil {
			return 0, err
		}
	}
	if b.left -= int64(n); b.left == 0 && !b.chunked {
		x.bodyRead()
	}
	return n, nil
}

// overheadMax is how many bytes of extensions of chunks and of trailers a body may have.
const overheadMax = 4 << 10

// nextChunk ends a chunk and reads the size of the next one; io.EOF after the last.
func (x *Exchange) nextChunk() error {
	b := &x.body
	if b.begun {
		if line, err := x.line(); err != nil || len(line) > 0 {
			return notEOF(err, errBody)
		}
	}
	b.begun = true
	line, err := x.line()
	if err != nil {
		return notEOF(err, nil)
	}
	digits := 0
	for digits < len(line) && isHex(line[digits]) {
		digits++
	}
	if digits == 0 || digits > 15 || digits < len(line) && line[digits] != ';' {
		return errBody
	}
	if b.overhead += len(line) - digits; b.overhead > overheadMax {
		return errBody
	}
	size, err := strconv.ParseInt(string(line[:digits]), 16, 64)
	if err != nil {
		return errBody
	}
	if b.left = size; size > 0 {
		return nil
	}
	return x.trailers()
}

// trailers reads the fields after the last chunk and forgets them.
func (x *Exchange) trailers() error {
	for {
		line, err := x.line()
		if err != nil {
			return notEOF(err, nil)
		}
		if len(line) == 0 {
			x.bodyRead()
			return io.EOF
		}
		n := 0
		for n < len(line) && token[line[n]] {
			n++
		}
		if x.body.overhead += len(line); n == 0 || n == len(line) || line[n] != ':' || x.body.overhead > overheadMax {
			return errBody
		}
	}
}

// line reads a line of a chunked body without its CRLF.
func (x *Exchange) line() ([]byte, error) {
	from := 0
	for {
		for i := from; i < x.buffered(); i++ {
			if x.in[x.r+i] != '\n' {
				continue
			}
			line := x.in[x.r : x.r+i]
			if i == 0 || line[i-1] != '\r' || !printableBytes(line) || bytes.IndexByte(line, '\r') < i-1 {
				return nil, errBody
			}
			x.r += i + 1
			return line[:i-1], nil
		}
		if from = x.buffered(); from > overheadMax {
			return nil, errBody
		}
		if _, err := x.fetch(func() (int, error) { err := x.fill(); return x.buffered() - from, err }); err != nil {
			return nil, err
		}
	}
}

// notEOF makes the end of a connection in a chunk's frame what it is; other is the error if there is none.
func notEOF(err, other error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err == nil {
		return other
	}
	return err
}

// Body is a request's body as a reader. It may outlive the request: then it has nothing more.
type Body struct {
	mu sync.Mutex
	x  *Exchange // nil when the request is over
}

// Body returns the reader of the body, the same at each call. The first read tells a client that waits for it to go on.
func (x *Exchange) Body() *Body {
	if x.lent == nil {
		x.lent = &Body{x: x}
	}
	return x.lent
}

func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.x == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.x.readBody(p)
}

// Close implements io.Closer. What was not read is seen to at the end of the request.
func (b *Body) Close() error { return nil }

func (b *Body) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.x = nil
}
