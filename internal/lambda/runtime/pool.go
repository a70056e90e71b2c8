package runtime

import (
	"context"
	"errors"
	"log/slog"
	goruntime "runtime"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/tally"
)

// Options are the pool's settings; zero values take the defaults.
type Options struct {
	MaxWorkers  int           // processes at a time; default 4 for each core, and what a quarter of the memory holds
	MaxWaiting  int           // invocations in line above which further ones are refused; default 10,000
	IdleTimeout time.Duration // an idle worker is stopped after this; default 10 minutes
	InitLimit   time.Duration // what a worker may take to start, on top of its function's timeout; default 10 s
	Logs        LogSink
	Modules     Modules
	Log         *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxWorkers <= 0 {
		o.MaxWorkers = defaultWorkers(goruntime.NumCPU(), machineMemoryMB())
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = 10_000
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 10 * time.Minute
	}
	if o.InitLimit <= 0 {
		o.InitLimit = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Logs == nil {
		o.Logs = discard{}
	}
	return o
}

// workerMB is what a worker is taken to need: an idle Python with boto3, or Node.js with one client of the SDK.
const workerMB = 50

// defaultWorkers is 4 for each core, but no more than a quarter of the memory holds (0 MB: not known), and never under 2.
func defaultWorkers(cores, memoryMB int) int {
	n := 4 * cores
	if memoryMB > 0 {
		n = min(n, memoryMB/4/workerMB)
	}
	return max(n, 2)
}

type discard struct{}

func (discard) WriteLog(*Spec, string, time.Time, string) {}

// Errors of the pool.
var (
	// ErrClosed: the pool has been closed.
	ErrClosed = errors.New("lambda: the server is stopping")
	// ErrBusy: too many invocations wait for a worker.
	ErrBusy = errors.New("lambda: too many invocations wait for a worker")
)

// Pool runs invocations on worker processes.
type Pool struct {
	o       Options
	starter *starter
	queued  func() // a test's signal: an invocation has begun to wait for a worker

	mu       sync.Mutex
	groups   map[string]*group
	workers  int // processes that count: not yet told to end
	starting int // of them, those that have not asked for their first invocation
	seq      uint64
	colds    uint64 // workers that were started
	took     tally.Histogram
	closed   bool
	all      map[*worker]struct{} // every worker whose process may still exist
	done     chan struct{}        // closed by Close
	wg       sync.WaitGroup
}

// group is one revision of a function: its workers and the invocations that wait for one.
type group struct {
	spec     *Spec
	waiting  []*call   // oldest first
	idle     []*worker // most recently used last
	workers  int
	starting int
}

type call struct {
	inv     Invocation
	seq     uint64
	started time.Time     // when a worker took it
	init    time.Duration // of the worker, if this is its first invocation
	tail    []byte        // guarded by output.mu until the invocation is drained
	out     chan outcome
}

type outcome struct {
	result *Result
	err    error
}

// NewPool makes a pool. Close it to end its processes.
func NewPool(o Options) *Pool {
	p := &Pool{
		o: o.withDefaults(), starter: newStarter(), groups: map[string]*group{},
		all: map[*worker]struct{}{}, done: make(chan struct{}),
	}
	p.wg.Add(1)
	go p.evict()
	return p
}

// Invoke runs one invocation and returns its result. An error means that the function could not be run at all (its
// command could not be prepared, ctx ended while it waited, the pool was closed). When ctx ends while the function runs,
// Invoke returns and the function runs on to its own end, as on AWS.
func (p *Pool) Invoke(ctx context.Context, spec *Spec, inv Invocation) (*Result, error) {
	c := &call{inv: inv, out: make(chan outcome, 1)}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.seq++
	c.seq = p.seq
	g := p.groupOf(spec)
	if n := len(g.idle); n > 0 {
		w := g.idle[n-1]
		g.idle = g.idle[:n-1]
		w.assign(c)
	} else {
		if p.waiting() >= p.o.MaxWaiting {
			p.forget(g)
			p.mu.Unlock()
			return nil, ErrBusy
		}
		g.waiting = append(g.waiting, c)
		p.startWorkers()
	}
	waits := len(g.waiting) > 0 && g.waiting[len(g.waiting)-1] == c
	p.mu.Unlock()
	if waits && p.queued != nil {
		p.queued()
	}
	select {
	case o := <-c.out:
		return o.result, o.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	if i := slices.Index(g.waiting, c); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	p.forget(g)
	p.mu.Unlock()
	return nil, ctx.Err()
}

func (p *Pool) groupOf(spec *Spec) *group {
	g := p.groups[spec.Key]
	if g == nil {
		g = &group{spec: spec}
		p.groups[spec.Key] = g
	}
	return g
}

// Retire ends the workers of a function: idle ones now, busy ones after their invocation.
func (p *Pool) Retire(function string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.all {
		if w.spec.Function != function {
			continue
		}
		w.retired = true
		if w.state == idle {
			p.end(w)
		}
	}
	p.startWorkers()
}

// Close ends every worker, fails what waits, and returns when the processes are gone.
func (p *Pool) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.done)
		for _, g := range p.groups {
			for _, c := range g.waiting {
				c.out <- outcome{err: ErrClosed}
			}
			g.waiting = nil
		}
		for w := range p.all {
			if w.call != nil {
				w.call.out <- outcome{err: ErrClosed}
				w.call = nil
			}
			p.end(w)
		}
	}
	p.mu.Unlock()
	p.wg.Wait()
	p.starter.close()
}

// startWorkers starts as many workers as waiting invocations call for, oldest first: within the cap, in place of idle
// workers of other functions when the cap is reached, and no more at a time than there are cores.
func (p *Pool) startWorkers() {
	for !p.closed && p.starting < max(2, goruntime.NumCPU()) {
		g := p.neediest()
		if g == nil {
			return
		}
		if p.workers >= p.o.MaxWorkers {
			victim := p.longestIdle()
			if victim == nil {
				return
			}
			p.end(victim)
		}
		p.start(g)
	}
}

// neediest is the group with the oldest invocation among those with fewer workers starting than invocations waiting.
func (p *Pool) neediest() *group {
	var best *group
	for _, g := range p.groups {
		if g.starting < len(g.waiting) && (best == nil || g.waiting[0].seq < best.waiting[0].seq) {
			best = g
		}
	}
	return best
}

// starved is the group with the oldest invocation among those that have none but waiting ones.
func (p *Pool) starved() *group {
	var best *group
	for _, g := range p.groups {
		if g.workers == 0 && len(g.waiting) > 0 && (best == nil || g.waiting[0].seq < best.waiting[0].seq) {
			best = g
		}
	}
	return best
}

func (p *Pool) longestIdle() *worker {
	var best *worker
	for _, g := range p.groups {
		if len(g.idle) > 0 && (best == nil || g.idle[0].idleSince.Before(best.idleSince)) {
			best = g.idle[0]
		}
	}
	return best
}

// ready is called when a worker asks for its next invocation.
func (p *Pool) ready(w *worker) {
	g := w.group
	if w.state == starting {
		w.initDuration = time.Since(w.born)
		g.starting--
		p.starting--
	}
	w.stopTimer()
	w.state = idle
	w.idleSince = time.Now()
	switch s := p.starved(); {
	case p.closed || w.retired,
		// The cap is reached and another function, which has no worker at all, has waited longer than this one.
		s != nil && p.workers >= p.o.MaxWorkers && len(g.waiting) > 0 && s.waiting[0].seq < g.waiting[0].seq:
		p.end(w)
	case len(g.waiting) > 0:
		c := g.waiting[0]
		g.waiting = g.waiting[1:]
		w.assign(c)
	default:
		g.idle = append(g.idle, w)
	}
	p.startWorkers()
}

// end takes a worker out of the pool and kills its process group. The worker's own goroutine sees to the rest.
func (p *Pool) end(w *worker) {
	if w.state == ended {
		return
	}
	g := w.group
	if w.state == starting {
		g.starting--
		p.starting--
	}
	if i := slices.Index(g.idle, w); i >= 0 {
		g.idle = slices.Delete(g.idle, i, i+1)
	}
	w.state = ended
	w.stopTimer()
	g.workers--
	p.workers--
	p.forget(g)
	close(w.gone)
	w.kill()
}

func (p *Pool) forget(g *group) {
	if g.workers == 0 && len(g.waiting) == 0 && p.groups[g.spec.Key] == g {
		delete(p.groups, g.spec.Key)
	}
}

// failOldest answers the oldest waiting invocation of a group: its worker could not start.
func (p *Pool) failOldest(g *group, answer func(c *call) outcome) {
	if len(g.waiting) == 0 {
		return
	}
	c := g.waiting[0]
	g.waiting = g.waiting[1:]
	c.out <- answer(c)
}

func (p *Pool) evict() {
	defer p.wg.Done()
	t := time.NewTicker(max(p.o.IdleTimeout/10, time.Second))
	defer t.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-t.C:
		}
		p.mu.Lock()
		for w := range p.all {
			if w.state == idle && time.Since(w.idleSince) > p.o.IdleTimeout {
				p.end(w)
			}
		}
		p.mu.Unlock()
	}
}

// Load is what a function's revisions have under way.
type Load struct{ Running, Waiting int } // invocations; those that wait have no worker yet

// Load counts the invocations by function ARN.
func (p *Pool) Load() map[string]Load {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]Load{}
	for _, g := range p.groups {
		l := all[g.spec.Function]
		l.Waiting += len(g.waiting)
		l.Running += g.workers - len(g.idle) - g.starting
		all[g.spec.Function] = l
	}
	return all
}

func (p *Pool) waiting() (n int) {
	for _, g := range p.groups {
		n += len(g.waiting)
	}
	return n
}

// Stats is the pool as a whole.
type Stats struct {
	Workers, Starting, Busy, Most int
	Waiting                       int                // invocations without a worker
	Colds                         uint64             // workers that were started
	Took                          tally.Distribution // microseconds of invocations, without the time in line
}

// Stats reads what was counted since the pool was made, and what is under way.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Workers: p.workers, Starting: p.starting, Busy: p.workers - p.starting, Most: p.o.MaxWorkers, Colds: p.colds, Took: p.took.Read()}
	for _, g := range p.groups {
		s.Waiting += len(g.waiting)
		s.Busy -= len(g.idle)
	}
	return s
}
