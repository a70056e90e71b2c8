package maprun_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

// failing answers tasks with their item, but for the items that are to fail, and counts how often each ran.
type failing struct {
	t     *testing.T
	mu    sync.Mutex
	fails map[int]bool
	runs  map[int]int
}

func (w *world) failing(items ...int) *failing {
	f := &failing{t: w.t, fails: map[int]bool{}, runs: map[int]int{}}
	for _, i := range items {
		f.fails[i] = true
	}
	w.task = f.run
	return f
}

func (f *failing) run(_ context.Context, in *value.Doc) engine.Outcome {
	i := itemOf(f.t, in)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs[i]++
	if f.fails[i] {
		return failedTask("E", "as it goes")
	}
	return succeeded(fmt.Sprint(i))
}

func (f *failing) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = nil
}

func (w *world) redrive(execution string) {
	w.t.Helper()
	w.call("RedriveExecution", map[string]any{"executionArn": execution})
}

// TestRedriveRunsWhatDidNotSucceed: failed and never started children run, the others do not; the map run is the same.
func TestRedriveRunsWhatDidNotSucceed(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			f := w.failing(1)
			w.s3.put("items.jsonl", "0\n1\n2\n3\n")
			e := w.start(distributed(kind, `"MaxConcurrency":1,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSONL"},"Parameters":{"Bucket":"b","Key":"items.jsonl"}},`), `{}`)
			wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
			run := w.mapRun(e)
			if got := w.counts(run); got != "FAILED | total=4 pending=2 succeeded=1 failed=1 resultsWritten=2 | total=4 pending=2 succeeded=1 failed=1 resultsWritten=2" {
				t.Error(got)
			}
			before := w.children(run, "")

			f.heal()
			w.redrive(e)
			wantOutput(t, w.end(e), `[0,1,2,3]`)
			if w.mapRun(e) != run {
				t.Error("another map run")
			}
			if got := w.counts(run); got != "SUCCEEDED | total=4 succeeded=4 resultsWritten=4 | total=4 succeeded=4 resultsWritten=4" {
				t.Error(got)
			}
			if want := map[int]int{0: 1, 1: 2, 2: 1, 3: 1}; fmt.Sprint(f.runs) != fmt.Sprint(want) {
				t.Errorf("runs %v", f.runs)
			}
			if d := w.call("DescribeMapRun", map[string]any{"mapRunArn": run}); d["redriveCount"] != 1.0 || d["redriveDate"] == nil {
				t.Errorf("map run %v", d)
			}
			want := []string{"6<-5 MapStateFailed", "7<-6 ExecutionFailed", "8<-7 ExecutionRedriven", "9<-6 MapRunRedriven", "10<-9 MapRunSucceeded",
				"11<-10 MapStateSucceeded", "12<-9 MapStateExited", "13<-12 ExecutionSucceeded"}
			if got := w.history(e)[5:]; !slices.Equal(got, want) {
				t.Errorf("history %v", got)
			}
			if redriven := w.children(run, "REDRIVEN"); len(redriven) != 1 || redriven[0]["executionArn"] != before[0]["executionArn"] || redriven[0]["status"] != "SUCCEEDED" {
				t.Errorf("redriven children %v", redriven)
			}
			if others := w.children(run, "NOT_REDRIVEN"); len(others) != 3 {
				t.Errorf("children that are not redriven %v", others)
			}
		})
	}
}

func (w *world) children(run, redriven string) (list []map[string]any) {
	w.t.Helper()
	in := map[string]any{"mapRunArn": run}
	if redriven != "" {
		in["redriveFilter"] = redriven
	}
	for _, c := range w.call("ListExecutions", in)["executions"].([]any) {
		list = append(list, c.(map[string]any))
	}
	return list
}

// TestRedriveAgain: failures of a redrive count anew, and can be redriven; UpdateMapRun changes a redriven run.
func TestRedriveAgain(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			w.task = func(context.Context, *value.Doc) engine.Outcome { return failedTask("E", "as it goes") }
			e := w.start(distributed(kind, `"MaxConcurrency":4,"ItemBatcher":{"MaxItemsPerBatch":1},"ToleratedFailureCount":3,`), `[0,1,2,3]`)
			wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
			run := w.mapRun(e)
			running, goOn := make(chan struct{}, 4), make(chan struct{})
			w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
				running <- struct{}{}
				<-goOn
				return failedTask("E", "again")
			}
			w.redrive(e)
			for range 4 {
				<-running
			}
			close(goOn)
			wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
			if got := w.counts(run); got != "FAILED | total=4 failed=4 resultsWritten=4 | total=4 failed=4 resultsWritten=4" {
				t.Error(got)
			}

			running, goOn = make(chan struct{}, 4), make(chan struct{})
			w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
				running <- struct{}{}
				<-goOn
				return succeeded("1")
			}
			w.redrive(e)
			<-running
			w.call("UpdateMapRun", map[string]any{"mapRunArn": run, "toleratedFailureCount": 4})
			close(goOn)
			wantOutput(t, w.end(e), `[1,1,1,1]`)
		})
	}
}

// TestRedrivePending: with room for one child at a time the others wait as PENDING_REDRIVE; when the run ends before their
// turn they are what they were.
func TestRedrivePending(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			w.failing(0, 1, 2)
			e := w.start(distributed(kind, `"MaxConcurrency":1,"ToleratedFailureCount":2,`), `[0,1,2]`)
			wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
			run := w.mapRun(e)
			running, goOn := make(chan struct{}, 3), make(chan struct{})
			w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
				running <- struct{}{}
				select {
				case <-goOn:
				case <-ctx.Done():
				}
				return succeeded("1")
			}
			w.redrive(e)
			<-running
			counts := w.call("DescribeMapRun", map[string]any{"mapRunArn": run})["executionCounts"].(map[string]any)
			if counts["pendingRedrive"] != 2.0 || counts["running"] != 1.0 || counts["failed"] != 0.0 {
				t.Errorf("counts %v", counts)
			}
			pending := w.call("ListExecutions", map[string]any{"mapRunArn": run, "statusFilter": "PENDING_REDRIVE"})["executions"].([]any)
			if len(pending) != 2 {
				t.Fatalf("pending %v", pending)
			}
			d := w.call("DescribeExecution", map[string]any{"executionArn": pending[0].(map[string]any)["executionArn"]})
			if d["status"] != "PENDING_REDRIVE" || d["mapRunArn"] != run {
				t.Errorf("pending child %v", d)
			}
			goOn <- struct{}{}
			<-running
			w.call("StopExecution", map[string]any{"executionArn": e})
			w.over(run)
			close(goOn)
			if got := w.counts(run); got != "ABORTED | total=3 succeeded=1 failed=1 aborted=1 resultsWritten=3 | total=3 succeeded=1 failed=1 aborted=1 resultsWritten=3" {
				t.Error(got)
			}
			w.task = func(context.Context, *value.Doc) engine.Outcome { return succeeded("2") }
			w.redrive(e)
			if d := w.end(e); d.Root.Status() != machine.Succeeded || !strings.HasSuffix(d.Output.String(), ",2]") {
				t.Errorf("%s", d.Output)
			}
		})
	}
}

// TestRedriveOfARunThatIsStopping: a redrive right after the stop waits for the children that are on their way out.
func TestRedriveOfARunThatIsStopping(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			running := make(chan struct{}, 2)
			w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
				running <- struct{}{}
				<-ctx.Done()
				return succeeded("late")
			}
			e := w.start(distributed(kind, ""), `[0,1]`)
			<-running
			<-running
			w.task = func(context.Context, *value.Doc) engine.Outcome { return succeeded("1") }
			w.call("StopExecution", map[string]any{"executionArn": e})
			w.redrive(e)
			wantOutput(t, w.end(e), `[1,1]`)
			if got := w.counts(w.mapRun(e)); got != "SUCCEEDED | total=2 succeeded=2 resultsWritten=2 | total=2 succeeded=2 resultsWritten=2" {
				t.Error(got)
			}
		})
	}
}

// TestRedriveReadsWhatWasNotRead: a run whose source could not be read reads it as it is now; one that cannot write its
// results writes them.
func TestRedriveReadsWhatWasNotRead(t *testing.T) {
	w := newWorld(t)
	w.failing()
	w.s3.refuse = true
	e := w.start(distributed("STANDARD", `"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"b","Key":"items"}},
		"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"out"}},`), `{}`)
	wantFailure(t, w.end(e), "States.ItemReaderFailed", "")
	w.s3.put("items", `[5]`)
	w.redrive(e)
	wantFailure(t, w.end(e), "States.ResultWriterFailed", "")
	w.s3.refuse = false
	w.redrive(e)
	if d := w.end(e); d.Root.Status() != machine.Succeeded || d.Root.Redrives() != 2 {
		t.Errorf("%s: %s", text(d.Root.Error()), text(d.Root.Cause()))
	}
	if d := w.call("DescribeMapRun", map[string]any{"mapRunArn": w.mapRun(e)}); d["redriveCount"] != 2.0 {
		t.Errorf("map run %v", d)
	}
}

// TestFailuresNotRedrivable: a child whose history is full stays as it is, and counts.
func TestFailuresNotRedrivable(t *testing.T) {
	w := newWorld(t)
	w.states.Close()
	w.limits.HistoryEvents = 18 // a child has 12 at its end and 17 after a redrive, its parent 7, 12 and 17
	w.open()
	f := w.failing(1)
	definition := strings.Replace(distributed("STANDARD", `"MaxConcurrency":1,`), `"StartAt":"T","States":{`,
		`"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","Next":"T"},`, 1)
	e := w.start(definition, `[0,1]`)
	w.end(e)
	w.redrive(e)
	w.end(e)
	run := w.mapRun(e)
	child := w.children(run, "REDRIVEN")[0]["executionArn"]
	d := w.call("DescribeExecution", map[string]any{"executionArn": child})
	if d["status"] != "FAILED" || d["redriveStatus"] != "NOT_REDRIVABLE" || d["redriveStatusReason"] != "Execution history event limit exceeded" {
		t.Errorf("child %v", d)
	}
	f.heal()
	w.redrive(e)
	wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
	counts := w.call("DescribeMapRun", map[string]any{"mapRunArn": run})["executionCounts"].(map[string]any)
	if counts["succeeded"] != 1.0 || counts["failed"] != 1.0 || counts["failuresNotRedrivable"] != 1.0 || f.runs[1] != 2 {
		t.Errorf("counts %v, runs %v", counts, f.runs)
	}
}

// TestCrashWhileRedriving lets the server die at each transaction from a redrive on: what had succeeded does not run again,
// and what is in flight at most once more.
func TestCrashWhileRedriving(t *testing.T) {
	for _, kind := range kinds {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, applied), func(t *testing.T) {
				t.Parallel()
				for n := int64(1); dieRedriving(t, kind, n, applied); n++ {
				}
			})
		}
	}
}

func dieRedriving(t *testing.T, kind string, n int64, applied bool) bool {
	w := newWorld(t)
	f := w.failing(1, 3)
	e := w.start(distributed(kind, `"MaxConcurrency":2,"ToleratedFailureCount":1,`), numbers(6))
	wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
	run := w.mapRun(e)
	w.over(run)
	done := map[string]bool{}
	for _, c := range w.children(run, "") {
		if c["status"] == "SUCCEEDED" {
			done[w.call("DescribeExecution", map[string]any{"executionArn": c["executionArn"]})["input"].(string)] = true
		}
	}
	w.states.Close()
	f.heal()
	f.runs = map[int]int{}

	whole, dying := w.store, &dyingStore{Store: w.store, applied: applied}
	alive, died := context.WithCancel(t.Context())
	dying.died = died
	dying.left.Store(n)
	w.store = dying
	w.open()
	redrive := map[string]any{"executionArn": e, "clientToken": "once"}
	if _, err := w.try("RedriveExecution", redrive); err == nil {
		_, _ = w.states.Engine().Wait(alive, e)
	}
	w.states.Close()
	dead := alive.Err() != nil
	died()

	w.store = whole
	w.open()
	w.call("RedriveExecution", redrive)
	wantOutput(t, w.end(e), `[0,1,2,3,4,5]`)
	if got := w.counts(run); got != "SUCCEEDED | total=6 succeeded=6 resultsWritten=6 | total=6 succeeded=6 resultsWritten=6" {
		t.Errorf("death %d: %s", n, got)
	}
	twice := 0
	for i, n := range f.runs {
		if done[fmt.Sprint(i)] {
			t.Errorf("death %d: item %d had succeeded and ran again", n, i)
		}
		twice += n - 1
	}
	if twice > 2 {
		t.Errorf("death %d: runs %v", n, f.runs)
	}
	w.states.Close()
	return dead
}
