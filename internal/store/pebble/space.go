package pebble

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
)

// ballastName is a file that takes up space, to be given up when the disk is nearly full. What is freed lets accepted
// work finish and Pebble write its tables.
const ballastName = "BALLAST"

// space decides whether new work is admitted. Free space is measured by whoever writes, at most once per interval, so
// that nothing runs while nothing is done.
//
//	free < watermark              new work is refused, finishing work goes on
//	free < watermark/4, or ENOSPC the ballast is released
//	free >= watermark             new work is admitted again
//	free >= watermark + ballast   the ballast is laid again
type space struct {
	dir       string
	fs        vfs.FS
	measure   func(dir string) (uint64, error)
	watermark uint64
	size      uint64
	interval  time.Duration
	logger    *slog.Logger

	due  atomic.Int64 // when the next measurement is due, in Unix nanoseconds
	full atomic.Bool

	mu   sync.Mutex // guards the ballast file
	laid bool
}

func newSpace(dir string, o Options) *space {
	_, err := o.FS.Stat(o.FS.PathJoin(dir, ballastName))
	return &space{
		dir: dir, fs: o.FS, measure: o.FreeSpace, watermark: o.Watermark, size: o.Ballast, interval: o.SpaceInterval,
		logger: o.Logger, laid: err == nil,
	}
}

// admit answers store.ErrFull to new work while space is short.
func (s *space) admit(ctx context.Context) error {
	now := time.Now().UnixNano()
	if due := s.due.Load(); now >= due && s.due.CompareAndSwap(due, now+int64(s.interval)) {
		s.check()
	}
	if s.full.Load() && !store.IsFinishing(ctx) {
		return store.ErrFull
	}
	return nil
}

// check measures, and lays or releases the ballast. If the measurement fails the last one stands.
func (s *space) check() {
	free, err := s.measure(s.dir)
	if err != nil {
		s.logger.Warn("store: cannot measure free space", "dir", s.dir, "error", err)
		return
	}
	switch {
	case free < s.watermark/4:
		s.diskFull()
	case free >= s.watermark+s.size:
		s.layBallast()
	}
	full := free < s.watermark
	if s.full.Swap(full) != full {
		s.report(full, free)
	}
}

func (s *space) report(full bool, free uint64) {
	if full {
		s.logger.Error("store: little space is left, new work is refused", "dir", s.dir, "free", free, "watermark", s.watermark)
		return
	}
	s.logger.Info("store: space is free again, new work is admitted", "dir", s.dir, "free", free)
}

// diskFull stops new work at once and releases the ballast.
func (s *space) diskFull() {
	s.full.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.laid {
		return
	}
	err := s.fs.Remove(s.fs.PathJoin(s.dir, ballastName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Error("store: cannot release the ballast", "error", err)
		return
	}
	s.laid = false
	s.logger.Error("store: the disk is nearly full, the ballast was released", "dir", s.dir, "bytes", s.size)
}

func (s *space) layBallast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.laid {
		return
	}
	name := s.fs.PathJoin(s.dir, ballastName)
	f, err := s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		err = errors.Join(reserve(f, int64(s.size)), f.Close())
	}
	if err != nil {
		_ = s.fs.Remove(name)
		s.logger.Warn("store: cannot lay the ballast", "file", name, "error", err)
		return
	}
	s.laid = true
}

// reserve makes the file system set size bytes aside. Where it cannot preallocate, they are written.
func reserve(f vfs.File, size int64) error {
	if runtime.GOOS == "linux" {
		return f.Preallocate(0, size)
	}
	zeros := make([]byte, 1<<20)
	for ; size > 0; size -= int64(len(zeros)) {
		if _, err := f.Write(zeros[:min(size, int64(len(zeros)))]); err != nil {
			return err
		}
	}
	return f.Sync()
}
