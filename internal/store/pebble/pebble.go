// Package pebble is the embedded backend of the store: one Pebble database in one directory, for one process.
//
// What is authoritative: the log (NNNNNN.log). A transaction is one record of the log; the tables (*.sst) and the
// MANIFEST hold what older logs said. Keys carry their partition as a two-byte prefix; prefix 0xffff belongs to the store
// itself and holds its format and partition count.
//
// Order: Update holds the partition while its function runs and while the batch is appended to the log's buffer and
// inserted into the memtable, so that the partition's next transaction sees it. Then it lets the partition go and waits
// for the fsync, which it shares with whoever else waits, of any partition. Since there is one log, batches become durable in
// the order in which they were applied, and waiting for the last batch that could have been read is enough for a View, a
// read-only or a failing Update.
//
// What can fail: a write or fsync of the log, of the MANIFEST or of a directory poisons the store (guard.go) and nothing
// of it is retried or released afterwards. A failed write of a table is retried by Pebble under a new name and harms
// nothing, since the log still holds its rows. Lack of space is foreseen by measuring (space.go).
package pebble

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
)

// Options configures a store. The zero value is valid.
type Options struct {
	// Partitions is the number of partitions of a new store, 256 if zero. An existing store keeps its number.
	Partitions int
	// FS is the file system; nil is the operating system's.
	FS vfs.FS
	// Watermark is the free space in bytes below which new work is refused, 1216 MiB if zero.
	Watermark uint64
	// Ballast is the size in bytes of the file that is given up when the disk is nearly full, 64 MiB if zero. It is at
	// most half of Watermark.
	Ballast uint64
	// FreeSpace measures the space in bytes that is free for the directory; nil asks FS.
	FreeSpace func(dir string) (uint64, error)
	// SpaceInterval is how long a measurement of free space is good for, 250 ms if zero.
	SpaceInterval time.Duration
	// MemTableSize bounds the rows in bytes that are held in memory before they are written as a table, 16 MiB if zero.
	MemTableSize uint64
	// CacheSize is the size in bytes of the cache of table blocks together with the memtables, which come first: with less
	// than a few memtables nothing is cached. 64 MiB if zero; an idle store uses next to nothing of it.
	CacheSize int64
	// Logger receives what needs attention; nil discards it.
	Logger *slog.Logger
}

const maxPartitions = 1 << 15

func (o Options) withDefaults() Options {
	if o.Partitions == 0 {
		o.Partitions = 256
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Watermark == 0 {
		o.Watermark = 128 << 20
	}
	if o.Ballast == 0 {
		o.Ballast = 64 << 20
	}
	o.Ballast = min(o.Ballast, o.Watermark/2)
	if o.SpaceInterval == 0 {
		o.SpaceInterval = 250 * time.Millisecond
	}
	if o.MemTableSize == 0 {
		o.MemTableSize = 16 << 20
	}
	if o.CacheSize == 0 {
		o.CacheSize = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FreeSpace == nil {
		fs := o.FS
		o.FreeSpace = func(dir string) (uint64, error) {
			usage, err := fs.GetDiskUsage(dir)
			return usage.AvailBytes, err
		}
	}
	return o
}

// Store implements store.Store on Pebble.
type Store struct {
	db         *pebble.DB
	lock       io.Closer
	failure    *failure
	guard      *guard
	space      *space
	partitions []partition
	compacting *time.Timer // has compactions begin

	life   sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir and creates it where there is none. It answers store.ErrLocked, store.ErrFormat or
// store.ErrCorrupt, wrapped with what was found where.
func Open(dir string, o Options) (*Store, error) {
	if o.Partitions < 0 || o.Partitions > maxPartitions {
		return nil, fmt.Errorf("store: %d partitions, at most %d are possible", o.Partitions, maxPartitions)
	}
	if o.FS == nil {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		dir = abs
	}
	o = o.withDefaults()
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := lockDirectory(dir, o.FS)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock, failure: newFailure(), space: newSpace(dir, o)}
	s.guard = newGuard(o.FS, s.failure, s.space.diskFull)
	if s.guard.seals, err = openSeals(dir, o.FS, o.Logger); err != nil {
		s.shut() //nolint:errcheck // nothing was opened
		return nil, err
	}
	if err := s.open(dir, lock, o); err != nil {
		s.shut()
		return nil, err
	}
	s.space.check()
	return s, nil
}

func (s *Store) open(dir string, lock *pebble.Lock, o Options) error {
	c := newCompactions()
	db, err := pebble.Open(dir, tuning(o, s.guard, lock, s.failure, c))
	if err != nil {
		if failed := s.failure.err(); failed != nil {
			return failed
		}
		return openError(dir, s.guard.lastRead(), err)
	}
	s.db = db
	s.compacting = time.AfterFunc(compactionsAfter, c.begin)
	layout, err := ensureLayout(db, o.Partitions)
	if err != nil {
		return readError(err)
	}
	if err := s.failure.err(); err != nil { // what was hidden from Pebble
		return err
	}
	if err := s.guard.seals.created(); err != nil {
		return fmt.Errorf("store: %s: %w", sealsName, err)
	}
	s.partitions = make([]partition, layout.Partitions)
	for i := range s.partitions {
		s.partitions[i].init(store.Partition(i))
	}
	return s.failure.err()
}

// shut closes what open has opened. A poisoned database cannot close cleanly, and its reason is known already.
func (s *Store) shut() error {
	s.guard.release()
	var err error
	if s.db != nil {
		s.compacting.Stop()
		err = s.db.Close()
	}
	if e := s.guard.seals.close(); err == nil {
		err = e
	}
	if e := s.lock.Close(); err == nil {
		err = e
	}
	if failed := s.failure.err(); failed != nil {
		return failed
	}
	return err
}

// Close waits for running transactions and closes the database. It returns Err if the store has failed.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.shut()
}

// enter admits a call; leave ends it.
func (s *Store) enter(ctx context.Context) error {
	s.life.RLock()
	err := s.failure.err()
	switch {
	case s.closed:
		err = store.ErrClosed
	case err == nil:
		err = ctx.Err()
	}
	if err != nil {
		s.life.RUnlock()
	}
	return err
}

func (s *Store) leave() { s.life.RUnlock() }

// Partitions implements store.Store.
func (s *Store) Partitions() int { return len(s.partitions) }

// Failed implements store.Store.
func (s *Store) Failed() <-chan struct{} { return s.failure.failed }

// Err implements store.Store: nil, or an error that wraps store.ErrFailed and says which file could not be written and why.
func (s *Store) Err() error { return s.failure.err() }

// Metrics returns Pebble's own figures, for people.
func (s *Store) Metrics() string {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return ""
	}
	return s.db.Metrics().String()
}
