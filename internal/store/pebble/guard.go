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

// spaceRetryPause keeps Pebble from retrying a table in a tight loop while the disk is full.
const spaceRetryPause = 250 * time.Millisecond

// guard is the file system as Pebble sees it. At the first error of a critical file (log, MANIFEST, directory) it poisons
// the store, before Pebble learns of it. From then on it answers success to every change of a critical file and every
// removal, and does none of them: Pebble panics, stalls or retries for ever when they fail, while nothing it
// reports counts any more, since every caller looks at the failure after its wait. Tables are still written, so
// that callers who wait for room in memory get on; without a MANIFEST that names them they are nothing. So what is on the disk
// stays as the failure has left it, for a restart to recover.
type guard struct {
	vfs.FS
	failure  *failure
	diskFull func()
	figures  figures
	seals    *seals

	released  chan struct{} // closed when the store closes: background work is held no longer
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

// critical tells files whose loss of a write cannot be repaired. A marker names the current MANIFEST or format.
func (g *guard) critical(name string) bool {
	base := g.FS.PathBase(name)
	return strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
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

// pause holds background work for a while after the disk was full.
func (g *guard) pause() {
	if !g.pausing.CompareAndSwap(true, false) {
		return
	}
	timer := time.NewTimer(spaceRetryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.released:
	}
}

func (g *guard) create(name string, create func() (vfs.File, error)) (vfs.File, error) {
	if !g.critical(name) {
		g.pause()
		f, err := create()
		if err != nil {
			g.noteFull(err)
			return nil, err
		}
		return &dataFile{File: f, guard: g}, nil
	}
	f := vfs.NewMemFile(nil) // what a failed store writes to
	if !g.stopped() {
		err := errors.Join(g.nameFirst(name), g.unseal(name))
		var created vfs.File
		if err == nil {
			created, err = create()
		}
		if err != nil {
			g.fail("create", name, err)
		} else {
			f = created
		}
	}
	return &criticalFile{File: f, guard: g, name: name, seal: g.seals.follow(g.FS.PathBase(name))}, nil
}

// nameFirst makes the name of what a marker is about to name durable: a power cut must not leave a marker of a MANIFEST that is gone.
func (g *guard) nameFirst(marker string) error {
	if !strings.HasPrefix(g.FS.PathBase(marker), "marker.") {
		return nil
	}
	d, err := g.FS.OpenDir(g.FS.PathDir(marker))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// unseal takes back the seals of files that are about to change otherwise than by being written on.
func (g *guard) unseal(names ...string) error {
	for _, name := range names {
		if err := g.seals.drop(g.FS.PathBase(name)); err != nil {
			return err
		}
	}
	return nil
}

// Create implements vfs.FS.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

// ReuseForWrite implements vfs.FS.
func (g *guard) ReuseForWrite(from, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) {
		if err := g.unseal(from); err != nil {
			return nil, err
		}
		return g.FS.ReuseForWrite(from, name, category)
	})
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
	return &criticalFile{File: f, guard: g, name: name, directory: true}, nil
}

// Remove implements vfs.FS.
func (g *guard) Remove(name string) error {
	return g.change(func() error { return g.FS.Remove(name) }, name)
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
	return g.change(func() error { return g.FS.Rename(from, to) }, from, to)
}

// change makes a change unless the store has failed. The seals of the files that it takes away are taken back before.
func (g *guard) change(do func() error, unsealed ...string) error {
	if g.stopped() {
		return nil
	}
	if err := g.unseal(unsealed...); err != nil {
		return err
	}
	return do()
}

// Unwrap implements vfs.FS.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// criticalFile is a log, MANIFEST, marker or directory: an error poisons the store and is never shown to Pebble, and nothing
// is written after it.
type criticalFile struct {
	vfs.File
	guard *guard
	name  string

	seal      *seal
	directory bool
}

func (f *criticalFile) do(op string, write func() error) {
	if f.guard.stopped() {
		return
	}
	if err := write(); err != nil {
		f.guard.fail(op, f.name, err)
	}
}

// Write implements vfs.File.
func (f *criticalFile) Write(p []byte) (int, error) {
	f.seal.wrote(p) // Write may change p
	f.do("write", func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

// Preallocate implements vfs.File. That it fails costs time only.
func (f *criticalFile) Preallocate(offset, length int64) error {
	if f.guard.stopped() {
		return nil
	}
	return extend(f.File, offset, length)
}

// Sync implements vfs.File.
func (f *criticalFile) Sync() error {
	f.do("fsync", func() error { return f.sync(f.File.Sync) })
	return nil
}

// SyncData implements vfs.File.
func (f *criticalFile) SyncData() error {
	f.do("fdatasync", func() error { return f.sync(f.File.SyncData) })
	return nil
}

func (f *criticalFile) sync(sync func() error) error {
	named := func() {}
	if f.directory {
		named = f.guard.seals.naming()
	}
	err := f.guard.figures.synced(f.name, sync)
	if err == nil {
		f.seal.synced()
		named()
	}
	return err
}

// SyncTo implements vfs.File.
func (f *criticalFile) SyncTo(length int64) (full bool, err error) {
	f.do("sync_file_range", func() error { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// Close implements vfs.File.
func (f *criticalFile) Close() error {
	if err := f.File.Close(); err != nil && !f.guard.stopped() {
		f.guard.fail("close", f.name, err)
	}
	return nil
}

// dataFile is any other file. Pebble sees its errors and tries again under another name.
type dataFile struct {
	vfs.File
	guard *guard
}

func (f *dataFile) note(err error) error {
	if err != nil {
		f.guard.noteFull(err)
	}
	return err
}

// Write implements vfs.File.
func (f *dataFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.note(err)
}

// Sync implements vfs.File.
func (f *dataFile) Sync() error { return f.note(f.File.Sync()) }

// SyncData implements vfs.File.
func (f *dataFile) SyncData() error { return f.note(f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f *dataFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.note(err)
}
