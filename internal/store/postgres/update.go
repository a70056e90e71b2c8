package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// partition serialises the transactions of one partition and holds what they have written and is not durable yet.
type partition struct {
	id store.Partition
	// writer holds one token; who takes it may run a transaction. A channel, so that waiting can end with a context.
	writer chan struct{}
	// last is the group of the last transaction that wrote; who holds writer sets it.
	last atomic.Pointer[group]

	mu    sync.Mutex // guards layer, which the committer empties while transactions read it
	layer layer      // what is not durable yet, and what is kept of the rest
	// version counts what was applied to the layer.
	version uint64
}

func (p *partition) init(id store.Partition) {
	p.id = id
	p.writer = make(chan struct{}, 1)
}

func (p *partition) pending(key []byte) (row, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.layer.get(key)
}

func (p *partition) snapshot() layer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.layer.snapshot()
}

func (p *partition) apply(own *layer, g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.layer.add(own, g.number)
	p.last.Store(g)
	p.version++
}

func (p *partition) settle(own *layer, number uint64, kept *recent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.layer.settle(own, number, func(r *row) bool { return kept.keep(p, r) })
}

// keep puts a row that was read from the database into the layer. The partition is held.
func (p *partition) keep(r row, kept *recent) {
	if kept.keep(p, &r) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.layer.put(r)
	}
}

// acquire takes the partition. The look at the link is for a partition that is held by someone who waits for the database.
func (s *Store) acquire(ctx context.Context, p *partition) error {
	select {
	case p.writer <- struct{}{}:
		return s.failure.err()
	default:
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case p.writer <- struct{}{}:
			return s.failure.err()
		case <-ctx.Done():
			return ctx.Err()
		case <-s.failure.failed:
			return s.failure.err()
		case <-look.C:
			if err := s.link.admit(ctx); err != nil {
				return err
			}
		}
	}
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	part := s.partition(p)
	if err := s.acquire(ctx, part); err != nil {
		return err
	}
	last, err := s.transact(ctx, part, fn)
	if last != nil {
		<-last.done
		if last.err != nil {
			return last.err
		}
	}
	return err
}

// transact runs fn and applies what it wrote. It returns the group to wait for: its own, or the last one that it could
// have read; if the lease may be over, one that finds out.
func (s *Store) transact(ctx context.Context, part *partition, fn func(store.Tx) error) (*group, error) {
	defer func() { <-part.writer }()
	t := &tx{reader: reader{rows: &latest{s: s, ctx: ctx, p: part.id}}, part: part, recent: &s.recent}
	err := fn(t)
	if err == nil {
		err = t.err
	}
	if err == nil && !t.own.empty() && s.full.Load() && !store.IsFinishing(ctx) {
		return nil, store.ErrFull // says nothing of what was read
	}
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return nil, err // neither does this
	case err != nil || t.own.empty():
		return s.committer.confirm(part), err
	}
	g := s.committer.add(part, &t.own)
	store.Applied(ctx)
	return g, nil
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	part := s.partition(p)
	if store.IsRepeatable(ctx) {
		if done, err := s.viewKept(part, fn); done {
			return err
		}
	}
	snap := &snapshot{s: s, ctx: ctx, p: part.id}
	defer snap.end()
	r := &reader{rows: snap}
	err := fn(r)
	if err == nil {
		err = r.err
	}
	return err
}

func (s *Store) partition(p store.Partition) *partition {
	if int(p) >= len(s.partitions) {
		panic(fmt.Sprintf("store: partition %d of %d", p, len(s.partitions)))
	}
	return &s.partitions[p]
}
