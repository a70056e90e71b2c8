// Package postgres keeps the store in a PostgreSQL database, for one process at a time. Its SQL is portable: no
// advisory locks, no extensions, so that databases which speak PostgreSQL's protocol (CockroachDB, YugabyteDB) serve too.
//
// What is authoritative: the database. newel_row has the rows of all partitions; newel_lease says who owns a span of
// partitions (here all of them), under which epoch, until when, and the number of the last commit. In memory there is only
// what is on its way: the layer of writes, per partition, that are not durable yet.
//
// Order: Update holds the partition while its function runs, reading the layer and below it the database, then puts
// its writes into the layer and into the open group, lets the partition go and waits for the group. One goroutine, the
// committer, sends the open group, whatever was collected while the group before it was under way, in one SQL transaction
// and one round trip. Groups have numbers without gaps and become durable in that order. A View reads one snapshot of the
// database, so it sees durable data only and waits for nothing.
//
// Fencing: a group's transaction first changes the lease's row, on the condition that owner and epoch are ours and the
// commit number is the one before. If it is not so the transaction fails as a whole. A server that finds the lease
// expired raises the epoch, and the former owner's next group changes nothing.
//
// What can fail: the connection, at any time. Reads are made again. A group whose commit was not answered is sent again
// under its number: if it was committed the condition does not hold, the lease's row says so, and the group is done. So
// a group happens once, whatever became of the first attempt. While the database is away, new work is refused with
// ErrUnavailable after a while, finishing work waits, and what was applied is always awaited.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/newel-run/newel/internal/store"
)

// Options configures a store. The zero value is valid.
type Options struct {
	// Partitions is the number of partitions of a new store, 256 if zero. An existing store keeps its number.
	Partitions int
	// Lease is how long the database belongs to an owner that is not heard of any more, 6 s if zero. It is renewed by
	// every commit and at least three times in its length.
	Lease time.Duration
	// Patience is how long calls wait for a database that is away before they get ErrUnavailable, 5 s if zero.
	Patience time.Duration
	// Logger receives what needs attention; nil discards it.
	Logger *slog.Logger
}

const maxPartitions = 1 << 15

func (o Options) withDefaults() Options {
	if o.Partitions == 0 {
		o.Partitions = 256
	}
	if o.Lease == 0 {
		o.Lease = 6 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store implements store.Store on PostgreSQL.
type Store struct {
	pool       *pgxpool.Pool
	link       *link
	failure    *failure
	committer  *committer
	partitions []partition
	recent     recent
	full       atomic.Bool // the database has no space left

	life   sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

var _ store.Store = (*Store)(nil)

// Open opens the store in a database, given as a postgres:// URL or in libpq's notation, and creates it where there is
// none; a schema that the URL names by search_path is created too. If another server owns the store, Open waits
// whether that one is heard of: it answers store.ErrLocked if so, and takes over when the lease has expired if not.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.Partitions < 0 || o.Partitions > maxPartitions {
		return nil, fmt.Errorf("store: %d partitions, at most %d are possible", o.Partitions, maxPartitions)
	}
	o = o.withDefaults()
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	s := &Store{failure: newFailure()}
	s.link = newLink(o.Patience, o.Logger)
	if s.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), config); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := s.open(ctx, config, o); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("database %s: %w", Describe(url), err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, config *pgxpool.Config, o Options) error {
	partitions := 0
	err := s.link.retry(ctx, nil, func() (err error) {
		partitions, err = ensureSchema(ctx, s.pool, schemaOf(config), o.Partitions)
		return err
	})
	if err != nil {
		return err
	}
	lease, err := takeLease(ctx, s.pool, o.Lease, s.link)
	if err != nil {
		return err
	}
	s.partitions = make([]partition, partitions)
	for i := range s.partitions {
		s.partitions[i].init(store.Partition(i))
	}
	s.committer = startCommitter(s, config.ConnConfig, lease)
	return nil
}

// Close waits for running transactions, gives the lease back and closes the connections. If the database is away it gives
// up after a while and returns an error.
func (s *Store) Close() error {
	if s.committer.leave() {
		s.life.Lock()
		defer s.life.Unlock()
		s.closed = true
		s.committer.stop()
		s.pool.Close()
	}
	return s.failure.err()
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
	if err == nil {
		err = s.link.admit(ctx)
	}
	if err != nil {
		s.life.RUnlock()
	}
	return err
}

func (s *Store) leave() { s.life.RUnlock() }

// Partitions implements store.Store.
func (s *Store) Partitions() int { return len(s.partitions) }

// Failed implements store.Store. A store has failed when it has lost its lease, or when the database refuses a commit
// for a reason that does not pass.
func (s *Store) Failed() <-chan struct{} { return s.failure.failed }

// Err implements store.Store: nil, or an error that wraps store.ErrFailed and, if the lease was lost, store.ErrFenced.
func (s *Store) Err() error { return s.failure.err() }

// failure is set once, by the first error that the store must not survive.
type failure struct {
	once   sync.Once
	failed chan struct{}
	cause  error // written before failed is closed
}

func newFailure() *failure { return &failure{failed: make(chan struct{})} }

func (f *failure) fail(cause error) {
	f.once.Do(func() {
		f.cause = cause
		close(f.failed)
	})
}

func (f *failure) err() error {
	select {
	case <-f.failed:
		return f.cause
	default:
		return nil
	}
}

// end is an error with words of its own that is also store.ErrFailed or store.ErrFenced.
type end struct {
	text  string
	kinds []error
}

func (e *end) Error() string   { return e.text }
func (e *end) Unwrap() []error { return e.kinds }

// fenced is the end of a store whose lease was taken: nothing was changed by what gets this error.
func fenced(by string) error {
	return &end{"store: another server has taken the database over: " + by, []error{store.ErrFenced, store.ErrFailed}}
}

// failed is the end of a store that cannot say whether its last commit is durable, or cannot commit any more.
func failed(why string, cause error) error {
	return &end{fmt.Sprintf("store: %s: %s; restart to recover", why, cause), []error{store.ErrFailed, cause}}
}

var errClosing = errors.New("the server is being stopped")
