package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/newel-run/newel/internal/store"
)

// group is the transactions that become durable together: in one SQL transaction, or not at all.
type group struct {
	number uint64
	writes []write
	rows   int
	done   chan struct{} // closed when the outcome is known
	err    error         // written before that
}

// write is what one transaction wrote.
type write struct {
	part  *partition
	layer *layer
}

// maxRows bounds a group; a single transaction may be larger.
const maxRows = 5000

// committer makes groups durable, one after the other, on a connection of its own, and keeps the lease.
type committer struct {
	s      *Store
	config *pgx.ConnConfig
	lease  *lease
	conn   *pgx.Conn // nil while there is none; the loop's own
	stats  figures

	mu    sync.Mutex // guards what follows
	queue []*group
	next  uint64

	until atomic.Int64 // when the lease may be over, in nanoseconds after the link's start

	ready   chan struct{} // something was queued
	once    sync.Once
	closing chan struct{} // Close waits
	quit    chan struct{} // nothing will be queued any more
	ended   chan struct{}
}

func startCommitter(s *Store, config *pgx.ConnConfig, l *lease) *committer {
	c := &committer{
		s: s, config: config, lease: l, next: l.commit + 1,
		ready: make(chan struct{}, 1), closing: make(chan struct{}), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	c.extended(l.taken.Sub(s.link.start))
	go c.run()
	return c
}

// add applies a transaction to its partition and to the group that is open. The partition is held.
func (c *committer) add(part *partition, own *layer) *group {
	size := len(own.spans)
	if own.rows != nil {
		size += own.rows.Len()
	}
	c.mu.Lock()
	var g *group
	if n := len(c.queue); n > 0 && c.queue[n-1].rows+size <= maxRows {
		g = c.queue[n-1]
	} else {
		g = &group{number: c.next, done: make(chan struct{})}
		c.next++
		c.queue = append(c.queue, g)
	}
	g.rows += size
	g.writes = append(g.writes, write{part, own})
	part.apply(own, g)
	c.mu.Unlock()
	select {
	case c.ready <- struct{}{}:
	default:
	}
	return g
}

// confirm returns what a transaction that wrote nothing waits for: the last group of its partition, or an empty one if the
// lease may be over and the rows in the layer somebody else's to change. The partition is held.
func (c *committer) confirm(part *partition) *group {
	if time.Since(c.s.link.start) < time.Duration(c.until.Load()) {
		return part.last.Load()
	}
	return c.add(part, &layer{})
}

func (c *committer) take() *group {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil
	}
	g := c.queue[0]
	c.queue = c.queue[1:]
	return g
}

// leave says that Close waits; it is true the first time.
func (c *committer) leave() (first bool) {
	c.once.Do(func() { close(c.closing); first = true })
	return first
}

// stop ends the loop, which has nothing to do any more, and gives the lease back.
func (c *committer) stop() {
	close(c.quit)
	<-c.ended
}

func (c *committer) run() {
	defer close(c.ended)
	renewal := time.NewTimer(c.lease.length / 3)
	defer renewal.Stop()
	for {
		select {
		case <-c.ready:
			for g := c.take(); g != nil; g = c.take() {
				began, writes := time.Now(), len(g.writes)
				err := c.commit(g)
				c.stats.committed(writes, began)
				c.finish(g, err)
			}
			renewal.Reset(c.lease.length / 3)
		case <-renewal.C:
			renewal.Reset(c.renew())
		case <-c.s.link.wake:
			renewal.Reset(c.renew())
		case <-c.quit:
			c.release()
			return
		}
	}
}

// finish tells a group's callers its outcome.
func (c *committer) finish(g *group, err error) {
	if g.err = err; err == nil {
		for _, w := range g.writes {
			w.part.settle(w.layer, g.number, &c.s.recent)
		}
		c.s.recent.trim()
	}
	g.writes = nil
	close(g.done)
}

// commit sends a group until its outcome is known. An error is the end of the store.
func (c *committer) commit(g *group) error {
	doubt := false // an attempt was not answered: it may have been committed
	timeout := 30 * time.Second
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		if err := c.s.failure.err(); err != nil {
			return err
		}
		sent, begun := false, time.Since(c.s.link.start)
		err := c.attempt(timeout, func(ctx context.Context) error {
			sent = true
			return c.conn.SendBatch(ctx, c.statements(g)).Close()
		})
		if code(err) == fenceLost {
			var settled bool
			if settled, err = c.settle(g, doubt); settled {
				c.s.failureIf(err)
				return err
			}
		}
		if err == nil {
			c.s.full.Store(false)
			c.extended(begun)
			return nil
		}
		if !passes(err) {
			err = failed("the database refuses a commit", err)
			c.s.failure.fail(err)
			return err
		}
		doubt = doubt || sent && code(err) != "40001"
		timeout *= 2
		c.trouble(err)
		if c.givesUp() {
			err = failed("the last commit is in doubt", errClosing)
			c.s.failure.fail(err)
			return err
		}
		_ = c.s.link.pause(context.Background(), c.s.failure, pause)
	}
}

// settle decides about a group that the fence has refused: it was committed before, or the lease is lost. It is not
// settled if the database could not be asked, or if it is to be sent again.
func (c *committer) settle(g *group, doubt bool) (settled bool, err error) {
	var h held
	err = c.attempt(30*time.Second, func(ctx context.Context) (err error) { h, err = inspect(ctx, c.conn); return err })
	switch {
	case err != nil:
		return false, err
	case c.lease.mine(h) && h.commit == g.number:
		return true, nil
	case c.lease.mine(h):
		return true, failed("the database has lost or gained commits", fmt.Errorf("%w: its last one is %d, ours is %d", store.ErrCorrupt, h.commit, g.number))
	case doubt:
		return true, failed("the last commit is in doubt", fmt.Errorf("another server has taken the database over: %s", people(h.process)))
	}
	return true, fenced(people(h.process))
}

func (s *Store) failureIf(err error) {
	if err != nil {
		s.failure.fail(err)
	}
}

// givesUp tells whether Close waits for a database that is away.
func (c *committer) givesUp() bool {
	select {
	case <-c.closing:
		return c.s.link.out()
	default:
		return false
	}
}

// extended notes that the lease begins anew, at the latest when the statement that did it was begun.
func (c *committer) extended(begun time.Duration) {
	c.until.Store(int64(begun + c.lease.length))
	c.s.link.found()
}

// trouble notes a failed attempt.
func (c *committer) trouble(err error) {
	if away(err) {
		c.s.link.lost(err)
		return
	}
	c.s.link.found()
	if noSpace(err) && !c.s.full.Swap(true) {
		c.s.link.log.Error("store: the database has no space left, new work is refused", "error", err)
	}
}

// attempt makes sure of a connection and runs f on it. What it leaves is a connection outside of a transaction, or none.
func (c *committer) attempt(timeout time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if c.conn == nil {
		conn, err := pgx.ConnectConfig(ctx, c.config)
		if err != nil {
			return err
		}
		if err := tune(ctx, conn); err != nil {
			_ = conn.Close(ctx)
			return err
		}
		c.conn = conn
	}
	err := f(ctx)
	if err == nil {
		return nil
	}
	if _, rolledBack := c.conn.Exec(ctx, `ROLLBACK`); rolledBack != nil || code(err) == "" {
		_ = c.conn.Close(ctx)
		c.conn = nil
	}
	return err
}

// renew keeps the lease while nothing is committed, and says when to do so again.
func (c *committer) renew() time.Duration {
	if c.s.failure.err() != nil {
		return c.lease.length
	}
	lost, begun := false, time.Since(c.s.link.start)
	err := c.attempt(c.lease.length, func(ctx context.Context) error {
		tag, err := c.conn.Exec(ctx, renewLease, c.lease.owner, c.lease.epoch, c.lease.length.Milliseconds())
		lost = err == nil && tag.RowsAffected() == 0
		return err
	})
	switch {
	case lost:
		if settled, err := c.settle(&group{}, false); settled {
			c.s.failureIf(err)
		}
	case err == nil:
		c.extended(begun)
	case passes(err):
		c.trouble(err)
		return min(c.lease.length/3, 250*time.Millisecond)
	default:
		c.s.failure.fail(failed("the database refuses to renew the lease", err))
	}
	return c.lease.length / 3
}

// release gives the lease back, so that the next server need not wait.
func (c *committer) release() {
	if c.s.failure.err() == nil {
		err := c.attempt(c.lease.length, func(ctx context.Context) error {
			_, err := c.conn.Exec(ctx, giveBack, c.lease.owner, c.lease.epoch)
			return err
		})
		if err != nil {
			c.s.link.log.Warn("store: the lease could not be given back; it expires", "error", err)
		}
	}
	if c.conn != nil {
		_ = c.conn.Close(context.Background())
	}
}
