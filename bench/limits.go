package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// limits are what this machine can do at best, measured with as little code as possible.
type limits struct {
	fsync       time.Duration // median of a write of 1 KiB and its fdatasync
	groupCommit float64       // records of 1 KiB a second, 128 writers that share each fdatasync
	http        float64       // requests a second that decode and encode 1 KiB of JSON, 16 clients in this process
}

func measureLimits(dir string, d time.Duration) (l limits, err error) {
	if l.fsync, err = fsyncLimit(dir, d/2); err != nil {
		return l, err
	}
	if l.groupCommit, err = groupCommitLimit(dir, d); err != nil {
		return l, err
	}
	l.http, err = httpLimit(d)
	return l, err
}

var record = bytes.Repeat([]byte("x"), 1024)

func fsyncLimit(dir string, d time.Duration) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took []time.Duration
	for end := time.Now().Add(d); time.Now().Before(end); {
		start := time.Now()
		if _, err := f.Write(record); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return quantile(took, .5), nil
}

// groupCommitLimit appends records from many writers to one log; each returns when a sync that covers its record is done.
func groupCommitLimit(dir string, d time.Duration) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	type entry struct{ done chan error }
	queue := make(chan entry, 1024)
	go func() {
		var batch []entry
		var buf []byte
		for e := range queue {
			batch, buf = append(batch[:0], e), append(buf[:0], record...)
			for more := true; more; {
				select {
				case e, ok := <-queue:
					if more = ok; ok {
						batch, buf = append(batch, e), append(buf, record...)
					}
				default:
					more = false
				}
			}
			_, err := f.Write(buf)
			if err == nil {
				err = syscall.Fdatasync(int(f.Fd()))
			}
			for _, e := range batch {
				e.done <- err
			}
		}
	}()
	n, err := hammer(128, d, func(int) func() error {
		e := entry{make(chan error, 1)}
		return func() error { queue <- e; return <-e.done }
	})
	close(queue)
	return n, err
}

func httpLimit(d time.Duration) (float64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v map[string]any
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	body, err := json.Marshal(map[string]any{"name": "x", "input": string(bytes.Repeat([]byte("y"), 256))})
	if err != nil {
		return 0, err
	}
	client := &client{addr: l.Addr().String()}
	defer client.close()
	return hammer(16, d, func(int) func() error {
		return func() error {
			_, _, err := client.post(context.Background(), "Content-Type: application/json\r\n", body)
			return err
		}
	})
}

// hammer calls from n clients for a time and returns calls a second.
func hammer(n int, d time.Duration, client func(i int) func() error) (float64, error) {
	var calls atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	end := start.Add(d)
	for i := range n {
		call := client(i)
		wg.Go(func() {
			for time.Now().Before(end) && failed.Load() == nil {
				if err := call(); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(calls.Load()) / time.Since(start).Seconds(), nil
}
