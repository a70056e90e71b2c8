package http1

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// watchAfter is how long a request has run before its connection is watched for the client's end. Watching costs a
// goroutine and two changes of a deadline; few requests take that long.
const watchAfter = 20 * time.Millisecond

// requestContext is the context of one request. It is cheap until somebody asks for Done.
type requestContext struct {
	base  context.Context
	conn  *conn
	inner atomic.Pointer[inner] // made by Done
	mu    sync.Mutex            // over inner's making, and err
	err   error
}

type inner struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func (r *requestContext) Deadline() (time.Time, bool) { return r.base.Deadline() }

func (r *requestContext) Done() <-chan struct{} {
	if in := r.inner.Load(); in != nil {
		return in.ctx.Done()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.inner.Load()
	if in == nil {
		in = &inner{}
		in.ctx, in.cancel = context.WithCancel(context.Background())
		if r.err != nil {
			in.cancel()
		} else {
			r.conn.watch.arm(r.conn)
		}
		r.inner.Store(in)
	}
	return in.ctx.Done()
}

func (r *requestContext) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.conn.watch.arm(r.conn)
	}
	return r.err
}

// Value gives contexts that are derived from this one the inner one to hang on to, so that they need no goroutine.
func (r *requestContext) Value(key any) any {
	if in := r.inner.Load(); in != nil {
		if v := in.ctx.Value(key); v != nil {
			return v
		}
	}
	return r.base.Value(key)
}

// end ends the context; a second time does nothing.
func (r *requestContext) end() {
	r.mu.Lock()
	ended := r.err != nil
	r.err = context.Canceled
	in := r.inner.Load()
	r.mu.Unlock()
	if !ended && in != nil {
		in.cancel()
	}
}

// watch looks for the end of a client whose request is under way. Its mutex is taken after a context's.
type watch struct {
	mu      sync.Mutex
	timer   *time.Timer // of the first request that was watched on; it starts look
	state   watchState
	open    atomic.Bool   // the handler may still read the body: nobody else may
	stopped chan struct{} // closed when look has ended
	first   [1]byte       // of the next request, if the client sends it before it has its answer
	got     bool
	gone    bool // the client is
}

type watchState int

const (
	resting watchState = iota
	armed
	looking
)

// arm has the connection looked at when the request has run for some time.
func (w *watch) arm(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != resting || w.got || w.gone {
		return
	}
	w.state = armed
	if w.timer == nil {
		w.timer = time.AfterFunc(watchAfter, c.look)
	} else {
		w.timer.Reset(watchAfter)
	}
}

// look waits for a byte or the end of the client. A call for a request that has ended meanwhile serves the next one.
func (c *conn) look() {
	w := &c.watch
	w.mu.Lock()
	if w.state != armed {
		w.mu.Unlock()
		return
	}
	if w.open.Load() {
		w.timer.Reset(10 * watchAfter)
		w.mu.Unlock()
		return
	}
	_ = c.nc.SetReadDeadline(time.Time{}) // the read tells if the connection is closed
	w.state, w.stopped = looking, make(chan struct{})
	ctx := c.current.Load()
	w.mu.Unlock()
	n, err := c.nc.Read(w.first[:])
	w.mu.Lock()
	w.got = n > 0
	if err != nil && w.state == looking {
		w.gone = true
	}
	gone := w.gone
	close(w.stopped)
	w.mu.Unlock()
	if gone && ctx != nil {
		ctx.end()
	}
}

// rest ends the watch at the end of a request. A byte that came goes to the buffer.
func (w *watch) rest(c *conn, x *Exchange) {
	w.mu.Lock()
	was := w.state
	w.state = resting
	switch was {
	case armed:
		w.timer.Stop()
	case looking:
		_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the read
	}
	w.mu.Unlock()
	if was != looking {
		return
	}
	<-w.stopped
	c.readBy = time.Time{}
	if w.got {
		w.got = false
		x.push(w.first[0])
	}
}
