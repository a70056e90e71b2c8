// Package store is the contract of Newel's storage: numbered partitions of ordered keys, serial transactions on each,
// and one promise. Nothing that a transaction read or wrote leaves the store before it is durable.
//
// A partition has one writer at a time. Update runs its function while no other transaction of that partition runs,
// makes the writes visible to the partition's next transaction at once, and returns only when they are durable; many
// updates share one fsync (group commit). A View or a read-only Update likewise returns only when everything that it
// could have read is durable. Batches become durable in the order in which they were made.
//
// A write or fsync of the log that fails is never retried: the store is poisoned, every later call answers
// ErrFailed, and Failed() is closed so that the process can stop with a clear message and recover at its start.
//
// Keys of different partitions never meet: a backend prefixes them. Within a partition the caller lays out the key
// space; Newel's layout is in keys.go.
package store

import (
	"context"
	"errors"
	"iter"
)

// Partition is a partition's number, 0 <= p < Store.Partitions().
type Partition uint16

// Reader reads one partition in one snapshot. The slices it returns are valid until the transaction's function
// returns and must not be changed; copy what is kept.
type Reader interface {
	// Get returns the value of a key, or nil where there is none (an empty value is a non-nil empty slice).
	Get(key []byte) ([]byte, error)
	// Scan yields the pairs with lo <= key < hi (hi nil: to the end of the partition) in key order, or from the last
	// to the first if reverse, as they were when the iteration began: the loop may write. An error ends the iteration and
	// is reported by the transaction (Update, View), which then writes nothing.
	Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, []byte]
}

// Missing reports whether a key has no row. It answers what Get would; of keys that are LikelyMissing a backend can tell from
// a filter.
func Missing(rd Reader, key []byte) (bool, error) {
	if m, ok := rd.(interface {
		Missing(key []byte) (bool, error)
	}); ok {
		return m.Missing(key)
	}
	b, err := rd.Get(key)
	return b == nil, err
}

// Tx is a Reader that sees its own writes. Key and value are copied by Set.
type Tx interface {
	Reader
	Set(key, value []byte)
	Delete(key []byte)
	// DeleteRange deletes lo <= key < hi (hi nil: to the end of the partition).
	DeleteRange(lo, hi []byte)
}

// Store is what a backend implements. All methods are safe for concurrent use.
type Store interface {
	// Update runs fn on a partition and returns when its effects are durable. If fn returns an error nothing is
	// written and the error is returned (once what fn has read is durable). fn may run more than once, must have no
	// effect but through Tx, and must not call the store. ctx is looked at until fn runs; a transaction that was applied
	// is always awaited. After ErrFailed it is unknown whether the last effects are durable.
	Update(ctx context.Context, p Partition, fn func(Tx) error) error
	// View runs fn on a snapshot of a partition without holding up its writer; once, unless Repeatable marks ctx.
	View(ctx context.Context, p Partition, fn func(Reader) error) error
	// Partitions is the number of partitions, fixed when the store was created.
	Partitions() int
	// Failed is closed when the store can no longer write; Err says why.
	Failed() <-chan struct{}
	Err() error
	Close() error
}

var (
	// ErrFailed: the store has failed to write its log and refuses all work until the process is restarted.
	ErrFailed = errors.New("store: the log could not be written; restart to recover")
	// ErrFull: the disk is below its free-space watermark: new work is refused, retry later.
	ErrFull = errors.New("store: no space left for new work")
	// ErrFenced: the writer has lost its partition to another owner and nothing was changed.
	ErrFenced = errors.New("store: partition is owned by another writer")
	// ErrUnavailable: the database cannot be reached at present and nothing was changed: retry later.
	ErrUnavailable = errors.New("store: the database cannot be reached; try again later")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrLocked: another process has the data directory or the database open.
	ErrLocked = errors.New("store: the data is in use by another server")
	// ErrFormat: the data was written by a newer version.
	ErrFormat = errors.New("store: the data was written by a newer version of Newel")
	// ErrCorrupt: stored data fails its checksum.
	ErrCorrupt = errors.New("store: stored data is corrupt")
)
