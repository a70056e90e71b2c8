package pebble

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
)

// failure is set once, by the first error that the store must not survive.
type failure struct {
	once   sync.Once
	failed chan struct{}
	cause  error // written before failed is closed
}

func newFailure() *failure { return &failure{failed: make(chan struct{})} }

func (f *failure) fail(cause error) {
	f.once.Do(func() {
		f.cause = fmt.Errorf("%w: %w", store.ErrFailed, cause)
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

// lockDirectory takes the directory for this process.
func lockDirectory(dir string, files vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, files)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, syscall.EAGAIN), strings.Contains(err.Error(), "lock held by current process"):
		return nil, fmt.Errorf("%w: %s", store.ErrLocked, dir)
	}
	return nil, fmt.Errorf("store: cannot lock %s: %w", dir, err)
}

// openError names what keeps the store from opening. lastRead is the file that was opened last: a log or MANIFEST that
// cannot be replayed is named by it.
func openError(dir, lastRead string, err error) error {
	switch {
	case strings.Contains(err.Error(), "unknown format major version"):
		return fmt.Errorf("%w: %s: %w", store.ErrFormat, dir, err)
	case strings.Contains(lastRead, "OPTIONS-"):
		return fmt.Errorf("%w: %s: %w; this file decides nothing: without it the store opens", store.ErrCorrupt, lastRead, err)
	case strings.Contains(err.Error(), "object size mismatch"), strings.Contains(err.Error(), "unknown to the objstorage provider"):
		return fmt.Errorf("%w: %s: a table is missing or has another size: %w", store.ErrCorrupt, dir, err)
	case !pebble.IsCorruptionError(err):
		return fmt.Errorf("store: cannot open %s: %w", dir, err)
	case pebble.ExtractDataCorruptionInfo(err) == nil:
		return fmt.Errorf("%w: %s: %w", store.ErrCorrupt, lastRead, err)
	}
	return readError(err)
}

// readError is the error of a read; if data is corrupt it says in which file.
func readError(err error) error {
	if err == nil || !pebble.IsCorruptionError(err) {
		return err
	}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrCorrupt, info.Path, info.Details)
	}
	return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
}
