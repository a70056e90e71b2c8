package pebble_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/pebble"
)

const recordSize = 1 << 10

// BenchmarkUpdate makes durable commits of 1 KiB on real files. Beside them stand the limits of the same disk in the same
// run: a loop of write and fdatasync, and a log that only groups its appends. NEWEL_BENCH_DIR names the directory.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			dir := benchDir(b)
			fsync := measure(1, appender(b, dir, false))
			log := measure(callers, appender(b, dir, true))
			s, err := pebble.Open(filepath.Join(dir, "store"), pebble.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			value := make([]byte, recordSize)
			var n atomic.Uint64
			update := func() error {
				i := n.Add(1)
				return s.Update(b.Context(), store.Partition(i%256), func(tx store.Tx) error {
					tx.Set(store.K('x', "bench").U64(i%100_000), value)
					return nil
				})
			}
			measure(callers, update) // warm up: the first logs are not recycled yet
			b.ReportAllocs()
			b.ResetTimer()
			spread(b, callers, update)
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "commits/s")
			b.ReportMetric(fsync, "fdatasync/s")
			b.ReportMetric(log, "bare-log/s")
			b.ReportMetric(rate/fsync, "x-fdatasync")
			b.ReportMetric(rate/log, "x-bare-log")
		})
	}
}

// BenchmarkTransaction is the shape of an execution's step without the disk: read two rows, one of them absent, write four.
func BenchmarkTransaction(b *testing.B) {
	s, err := pebble.Open(dir, pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 300)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := store.K('x', "execution").U64(uint64(i % 50_000))
		err := s.Update(b.Context(), store.Partition(i%256), func(tx store.Tx) error {
			if _, err := tx.Get(key); err != nil {
				return err
			}
			if _, err := tx.Get(store.K('a', "absent").U64(uint64(i))); err != nil {
				return err
			}
			tx.Set(key, value)
			tx.Set(store.K('h', "execution").U64(uint64(i)), value)
			tx.Set(store.K('o', "execution").U64(uint64(i)), value)
			tx.Delete(store.K('o', "execution").U64(uint64(i - 1)))
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func benchDir(b *testing.B) string {
	root := os.Getenv("NEWEL_BENCH_DIR")
	if root == "" {
		return b.TempDir()
	}
	dir, err := os.MkdirTemp(root, "newel-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// measure returns how often per second callers complete an operation, over a quarter of a second.
func measure(callers int, op func() error) float64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(start) < 250*time.Millisecond {
				if op() != nil {
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

func spread(b *testing.B, callers int, op func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := op(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// appender returns an operation that makes 1 KiB durable at the end of a file laid out beforehand: by itself, or together
// with whoever else came during the fsync before.
func appender(b *testing.B, dir string, grouped bool) func() error {
	f, err := os.CreateTemp(dir, "bare")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if _, err := f.Write(make([]byte, 32<<20)); err == nil {
		err = f.Sync()
	}
	if err != nil {
		b.Fatal(err)
	}
	file, err := vfs.Default.OpenReadWrite(f.Name(), vfs.WriteCategoryUnspecified)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	record := make([]byte, recordSize)
	if !grouped {
		return func() error {
			if _, err := file.Write(record); err != nil {
				return err
			}
			return file.SyncData()
		}
	}
	g := &bareLog{file: file}
	return func() error { return g.append(record) }
}

// bareLog is the least that group commit can be: whoever finds no writer at work writes for all who wait.
type bareLog struct {
	mu      sync.Mutex
	file    vfs.File
	pending []byte
	batch   *bareBatch
	working bool
}

type bareBatch struct {
	done chan struct{}
	err  error
}

func (l *bareLog) append(record []byte) error {
	l.mu.Lock()
	l.pending = append(l.pending, record...)
	if l.batch == nil {
		l.batch = &bareBatch{done: make(chan struct{})}
	}
	mine := l.batch
	if l.working {
		l.mu.Unlock()
		<-mine.done
		return mine.err
	}
	l.working = true
	for l.batch != nil {
		batch, data := l.batch, l.pending
		l.batch, l.pending = nil, nil
		l.mu.Unlock()
		_, err := l.file.Write(data)
		if err == nil {
			err = l.file.SyncData()
		}
		batch.err = err
		close(batch.done)
		l.mu.Lock()
	}
	l.working = false
	l.mu.Unlock()
	return mine.err
}
