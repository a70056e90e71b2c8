package runtime

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

type state int

const (
	starting state = iota // has not yet asked for its first invocation
	idle                  // waits in the Runtime API for an invocation
	busy                  // was given one
	released              // has answered, and not yet asked for the next one
	failed                // has reported that it cannot start
	ended                 // no longer part of the pool; its process is killed or gone
)

// worker is one process. Everything below mu is guarded by Pool.mu.
type worker struct {
	pool   *Pool
	group  *group
	spec   *Spec
	stream string // log stream
	born   time.Time
	ln     net.Listener
	gone   chan struct{} // closed when the worker ends
	wake   chan struct{} // one signal for each assigned call

	// Reports of one worker follow one another.
	memory   int // MB
	memoryAt time.Time

	// mu
	state        state
	process      *os.Process
	out          *output
	call         *call
	handed       bool // the runtime has received the call
	retired      bool // ends after its invocation
	idleSince    time.Time
	initDuration time.Duration // reported with the first invocation, then 0
	timer        *time.Timer
	deadline     time.Time
	paused       time.Duration // what was left when the timer was paused, 0 if it runs
}

// start begins a worker for a group. The caller holds mu.
func (p *Pool) start(g *group) {
	w := &worker{
		pool: p, group: g, spec: g.spec, born: time.Now(), gone: make(chan struct{}), wake: make(chan struct{}, 1),
		stream: streamName(g.spec.Version, time.Now()),
	}
	g.workers++
	g.starting++
	p.workers++
	p.starting++
	p.colds++
	p.all[w] = struct{}{}
	p.wg.Add(1)
	go w.run()
}

func streamName(version string, now time.Time) string {
	var b [16]byte
	rand.Read(b[:])
	return now.UTC().Format("2006/01/02/") + "[" + version + "]" + hex.EncodeToString(b[:])
}

// run is a worker's life, from preparing its code to the end of its process.
func (w *worker) run() {
	p := w.pool
	defer p.wg.Done()
	cmd, err := w.launch()
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.all, w)
		if w.state != ended {
			p.end(w)
			p.failOldest(w.group, func(c *call) outcome { return w.notStarted(c, err) })
			p.startWorkers()
		}
		return
	}
	err = cmd.Wait()
	w.out.close(p.o.Logs)
	w.ln.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, w)
	w.exited(err)
}

// launch prepares the code and starts the process.
func (w *worker) launch() (*exec.Cmd, error) {
	p := w.pool
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-w.gone:
			cancel()
		case <-stop:
		}
	}()
	command, err := w.spec.Prepare(ctx)
	if err != nil {
		return nil, err
	}
	if w.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	out, pipe, err := newOutput(w)
	if err != nil {
		w.ln.Close()
		return nil, err
	}
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Dir = command.Dir
	cmd.Env = append(command.Env[:len(command.Env):len(command.Env)],
		"AWS_LAMBDA_RUNTIME_API="+w.ln.Addr().String(), "AWS_LAMBDA_LOG_STREAM_NAME="+w.stream)
	cmd.Stdout, cmd.Stderr = pipe, pipe
	err = p.starter.start(cmd)
	pipe.Close()
	if err != nil {
		out.close(p.o.Logs)
		w.ln.Close()
		return nil, &startError{err}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w.process, w.out = cmd.Process, out
	p.wg.Add(2)
	go w.accept()
	go out.read(p)
	if w.state == ended {
		w.kill() // told to end before there was a process
	} else if w.state == starting {
		w.arm(p.o.InitLimit + w.spec.Timeout)
	}
	return cmd, nil
}

// startError: the program could not be executed.
type startError struct{ err error }

func (e *startError) Error() string { return e.err.Error() }

func (w *worker) kill() {
	if w.process != nil {
		killGroup(w.process.Pid)
	}
}

// assign gives an idle worker its next call. The caller holds mu.
func (w *worker) assign(c *call) {
	w.state = busy
	w.call = c
	w.handed = false
	c.started = time.Now()
	c.init, w.initDuration = w.initDuration, 0
	w.arm(w.spec.Timeout)
	w.wake <- struct{}{}
}

// arm sets the worker's time limit.
func (w *worker) arm(d time.Duration) {
	w.deadline = time.Now().Add(d)
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.expired)
	} else {
		w.timer.Reset(d)
	}
}

func (w *worker) stopTimer() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.deadline = time.Time{}
	w.paused = 0
}

// pause stops the clock while something is installed for the worker; resume starts it with what was left.
func (w *worker) pause() {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	if !w.deadline.IsZero() && w.paused == 0 {
		w.timer.Stop()
		w.paused = max(time.Until(w.deadline), 1)
	}
}

func (w *worker) resume() {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	if w.paused != 0 {
		d := w.paused
		w.paused = 0
		w.arm(d)
	}
}

// expired is the timer's function: the init or the invocation has outlived its limit.
func (w *worker) expired() {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.deadline.IsZero() || w.paused != 0 || time.Now().Before(w.deadline) {
		return // the timer was stopped or set anew while this waited for the lock
	}
	switch w.state {
	case failed, released:
		p.end(w)
	case starting:
		p.end(w)
		p.failOldest(w.group, w.timedOut)
	case busy:
		c := w.call
		w.call = nil
		p.end(w)
		c.out <- w.timedOut(c)
	}
	p.startWorkers()
}

// exited ends a worker whose process is gone. The caller holds mu.
func (w *worker) exited(err error) {
	p := w.pool
	wasStarting := w.state == starting
	c := w.call
	w.call = nil
	p.end(w)
	reason := exitReason(err)
	switch {
	case c != nil && w.handed:
		c.out <- w.crashed(c, reason)
	case c != nil: // it died idle; the call never reached it
		g := p.groupOf(w.spec)
		g.waiting = append([]*call{c}, g.waiting...)
	case wasStarting:
		p.failOldest(w.group, func(c *call) outcome { return w.crashed(c, reason) })
	}
	p.startWorkers()
}

func exitReason(err error) string {
	if err == nil {
		return "Runtime exited without providing a reason"
	}
	return fmt.Sprintf("Runtime exited with error: %v", err)
}
