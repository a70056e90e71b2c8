package pebble

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// errStopped is what Pebble gets for changes after the store has failed.
var errStopped = errors.New("store: stopped after a failed write")

// spaceRetryPause keeps Pebble from retrying a table in a tight loop while the disk is full.
const spaceRetryPause = 250 * time.Millisecond

// guard is the file system as Pebble sees it. It poisons the store at the first error of the log, the MANIFEST or a
// directory, before Pebble learns of it. For the log it then answers success and writes nothing: Pebble holds locks for
// ever or panics when its log fails, while nothing it reports counts any more, since every caller looks at the failure
// after its wait. Everything else is frozen: nothing is deleted, renamed or created, so what is on the disk
// stays what a restart can recover.
type guard struct {
	vfs.FS
	failure  *failure
	diskFull func()

	open      atomic.Bool   // from here on files are created by background work, which may be held
	released  chan struct{} // closed when the store closes: background work that was held ends with an error
	releasing sync.Once
	pausing   atomic.Bool
	read      atomic.Pointer[string]
}

func newGuard(fs vfs.FS, f *failure, diskFull func()) *guard {
	return &guard{FS: fs, failure: f, diskFull: diskFull, released: make(chan struct{})}
}

func (g *guard) release() { g.releasing.Do(func() { close(g.released) }) }

func (g *guard) lastRead() string {
	if name := g.read.Load(); name != nil {
		return *name
	}
	return "unknown file"
}

// critical tells files whose loss of a write cannot be repaired.
func (g *guard) critical(name string) bool { return g.isLog(name) || g.isManifest(name) }

func (g *guard) isLog(name string) bool { return strings.HasSuffix(name, ".log") }

func (g *guard) isManifest(name string) bool {
	base := g.FS.PathBase(name)
	return strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
}

// fail poisons the store with an error of a critical file.
func (g *guard) fail(op, name string, err error) {
	g.noteFull(err)
	g.failure.fail(fmt.Errorf("%s %s: %w", op, name, err))
}

func (g *guard) noteFull(err error) {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		g.pausing.Store(true)
		g.diskFull()
	}
}

func (g *guard) stopped() bool { return g.failure.err() != nil }

// hold makes background work wait: for a while after the disk was full, for good after a failure.
func (g *guard) hold() error {
	if g.pausing.CompareAndSwap(true, false) {
		pause := time.NewTimer(spaceRetryPause)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-g.released:
		}
	}
	if !g.stopped() {
		return nil
	}
	if g.open.Load() {
		<-g.released
	}
	return errStopped
}

func (g *guard) create(name string, make func() (vfs.File, error)) (vfs.File, error) {
	log := g.isLog(name)
	if g.stopped() && log {
		return vfs.NewMemFile(nil), nil
	}
	if !log {
		if err := g.hold(); err != nil {
			return nil, err
		}
	}
	f, err := make()
	switch {
	case err == nil:
		return g.wrap(name, f), nil
	case log:
		g.fail("create", name, err)
		return vfs.NewMemFile(nil), nil
	case g.critical(name):
		g.fail("create", name, err)
	default:
		g.noteFull(err)
	}
	return nil, err
}

func (g *guard) wrap(name string, f vfs.File) vfs.File {
	if g.isLog(name) {
		return &logFile{File: f, guard: g, name: name}
	}
	return &dataFile{File: f, guard: g, name: name, critical: g.critical(name)}
}

// Create implements vfs.FS.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

// ReuseForWrite implements vfs.FS.
func (g *guard) ReuseForWrite(from, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.ReuseForWrite(from, name, category) })
}

// Open implements vfs.FS and remembers the name for an error message.
func (g *guard) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	g.read.Store(&name)
	return g.FS.Open(name, opts...)
}

// OpenDir implements vfs.FS.
func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &logFile{File: f, guard: g, name: name}, nil
}

// Remove implements vfs.FS.
func (g *guard) Remove(name string) error {
	return g.change(func() error { return g.FS.Remove(name) })
}

// RemoveAll implements vfs.FS.
func (g *guard) RemoveAll(name string) error {
	return g.change(func() error { return g.FS.RemoveAll(name) })
}

// Link implements vfs.FS.
func (g *guard) Link(from, to string) error {
	return g.change(func() error { return g.FS.Link(from, to) })
}

// Rename implements vfs.FS.
func (g *guard) Rename(from, to string) error {
	return g.change(func() error { return g.FS.Rename(from, to) })
}

func (g *guard) change(do func() error) error {
	if g.stopped() {
		return errStopped
	}
	return do()
}

// Unwrap implements vfs.FS.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// logFile is a log or a directory: an error poisons the store and is never shown to Pebble, and nothing is written after it.
type logFile struct {
	vfs.File
	guard *guard
	name  string
}

func (f *logFile) do(op string, write func() error) {
	if f.guard.stopped() {
		return
	}
	if err := write(); err != nil {
		f.guard.fail(op, f.name, err)
	}
}

// Write implements vfs.File.
func (f *logFile) Write(p []byte) (int, error) {
	f.do("write", func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

// Preallocate implements vfs.File. That it fails costs time only.
func (f *logFile) Preallocate(offset, length int64) error {
	if f.guard.stopped() {
		return nil
	}
	return extend(f.File, offset, length)
}

// Sync implements vfs.File.
func (f *logFile) Sync() error { f.do("fsync", f.File.Sync); return nil }

// SyncData implements vfs.File.
func (f *logFile) SyncData() error { f.do("fdatasync", f.File.SyncData); return nil }

// SyncTo implements vfs.File.
func (f *logFile) SyncTo(length int64) (full bool, err error) {
	f.do("sync_file_range", func() error { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// Close implements vfs.File.
func (f *logFile) Close() error {
	if err := f.File.Close(); err != nil && !f.guard.stopped() {
		f.guard.fail("close", f.name, err)
	}
	return nil
}

// dataFile is any other file that Pebble writes: Pebble sees its errors, and those of a critical one poison the store.
type dataFile struct {
	vfs.File
	guard    *guard
	name     string
	critical bool
}

func (f *dataFile) check(op string, err error) error {
	if err == nil {
		return nil
	}
	if f.critical {
		f.guard.fail(op, f.name, err)
	} else {
		f.guard.noteFull(err)
	}
	return err
}

// Write implements vfs.File.
func (f *dataFile) Write(p []byte) (int, error) {
	if f.guard.stopped() {
		return 0, errStopped
	}
	n, err := f.File.Write(p)
	return n, f.check("write", err)
}

// Sync implements vfs.File.
func (f *dataFile) Sync() error {
	if f.guard.stopped() {
		return errStopped
	}
	return f.check("fsync", f.File.Sync())
}

// SyncData implements vfs.File.
func (f *dataFile) SyncData() error {
	if f.guard.stopped() {
		return errStopped
	}
	return f.check("fdatasync", f.File.SyncData())
}

// SyncTo implements vfs.File.
func (f *dataFile) SyncTo(length int64) (bool, error) {
	if f.guard.stopped() {
		return false, errStopped
	}
	full, err := f.File.SyncTo(length)
	return full, f.check("sync_file_range", err)
}
