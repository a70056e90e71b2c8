package engine

import (
	"context"
	"sync"
	"sync/atomic"
)

// crew runs functions in goroutines that it uses again: what sends a task goes deep, and a new goroutine's stack is copied
// several times on the way there.
type crew struct {
	ctx  context.Context // ends the idle ones
	work *sync.WaitGroup // of all that run
	next chan func()     // taken by who is idle
	idle atomic.Int32
}

const crewIdleMost = 128

func newCrew(ctx context.Context, work *sync.WaitGroup) *crew {
	return &crew{ctx: ctx, work: work, next: make(chan func())}
}

// run runs f at once, in a goroutine of its own.
func (c *crew) run(f func()) {
	select {
	case c.next <- f:
	default:
		c.work.Go(func() { c.member(f) })
	}
}

func (c *crew) member(f func()) {
	for {
		f()
		if c.idle.Add(1) > crewIdleMost {
			c.idle.Add(-1)
			return
		}
		select {
		case f = <-c.next:
			c.idle.Add(-1)
		case <-c.ctx.Done():
			c.idle.Add(-1)
			return
		}
	}
}
