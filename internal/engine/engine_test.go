package engine_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// definitions is a fixed set of compiled definitions.
type definitions map[string]*asl.Definition

func (d definitions) Definition(_ context.Context, id string) (*asl.Definition, error) {
	if d[id] == nil {
		return nil, fmt.Errorf("no definition %s", id)
	}
	return d[id], nil
}

func compile(t testing.TB, text string) *asl.Definition {
	t.Helper()
	d, diagnostics := asl.Compile([]byte(text), asl.Options{})
	if d == nil {
		t.Fatalf("definition: %v", diagnostics)
	}
	return d
}

// worker answers tasks by the name of their state, and remembers what it was asked.
type worker struct {
	mu      sync.Mutex
	asked   []engine.Dispatch
	answers map[string]func(context.Context, engine.Dispatch) engine.Outcome
}

func (w *worker) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	w.mu.Lock()
	w.asked = append(w.asked, d)
	f := w.answers[d.Task.State]
	w.mu.Unlock()
	if f == nil {
		return engine.Outcome{Kind: engine.TaskSucceeded, Output: d.Task.Arguments}
	}
	return f(ctx, d)
}

func (w *worker) Cancel(context.Context, engine.Dispatch) error { return nil }

func (w *worker) states() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.asked {
		names = append(names, d.Task.State)
	}
	return names
}

const machineARN = "arn:aws:states:us-east-1:000000000000:stateMachine:m"

func input(name, doc string) engine.StartInput {
	in := engine.StartInput{Definition: "d", Start: machine.Start{
		ARN: "arn:aws:states:us-east-1:000000000000:execution:m:" + name, Name: name, MachineARN: machineARN, MachineName: "m",
		RoleARN: "arn:aws:iam::000000000000:role/r", Region: "us-east-1", Input: value.TextString(doc),
	}}
	rand.Read(in.Seed[:])
	return in
}

func open(t testing.TB, s store.Store, d engine.Dispatcher, definition string) *engine.Engine {
	t.Helper()
	e := engine.New(engine.Config{Store: s, Definitions: definitions{"d": compile(t, definition)}, Dispatcher: d})
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e
}

func types(t testing.TB, e *engine.Engine, arn string) string {
	t.Helper()
	events, _, err := e.History(context.Background(), arn, engine.HistoryQuery{Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, ev := range events {
		if ev.ID != int64(i+1) || ev.Prev >= ev.ID {
			t.Fatalf("event %d has id %d, previous %d", i+1, ev.ID, ev.Prev)
		}
		names = append(names, ev.Type.String())
	}
	return strings.Join(names, " ")
}

const passAndTask = `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},
	"B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"C"},"C":{"Type":"Succeed"}}}`

func TestExecutionRunsToItsEnd(t *testing.T) {
	e := open(t, memory.New(memory.Options{}), &worker{}, passAndTask)
	defer e.Close()
	in := input("one", `{"x": 1}`)
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	d, err := e.Wait(t.Context(), in.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if d.Root.Status() != machine.Succeeded || d.Output.String() != `{"x": 1}` {
		t.Fatalf("status %d, output %s", d.Root.Status(), d.Output)
	}
	want := "ExecutionStarted PassStateEntered PassStateExited TaskStateEntered LambdaFunctionScheduled LambdaFunctionStarted " +
		"LambdaFunctionSucceeded TaskStateExited SucceedStateEntered SucceedStateExited ExecutionSucceeded"
	if got := types(t, e, in.ARN); got != want {
		t.Errorf("history\n got %s\nwant %s", got, want)
	}
}

func TestNameIsIdempotentWhileRunning(t *testing.T) {
	hold := make(chan struct{})
	w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{
		"B": func(_ context.Context, d engine.Dispatch) engine.Outcome {
			<-hold
			return engine.Outcome{Kind: engine.TaskSucceeded, Output: d.Task.Arguments}
		}}}
	e := open(t, memory.New(memory.Options{}), w, passAndTask)
	defer e.Close()
	in := input("same", `{}`)
	first, err := e.StartExecution(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.StartExecution(t.Context(), in); err != nil || !again.Equal(first) {
		t.Errorf("the same start again: %v, %v; want %v", again, err, first)
	}
	if _, err := e.StartExecution(t.Context(), input("same", `{"other":1}`)); err != engine.ErrExists {
		t.Errorf("another input: %v, want ErrExists", err)
	}
	close(hold)
	if _, err := e.Wait(t.Context(), in.ARN); err != nil {
		t.Fatal(err)
	}
	if _, err := e.StartExecution(t.Context(), in); err != engine.ErrExists {
		t.Errorf("after the end: %v, want ErrExists", err)
	}
}

func TestRestartSendsUnansweredTasksAgainUnderTheSameToken(t *testing.T) {
	s := memory.New(memory.Options{})
	sent := make(chan engine.Dispatch, 10)
	stuck := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{
		"B": func(ctx context.Context, d engine.Dispatch) engine.Outcome {
			sent <- d
			<-ctx.Done()
			return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(`"too late"`)}
		}}}
	e := open(t, s, stuck, passAndTask)
	in := input("r", `{}`)
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	before := <-sent
	e.Close()

	w := &worker{}
	e = open(t, s, w, passAndTask)
	defer e.Close()
	d, err := e.Wait(t.Context(), in.ARN)
	if err != nil || d.Root.Status() != machine.Succeeded {
		t.Fatalf("after the restart: %v, %v", d, err)
	}
	if len(w.asked) != 1 || w.asked[0].Token.Seq != before.Token.Seq || w.asked[0].Token.Source != before.Token.Source || w.asked[0].Task.Token != before.Task.Token {
		t.Errorf("sent again as %+v, was %+v", w.asked, before)
	}
	next := input("r2", `{}`)
	next.ARN = in.ARN + "x" // another execution; numbers are not used twice whatever its partition
	if _, err := e.StartExecution(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(t.Context(), next.ARN); err != nil {
		t.Fatal(err)
	}
}

func TestTimersAndRetriesWaitOnTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		boom := "Boom"
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{
			"T": func(_ context.Context, d engine.Dispatch) engine.Outcome {
				if failures++; failures < 3 {
					return engine.Outcome{Kind: engine.TaskFailed, Error: &boom, Cause: &boom}
				}
				return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(`"done"`)}
			}}}
		e := open(t, memory.New(memory.Options{}), w, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"Next":"T"},
			"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true,
			"Retry":[{"ErrorEquals":["Boom"],"IntervalSeconds":10,"BackoffRate":3}]}}}`)
		defer e.Close()
		in := input("w", `{}`)
		start := time.Now()
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		d, err := e.Wait(t.Context(), in.ARN)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 3600*time.Second+10*time.Second+30*time.Second {
			t.Errorf("took %s", took)
		}
		if d.Output.String() != `"done"` {
			t.Errorf("output %s", d.Output)
		}
	})
}

func TestWaitingExecutionsResumeAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		const wait = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}`
		e := open(t, s, &worker{}, wait)
		in := input("w", `{}`)
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		e.Close()
		time.Sleep(30 * time.Second)
		e = open(t, s, &worker{}, wait)
		defer e.Close()
		d, err := e.Wait(t.Context(), in.ARN)
		if err != nil {
			t.Fatal(err)
		}
		if lasted := d.Root.StopTime().Sub(d.Root.StartTime()); lasted != 60*time.Second {
			t.Errorf("lasted %s", lasted)
		}
	})
}

func TestStopAbortsAndForgetsTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, memory.New(memory.Options{}), &worker{}, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}`)
		defer e.Close()
		in := input("s", `{}`)
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		name, cause := "Mine", "because"
		if _, err := e.Stop(t.Context(), in.ARN, &name, &cause); err != nil {
			t.Fatal(err)
		}
		if got := types(t, e, in.ARN); got != "ExecutionStarted WaitStateEntered ExecutionAborted" {
			t.Errorf("history %s", got)
		}
		time.Sleep(2 * time.Minute)
		d, err := e.Describe(t.Context(), in.ARN)
		if err != nil || d.Root.Status() != machine.Aborted || *d.Root.Error() != name || *d.Root.Cause() != cause {
			t.Errorf("%+v, %v", d, err)
		}
		if _, err := e.Stop(t.Context(), in.ARN+"-none", nil, nil); err != engine.ErrNotFound {
			t.Errorf("stop of nothing: %v", err)
		}
	})
}

func TestRetentionEndsAndTheNameIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, memory.New(memory.Options{}), &worker{}, `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`)
		defer e.Close()
		in := input("gone", `{}`)
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		time.Sleep(91 * 24 * time.Hour)
		synctest.Wait()
		if _, err := e.Describe(t.Context(), in.ARN); err != engine.ErrNotFound {
			t.Fatalf("after 91 days: %v", err)
		}
		if rows, _, err := e.List(t.Context(), engine.ListQuery{MachineARN: machineARN, Max: 10}); err != nil || len(rows) != 0 {
			t.Errorf("list: %v, %v", rows, err)
		}
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Errorf("the name again: %v", err)
		}
	})
}

func TestListPagesNewestFirst(t *testing.T) {
	e := open(t, memory.New(memory.Options{}), &worker{}, `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`)
	defer e.Close()
	var want []string
	for i := range 25 {
		in := input(fmt.Sprintf("e-%d", i), `{}`)
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		want = append(want, in.Name)
	}
	slices.Reverse(want)
	var got []string
	for after := ""; ; {
		rows, next, err := e.List(t.Context(), engine.ListQuery{MachineARN: machineARN, Max: 10, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got = append(got, r.Name)
		}
		if after = next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestHistoryPagesBothWays(t *testing.T) {
	e := open(t, memory.New(memory.Options{}), &worker{}, passAndTask)
	defer e.Close()
	in := input("h", `{}`)
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(t.Context(), in.ARN); err != nil {
		t.Fatal(err)
	}
	for _, reverse := range []bool{false, true} {
		var ids []int64
		for from := int64(0); ; {
			events, next, err := e.History(t.Context(), in.ARN, engine.HistoryQuery{From: from, Max: 3, Reverse: reverse})
			if err != nil {
				t.Fatal(err)
			}
			for _, ev := range events {
				ids = append(ids, ev.ID)
			}
			if from = next; from == 0 {
				break
			}
		}
		if reverse {
			slices.Reverse(ids)
		}
		for i, id := range ids {
			if id != int64(i+1) {
				t.Fatalf("reverse %v: ids %v", reverse, ids)
			}
		}
		if len(ids) != 11 {
			t.Errorf("reverse %v: %d events", reverse, len(ids))
		}
	}
}

func TestLargeMapRunsInBoundedSteps(t *testing.T) {
	e := open(t, memory.New(memory.Options{}), &worker{}, `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,
		"ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}}}}`)
	defer e.Close()
	items := make([]string, 2000)
	for i := range items {
		items[i] = fmt.Sprint(i)
	}
	in := input("m", "["+strings.Join(items, ",")+"]")
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	d, err := e.Wait(t.Context(), in.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if d.Root.Status() != machine.Succeeded || d.Output.String() != in.Input.String() {
		t.Errorf("status %d, %d bytes of output", d.Root.Status(), d.Output.Size())
	}
}
