package postgres

import (
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/tally"
)

// figures counts groups: what an fsync is to a file, a commit of the database is here.
type figures struct {
	commits     atomic.Uint64
	batch, sync tally.Histogram
}

func (f *figures) committed(transactions int, began time.Time) {
	f.commits.Add(uint64(transactions))
	f.batch.Add(uint64(transactions))
	f.sync.Since(began)
}

// Stats implements store.Measured. Bytes and disk are the database's to tell.
func (s *Store) Stats() store.Stats {
	f := &s.committer.stats
	return store.Stats{Commits: f.commits.Load(), Batch: f.batch.Read(), Sync: f.sync.Read()}
}
