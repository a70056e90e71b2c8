package pebble_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/pebble"
)

const mib = 1 << 20

func hasBallast(fs vfs.FS) bool {
	_, err := fs.Stat(fs.PathJoin(dir, "BALLAST"))
	return err == nil
}

func TestBallast(t *testing.T) {
	fs := vfs.NewCrashableMem()
	var free atomic.Uint64
	o := pebble.Options{
		FS: fs, SpaceInterval: 1, Watermark: 128 * mib, Ballast: 64 * mib,
		FreeSpace: func(string) (uint64, error) { return free.Load(), nil },
	}
	free.Store(1000 * mib)
	s := mustOpen(t, o)
	steps := []struct {
		free    uint64
		ballast bool
		err     error
	}{
		{1000 * mib, true, nil},
		{128 * mib, true, nil},
		{127 * mib, true, store.ErrFull},
		{31 * mib, false, store.ErrFull}, // released
		{95 * mib, false, store.ErrFull}, // what the release has freed admits nothing
		{128 * mib, false, nil},          // new work again, but no space for the ballast
		{191 * mib, false, nil},
		{192 * mib, true, nil}, // laid again
		{10 * mib, false, store.ErrFull},
	}
	for i, step := range steps {
		free.Store(step.free)
		err := s.Update(t.Context(), 1, func(tx store.Tx) error { tx.Set(nil, nil); return nil })
		if !errors.Is(err, step.err) {
			t.Errorf("step %d, %d MiB free: %v, want %v", i, step.free/mib, err, step.err)
		}
		if hasBallast(fs) != step.ballast {
			t.Errorf("step %d, %d MiB free: ballast %v, want %v", i, step.free/mib, !step.ballast, step.ballast)
		}
	}
	mustClose(t, s)
	s = mustOpen(t, o) // a nearly full disk does not keep a store from opening
	err := s.Update(t.Context(), 1, func(tx store.Tx) error { tx.Set(nil, nil); return nil })
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("after a restart: %v, want ErrFull", err)
	}
}

// A log that meets a full disk is not written again: the store fails, says why, has released the ballast, and a restart
// recovers what was acknowledged.
func TestLogMeetsFullDisk(t *testing.T) {
	fs := newFaultFS(vfs.NewCrashableMem())
	o := pebble.Options{FS: fs, FreeSpace: func(string) (uint64, error) { return 1 << 40, nil }}
	s := mustOpen(t, o)
	put(t, s, 10)
	if !hasBallast(fs) {
		t.Fatal("no ballast")
	}
	fs.inject("log write", 1, syscall.ENOSPC)
	err := s.Update(t.Context(), 1, func(tx store.Tx) error { tx.Set([]byte("z"), nil); return nil })
	if !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), ".log: ") {
		t.Errorf("%v: want ErrFailed, the file and the cause", err)
	}
	if hasBallast(fs) {
		t.Error("the ballast was not released")
	}
	_ = s.Close()
	if n, err := rows(t, mustOpen(t, o)); n < 10 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}

// A measurement that fails changes nothing.
func TestFreeSpaceUnknown(t *testing.T) {
	o := pebble.Options{FS: vfs.NewMem(), SpaceInterval: 1, FreeSpace: func(string) (uint64, error) { return 0, errInjected }}
	s := mustOpen(t, o)
	put(t, s, 1)
}
