package maprun_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// dyingStore fails for good at its n-th transaction, whose effects are there or not.
type dyingStore struct {
	store.Store
	left    atomic.Int64
	applied bool // the last transaction's effects are there
	died    context.CancelFunc
}

func (s *dyingStore) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	switch left := s.left.Add(-1); {
	case left > 0:
		return s.Store.Update(ctx, p, fn)
	case left == 0 && s.applied:
		if err := s.Store.Update(ctx, p, fn); err != nil {
			return err
		}
	}
	s.died()
	return store.ErrFailed
}

func (s *dyingStore) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if s.left.Load() <= 0 {
		return store.ErrFailed
	}
	return s.Store.View(ctx, p, fn)
}

// TestCrashAtEveryTransaction lets the server die at each transaction of a small run in turn, with and without the
// effects of that transaction. After the restart the run comes to the same end, and only what was in flight runs again.
func TestCrashAtEveryTransaction(t *testing.T) {
	for _, kind := range kinds {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, applied), func(t *testing.T) {
				t.Parallel()
				deaths := 0
				for n := int64(1); dieAt(t, kind, n, applied); n++ {
					deaths++
				}
				if deaths < 10 {
					t.Errorf("only %d transactions", deaths)
				}
			})
		}
	}
}

// dieAt reports whether the run was long enough to die at its n-th transaction.
func dieAt(t *testing.T, kind string, n int64, applied bool) bool {
	const items, concurrency = 5, 2
	w := newWorld(t)
	var mu sync.Mutex
	runs := 0
	w.task = func(_ context.Context, in *value.Doc) engine.Outcome {
		mu.Lock()
		defer mu.Unlock()
		runs++
		return succeeded(fmt.Sprint(itemOf(t, in)))
	}
	w.s3.put("items.jsonl", "0\n1\n2\n3\n4\n")
	definition := distributed(kind, `"MaxConcurrency":2,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSONL"},"Parameters":{"Bucket":"b","Key":"items.jsonl"}},
		"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"out"},"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}},`)
	m := w.call("CreateStateMachine", map[string]any{"name": "m", "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/r"})
	start := map[string]any{"stateMachineArn": m["stateMachineArn"], "name": "e", "input": "{}"}
	execution := strings.Replace(m["stateMachineArn"].(string), ":stateMachine:", ":execution:", 1) + ":e"
	w.states.Close()

	whole, dying := w.store, &dyingStore{Store: w.store, applied: applied}
	alive, died := context.WithCancel(t.Context())
	dying.died = died
	dying.left.Store(n)
	w.store = dying
	w.open()
	if _, err := w.try("StartExecution", start); err == nil {
		_, _ = w.states.Engine().Wait(alive, execution) // it ends, or the store does
	}
	w.states.Close()
	dead := alive.Err() != nil
	died()

	w.store = whole
	w.open()
	if _, err := w.try("StartExecution", start); err != nil && !strings.Contains(err.Error(), "ExecutionAlreadyExists") {
		t.Fatal(err)
	}
	d := w.end(execution)
	if d.Root.Status() != machine.Succeeded {
		t.Fatalf("death %d: %s: %s", n, text(d.Root.Error()), text(d.Root.Cause()))
	}
	run := w.mapRun(execution)
	if got := w.counts(run); got != "SUCCEEDED | total=5 succeeded=5 resultsWritten=5 | total=5 succeeded=5 resultsWritten=5" {
		t.Errorf("death %d: %s", n, got)
	}
	if got := w.s3.get("out/" + run[strings.LastIndex(run, ":")+1:] + "/SUCCEEDED_0.json"); got != "[0,1,2,3,4]" {
		t.Errorf("death %d: results %s", n, got)
	}
	if runs < items || runs > items+concurrency {
		t.Errorf("death %d: %d tasks ran", n, runs)
	}
	w.states.Close()
	return dead
}

// TestCrashWhileStopping stops the execution and lets the server die at each transaction from then on: the run and its
// children end all the same.
func TestCrashWhileStopping(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for n := int64(1); dieStopping(t, kind, n); n++ {
			}
		})
	}
}

func dieStopping(t *testing.T, kind string, n int64) bool {
	w := newWorld(t)
	running := make(chan struct{}, 100)
	w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
		running <- struct{}{}
		<-ctx.Done()
		return succeeded("0")
	}
	e := w.start(distributed(kind, `"MaxConcurrency":2,`), numbers(3))
	<-running
	<-running
	run := w.mapRun(e)
	w.states.Close()

	whole, dying := w.store, &dyingStore{Store: w.store}
	alive, died := context.WithCancel(t.Context())
	dying.died = died
	dying.left.Store(n)
	w.store = dying
	_ = w.tryOpen() // what it goes on with may already be too much
	_, _ = w.try("StopExecution", map[string]any{"executionArn": e})
	for alive.Err() == nil && !w.isOver(run) {
		runtime.Gosched()
	}
	w.states.Close()
	dead := alive.Err() != nil
	died()

	w.store = whole
	w.open()
	w.call("StopExecution", map[string]any{"executionArn": e})
	w.over(run)
	if got := w.counts(run); !strings.HasPrefix(got, "ABORTED | total=3 pending=") {
		t.Errorf("death %d: %s", n, got)
	}
	if list := w.call("ListExecutions", map[string]any{"mapRunArn": run, "statusFilter": "RUNNING"})["executions"].([]any); len(list) != 0 {
		t.Errorf("death %d: children run: %v", n, list)
	}
	w.states.Close()
	return dead
}

// isOver reports whether a run has ended, as far as the store can tell.
func (w *world) isOver(run string) bool {
	d, err := w.try("DescribeMapRun", map[string]any{"mapRunArn": run})
	return err == nil && d["status"] != "RUNNING"
}
