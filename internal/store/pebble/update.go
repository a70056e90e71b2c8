package pebble

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/newel-run/newel/internal/store"
)

// partition serialises the transactions of one partition.
type partition struct {
	// writer holds one token; who takes it may run a transaction. A channel, so that waiting can end with a context.
	writer chan struct{}
	// last is the last commit that was applied or is about to be. It is set before the batch becomes visible: whoever
	// reads first and loads last afterwards has it cover what was read.
	last atomic.Pointer[commit]
	// applies counts the beginnings and the ends of batches becoming visible: while it is odd one is, and reads between which
	// it has not changed saw one state.
	applies atomic.Uint64
	recent  recent  // of the writer
	lower   [2]byte // the partition's key prefix, and the next one's
	upper   [2]byte
}

func (p *partition) init(n store.Partition) {
	p.writer = make(chan struct{}, 1)
	p.lower = [2]byte{byte(n >> 8), byte(n)}
	p.upper = [2]byte{byte((n + 1) >> 8), byte(n + 1)}
}

func (p *partition) acquire(ctx context.Context, failure *failure) error {
	select {
	case p.writer <- struct{}{}:
	default:
		select {
		case p.writer <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-failure.failed:
		}
	}
	return failure.err()
}

// commit is a batch on its way to the disk.
type commit struct {
	batch   *pebble.Batch // used by the transaction that made it alone
	durable chan struct{} // closed when the batch is durable or the store has failed
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	part := s.partition(p)
	if err := part.acquire(ctx, s.failure); err != nil {
		return err
	}
	own, last, err := s.transact(ctx, part, fn)
	if own != nil {
		store.Applied(ctx)
	}
	if failed := s.await(own, last); failed != nil {
		return failed
	}
	return err
}

// transact runs fn and applies what it wrote. It returns the commit that it made, or else the last one it could have read.
func (s *Store) transact(ctx context.Context, part *partition, fn func(store.Tx) error) (own, last *commit, err error) {
	defer func() { <-part.writer }()
	t := &tx{reader: reader{source: s.db, part: part}, db: s.db}
	defer t.close()
	err = fn(t)
	if err == nil {
		err = t.err
	}
	if err == nil && !t.empty() {
		err = s.space.admit(ctx)
	}
	if err != nil || t.empty() {
		return nil, part.last.Load(), err
	}
	own = &commit{batch: t.take(), durable: make(chan struct{})}
	part.last.Store(own)
	s.guard.figures.committed(own.batch.Len())
	part.applies.Add(1)
	defer part.applies.Add(1)
	if err := s.db.ApplyNoSyncWait(own.batch, pebble.Sync); err != nil {
		s.failure.fail(fmt.Errorf("append to the log: %w", err))
	}
	part.recent.applied(own.batch)
	return own, nil, nil
}

// await waits until a transaction's own commit is durable, or else the last one that it could have read.
func (s *Store) await(own, last *commit) error {
	if own != nil {
		if err := own.batch.SyncWait(); err != nil {
			s.failure.fail(fmt.Errorf("sync the log: %w", err))
		}
		own.batch.Close()
		own.batch = nil
		close(own.durable)
	}
	if last != nil {
		<-last.durable
	}
	return s.failure.err()
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	part := s.partition(p)
	if store.IsRepeatable(ctx) {
		if done, err := s.glance(part, fn); done {
			return err
		}
	}
	snapshot := s.db.NewSnapshot()
	defer snapshot.Close()
	last := part.last.Load()
	r := &reader{source: snapshot, part: part}
	err := fn(r)
	if failed := s.await(nil, last); failed != nil {
		return failed
	}
	if err == nil {
		err = r.err
	}
	return err
}

// glance is a View without a snapshot, which costs two turns at the database's mutex: it is done if the partition has not
// changed meanwhile.
func (s *Store) glance(part *partition, fn func(store.Reader) error) (done bool, err error) {
	began := part.applies.Load()
	if began%2 != 0 {
		return false, nil
	}
	r := &reader{source: s.db, part: part}
	err = fn(r)
	last := part.last.Load()
	if part.applies.Load() != began {
		return false, nil
	}
	if failed := s.await(nil, last); failed != nil {
		return true, failed
	}
	if err == nil {
		err = r.err
	}
	return true, err
}

func (s *Store) partition(p store.Partition) *partition {
	if int(p) >= len(s.partitions) {
		panic(fmt.Sprintf("store: partition %d of %d", p, len(s.partitions)))
	}
	return &s.partitions[p]
}
