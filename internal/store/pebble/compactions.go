package pebble

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// compactions lets Pebble compact as much as it allows itself, but not before the store has been open for a while: after a
// crash there is much to be compacted, and Open would wait for the first of it. Unlike Pebble's own scheduler it has no ticker:
// how many compactions may run at a time never changes by itself.
//
// Its mutex is taken while Pebble's is held; so it is not held when Pebble is called.
type compactions struct {
	db pebble.DBForCompaction

	mu       sync.Mutex
	begun    bool // compactions may run
	over     bool // the database is about to close
	running  int
	granting bool
	again    bool       // a grant was asked for while one was under way
	settled  *sync.Cond // granting has ended
}

// compactionsAfter is how long a store is open before it compacts.
const compactionsAfter = time.Second

func newCompactions() *compactions {
	c := &compactions{}
	c.settled = sync.NewCond(&c.mu)
	return c
}

var (
	_ pebble.CompactionScheduler   = (*compactions)(nil)
	_ pebble.CompactionGrantHandle = (*compactions)(nil)
)

// begin lets compactions run.
func (c *compactions) begin() {
	c.mu.Lock()
	c.begun = true
	c.mu.Unlock()
	c.grant()
}

// Register implements pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) { c.db = db }

// Unregister implements pebble.CompactionScheduler.
func (c *compactions) Unregister() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for c.granting {
		c.settled.Wait()
	}
}

// TrySchedule implements pebble.CompactionScheduler. Who is refused is asked again by grant.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.free() {
		c.again = c.granting
		return false, nil
	}
	c.running++
	return true, c
}

// free reports whether another compaction may run; mu is held.
func (c *compactions) free() bool {
	return c.begun && !c.over && c.running < c.db.GetAllowedWithoutPermission()
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler.
func (c *compactions) UpdateGetAllowedWithoutPermission() {}

// Started implements pebble.CompactionGrantHandle.
func (c *compactions) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (c *compactions) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (c *compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}

// Done implements pebble.CompactionGrantHandle.
func (c *compactions) Done() {
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	c.grant()
}

// grant starts the compactions that wait, as many as may run.
func (c *compactions) grant() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.granting {
		c.again = true
		return
	}
	c.granting = true
	for more := true; c.free() && (more || c.again); {
		c.again = false
		c.running++
		c.mu.Unlock()
		waiting, _ := c.db.GetWaitingCompaction()
		more = waiting && c.db.Schedule(c)
		c.mu.Lock()
		if !more {
			c.running--
		}
	}
	c.granting, c.again = false, false
	c.settled.Broadcast()
}
