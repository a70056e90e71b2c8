// Package collector paces Go's garbage collector by how busy the process is. A server with little in memory that answers
// tens of thousands of requests a second would collect several times a second to keep its heap below twice of that little;
// letting the heap grow by some tens of megabytes while it is busy takes most of that work away. When the load ends the
// collector is back at its usual pace, and what it frees goes back to the system as always.
//
// Each end of a collection is seen by the cleanup of an object that nobody refers to; there is no poll. GOGC in the
// environment is the user's word: then nothing is done.
package collector

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	usual    = 100                    // GOGC's default: the heap grows by as much as is in use
	most     = 400                    // that it may grow in percent of what is in use
	slack    = 48 << 20               // bytes that it may grow by; more in use than this makes no difference
	busy     = 500 * time.Millisecond // collections that follow each other sooner are those of a busy process
	calm     = time.Second            // without a collection, and the process is not busy any more
	worth    = 20                     // percent; a change of less is not worth stopping the process for
	liveHeap = "/gc/heap/live:bytes"
)

// pacer is the state of the pace, apart from the runtime, for tests.
type pacer struct {
	percent int
	last    time.Time // a collection's end
}

// collected says which percentage is to be set after a collection.
func (p *pacer) collected(at time.Time, live uint64) int {
	frequent := at.Sub(p.last) < busy
	p.last = at
	if !frequent {
		return p.percent
	}
	if want := int(min(max(slack*100/max(live, 1), usual), most)); want >= p.percent+worth || want <= p.percent-worth {
		p.percent = want
	}
	return p.percent
}

// Pace begins to pace the collector of this process. The returned function ends it.
func Pace() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	t := &tuner{pacer: pacer{percent: usual}, sample: []metrics.Sample{{Name: liveHeap}}}
	t.rest = time.AfterFunc(calm, t.calmed)
	t.await()
	return t.stop
}

type tuner struct {
	mu      sync.Mutex
	pacer   pacer
	rest    *time.Timer
	sample  []metrics.Sample
	stopped bool
}

// await has collected called at the end of the next collection.
func (t *tuner) await() { runtime.AddCleanup(new([16]byte), (*tuner).collected, t) }

func (t *tuner) collected() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	metrics.Read(t.sample)
	before := t.pacer.percent
	if percent := t.pacer.collected(time.Now(), t.sample[0].Value.Uint64()); percent != before {
		debug.SetGCPercent(percent)
	}
	t.rest.Reset(calm)
	t.await()
}

// calmed goes back to the usual pace.
func (t *tuner) calmed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped && t.pacer.percent != usual {
		t.pacer.percent = usual
		debug.SetGCPercent(usual)
	}
}

func (t *tuner) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped {
		t.stopped = true
		t.rest.Stop()
		debug.SetGCPercent(usual)
	}
}
