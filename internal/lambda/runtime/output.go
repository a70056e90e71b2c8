package runtime

import (
	"bytes"
	"os"
	"sync"
	"syscall"
	"time"
)

const lineMax = 256 << 10 // CloudWatch Logs' limit on an event, bytes

// output reads a worker's stdout and stderr, which share one pipe so that their lines keep their order.
//
// The pipe is read only under mu and without blocking, so that drain finds everything that the process wrote before
// it posted its response, and attributes it to the right invocation.
type output struct {
	w    *worker
	r    *os.File
	mu   sync.Mutex
	fd   int // -1 when closed
	part []byte
	buf  []byte
	call *call // whose log tail is collected
}

func newOutput(w *worker) (o *output, pipe *os.File, err error) {
	r, pipe, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	o = &output{w: w, r: r, buf: make([]byte, 16<<10)}
	raw, err := r.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { o.fd = int(fd) })
	}
	if err != nil {
		r.Close()
		pipe.Close()
		return nil, nil, err
	}
	return o, pipe, nil
}

// read takes lines as they come, until the pipe is closed.
func (o *output) read(p *Pool) {
	defer p.wg.Done()
	raw, err := o.r.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(uintptr) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.take(p.o.Logs) // false: wait until there is more
	})
}

// take reads what is in the pipe; true at its end. The caller holds mu.
func (o *output) take(sink LogSink) (end bool) {
	for o.fd >= 0 {
		n, err := syscall.Read(o.fd, o.buf)
		if n > 0 {
			o.lines(sink, o.buf[:n])
			continue
		}
		if err == syscall.EINTR {
			continue
		}
		return err != syscall.EAGAIN
	}
	return true
}

func (o *output) lines(sink LogSink, b []byte) {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			o.part = append(o.part, b...)
			for len(o.part) >= lineMax {
				o.line(sink, o.part[:lineMax])
				o.part = append(o.part[:0], o.part[lineMax:]...)
			}
			return
		}
		if len(o.part) > 0 {
			o.part = append(o.part, b[:i]...)
			o.line(sink, o.part)
			o.part = o.part[:0]
		} else {
			o.line(sink, b[:i])
		}
		b = b[i+1:]
	}
}

func (o *output) line(sink LogSink, b []byte) {
	s := string(bytes.TrimSuffix(b, []byte("\r")))
	sink.WriteLog(o.w.spec, o.w.stream, time.Now(), s)
	if o.call != nil {
		o.call.keep(s)
	}
}

// begin starts an invocation's part of the log.
func (o *output) begin(c *call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.take(o.w.pool.o.Logs)
	o.call = c
	o.w.writeLine(c, "START RequestId: "+c.inv.RequestID+" Version: "+o.w.spec.Version)
}

// drain takes everything that the process has written so far, and ends the invocation's part of the log.
func (o *output) drain(p *Pool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.take(p.o.Logs)
	o.flush(p.o.Logs)
	o.call = nil
}

// flush writes a last line that has no line break.
func (o *output) flush(sink LogSink) {
	if len(o.part) > 0 {
		o.line(sink, o.part)
		o.part = o.part[:0]
	}
}

// close takes what is left. Close waits for read, which may wait for mu.
func (o *output) close(sink LogSink) {
	o.mu.Lock()
	if o.fd >= 0 {
		o.take(sink)
		o.flush(sink)
		o.fd = -1
	}
	o.mu.Unlock()
	o.r.Close()
}
