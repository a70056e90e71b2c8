package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// client posts requests over kept connections and does no more than that: beside the server, on the same processors, a full
// HTTP client would be a large part of what is measured. The bare server of the limits is driven by it too.
type client struct {
	addr string

	mu   sync.Mutex
	idle []*link
}

// link is a connection.
type link struct {
	conn net.Conn
	in   *bufio.Reader
	out  bytes.Buffer
}

// post sends a body with further header lines, each ended by CR LF, and returns the answer's status and body.
func (c *client) post(ctx context.Context, header string, body []byte) (status int, answer []byte, err error) {
	l, err := c.take(ctx)
	if err != nil {
		return 0, nil, err
	}
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { _ = l.conn.SetDeadline(time.Unix(1, 0)) }) // ends what is under way
	}
	status, answer, err = l.exchange(c.addr, header, body)
	if !stop() || err != nil {
		_ = l.conn.Close()
		return status, answer, errors.Join(err, ctx.Err())
	}
	c.mu.Lock()
	c.idle = append(c.idle, l)
	c.mu.Unlock()
	return status, answer, nil
}

func (c *client) take(ctx context.Context) (*link, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		l := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return l, nil
	}
	c.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn, in: bufio.NewReader(conn)}, nil
}

// close closes the connections that are not in use.
func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.idle {
		_ = l.conn.Close()
	}
	c.idle = nil
}

func (l *link) exchange(host, header string, body []byte) (status int, answer []byte, err error) {
	l.out.Reset()
	fmt.Fprintf(&l.out, "POST / HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n", host, header, len(body))
	l.out.Write(body)
	if _, err := l.conn.Write(l.out.Bytes()); err != nil {
		return 0, nil, err
	}
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("answer begins with %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, err
	}
	length := -1
	for {
		if line, err = l.in.ReadSlice('\n'); err != nil {
			return status, nil, err
		}
		name, value, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if !ok {
			break
		}
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return status, nil, err
			}
		}
	}
	if length < 0 {
		return status, nil, errors.New("answer without a length")
	}
	answer = make([]byte, length)
	_, err = io.ReadFull(l.in, answer)
	return status, answer, err
}
