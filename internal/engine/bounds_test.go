package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// gated answers a task with its arguments when it is let go.
type gated struct {
	let     chan struct{}
	began   chan string // machine
	running atomic.Int64
}

func (g *gated) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	g.running.Add(1)
	defer g.running.Add(-1)
	g.began <- d.MachineARN
	select {
	case <-g.let:
	case <-ctx.Done():
	}
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: d.Task.Arguments}
}

func (*gated) Cancel(context.Context, engine.Dispatch) error { return nil }

// TestTasksTakeTurns: a machine with hundreds of tasks in line does not hold up another's; no more than the bound run; what is
// in line beyond the bound on memory is left in the store and comes back whole.
func TestTasksTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hogs = 300
		g := &gated{let: make(chan struct{}), began: make(chan string, 2*hogs)}
		e := engine.New(engine.Config{Store: memory.New(memory.Options{}), Definitions: definitions{"d": compile(t, passAndTask)}, Dispatcher: g,
			Bounds: engine.Bounds{TasksAtOnce: 4, TaskBytes: 8 << 10, TasksWaiting: hogs}})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		document := func(i int) string { return fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 1000)) }
		start := func(i int, machineARN string) string {
			in := input(fmt.Sprint(i), document(i))
			in.MachineARN = machineARN
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			return in.ARN
		}
		var all []string
		for i := range hogs {
			all = append(all, start(i, machineARN))
		}
		synctest.Wait()
		if err := e.Admit(false); err != nil {
			t.Errorf("below the bound: %v", err)
		}
		all = append(all, start(hogs, "small"))
		for i := range 4 {
			all = append(all, start(hogs+1+i, machineARN))
		}
		synctest.Wait()
		s := e.Stats()
		if s.Tasks.Running != 4 || s.Tasks.Waiting != hogs+1 || s.Tasks.WaitingBytes > 10<<10 || g.running.Load() != 4 || s.Outbox != hogs+5 {
			t.Errorf("%+v, %d tasks run", s.Tasks, g.running.Load())
		}
		if err := e.Admit(false); err != engine.ErrBusy {
			t.Errorf("above the bound: %v", err)
		}
		for range 4 {
			<-g.began
		}
		g.let <- struct{}{}
		g.let <- struct{}{}
		if a, b := <-g.began, <-g.began; a != "small" && b != "small" {
			t.Errorf("after two tasks ended, those of %s and %s began", a, b)
		}
		close(g.let)
		for i, arn := range all {
			d, err := e.Wait(t.Context(), arn)
			if err != nil || d.Root.Status() != machine.Succeeded || string(d.Output.Bytes()) != document(i) {
				t.Fatalf("%s: %v, %v", arn, d.Root.Status(), err)
			}
		}
		if s := e.Stats(); s.Tasks != (engine.Load{}) || s.Outbox != 0 || s.Standard.Open != 0 {
			t.Errorf("at the end: %+v", s)
		}
	})
}

// TestPace: what a machine does beyond its transitions waits for them; another machine goes on.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		at := map[string]time.Duration{}
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": func(_ context.Context, d engine.Dispatch) engine.Outcome {
			mu.Lock()
			defer mu.Unlock()
			at[d.MachineARN] = time.Since(began)
			return engine.Outcome{Kind: engine.TaskSucceeded, Output: d.Task.Arguments}
		}}}
		e := engine.New(engine.Config{Store: memory.New(memory.Options{}), Definitions: definitions{"d": compile(t, passAndTask)}, Dispatcher: w,
			Pace: func(arn string, transitions int) time.Duration {
				if arn == machineARN && transitions == 2 {
					return time.Minute
				}
				return 0
			}})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		free := input("free", "{}")
		free.MachineARN = "free"
		for _, in := range []engine.StartInput{input("held", "{}"), free} {
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Wait(t.Context(), input("held", "").ARN); err != nil {
			t.Fatal(err)
		}
		if at[machineARN] != time.Minute || at["free"] != 0 {
			t.Errorf("the tasks began after %v", at)
		}
	})
}
