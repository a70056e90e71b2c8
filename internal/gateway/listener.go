package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// net/http writes the header and a body that does not fit its 4 KiB buffer in several system calls and packets. The
// connections here hold an answer back from the moment that it begins (hold) until the server is done with the request
// (its connection becomes idle or is closed), so that it leaves in one write. An answer larger than holdBytesMax is not
// held longer than that: copying more costs more than a second write.
const holdBytesMax = 1 << 20

type listener struct {
	net.Listener
	tls  *tls.Config
	most int64
	open atomic.Int64
}

// newListener accepts most connections at a time and turns further ones away.
func newListener(l net.Listener, t *tls.Config, most int) net.Listener {
	return &listener{Listener: l, tls: t, most: int64(most)}
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) > l.most {
			l.open.Add(-1)
			l.turnAway(c)
			continue
		}
		if l.tls != nil {
			c = tls.Server(c, l.tls)
		}
		return &conn{Conn: c, listener: l}, nil
	}
}

const turnedAway = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// turnAway tells the client to come again. A few bytes fit the empty buffer of a new connection: writing them does not wait.
func (l *listener) turnAway(c net.Conn) {
	if l.tls == nil {
		_, _ = c.Write([]byte(turnedAway)) // it is told by the end of the connection too
	}
	_ = c.Close()
}

type conn struct {
	net.Conn
	listener *listener
	closed   atomic.Bool
	mu       sync.Mutex
	holding  bool
	held     []byte
}

func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.holding {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	if len(c.held) > holdBytesMax {
		if err := c.flushLocked(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (c *conn) flushLocked() error {
	c.holding = false
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held)
	if cap(c.held) > 64<<10 {
		c.held = nil
	}
	c.held = c.held[:0]
	return err
}

func (c *conn) hold() {
	c.mu.Lock()
	c.holding = true
	c.mu.Unlock()
}

func (c *conn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked()
}

func (c *conn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.listener.open.Add(-1)
	}
	_ = c.flush() // the connection is being given up: Close tells
	return c.Conn.Close()
}

// CloseWrite is what net/http calls before it closes a connection whose client may still be sending.
func (c *conn) CloseWrite() error {
	if err := c.flush(); err != nil {
		return err
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// flushIdle is the server's ConnState hook.
func flushIdle(c net.Conn, s http.ConnState) {
	if own, ok := c.(*conn); ok && s == http.StateIdle {
		_ = own.flush() // the next read finds the connection broken
	}
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// hold keeps the answer of a request together.
func hold(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		c.hold()
	}
}
