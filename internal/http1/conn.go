package http1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The states of a connection.
const (
	idle   int32 = iota // no byte of a request is there
	active              // from the first byte of a request to the end of its answer
	ended               // closed by Shutdown
)

type conn struct {
	srv     *Server
	nc      net.Conn
	raw     syscall.RawConn // nil if nc does not tell its descriptor
	poll    func(fd uintptr) bool
	polled  polled
	state   atomic.Int32
	current atomic.Pointer[requestContext] // of the request under way
	readBy  time.Time                      // the deadlines that are set
	writeBy time.Time
	watch   watch
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc}
	if s.cfg.TLS != nil {
		c.nc = tls.Server(nc, s.cfg.TLS)
		return c
	}
	c.preparePoll()
	return c
}

// serve answers the requests of a connection until it ends.
func (c *conn) serve() {
	defer c.srv.forget(c)
	defer c.nc.Close() //nolint:errcheck // there is nobody to tell
	wait := c.srv.cfg.HeaderTimeout
	var x *Exchange
	for {
		if x == nil || x.buffered() == 0 {
			var err error
			if x, err = c.await(x, wait); err != nil {
				release(x)
				return
			}
		}
		if !c.state.CompareAndSwap(idle, active) {
			return
		}
		keep := c.exchange(x)
		if !keep || c.srv.stopping() {
			if x.body.over {
				release(x)
			} else {
				c.linger()
			}
			return
		}
		wait = c.srv.cfg.IdleTimeout
		c.state.Store(idle)
		if c.srv.stopping() { // Shutdown may have seen it active
			return
		}
	}
}

// await waits for the first bytes of a request. It takes and gives the exchange that is to be used, nil for none: where
// that can be helped, an idle connection has none.
func (c *conn) await(x *Exchange, wait time.Duration) (*Exchange, error) {
	if err := c.allowRead(wait); err != nil {
		return x, err
	}
	if c.raw != nil {
		return c.awaitRaw(x)
	}
	if x == nil {
		x = acquire(c)
	}
	n, err := c.nc.Read(x.in)
	x.r, x.w = 0, n
	if n > 0 {
		err = nil // it comes again
	}
	return x, err
}

type polled struct {
	x   *Exchange
	n   int
	err error
}

// exchange serves one request; it reports whether the connection can serve another.
func (c *conn) exchange(x *Exchange) (keep bool) {
	if bad, err := c.readHead(x); err != nil {
		return false
	} else if bad != nil {
		x.refuse(bad)
		return false
	}
	x.begin()
	defer func() {
		if p := recover(); p != nil {
			keep = false
			if e, ok := p.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
				c.srv.cfg.Log.Error("a handler panicked", "method", x.Method, "path", x.Path, "panic", p, "stack", string(debug.Stack()))
			}
			x.end()
		}
	}()
	c.srv.cfg.Handler(x)
	if !x.answered {
		x.Answer(http.StatusInternalServerError, nil, nil)
	}
	keep = x.discardBody() && !x.close
	x.end()
	return keep && !c.watch.gone
}

// readHead reads a request up to its empty line and parses it.
func (c *conn) readHead(x *Exchange) (*refusal, error) {
	most := c.srv.cfg.HeaderBytesMax
	line, waited := 0, false
	for {
		end, next := headEnd(x.in[x.r:x.w], line)
		if end < 0 {
			return malformed("a line ends with LF alone"), nil
		}
		if end > most || end == 0 && x.buffered() > most {
			return &refusal{http.StatusRequestHeaderFieldsTooLarge, "the header is too large"}, nil
		}
		if end > 0 {
			b := x.in[x.r : x.r+end]
			x.r += end
			if !printable(b, bytes.Count(b, []byte{'\n'})) {
				return malformed("control character in the header"), nil
			}
			return x.parse(string(b), c.srv.cfg.HeaderFieldsMax), nil
		}
		line = next
		if !waited {
			waited = true
			if err := c.limitRead(c.srv.cfg.HeaderTimeout); err != nil {
				return nil, err
			}
		}
		if err := x.fill(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return &refusal{http.StatusRequestTimeout, "the header did not arrive in time"}, nil
			}
			return nil, err
		}
	}
}

// allowRead lets reads take until d from now, give or take an eighth.
func (c *conn) allowRead(d time.Duration) error {
	at := time.Now().Add(d)
	if off := at.Sub(c.readBy); off <= d/8 && off >= -d/8 {
		return nil
	}
	c.readBy = at
	return c.nc.SetReadDeadline(at)
}

// limitRead lets reads take until d from now at most.
func (c *conn) limitRead(d time.Duration) error {
	c.readBy = time.Now().Add(d)
	return c.nc.SetReadDeadline(c.readBy)
}

// allowWrite lets writes take as long as the client may stall, up to twice that.
func (c *conn) allowWrite() error {
	d := c.srv.cfg.StallTimeout
	if now := time.Now(); c.writeBy.Sub(now) < d {
		c.writeBy = now.Add(2 * d)
		return c.nc.SetWriteDeadline(c.writeBy)
	}
	return nil
}

// write sends bytes: at most what a slow client takes within the stall time.
func (c *conn) write(b []byte) error {
	if err := c.allowWrite(); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	return err
}

// writeAll sends parts in one write if there is a way to; the last of them may be large.
func (c *conn) writeAll(parts ...[]byte) error {
	if c.raw == nil {
		return c.write(bytes.Join(parts, nil))
	}
	if err := c.allowWrite(); err != nil {
		return err
	}
	buffers := net.Buffers(parts)
	_, err := buffers.WriteTo(c.nc)
	return err
}

const (
	lingerTime     = 500 * time.Millisecond
	lingerBytesMax = 256 << 10
)

// linger reads what the client is still sending before the connection is closed: bytes that nobody reads make the system
// reset the connection, and the client may lose the answer.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.limitRead(lingerTime) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.nc, lingerBytesMax) // it ends by the client's end, the deadline or the size
}

// exchanges keeps the buffers of connections that have no request.
var exchanges = sync.Pool{New: func() any { return &Exchange{in: make([]byte, inBytes)} }}

const (
	inBytes      = 4 << 10  // of the buffer for reading, which grows up to the limit of a header
	keptBytesMax = 16 << 10 // larger buffers are not kept
	keptFields   = 64
)

func acquire(c *conn) *Exchange {
	x := exchanges.Get().(*Exchange)
	x.conn = c
	return x
}

func release(x *Exchange) {
	if x == nil {
		return
	}
	in, out, fields := x.in, x.out, x.Header[:0]
	if cap(in) > keptBytesMax {
		in = make([]byte, inBytes)
	}
	if cap(out) > keptBytesMax {
		out = nil
	}
	if cap(fields) > keptFields {
		fields = nil
	}
	clear(fields[:cap(fields)]) // the strings are parts of whole heads
	*x = Exchange{in: in, out: out[:0]}
	x.Header = fields
	exchanges.Put(x)
}
