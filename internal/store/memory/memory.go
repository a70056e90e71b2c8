// Package memory is the store that keeps nothing: for tests, for `--memory`, and as the model that other backends are
// compared with.
//
// Each partition is a copy-on-write B-tree. A transaction changes a private copy, which replaces the published tree when
// its function succeeds and is dropped when it fails; a View reads the published tree and neither waits for the writer
// nor holds it up. Everything is "durable" as soon as it is published, so nothing has to be awaited and nothing but
// Close can fail.
package memory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/newel-run/newel/internal/store"
)

// Options configures a memory store. The zero value is valid.
type Options struct {
	// Partitions is the number of partitions, 256 if zero.
	Partitions int
	// RunTwice runs the function of every Update twice and keeps the second run, to find functions with effects of
	// their own. For tests of the store's users.
	RunTwice bool
}

// Store implements store.Store in memory.
type Store struct {
	runTwice   bool
	partitions []partition
	closed     atomic.Bool
	commits    atomic.Uint64
	failed     chan struct{}
}

type partition struct {
	writer    sync.Mutex
	published atomic.Pointer[tree]
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New(o Options) *Store {
	if o.Partitions == 0 {
		o.Partitions = 256
	}
	s := &Store{runTwice: o.RunTwice, partitions: make([]partition, o.Partitions), failed: make(chan struct{})}
	for i := range s.partitions {
		s.partitions[i].published.Store(newTree())
	}
	return s
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	part := s.partition(p)
	part.writer.Lock()
	defer part.writer.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if s.runTwice {
		if _, err := run(part, fn, false); err != nil {
			return err
		}
	}
	wrote, err := run(part, fn, true)
	if wrote {
		s.commits.Add(1)
	}
	return err
}

func run(part *partition, fn func(store.Tx) error, keep bool) (wrote bool, err error) {
	t := &tx{base: part.published.Load()}
	err = fn(t)
	if err != nil || t.changed == nil || !keep {
		return false, err
	}
	part.published.Store(t.changed)
	return true, nil
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	part := s.partition(p)
	if err := s.usable(ctx); err != nil {
		return err
	}
	return fn(reader{part.published.Load()})
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

func (s *Store) partition(p store.Partition) *partition {
	if int(p) >= len(s.partitions) {
		panic(fmt.Sprintf("store: partition %d of %d", p, len(s.partitions)))
	}
	return &s.partitions[p]
}

// Stats implements store.Measured; there is no log and no disk.
func (s *Store) Stats() store.Stats { return store.Stats{Commits: s.commits.Load()} }

// Partitions implements store.Store.
func (s *Store) Partitions() int { return len(s.partitions) }

// Failed implements store.Store; it is never closed.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err implements store.Store.
func (s *Store) Err() error { return nil }

// Close implements store.Store. It waits for running updates.
func (s *Store) Close() error {
	s.closed.Store(true)
	for i := range s.partitions {
		s.partitions[i].writer.Lock()
		defer s.partitions[i].writer.Unlock()
		s.partitions[i].published.Store(newTree())
	}
	return nil
}
