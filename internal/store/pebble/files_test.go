package pebble_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	cockroach "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/pebble"
	"github.com/newel-run/newel/internal/store/storetest"
)

func mustOpen(t *testing.T, o pebble.Options) *pebble.Store {
	t.Helper()
	s, err := pebble.Open(dir, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustClose(t *testing.T, s *pebble.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// put adds rows 0 <= i < n of about 100 bytes, each in a commit of its own.
func put(t *testing.T, s store.Store, n int) {
	t.Helper()
	for i := range n {
		err := s.Update(t.Context(), 1, func(tx store.Tx) error {
			tx.Set(store.K('x').U32(uint32(i)), row(i))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func row(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "row %d,", i), 12) }

// rows returns how many rows there are; they must be a gapless beginning of what put has added.
func rows(t *testing.T, s store.Store) (n int, err error) {
	err = s.View(t.Context(), 1, func(r store.Reader) error {
		for k, v := range r.Scan(nil, nil, false) {
			if !bytes.Equal(k, store.K('x').U32(uint32(n))) || !bytes.Equal(v, row(n)) {
				t.Errorf("row %d is %q=%.30q", n, k, v)
			}
			n++
		}
		return nil
	})
	return n, err
}

// newest returns the last file, by name, with a prefix and a suffix.
func newest(t *testing.T, fs vfs.FS, prefix, suffix string) string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	found := ""
	for _, name := range names {
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			found = name
		}
	}
	if found == "" {
		t.Fatalf("no file %s*%s in %q", prefix, suffix, names)
	}
	return fs.PathJoin(dir, found)
}

// rewrite changes a file's content.
func rewrite(t *testing.T, fs vfs.FS, name string, change func([]byte) []byte) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err = fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(change(content))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// crashed returns a disk as a power cut leaves it, with a log that holds n rows, all synced.
func crashed(t *testing.T, n int) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, pebble.Options{FS: fs})
	put(t, s, n)
	return fs.CrashClone(vfs.CrashCloneCfg{})
}

// A log that ends anywhere is recovered up to there.
func TestTornTail(t *testing.T) {
	const n = 60
	fs := crashed(t, n)
	log := newest(t, fs, "", ".log")
	info, err := fs.Stat(log)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		torn := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})
		const made = 100 // what was sealed when the store was made
		at := made + r.Int64N(info.Size()+1-made)
		zeroed := r.IntN(2) == 0
		rewrite(t, torn, log, func(b []byte) []byte {
			if zeroed { // the file was extended, its blocks were not written
				return append(b[:at:at], make([]byte, int64(len(b))-at)...)
			}
			return b[:at]
		})
		s, err := pebble.Open(dir, pebble.Options{FS: torn})
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", at, info.Size(), err)
		}
		got, err := rows(t, s)
		if least := int(at)*n/int(info.Size()) - 3; err != nil || got < least || at == info.Size() && got != n {
			t.Errorf("cut at %d of %d: %d rows, want at least %d: %v", at, info.Size(), got, least, err)
		}
		mustClose(t, s)
	}
}

// Data that was synced and has changed is not taken for a torn tail.
func TestCorruptFiles(t *testing.T) {
	const n = 3000
	tests := []struct {
		name, prefix, suffix string
		at                   int // per mille of the file
	}{
		{"log", "", ".log", 300},
		{"log early", "", ".log", 10},
		{"MANIFEST", "MANIFEST-", "", 500},
		{"table", "", ".sst", 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fs := crashed(t, n)
			if test.suffix == ".sst" { // recovery writes the log's rows as a table
				mustClose(t, mustOpen(t, pebble.Options{FS: fs}))
			}
			file := newest(t, fs, test.prefix, test.suffix)
			rewrite(t, fs, file, func(b []byte) []byte {
				b[len(b)*test.at/1000] ^= 0x40
				return b
			})
			s, err := pebble.Open(dir, pebble.Options{FS: fs})
			if err == nil {
				_, err = rows(t, s)
				_ = s.Close()
			}
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(fmt.Sprint(err), fs.PathBase(file)) {
				t.Errorf("%s: %v, want ErrCorrupt that names it", file, err)
			}
		})
	}
}

// A power cut while a store is being made leaves one that can be opened.
func TestCrashDuringCreation(t *testing.T) {
	for seed := range uint64(150) {
		fs := newFaultFS(vfs.NewCrashableMem())
		faults := []string{"log create", "log write", "log fsync", "MANIFEST create", "MANIFEST write", "MANIFEST fsync", "directory fsync", "other create"}
		r := rand.New(rand.NewPCG(seed, 2))
		fs.inject(faults[r.IntN(len(faults))], 1+r.IntN(8), errInjected)
		s, err := pebble.Open(dir, pebble.Options{FS: fs})
		again := fs.crash(seed)
		if err == nil {
			fs.inject("", 0, nil)
			put(t, s, 3)
			again = fs.crash(seed)
			mustClose(t, s)
		}
		s, err2 := pebble.Open(dir, pebble.Options{FS: again})
		if err2 != nil {
			t.Fatalf("seed %d: after %v: %v", seed, err, err2)
		}
		if n, err2 := rows(t, s); err2 != nil || err == nil && n != 3 {
			t.Errorf("seed %d: %d rows, %v", seed, n, err2)
		}
		put(t, s, 5)
		mustClose(t, s)
	}
}

func TestFormat(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, pebble.Options{FS: fs, Partitions: 7})
	put(t, s, 1)
	mustClose(t, s)
	s = mustOpen(t, pebble.Options{FS: fs, Partitions: 9})
	if s.Partitions() != 7 {
		t.Errorf("%d partitions, want those of the creation, 7", s.Partitions())
	}
	mustClose(t, s)
	if _, err := pebble.Open(dir, pebble.Options{FS: fs, Partitions: 1 << 20}); err == nil {
		t.Error("a million partitions were accepted")
	}

	db, err := cockroach.Open(dir, &cockroach.Options{FS: fs, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	key := append([]byte{0xff, 0xff}, store.K(store.TableMeta, "layout")...)
	if err := db.Set(key, []byte(`{"format":2,"partitions":7}`), cockroach.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fs.Remove(fs.PathJoin(dir, "SEALS")); err != nil { // the database has changed behind our back
		t.Fatal(err)
	}
	if _, err := pebble.Open(dir, pebble.Options{FS: fs}); !errors.Is(err, store.ErrFormat) {
		t.Errorf("a newer format: %v, want ErrFormat", err)
	}
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

// Another process is kept out of a real directory.
func TestLockedByAnotherProcess(t *testing.T) {
	const variable = "NEWEL_TEST_OPEN"
	if path := os.Getenv(variable); path != "" {
		_, err := pebble.Open(path, pebble.Options{})
		fmt.Print(err)
		return
	}
	path := t.TempDir()
	s, err := pebble.Open(path, pebble.Options{Ballast: 1 << 20, Watermark: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestLockedByAnotherProcess$")
	child.Env = append(os.Environ(), variable+"="+path)
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), store.ErrLocked.Error()+": "+path) {
		t.Errorf("the other process says %q, %v", out, err)
	}
}

// A table that cannot be written is written again; the log still has its rows.
func TestTableFaultsAreSurvived(t *testing.T) {
	for _, fault := range []string{"table create", "table write", "table fsync"} {
		for _, cause := range []error{errInjected, syscall.ENOSPC} {
			t.Run(fmt.Sprintf("%s/%v", fault, cause), func(t *testing.T) {
				fs := newFaultFS(vfs.NewCrashableMem())
				o := small(fs)
				o.FreeSpace = func(string) (uint64, error) { return 1 << 40, nil }
				s := mustOpen(t, o)
				fs.inject(fault, 1, cause)
				put(t, s, 6000) // several memtables
				if err := s.Err(); err != nil || fs.pending() {
					t.Fatalf("err %v, fault pending %v", err, fs.pending())
				}
				for name, again := range map[string]storetest.Harness{"power cut": harness(fs.crash(1)), "same": harness(fs)} {
					if name == "same" {
						mustClose(t, s)
					}
					if n, err := rows(t, storetest.Open(t, again)); n != 6000 || err != nil {
						t.Errorf("%s: %d rows, %v", name, n, err)
					}
				}
			})
		}
	}
}

// Callers who wait for room in memory when the log fails are told so, and the store closes.
func TestFailureDuringStall(t *testing.T) {
	fs := newFaultFS(vfs.NewCrashableMem())
	o := small(fs)
	o.FreeSpace = func(string) (uint64, error) { return 1 << 40, nil }
	s := mustOpen(t, o)
	releaseLog, releaseTables := fs.hold("log fsync"), fs.hold("table create")
	const callers = 64 // with 64 KiB each, more than all memtables hold
	var ran, done sync.WaitGroup
	ran.Add(callers)
	for p := range store.Partition(callers) {
		done.Go(func() {
			err := s.Update(t.Context(), p, func(tx store.Tx) error {
				tx.Set(nil, make([]byte, 64<<10))
				ran.Done()
				return nil
			})
			if !errors.Is(err, store.ErrFailed) {
				t.Errorf("update: %v, want ErrFailed", err)
			}
		})
	}
	ran.Wait()
	fs.inject("log fsync", 1, errInjected)
	releaseLog()
	<-s.Failed()
	releaseTables()
	done.Wait()
	if err := s.Close(); !errors.Is(err, store.ErrFailed) {
		t.Errorf("close: %v", err)
	}
	mustClose(t, mustOpen(t, o))
}
