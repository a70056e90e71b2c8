package pebble_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/pebble"
)

// killed returns the disk that a killed process leaves: with all that it has written.
func killed(t *testing.T, o pebble.Options, n int) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	o.FS = fs
	put(t, mustOpen(t, o), n)
	return clone(fs)
}

func clone(fs *vfs.MemFS) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
}

// Whatever is damaged of what was synced, to the last byte of the last file, is noticed.
func TestSealedFiles(t *testing.T) {
	const n = 300
	left := killed(t, pebble.Options{}, n)
	s := mustOpen(t, pebble.Options{FS: clone(left)})
	if got, err := rows(t, s); got != n || err != nil {
		t.Fatalf("%d rows, %v", got, err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for _, file := range []string{newest(t, left, "", ".log"), newest(t, left, "MANIFEST-", "")} {
		for name, damage := range map[string]func([]byte) []byte{
			"emptied":          func([]byte) []byte { return nil },
			"cut":              func(b []byte) []byte { return b[:r.IntN(len(b))] },
			"one byte shorter": func(b []byte) []byte { return b[:len(b)-1] },
			"flipped":          func(b []byte) []byte { b[r.IntN(len(b))] ^= 1; return b },
			"last flipped":     func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b },
		} {
			fs := clone(left)
			rewrite(t, fs, file, damage)
			_, err := pebble.Open(dir, pebble.Options{FS: fs})
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(fmt.Sprint(err), fs.PathBase(file)) {
				t.Errorf("%s %s: %v, want ErrCorrupt that names it", file, name, err)
			}
		}
	}
}

// Options that cannot be read are told from data: the store opens without them.
func TestDamagedOptions(t *testing.T) {
	left := killed(t, pebble.Options{}, 10)
	file := newest(t, left, "OPTIONS-", "")
	rewrite(t, left, file, func(b []byte) []byte {
		return bytes.Replace(b, []byte("comparer=leveldb"), []byte("comparer=levelxb"), 1)
	})
	if _, err := pebble.Open(dir, pebble.Options{FS: clone(left)}); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(fmt.Sprint(err), left.PathBase(file)) {
		t.Errorf("%v, want ErrCorrupt that names %s", err, file)
	}
	if err := left.Remove(file); err != nil {
		t.Fatal(err)
	}
	if n, err := rows(t, mustOpen(t, pebble.Options{FS: left})); n != 10 || err != nil {
		t.Errorf("without options: %d rows, %v", n, err)
	}
}

// Every file that counts is missed. A directory without its markers is not taken for an empty one.
func TestMissingFiles(t *testing.T) {
	left := killed(t, pebble.Options{}, 300)
	mustClose(t, mustOpen(t, pebble.Options{FS: left})) // a table is made
	s := mustOpen(t, pebble.Options{FS: left})
	put(t, s, 10)
	left = clone(left)
	for _, file := range []string{newest(t, left, "", ".log"), newest(t, left, "MANIFEST-", ""), newest(t, left, "", ".sst"), newest(t, left, "marker.manifest", ""), newest(t, left, "marker.format", "")} {
		fs := clone(left)
		if err := fs.Remove(file); err != nil {
			t.Fatal(err)
		}
		if _, err := pebble.Open(dir, pebble.Options{FS: fs}); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(fmt.Sprint(err), "missing") {
			t.Errorf("%s is gone: %v", file, err)
		}
	}
	young := killed(t, pebble.Options{}, 1) // no table yet
	if err := young.Remove(newest(t, young, "marker.manifest", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := pebble.Open(dir, pebble.Options{FS: young}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a young store without its marker: %v", err)
	}
}

// Damaged seals refuse nothing: they are no data. Without them what is left can be had.
func TestDamagedSeals(t *testing.T) {
	const n = 100
	left := killed(t, pebble.Options{}, n)
	name := left.PathJoin(dir, "SEALS")
	for at := range 256 {
		fs := clone(left)
		rewrite(t, fs, name, func(b []byte) []byte { b[at] ^= 4; return b })
		s := mustOpen(t, pebble.Options{FS: fs})
		if got, err := rows(t, s); got != n || err != nil {
			t.Errorf("byte %d of the seals: %d rows, %v", at, got, err)
		}
		mustClose(t, s)
	}
	fs := clone(left)
	rewrite(t, fs, newest(t, fs, "", ".log"), func(b []byte) []byte { return b[:len(b)/2] })
	rewrite(t, fs, name, func([]byte) []byte { return nil })
	if got, err := rows(t, mustOpen(t, pebble.Options{FS: fs})); got == 0 || got == n || err != nil {
		t.Errorf("half a log without seals: %d rows, %v", got, err)
	}
}

// Files come and go, and are reused under other names; nothing that has happened to them in good order is taken for damage.
func TestSealsFollowFiles(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o := small(newFaultFS(fs))
	s := mustOpen(t, o)
	put(t, s, 6000) // logs are filled and reused, tables made of them
	for seed := range uint64(20) {
		cut := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed * 5), RNG: rand.New(rand.NewPCG(seed, 1))})
		again := mustOpen(t, small(newFaultFS(cut)))
		if got, err := rows(t, again); got != 6000 || err != nil {
			t.Errorf("seed %d: %d rows, %v", seed, got, err)
		}
		mustClose(t, again)
		mustClose(t, mustOpen(t, small(newFaultFS(cut))))
	}
}
