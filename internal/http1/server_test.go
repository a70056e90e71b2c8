package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/http1/header"
)

// start serves on a free port of loopback until the test ends.
func start(t testing.TB, cfg Config) (s *Server, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = New(cfg)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

// client is a connection whose bytes the test writes itself.
type client struct {
	testing.TB
	net.Conn
	in *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.Error(err)
	}
}

// receive reads one answer.
func (c *client) receive(method string) (*http.Response, string) {
	c.Helper()
	r, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.Fatalf("the body breaks off: %v", err)
	}
	return r, string(body)
}

// ended waits for the server to close the connection, which sends nothing more.
func (c *client) ended() {
	c.Helper()
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		c.Errorf("instead of the end %q, %v", rest, err)
	}
}

// named answers with the path and the body of a request.
func named(x *Exchange) {
	body, err := io.ReadAll(x.Body())
	if err != nil {
		x.Answer(400, nil, []byte(err.Error()))
		return
	}
	x.Answer(200, header.List{{Name: "X-Path", Value: x.Path}}, body)
}

const get = "GET /a HTTP/1.1\r\nHost: h\r\n"

// TestRefusals: what is not well-formed, or could be read in two ways, is refused with a status, and the connection ends.
func TestRefusals(t *testing.T) {
	_, addr := start(t, Config{Handler: named, HeaderBytesMax: 2000, HeaderFieldsMax: 20})
	long := strings.Repeat("x", 3000)
	for _, c := range []struct {
		name, raw string
		status    int
	}{
		{"LF alone", "GET / HTTP/1.1\nHost: h\n\n", 400},
		{"LF alone in a field", get + "A: b\n\r\n", 400},
		{"CR alone", get + "A: b\rC: d\r\n\r\n", 400},
		{"an empty line in front", "\r\n" + get + "\r\n", 400},
		{"a folded field", get + "A: b\r\n c\r\n\r\n", 400},
		{"a space before the colon", get + "Content-Length : 5\r\n\r\n", 400},
		{"NUL", get + "A: \x00\r\n\r\n", 400},
		{"two lengths", get + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
		{"a length twice", get + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
		{"a list of lengths", get + "Content-Length: 5, 5\r\n\r\n", 400},
		{"a signed length", get + "Content-Length: +5\r\n\r\n", 400},
		{"no length", get + "Content-Length:\r\n\r\n", 400},
		{"a length that is too long", get + "Content-Length: 9223372036854775808\r\n\r\n", 400},
		{"length and chunks", get + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"chunks and length", get + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
		{"chunks in 1.0", "GET / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunks twice", get + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
		{"another encoding", get + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"an encoding with something behind", get + "Transfer-Encoding: chunked;q=1\r\n\r\n", 501},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two hosts", get + "Host: h\r\n\r\n", 400},
		{"a bad host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"a later version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
		{"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"no version", "GET /\r\n\r\n", 400},
		{"no HTTP", "GET / FTP/1.1\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400},
		{"a proxy's request", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"an asterisk", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"an expectation", get + "Expect: wonders\r\n\r\n", 417},
		{"a long line", "GET /" + long + " HTTP/1.1\r\nHost: h\r\n\r\n", 431},
		{"a long header without an end", get + "A: " + long, 431},
		{"many fields", get + strings.Repeat("A: b\r\n", 20) + "\r\n", 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			con := dial(t, addr)
			con.send(c.raw)
			r, body := con.receive("GET")
			if r.StatusCode != c.status || !r.Close {
				t.Errorf("%d %s, closed %v", r.StatusCode, body, r.Close)
			}
			con.ended()
		})
	}
}

// TestBadChunks: a body whose frame is damaged is an error of the handler's read, and the connection ends.
func TestBadChunks(t *testing.T) {
	_, addr := start(t, Config{Handler: named})
	for _, body := range []string{"x\r\n", "5\r\nhelloX\r\n", "5\nhello\r\n0\r\n\r\n", "-1\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
		"1000000000000000\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n", "0\r\nbad trailer\r\n\r\n", "5;" + strings.Repeat("e", overheadMax) + "\r\nhello\r\n0\r\n\r\n"} {
		c := dial(t, addr)
		c.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
		if r, text := c.receive("POST"); r.StatusCode != 400 || !r.Close {
			t.Errorf("%q: %d %s", body, r.StatusCode, text)
		}
		c.ended()
	}
}

// TestConnectionRules: which connections go on, in both versions.
func TestConnectionRules(t *testing.T) {
	_, addr := start(t, Config{Handler: named})
	for _, c := range []struct {
		raw     string
		goes    bool
		version string
		says    string
	}{
		{"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", true, "HTTP/1.1", ""},
		{"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false, "HTTP/1.1", "close"},
		{"GET /a HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", false, "HTTP/1.1", "close"},
		{"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true, "HTTP/1.1", ""},
		{"GET /a HTTP/1.0\r\n\r\n", false, "HTTP/1.0", "close"},
		{"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, "HTTP/1.0", "keep-alive"},
		{"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", true, "HTTP/1.1", ""},
		{"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", true, "HTTP/1.1", ""},
		{"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", true, "HTTP/1.1", ""},
	} {
		con := dial(t, addr)
		con.send(c.raw)
		r, _ := con.receive("GET")
		if r.StatusCode != 200 || r.Proto != c.version || r.Header.Get("Connection") != c.says && (!r.Close || c.goes) || r.Header.Get("Date") == "" {
			t.Errorf("%q: %d %s %v", c.raw, r.StatusCode, r.Proto, r.Header)
		}
		if !c.goes {
			con.ended()
			continue
		}
		con.send(get + "\r\n")
		if r, _ := con.receive("GET"); r.StatusCode != 200 {
			t.Errorf("%q: then %d", c.raw, r.StatusCode)
		}
	}
}

// TestPipelining: requests that come together are answered one after the other, whatever their bodies are.
func TestPipelining(t *testing.T) {
	_, addr := start(t, Config{Handler: named})
	c := dial(t, addr)
	large := strings.Repeat("l", 100_000)
	go c.send("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + "HEAD /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nno" +
		fmt.Sprintf("POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(large), large) +
		"POST /4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n" + "GET http://other:1/5?q HTTP/1.1\r\nHost: h\r\n\r\n")
	for i, want := range []string{"abc", "", large, "def", ""} {
		method := "GET"
		if i == 1 {
			method = "HEAD"
		}
		r, body := c.receive(method)
		if r.Header.Get("X-Path") != fmt.Sprintf("/%d", i+1) || body != want {
			t.Errorf("answer %d: %v, %d bytes", i, r.Header, len(body))
		}
		if i == 1 && r.ContentLength != 2 {
			t.Errorf("HEAD has the length %d", r.ContentLength)
		}
	}
}

// TestExpect: a client that waits is told to go on when the body is read; if it is not, it gets the answer alone.
func TestExpect(t *testing.T) {
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		if x.Path == "/no" {
			x.Answer(403, nil, []byte("no"))
			return
		}
		named(x)
	}})
	head := "Host: h\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
	c := dial(t, addr)
	c.send("POST /yes HTTP/1.1\r\n" + head)
	if r, err := http.ReadResponse(c.in, nil); err != nil || r.StatusCode != 100 {
		t.Fatalf("%v, %v", r, err)
	}
	c.send("hello")
	if r, body := c.receive("POST"); body != "hello" || r.Close {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	c.send("POST /no HTTP/1.1\r\n" + head)
	if r, body := c.receive("POST"); r.StatusCode != 403 || body != "no" || !r.Close {
		t.Errorf("%d %s, closed %v", r.StatusCode, body, r.Close)
	}
	c.ended()
}

// TestUnreadBody: a short one is passed over; a long one ends the connection, and the answer still arrives.
func TestUnreadBody(t *testing.T) {
	_, addr := start(t, Config{Handler: func(x *Exchange) { x.Answer(200, nil, []byte(x.Path)) }})
	c := dial(t, addr)
	for range 2 {
		go c.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000))
		if r, body := c.receive("POST"); body != "/a" || r.Close {
			t.Errorf("%s, closed %v", body, r.Close)
		}
	}
	c.send("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 10000))
	if r, body := c.receive("POST"); body != "/b" || !r.Close {
		t.Errorf("%s, closed %v", body, r.Close)
	}
	c.ended()
}

// TestTimeLimits: a client that stops halfway does not keep its connection.
func TestTimeLimits(t *testing.T) {
	const short = 30 * time.Millisecond
	_, addr := start(t, Config{Handler: named, HeaderTimeout: short})
	c := dial(t, addr)
	c.ended() // it said nothing
	c = dial(t, addr)
	c.send(get + "A: b\r\n\r\n")
	c.receive("GET")
	c.send("GET /slow HT") // the idle time is long, that for a header is not
	if r, _ := c.receive("GET"); r.StatusCode != 408 {
		t.Errorf("half a header: %d", r.StatusCode)
	}
	c.ended()

	_, addr = start(t, Config{Handler: named, IdleTimeout: short})
	c = dial(t, addr)
	c.send(get + "\r\n")
	c.receive("GET")
	c.ended()

	_, addr = start(t, Config{Handler: named, StallTimeout: short})
	for _, half := range []string{"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nhal", "Transfer-Encoding: chunked\r\n\r\n5"} {
		c = dial(t, addr)
		c.send("POST /a HTTP/1.1\r\nHost: h\r\n" + half)
		if r, body := c.receive("POST"); r.StatusCode != 400 || !strings.Contains(body, "timeout") {
			t.Errorf("%q: %d %s", half, r.StatusCode, body)
		}
		c.ended()
	}
	c = dial(t, addr) // a byte now and then does not help
	c.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
	trickle := time.NewTicker(short / 10)
	defer trickle.Stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.receive("POST")
		c.ended()
	}()
	for open := true; open; {
		select {
		case <-trickle.C:
			_, _ = c.Write([]byte("x")) // until it has ended
		case <-ended:
			open = false
		}
	}
	server, addr := start(t, Config{Handler: func(x *Exchange) { x.Answer(200, nil, make([]byte, 64<<20)) }, StallTimeout: short})
	c = dial(t, addr)
	c.send(get + "\r\n")
	if _, err := c.in.Peek(1); err != nil { // and takes nothing of the answer
		t.Fatal(err)
	}
	for open := true; open; {
		server.mu.Lock()
		open = len(server.conns) > 0
		server.mu.Unlock()
	}
}

// TestBrokenBody: the end of the connection within a body is an error, not the body's end.
func TestBrokenBody(t *testing.T) {
	got := make(chan error, 1)
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		_, err := io.ReadAll(x.Body())
		got <- err
	}})
	for _, half := range []string{"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nhal", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"} {
		c := dial(t, addr)
		c.send("POST /a HTTP/1.1\r\nHost: h\r\n" + half)
		_ = c.Close()
		if err := <-got; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", half, err)
		}
	}
}

// TestClientGone: the end of a client ends the context of its request and those derived from it.
func TestClientGone(t *testing.T) {
	entered, over := make(chan struct{}), make(chan error)
	type key struct{}
	_, addr := start(t, Config{Base: context.WithValue(context.Background(), key{}, "v"), Handler: func(x *Exchange) {
		ctx, cancel := context.WithCancelCause(x.Context())
		defer cancel(nil)
		entered <- struct{}{}
		<-ctx.Done()
		if x.Context().Err() == nil || ctx.Value(key{}) != "v" {
			t.Error("the context has not ended, or lacks the values of the base")
		}
		over <- ctx.Err()
	}})
	c := dial(t, addr)
	c.send(get + "\r\n")
	<-entered
	_ = c.Close()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestContextEnds: the context ends with the request, also for who asks for it only then.
func TestContextEnds(t *testing.T) {
	contexts := make(chan context.Context, 2)
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		ctx, cancel := context.WithTimeout(x.Context(), time.Hour)
		if x.Path == "/a" {
			_ = cancel
			contexts <- ctx
		} else {
			cancel()
			contexts <- x.Context()
		}
		x.Answer(200, nil, nil)
	}})
	c := dial(t, addr)
	for _, path := range []string{"/a", "/b"} {
		c.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		c.receive("GET")
		<-(<-contexts).Done()
	}
}

// TestEarlyRequest: a request that comes while another one is under way and watched is not lost.
func TestEarlyRequest(t *testing.T) {
	let := make(chan struct{})
	begun := make(chan *conn, 1)
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		if x.Path == "/a" {
			_ = x.Context().Done()
			begun <- x.conn
			<-let
		}
		named(x)
	}})
	c := dial(t, addr)
	for range 3 {
		c.send(get + "\r\n")
		w := &(<-begun).watch
		for watched := false; !watched; { // until the connection is read for the client's end
			w.mu.Lock()
			watched = w.state == looking
			w.mu.Unlock()
		}
		c.send("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
		let <- struct{}{}
		c.receive("GET")
		if _, body := c.receive("POST"); body != "abc" {
			t.Errorf("the second request's body is %q", body)
		}
	}
}

// TestShutdown: idle connections end, the request under way is answered, and then Shutdown returns.
func TestShutdown(t *testing.T) {
	entered, let := make(chan struct{}), make(chan struct{})
	s, addr := start(t, Config{Handler: func(x *Exchange) {
		if x.Path == "/wait" {
			close(entered)
			<-let
		}
		named(x)
	}})
	fresh, waiting, busy := dial(t, addr), dial(t, addr), dial(t, addr)
	waiting.send(get + "\r\n")
	waiting.receive("GET")
	busy.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	<-entered
	short, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.Canceled) {
		t.Errorf("with a request under way: %v", err)
	}
	waiting.ended()
	fresh.ended()
	done := make(chan error)
	go func() { done <- s.Shutdown(context.Background()) }()
	close(let)
	if r, _ := busy.receive("GET"); r.StatusCode != 200 || !r.Close {
		t.Errorf("%d, closed %v", r.StatusCode, r.Close)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("it still accepts")
	}
}

// TestClose breaks off what is under way.
func TestClose(t *testing.T) {
	entered, over := make(chan struct{}), make(chan struct{})
	s, addr := start(t, Config{Handler: func(x *Exchange) {
		close(entered)
		<-x.Context().Done()
		close(over)
	}})
	c := dial(t, addr)
	c.send(get + "\r\n")
	<-entered
	s.Close()
	<-over
	c.ended()
}

// TestPanic ends the connection of the request, and no other.
func TestPanic(t *testing.T) {
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		if x.Path == "/a" {
			panic("bug")
		}
		named(x)
	}})
	c, other := dial(t, addr), dial(t, addr)
	c.send(get + "\r\n")
	c.ended()
	other.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
	other.receive("GET")
}

// TestHeaderInjection: a value of an answer cannot begin another line, a name that is none is not sent.
func TestHeaderInjection(t *testing.T) {
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		x.Answer(200, header.List{{Name: "A", Value: "b\r\nC: d"}, {Name: "E: f\r\nG", Value: "h"}, {Name: "Content-Length", Value: "1"}, {Name: "Transfer-Encoding", Value: "chunked"}}, []byte("body"))
	}})
	c := dial(t, addr)
	c.send(get + "\r\n")
	r, body := c.receive("GET")
	if r.Header.Get("A") != "b  C: d" || r.Header.Get("C") != "" || r.Header.Get("G") != "" || body != "body" {
		t.Errorf("%v %s", r.Header, body)
	}
}
