package pebble_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var errInjected = errors.New("injected input/output error")

// faultFS lets one named operation fail and fsyncs of the log be held. The names are "create", "write" and "fsync" of
// "log", "MANIFEST", "table" and "directory".
type faultFS struct {
	vfs.FS
	mem *vfs.MemFS

	mu    sync.Mutex
	fault string
	err   error
	left  int
	gates map[string]chan struct{}
}

func newFaultFS(mem *vfs.MemFS) *faultFS { return &faultFS{FS: mem, mem: mem} }

func (f *faultFS) crash(seed uint64) *faultFS {
	r := rand.New(rand.NewPCG(seed, 1))
	percent := []int{0, 20, 50, 90}[r.IntN(4)]
	return newFaultFS(f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: r}))
}

func (f *faultFS) inject(fault string, n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.left, f.err = fault, n, err
}

// pending tells whether the injected fault is still to come.
func (f *faultFS) pending() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault != ""
}

// hold makes an operation wait until release is called.
func (f *faultFS) hold(op string) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gate := make(chan struct{})
	if f.gates == nil {
		f.gates = map[string]chan struct{}{}
	}
	f.gates[op] = gate
	return func() {
		f.mu.Lock()
		delete(f.gates, op)
		f.mu.Unlock()
		close(gate)
	}
}

// op says whether this operation fails. It fails once: who tries again succeeds, which is how a wrong retry is found.
func (f *faultFS) op(name string) error {
	f.mu.Lock()
	gate := f.gates[name]
	f.mu.Unlock()
	if gate != nil {
		<-gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if name != f.fault {
		return nil
	}
	if f.left--; f.left > 0 {
		return nil
	}
	f.fault = ""
	return f.err
}

func kind(name string) string {
	switch {
	case strings.HasSuffix(name, ".log"):
		return "log"
	case strings.HasSuffix(name, ".sst"):
		return "table"
	case strings.Contains(name, "MANIFEST-"):
		return "MANIFEST"
	}
	return "other"
}

func (f *faultFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f *faultFS) ReuseForWrite(from, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.ReuseForWrite(from, name, c) })
}

func (f *faultFS) open(name string, do func() (vfs.File, error)) (vfs.File, error) {
	if err := f.op(kind(name) + " create"); err != nil {
		return nil, err
	}
	file, err := do()
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f, kind: kind(name)}, nil
}

func (f *faultFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f, kind: "directory"}, nil
}

type faultFile struct {
	vfs.File
	fs   *faultFS
	kind string
}

// Write writes half of it before it fails, as a disk may.
func (f *faultFile) Write(p []byte) (int, error) {
	if err := f.fs.op(f.kind + " write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *faultFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *faultFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *faultFile) sync(do func() error) error {
	if err := f.fs.op(f.kind + " fsync"); err != nil {
		return err
	}
	return do()
}
