//go:build unix

package http1

import (
	"io"
	"net"
	"syscall"
)

// preparePoll lets a connection wait without a buffer: one is taken from the pool for each attempt to read and given back
// when there is nothing yet.
func (c *conn) preparePoll() {
	tcp, ok := c.nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	c.raw = raw
	c.poll = func(fd uintptr) bool {
		p := &c.polled
		if p.x == nil {
			p.x = acquire(c)
		}
		for {
			p.n, p.err = syscall.Read(int(fd), p.x.in)
			if p.err == nil {
				return true
			}
			if p.err == syscall.EAGAIN {
				release(p.x)
				p.x = nil
				return false
			}
			if p.err != syscall.EINTR {
				return true
			}
		}
	}
}

func (c *conn) awaitRaw(x *Exchange) (*Exchange, error) {
	c.polled = polled{x: x}
	err := c.raw.Read(c.poll)
	p := c.polled
	c.polled = polled{}
	switch {
	case err != nil:
		return p.x, err
	case p.err != nil:
		return p.x, p.err
	case p.n <= 0:
		return p.x, io.EOF
	}
	p.x.r, p.x.w = 0, p.n
	return p.x, nil
}
