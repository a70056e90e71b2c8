package pebble

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/newel-run/newel/internal/store"
)

// formatNewest is the newest layout of rows that this version reads and writes; see docs/storage.md.
const formatNewest = 1

// layout is what is fixed when a store is created, as stored under layoutKey in JSON.
type layout struct {
	Format     int `json:"format"`
	Partitions int `json:"partitions"`
}

// layoutKey lies under the prefix of no partition.
var layoutKey = append([]byte{0xff, 0xff}, store.K(store.TableMeta, "layout")...)

// ensureLayout reads the layout of a store, or writes it into one that has none.
func ensureLayout(db *pebble.DB, partitions int) (layout, error) {
	value, closer, err := db.Get(layoutKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return create(db, layout{Format: formatNewest, Partitions: partitions})
	}
	if err != nil {
		return layout{}, err
	}
	defer closer.Close()
	var l layout
	if err := json.Unmarshal(value, &l); err != nil {
		return layout{}, fmt.Errorf("%w: its layout is unreadable: %w", store.ErrCorrupt, err)
	}
	if l.Format > formatNewest {
		return layout{}, fmt.Errorf("%w: its format is %d, this version knows up to %d", store.ErrFormat, l.Format, formatNewest)
	}
	if l.Format < 1 || l.Partitions < 1 || l.Partitions > maxPartitions {
		return layout{}, fmt.Errorf("%w: its layout is %s", store.ErrCorrupt, value)
	}
	return l, nil
}

func create(db *pebble.DB, l layout) (layout, error) {
	value, err := json.Marshal(l)
	if err != nil {
		return layout{}, err
	}
	return l, db.Set(layoutKey, value, pebble.Sync)
}
