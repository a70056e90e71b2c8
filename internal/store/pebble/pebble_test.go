package pebble_test

import (
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/pebble"
	"github.com/newel-run/newel/internal/store/storetest"
)

const dir = "data"

// small makes memtables so small that a short load writes tables and changes logs.
func small(fs vfs.FS) pebble.Options {
	return pebble.Options{FS: fs, MemTableSize: 256 << 10, CacheSize: 1 << 20, SpaceInterval: 1}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness { return harness(newFaultFS(vfs.NewCrashableMem())) })
}

func harness(fs *faultFS) storetest.Harness {
	var full atomic.Bool
	o := small(fs)
	o.FreeSpace = func(string) (uint64, error) {
		if full.Load() {
			return 100 << 20, nil
		}
		return 1 << 40, nil
	}
	return storetest.Harness{
		Open: func() (store.Store, error) { return open(o) },
		Disk: &storetest.Disk{
			Crash:    func(seed uint64) storetest.Harness { return harness(fs.crash(seed)) },
			Faults:   []string{"log write", "log fsync", "log create", "MANIFEST write", "MANIFEST fsync", "directory fsync"},
			Inject:   func(fault string, n int) { fs.inject(fault, n, errInjected) },
			SetFree:  func(plenty bool) { full.Store(!plenty) },
			HoldSync: func() func() { return fs.hold("log fsync") },
		},
	}
}

// open returns a nil interface with an error.
func open(o pebble.Options) (store.Store, error) {
	s, err := pebble.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func TestStoreOnRealFiles(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		dir := t.TempDir()
		return storetest.Harness{Open: func() (store.Store, error) {
			s, err := pebble.Open(dir, pebble.Options{Ballast: 1 << 20, Watermark: 2 << 20})
			if err != nil {
				return nil, err
			}
			return s, nil
		}}
	})
}
