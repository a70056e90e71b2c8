package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

func openWithClock(t *testing.T, d engine.Dispatcher, clock engine.TestClock, definition string) *engine.Engine {
	t.Helper()
	e := engine.New(engine.Config{Store: memory.New(memory.Options{Partitions: 4}), Definitions: definitions{"d": compile(t, definition)}, Dispatcher: d, TestClock: clock})
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e
}

// slow answers after a real 3 seconds, or when nobody waits any more.
func slow(ctx context.Context, _ engine.Dispatch) engine.Outcome {
	select {
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
	}
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString("1")}
}

const waitBesideWork = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
	{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"Next":"W2"},"W2":{"Type":"Wait","Seconds":60,"End":true}}},
	{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","TimeoutSeconds":SECONDS,"End":true}}}]}}}`

// TestSkipLeavesRealWorkAlone: an hour is skipped beside a task that takes three seconds and may take four, or two.
func TestSkipLeavesRealWorkAlone(t *testing.T) {
	for _, x := range []struct {
		timeout string
		status  machine.Status
		took    time.Duration
	}{{"4", machine.Succeeded, 3 * time.Second}, {"2", machine.Failed, 2 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": slow}}
			e := openWithClock(t, w, engine.SkipOnDemand, strings.ReplaceAll(waitBesideWork, "SECONDS", x.timeout))
			defer e.Close()
			began := time.Now()
			in := input("one", `{}`)
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, want := range []time.Duration{time.Hour, time.Minute, 0} {
				s, err := e.Skip(t.Context())
				if err != nil || s.By != want {
					t.Fatalf("skipped %s, %v; want %s", s.By, err, want)
				}
				synctest.Wait()
			}
			d, err := e.Wait(t.Context(), in.ARN)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); d.Root.Status() != x.status || took != x.took {
				t.Errorf("TimeoutSeconds %s: status %d after %s, want %d after %s", x.timeout, d.Root.Status(), took, x.status, x.took)
			}
			if span := d.Root.StopTime().Sub(d.Root.StartTime()); span != time.Hour+time.Minute+x.took {
				t.Errorf("the execution says it took %s", span)
			}
			if ahead, _, ok := e.Ahead(); !ok || ahead != time.Hour+time.Minute {
				t.Errorf("ahead by %s, %v", ahead, ok)
			}
		})
	}
}

const waitsAndRetries = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":86400,"Next":"B"},
	"B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Retry":[{"ErrorEquals":["Boom"],"IntervalSeconds":100,"BackoffRate":2}],"End":true}}}`

// TestTimeIsSkippedWhenIdle: a day and three retries pass in no time, and work in real time.
func TestTimeIsSkippedWhenIdle(t *testing.T) {
	for name, run := range map[string]func(context.Context, *engine.Engine, engine.StartInput) (machine.Status, time.Duration, error){
		"standard": func(ctx context.Context, e *engine.Engine, in engine.StartInput) (machine.Status, time.Duration, error) {
			if _, err := e.StartExecution(ctx, in); err != nil {
				return 0, 0, err
			}
			d, err := e.Wait(ctx, in.ARN)
			if err != nil {
				return 0, 0, err
			}
			return d.Root.Status(), d.Root.StopTime().Sub(d.Root.StartTime()), nil
		},
		"express": func(ctx context.Context, e *engine.Engine, in engine.StartInput) (machine.Status, time.Duration, error) {
			r, err := e.RunExpress(ctx, in)
			return r.Status, r.Stop.Sub(r.Start), err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			boom, n := "Boom", 0
			w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": func(ctx context.Context, d engine.Dispatch) engine.Outcome {
				if n++; n < 4 {
					return engine.Outcome{Kind: engine.TaskFailed, Error: &boom}
				}
				return slow(ctx, d)
			}}}
			definition, span := waitsAndRetries, 86400*time.Second+700*time.Second+3*time.Second
			if name == "express" {
				definition = strings.ReplaceAll(definition, "86400", "60")
			}
			e := openWithClock(t, w, engine.SkipWhenIdle, definition)
			defer e.Close()
			began := time.Now()
			status, took, err := run(t.Context(), e, input("one", `{}`))
			if err != nil {
				t.Fatal(err)
			}
			switch name {
			case "standard":
				if status != machine.Succeeded || took != span || time.Since(began) != 3*time.Second {
					t.Errorf("status %d, took %s (want %s), in %s", status, took, span, time.Since(began))
				}
			case "express": // five minutes are over during the third delay
				if status != machine.TimedOut || took != 5*time.Minute || time.Since(began) != 0 {
					t.Errorf("express: status %d, took %s, in %s", status, took, time.Since(began))
				}
			}
		})
	}
}

func TestNoSkipWithoutATestClock(t *testing.T) {
	e := open(t, memory.New(memory.Options{}), &worker{}, passAndTask)
	defer e.Close()
	if _, err := e.Skip(t.Context()); err != engine.ErrNoTestClock {
		t.Errorf("skipped: %v", err)
	}
}
