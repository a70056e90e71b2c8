package pebble

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/tally"
)

// figures counts commits and the fsyncs of the log that make them durable.
type figures struct {
	commits, bytes, syncing atomic.Uint64 // syncing: commits since the last fsync began
	batch, sync             tally.Histogram
}

func (f *figures) committed(bytes int) {
	f.commits.Add(1)
	f.syncing.Add(1)
	f.bytes.Add(uint64(bytes))
}

// synced measures an fsync of a file; what is not the log is not counted.
func (f *figures) synced(name string, do func() error) error {
	if !strings.HasSuffix(name, ".log") {
		return do()
	}
	n, began := f.syncing.Swap(0), time.Now()
	err := do()
	f.sync.Since(began)
	if n > 0 {
		f.batch.Add(n)
	}
	return err
}

// Stats implements store.Measured.
func (s *Store) Stats() store.Stats {
	f := &s.guard.figures
	out := store.Stats{Commits: f.commits.Load(), Bytes: f.bytes.Load(), Batch: f.batch.Read(), Sync: f.sync.Read()}
	s.life.RLock()
	defer s.life.RUnlock()
	if !s.closed {
		out.Disk = s.db.Metrics().DiskSpaceUsage()
	}
	return out
}
