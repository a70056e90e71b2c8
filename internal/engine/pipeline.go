package engine

import (
	"context"
	"errors"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// The events of one execution are stepped one after the other, and each is a commit. Were each to wait until the one before it is
// durable, an execution with thousands of tasks would go no faster than the disk syncs. So an execution is let go as soon
// as its commit is applied: the next event is stepped on what is not durable yet, and its commit becomes durable after or
// with the one before. What a commit leads to (answers, commands, what is told) still waits until it is durable, and until what
// the commits before it lead to is carried out.
//
// If a commit fails after it was applied, what is in memory is ahead of the store. It is forgotten; commits that are made of it
// meanwhile fail by their revision.

// commitTail is the last commit of an execution that was let go early.
type commitTail struct {
	done chan struct{} // closed when it is carried out, or has failed
	err  error
}

// settled waits until nothing of what is in memory can be taken back. The execution's lock is held.
func (x *execution) settled() error {
	if x.tail == nil {
		return nil
	}
	<-x.tail.done
	err := x.tail.err
	if err == nil {
		x.tail = nil
	}
	return err
}

// early reports whether the execution is let go when the commit is applied. What begins and ends executions is not worth it.
func (c *commit) early() bool { return !c.starting && !c.redriving && !c.ended() }

// commit makes what was stepped durable and carries it out.
func (e *Engine) commit(ctx context.Context, c *commit) error {
	x := c.x
	c.meta, c.stats, c.before = x.meta, x.stats, x.tail
	applied := false
	apply := func() {
		applied = true
		c.apply()
	}
	if c.early() {
		ctx = store.OnApplied(ctx, func() {
			apply()
			c.letGo = true
			c.own = &commitTail{done: make(chan struct{})}
			x.tail = c.own
			x.mu.give()
		})
	}
	err := e.cfg.Store.Update(ctx, x.p.id, func(tx store.Tx) error { return c.write(tx, e.cfg.Retention) })
	if err == nil && !applied {
		apply()
	}
	if c.before != nil {
		<-c.before.done
		err = errors.Join(err, c.before.err)
	}
	if err != nil {
		e.abandon(c)
		if c.letGo {
			c.own.err = err
			close(c.own.done)
			x.p.acquire(x.arn).release(true)
		}
		return err
	}
	e.carryOut(c)
	if c.letGo {
		close(c.own.done)
	}
	return nil
}

// apply brings what the commit has written into memory.
func (c *commit) apply() {
	x := c.x
	x.revision++
	x.bytes += c.bytes
	x.more = c.result.More
	for _, ch := range c.result.Changes {
		if ch.Piece == nil {
			delete(x.pieces, ch.Key)
			continue
		}
		x.pieces[ch.Key] = ch.Piece
	}
	if root, ok := x.pieces[machine.Key{Kind: machine.KindRoot}].(*machine.Root); ok {
		c.redrives = root.Redrives()
	}
}
