package maprun_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

var kinds = []string{"STANDARD", "EXPRESS"}

func numbers(n int) string {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	b, _ := json.Marshal(list)
	return string(b)
}

// itemOf is the number in a task's arguments.
func itemOf(t *testing.T, args *value.Doc) int {
	var in struct{ Item int }
	if err := json.Unmarshal(args.Bytes(), &in); err != nil {
		t.Error(err)
	}
	return in.Item
}

func TestResultsAreInItemOrder(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			e := w.start(distributed(kind, `"ItemSelector":{"n.$":"$$.Map.Item.Value","i.$":"$$.Map.Item.Index","from.$":"$$.Map.Item.Source","x.$":"$[0]","by.$":"$$.Execution.Name"},`), `[7,8,9]`)
			name := e[strings.LastIndex(e, ":")+1:]
			item := func(n, i int) string {
				return fmt.Sprintf(`{"item":{"n":%d,"i":%d,"from":"STATE_DATA","x":7,"by":"%s"}}`, n, i, name)
			}
			wantOutput(t, w.end(e), "["+item(7, 0)+","+item(8, 1)+","+item(9, 2)+"]")
			want := []string{"1<-0 ExecutionStarted", "2<-0 MapStateEntered", "3<-2 MapStateStarted", "4<-3 MapRunStarted", "5<-4 MapRunSucceeded",
				"6<-5 MapStateSucceeded", "7<-4 MapStateExited", "8<-7 ExecutionSucceeded"}
			if got := w.history(e); !slices.Equal(got, want) {
				t.Errorf("history %v", got)
			}
			want1 := "SUCCEEDED | total=3 succeeded=3 resultsWritten=3 | total=3 succeeded=3 resultsWritten=3"
			if got := w.counts(w.mapRun(e)); got != want1 {
				t.Error(got)
			}
		})
	}
}

func TestNoItems(t *testing.T) {
	w := newWorld(t)
	wantOutput(t, w.end(w.start(distributed("STANDARD", ""), `[]`)), `[]`)
}

func TestChildrenAreExecutions(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			e := w.start(distributed(kind, `"ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{"f":1}},`), `["a","b","c"]`)
			wantOutput(t, w.end(e), `[{"item":{"BatchInput":{"f":1},"Items":["a","b"]}},{"item":{"BatchInput":{"f":1},"Items":["c"]}}]`)
			run := w.mapRun(e)
			if got := w.counts(run); got != "SUCCEEDED | total=2 succeeded=2 resultsWritten=2 | total=3 succeeded=3 resultsWritten=3" {
				t.Error(got)
			}
			list := w.call("ListExecutions", map[string]any{"mapRunArn": run, "maxResults": 1})
			rows := list["executions"].([]any)
			last := rows[0].(map[string]any)
			if len(rows) != 1 || list["nextToken"] == nil || last["itemCount"] != 1.0 || last["mapRunArn"] != run ||
				last["stateMachineArn"] != "arn:aws:states:us-east-1:000000000000:stateMachine:m/L" {
				t.Errorf("list %v", list)
			}
			list = w.call("ListExecutions", map[string]any{"mapRunArn": run, "maxResults": 5, "nextToken": list["nextToken"]})
			if rows = list["executions"].([]any); len(rows) != 1 || list["nextToken"] != nil {
				t.Errorf("list %v", list)
			}
			if rows = w.call("ListExecutions", map[string]any{"mapRunArn": run, "statusFilter": "FAILED"})["executions"].([]any); len(rows) != 0 {
				t.Errorf("failed %v", rows)
			}
			d := w.call("DescribeExecution", map[string]any{"executionArn": last["executionArn"]})
			if d["mapRunArn"] != run || d["input"] != `{"BatchInput":{"f":1},"Items":["c"]}` || d["status"] != "SUCCEEDED" || d["name"] != last["name"] {
				t.Errorf("child %v", d)
			}
			if kind == "EXPRESS" {
				return
			}
			m := w.call("DescribeStateMachineForExecution", map[string]any{"executionArn": last["executionArn"]})
			if m["label"] != "L" || m["mapRunArn"] != run || !strings.HasPrefix(m["definition"].(string), `{"StartAt":"T"`) {
				t.Errorf("machine %v", m)
			}
			want := []string{"1<-0 ExecutionStarted", "2<-0 TaskStateEntered", "3<-2 TaskScheduled", "4<-3 TaskStarted", "5<-4 TaskSucceeded", "6<-5 TaskStateExited", "7<-6 ExecutionSucceeded"}
			if got := w.history(last["executionArn"].(string)); !slices.Equal(got, want) {
				t.Errorf("history %v", got)
			}
		})
	}
}

func TestNeverMoreThanMaxConcurrency(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			var mu sync.Mutex
			var now, most int
			full := make(chan struct{})
			w.task = func(_ context.Context, in *value.Doc) engine.Outcome {
				mu.Lock()
				if now++; now > most {
					if most = now; most == 3 {
						close(full)
					}
				}
				mu.Unlock()
				<-full // nobody leaves until as many as may be are there
				mu.Lock()
				now--
				mu.Unlock()
				return succeeded("0")
			}
			d := w.end(w.start(distributed(kind, `"MaxConcurrency":3,`), numbers(50)))
			if d.Root.Status() != machine.Succeeded || most != 3 {
				t.Errorf("status %v, %d at a time", d.Root.Status(), most)
			}
		})
	}
}

func TestToleratedFailures(t *testing.T) {
	for _, kind := range kinds {
		for _, c := range []struct {
			fields string
			fail   int // of 10
			good   bool
		}{
			{``, 0, true}, {``, 1, false},
			{`"ToleratedFailurePercentage":50,`, 5, true}, {`"ToleratedFailurePercentage":50,`, 6, false},
			{`"ToleratedFailureCount":2,`, 2, true}, {`"ToleratedFailureCount":2,`, 3, false},
			{`"ToleratedFailureCount":9,"ToleratedFailurePercentage":20,`, 3, false},
			{`"ToleratedFailurePercentage":100,`, 10, true},
		} {
			t.Run(fmt.Sprintf("%s %s %d", kind, c.fields, c.fail), func(t *testing.T) {
				w := newWorld(t)
				w.task = func(_ context.Context, in *value.Doc) engine.Outcome {
					if itemOf(t, in) < c.fail {
						return failedTask("E", "C")
					}
					return succeeded("0")
				}
				e := w.start(distributed(kind, c.fields), numbers(10))
				d := w.end(e)
				if !c.good {
					wantFailure(t, d, "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded")
					return
				}
				if d.Root.Status() != machine.Succeeded {
					t.Errorf("status %v, cause %s", d.Root.Status(), text(d.Root.Cause()))
				}
			})
		}
	}
}

// TestFailureEndsTheRest keeps children that wait for ever from outliving a run that has failed.
func TestFailureEndsTheRest(t *testing.T) {
	w := newWorld(t)
	others := make(chan struct{}, 10)
	w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
		if itemOf(t, in) == 0 {
			<-others
			<-others
			return failedTask("E", "C")
		}
		others <- struct{}{}
		<-ctx.Done()
		return succeeded("0")
	}
	e := w.start(distributed("STANDARD", `"MaxConcurrency":3,`), numbers(10))
	wantFailure(t, w.end(e), "States.ExceedToleratedFailureThreshold", "")
	if got := w.counts(w.mapRun(e)); got != "FAILED | total=10 pending=7 failed=1 aborted=2 resultsWritten=3 | total=10 pending=7 failed=1 aborted=2 resultsWritten=3" {
		t.Error(got)
	}
}

// TestStopAborts stops the execution that waits for a run.
func TestStopAborts(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			running := make(chan struct{}, 10)
			w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
				running <- struct{}{}
				<-ctx.Done()
				return succeeded("0")
			}
			e := w.start(distributed(kind, `"MaxConcurrency":2,`), numbers(4))
			<-running
			<-running
			run := w.mapRun(e)
			if got := w.counts(run); got != "RUNNING | total=4 pending=2 running=2 | total=4 pending=2 running=2" {
				t.Error(got)
			}
			w.call("StopExecution", map[string]any{"executionArn": e})
			w.over(run)
			if got := w.counts(run); got != "ABORTED | total=4 pending=2 aborted=2 resultsWritten=2 | total=4 pending=2 aborted=2 resultsWritten=2" {
				t.Error(got)
			}
			want := []string{"4<-3 MapRunStarted", "5<-4 MapRunAborted", "6<-0 ExecutionAborted"}
			if got := w.history(e)[3:]; !slices.Equal(got, want) {
				t.Errorf("history %v", got)
			}
			if _, err := w.try("UpdateMapRun", map[string]any{"mapRunArn": run, "maxConcurrency": 1}); err == nil {
				t.Error("a run that is over was changed")
			}
		})
	}
}

// over waits for a run's end.
func (w *world) over(run string) {
	for !w.isOver(run) && w.t.Context().Err() == nil {
		runtime.Gosched()
	}
}

func TestUpdateOfARun(t *testing.T) {
	w := newWorld(t)
	started := make(chan int, 10)
	release := make(chan struct{})
	w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
		started <- itemOf(t, in)
		<-release
		if itemOf(t, in) > 2 {
			return failedTask("E", "C")
		}
		return succeeded("0")
	}
	e := w.start(distributed("STANDARD", `"MaxConcurrency":1,`), numbers(5))
	<-started
	run := w.mapRun(e)
	w.call("UpdateMapRun", map[string]any{"mapRunArn": run, "maxConcurrency": 5, "toleratedFailurePercentage": 40})
	for range 4 {
		<-started
	}
	d := w.call("DescribeMapRun", map[string]any{"mapRunArn": run})
	if d["maxConcurrency"] != 5.0 || d["toleratedFailurePercentage"] != 40.0 {
		t.Errorf("run %v", d)
	}
	close(release)
	if s := w.end(e).Root.Status(); s != machine.Succeeded {
		t.Errorf("status %v", s)
	}
}

// TestCrash stops the server in the middle of a run: what had ended is not run again, the rest is.
func TestCrash(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			w.s3.put("items.json", numbers(40))
			var mu sync.Mutex
			runs := map[int]int{}
			blocked := make(chan struct{}, 40)
			open := false
			w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
				n := itemOf(t, in)
				mu.Lock()
				runs[n]++
				pass := open || n < 10
				mu.Unlock()
				if !pass {
					blocked <- struct{}{}
					<-ctx.Done()
				}
				return succeeded(fmt.Sprint(n))
			}
			e := w.start(distributed(kind, `"MaxConcurrency":5,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"b","Key":"items.json"}},`), `{}`)
			for range 5 {
				<-blocked
			}
			w.crash()
			for range 5 {
				<-blocked // the five that were in flight, again
			}
			mu.Lock()
			open = true
			mu.Unlock()
			w.crash()
			wantOutput(t, w.end(e), numbers(40))
			for n := range 40 {
				want := 1
				if n >= 10 && n < 15 {
					want = 3
				}
				if runs[n] != want {
					t.Errorf("item %d ran %d times", n, runs[n])
				}
			}
			if got := w.counts(w.mapRun(e)); got != "SUCCEEDED | total=40 succeeded=40 resultsWritten=40 | total=40 succeeded=40 resultsWritten=40" {
				t.Error(got)
			}
		})
	}
}

// TestSourceThatChanged changes the object while the server is down.
func TestSourceThatChanged(t *testing.T) {
	w := newWorld(t)
	w.s3.put("items.json", numbers(4))
	blocked := make(chan struct{}, 4)
	w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
		blocked <- struct{}{}
		<-ctx.Done()
		return succeeded("0")
	}
	e := w.start(distributed("STANDARD", `"MaxConcurrency":1,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"b","Key":"items.json"}},`), `{}`)
	<-blocked
	w.states.Close()
	w.s3.put("items.json", numbers(5))
	w.open()
	wantFailure(t, w.end(e), "States.ItemReaderFailed", "The object s3://b/items.json has changed")
	if got := w.counts(w.mapRun(e)); got != "FAILED | total=4 pending=3 aborted=1 resultsWritten=1 | total=4 pending=3 aborted=1 resultsWritten=1" {
		t.Error(got)
	}
}

func TestTooMuchOutput(t *testing.T) {
	w := newWorld(t)
	w.task = func(context.Context, *value.Doc) engine.Outcome {
		return succeeded(`"` + strings.Repeat("x", 100_000) + `"`)
	}
	wantFailure(t, w.end(w.start(distributed("STANDARD", ""), numbers(3))), "States.DataLimitExceeded",
		"The state/task 'M' returned a result with a size exceeding the maximum number of bytes service limit.")
}

// TestNestedRuns runs a distributed Map inside of another one's children.
func TestNestedRuns(t *testing.T) {
	w := newWorld(t)
	inner := distributed("EXPRESS", `"ItemsPath":"$.v",`)
	outer := `{"StartAt":"O","States":{"O":{"Type":"Map","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},` + inner[1:len(inner)-1] + `},"End":true}}}`
	wantOutput(t, w.end(w.start(outer, `[{"v":[1,2]},{"v":[3]}]`)), `[[{"item":1},{"item":2}],[{"item":3}]]`)
}

// TestAbandonedRun resumes a run whose execution has gone on without it while the word of that was lost.
func TestAbandonedRun(t *testing.T) {
	w := newWorld(t)
	running := make(chan struct{}, 4)
	w.task = func(ctx context.Context, in *value.Doc) engine.Outcome {
		running <- struct{}{}
		<-ctx.Done()
		return succeeded("0")
	}
	e := w.start(distributed("STANDARD", `"MaxConcurrency":1,`), numbers(2))
	<-running
	run := w.mapRun(e)
	w.states.Close()
	err := w.store.Update(t.Context(), store.Place(w.store.Partitions(), e), func(tx store.Tx) error {
		for _, table := range []byte{store.TableStarted, store.TableOutbox} {
			rows := store.K(table, e)
			tx.DeleteRange(rows, rows.End())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.open()
	w.over(run)
	if got := w.counts(run); got != "ABORTED | total=2 pending=1 aborted=1 resultsWritten=1 | total=2 pending=1 aborted=1 resultsWritten=1" {
		t.Error(got)
	}
}
