// Package http1 serves HTTP/1.1 with little work for a small request: one goroutine and no buffer for a connection that
// is idle, one read, one copy of the head whose parts the request's strings are, one write for the answer.
//
// What it accepts is a subset of what net/http accepts, and what it accepts it reads as net/http does; a test and a fuzz
// target hold it to that. Left out is what lets two readers of the same bytes disagree about where a request ends, and
// what no client of an API sends: line ends of LF alone, folded fields, a Content-Length that is repeated or stands beside
// a Transfer-Encoding, chunks in HTTP/1.0, CONNECT. An Upgrade is not taken up: the request is answered as it is.
//
// A Handler is called with an Exchange on the connection's goroutine and answers before it returns. An http.Handler is
// served through Exchange.ServeHTTP. The exchange belongs to the connection: nothing of it may be used after the return
// but its strings, which are immutable.
//
// Time limits cost no system call a request: a deadline that lies within an eighth of what it should be is left where it
// is. A client that goes away ends the context of its request, but the connection is watched for that only when the
// handler has asked for Done or Err of the context and the request has run for watchAfter.
//
// Shutdown stops accepting, closes idle connections and waits for the requests under way. A connection is either idle or
// active, and whoever changes that does it by compare-and-swap: an idle connection that Shutdown has taken serves no
// further request, one that has begun a request is not closed under it.
package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Config is what a server is made of.
type Config struct {
	Handler func(*Exchange)

	HeaderBytesMax  int           // of request line and fields; more is answered 431; default 64 KiB
	HeaderFieldsMax int           // fields of a request; more is answered 431; default 256
	HeaderTimeout   time.Duration // for a request's head to arrive, and for the first request of a connection; default 10 s
	IdleTimeout     time.Duration // between the requests of a connection; default 5 min
	StallTimeout    time.Duration // for further bytes of a body to arrive, and for the client to take any of an answer; default 2 min
	Connections     int           // at a time; further ones are answered 503 and closed; default 16,384

	Base context.Context // whose values the contexts of requests have; default context.Background
	TLS  *tls.Config     // nil for none
	Log  *slog.Logger    // bugs of handlers; default: none
}

func (c Config) withDefaults() Config {
	set(&c.HeaderBytesMax, 64<<10)
	set(&c.HeaderFieldsMax, 256)
	set(&c.HeaderTimeout, 10*time.Second)
	set(&c.IdleTimeout, 5*time.Minute)
	set(&c.StallTimeout, 2*time.Minute)
	set(&c.Connections, 16384)
	if c.Base == nil {
		c.Base = context.Background()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func set[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Server serves the connections of listeners.
type Server struct {
	cfg Config

	mu        sync.Mutex
	conns     map[*conn]struct{}
	listeners []net.Listener
	closing   bool
	closed    chan struct{} // when closing
	emptied   chan struct{} // when closing and no connection is left
}

// New makes a server.
func New(cfg Config) *Server {
	return &Server{cfg: cfg.withDefaults(), conns: map[*conn]struct{}{}, closed: make(chan struct{}), emptied: make(chan struct{})}
}

// Serve answers the connections of l until Shutdown or Close, then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return l.Close()
	}
	pause := 5 * time.Millisecond
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 5 * time.Millisecond
			s.open(nc)
			continue
		}
		if s.stopping() {
			return nil
		}
		// Out of descriptors, for example: connections that end make room.
		var e interface{ Temporary() bool }
		if !errors.As(err, &e) || !e.Temporary() {
			return err
		}
		s.cfg.Log.Warn("a connection could not be accepted", "error", err)
		select {
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		case <-s.closed:
		}
	}
}

func (s *Server) stopping() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// open starts a connection, or turns it away if there are too many.
func (s *Server) open(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	crowded := len(s.conns) >= s.cfg.Connections
	ok := !s.closing && !crowded
	if ok {
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if ok {
		go c.serve()
		return
	}
	if crowded && s.cfg.TLS == nil {
		_, _ = io.WriteString(nc, turnedAway) // a few bytes fit the empty buffer of a new connection: this does not wait
	}
	_ = nc.Close() // the client is told by the end of the connection too
}

const turnedAway = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.closing && len(s.conns) == 0 {
		s.empty()
	}
}

func (s *Server) empty() {
	select {
	case <-s.emptied:
	default:
		close(s.emptied)
	}
}

// stop stops accepting and ends the idle connections.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.closing = true
		close(s.closed)
		for _, l := range s.listeners {
			_ = l.Close() // nothing is accepted any more
		}
	}
	for c := range s.conns {
		if c.state.CompareAndSwap(idle, ended) {
			_ = c.nc.Close() // its goroutine sees it
		}
	}
	if len(s.conns) == 0 {
		s.empty()
	}
}

// Shutdown stops accepting, ends the idle connections and waits for the requests under way; the error is that of ctx, if
// it ends before them.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	select {
	case <-s.emptied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops accepting, breaks off all connections and ends the contexts of their requests. It does not wait for
// handlers.
func (s *Server) Close() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.nc.Close() // it is being broken off
		if ctx := c.current.Load(); ctx != nil {
			ctx.end()
		}
	}
}
