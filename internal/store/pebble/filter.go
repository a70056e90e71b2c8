package pebble

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/newel-run/newel/internal/store"
)

// names is the filter policy of the lowest level, where most rows are: it knows the keys of store.LikelyMissing only, so that
// the filters of many millions of executions fit into the cache. Of other keys it says that they may be there, as Pebble's
// Get assumes of the lowest level anyhow.
type names struct{ pebble.FilterPolicy }

// Name implements pebble.FilterPolicy. It is written into tables.
func (names) Name() string { return "newel.names" }

// MayContain implements pebble.FilterPolicy.
func (n names) MayContain(t pebble.FilterType, filter, key []byte) bool {
	return !store.LikelyMissing(key[prefixLen:]) || n.FilterPolicy.MayContain(t, filter, key)
}

// NewWriter implements pebble.FilterPolicy.
func (n names) NewWriter(t pebble.FilterType) pebble.FilterWriter {
	return nameWriter{n.FilterPolicy.NewWriter(t)}
}

type nameWriter struct{ pebble.FilterWriter }

// AddKey implements pebble.FilterWriter.
func (w nameWriter) AddKey(key []byte) {
	if store.LikelyMissing(key[prefixLen:]) {
		w.FilterWriter.AddKey(key)
	}
}
