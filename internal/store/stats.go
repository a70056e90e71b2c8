package store

import "github.com/newel-run/newel/internal/tally"

// Stats is what a store has done since it was opened.
type Stats struct {
	Commits uint64             // transactions that wrote
	Bytes   uint64             // that they wrote, keys included
	Batch   tally.Distribution // commits made durable by one fsync
	Sync    tally.Distribution // microseconds of an fsync of the log
	Disk    uint64             // bytes in use on the disk
}

// Measured is a store that counts what it does.
type Measured interface{ Stats() Stats }
