package pebble

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleFormat is Pebble's own format of new stores. Raising it makes older binaries refuse the data (ErrFormat), so it is
// raised together with formatNewest.
const pebbleFormat = pebble.FormatValueSeparation

// tuning is for many small durable commits on few cores with little memory: memtables start at 256 KiB and double up to
// their full size, so an idle server stays small; log files are reused, so that an fdatasync changes no metadata; and there
// is no minimum interval between fsyncs, which Pebble's log writer batches by itself: whoever comes during one fsync shares
// the next.
//
// Most rows live for milliseconds (tasks on their way, answers that may be asked for again). Large memtables and
// patient compactions let them die before they are copied; what is copied is compressed only where it stays.
func tuning(o Options, fs vfs.FS, lock *pebble.Lock, failed *failure, c *compactions) *pebble.Options {
	p := &pebble.Options{
		FS:                          fs,
		Lock:                        lock,
		FormatMajorVersion:          pebbleFormat,
		CacheSize:                   o.CacheSize,
		MemTableSize:                o.MemTableSize,
		MemTableStopWritesThreshold: 4,
		BytesPerSync:                512 << 10,
		WALBytesPerSync:             0,
		L0CompactionThreshold:       8,
		L0CompactionFileThreshold:   1000,
		L0StopWritesThreshold:       48,
		MaxOpenFiles:                512,
		MaxManifestFileSize:         4 << 20,
		Logger:                      logger{o.Logger, failed},
	}
	p.Experimental.CompactionScheduler = c
	// Absent names are looked up all the time (idempotency, name uniqueness): a filter answers without reading a table.
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		if i < len(p.Levels)-1 {
			p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		}
	}
	p.Levels[len(p.Levels)-1].FilterPolicy = names{bloom.FilterPolicy(10)}
	p.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) { o.Logger.Warn("store: background work failed", "error", err) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			o.Logger.Error("store: corrupt file", "path", i.Path, "error", i.Details)
		},
	}
	return p
}

// logger passes Pebble's errors on and turns "fatal", which Pebble expects not to return, into a failed store.
type logger struct {
	*slog.Logger
	failure *failure
}

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.Warn("store: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l logger) Fatalf(format string, args ...any) { l.failure.fail(fmt.Errorf(format, args...)) }
