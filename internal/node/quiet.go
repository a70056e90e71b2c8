package node

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// quiet gives memory back when work is over. Between two collections Go's heap grows to twice what it holds, and stays so
// large for minutes when nothing more is allocated. Quiet stands in front of every call: when none has come for quietAfter,
// and much was allocated before, it lets go of what was kept at hand, has the garbage collected and the pages returned. Without
// calls it does nothing at all.
type quiet struct {
	next aws.Caller

	busy   atomic.Bool // there was a call since the last look
	armed  atomic.Bool // a look is to come
	closed atomic.Bool

	allocated func() uint64 // bytes since the process began
	free      func()
	freed     uint64 // allocated when memory was last given back; used by one look at a time
}

const (
	quietAfter = time.Second
	// quietWorth is how much is allocated at least between two times that memory is given back.
	quietWorth = 8 << 20
)

// newQuiet makes one that has let go called before memory is given back.
func newQuiet(next aws.Caller, letGo func()) *quiet {
	return &quiet{next: next, allocated: allocatedBytes, free: func() {
		letGo()
		runtime.GC() // what lies in pools outlives one collection
		debug.FreeOSMemory()
	}}
}

func allocatedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Call implements aws.Caller.
func (q *quiet) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if !q.busy.Load() {
		q.busy.Store(true)
		q.arm()
	}
	return q.next.Call(ctx, r)
}

func (q *quiet) arm() {
	if !q.closed.Load() && q.armed.CompareAndSwap(false, true) {
		time.AfterFunc(quietAfter, q.look)
	}
}

// look gives memory back if there was no call since the last look.
func (q *quiet) look() {
	if !q.busy.Swap(false) && !q.closed.Load() {
		if n := q.allocated(); n-q.freed >= quietWorth {
			q.free()
			q.freed = n
		}
		q.armed.Store(false)
		if q.busy.Load() { // a call has come that found it armed
			q.arm()
		}
		return
	}
	q.armed.Store(false)
	q.arm()
}

func (q *quiet) close() { q.closed.Store(true) }
