package engine_test

import (
	"context"
	"slices"
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

func compileExpress(t *testing.T, text string) *asl.Definition {
	t.Helper()
	d, diagnostics := asl.Compile([]byte(text), asl.Options{Express: true})
	if d == nil {
		t.Fatalf("definition: %v", diagnostics)
	}
	return d
}

// TestExpressTakesFiveMinutes: whatever an Express execution does, it is over then, and its history says so.
func TestExpressTakesFiveMinutes(t *testing.T) {
	for name, x := range map[string]struct {
		definition string
		took       time.Duration
	}{
		"a wait":      {`{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`, 5 * time.Minute},
		"a long wait": {`{"StartAt":"W","TimeoutSeconds":1000,"States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`, 5 * time.Minute},
		"its own":     {`{"StartAt":"W","TimeoutSeconds":7,"States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`, 7 * time.Second},
		"a task":      {`{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}}`, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var history []machine.EventType
				w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": silent}}
				e := engine.New(engine.Config{Store: memory.New(memory.Options{}), Definitions: definitions{"d": compileExpress(t, x.definition)}, Dispatcher: w,
					History: func(_ string, _ *engine.Meta, _ uint32, events []machine.HistoryEvent) {
						for _, ev := range events {
							history = append(history, ev.Type)
						}
					}})
				if err := e.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				r, err := e.RunExpress(t.Context(), input("one", `{}`))
				if err != nil || r.Status != machine.TimedOut || *r.Error != "States.Timeout" || r.Stop.Sub(r.Start) != x.took {
					t.Fatalf("%+v, %v", r, err)
				}
				if !slices.Contains(history, machine.EventExecutionTimedOut) {
					t.Errorf("the history is %v", history)
				}
			})
		})
	}
}

// heldClock keeps the function that is to be called instead of calling it.
type heldClock struct {
	setClock
	fire func()
}

func (c *heldClock) AfterFunc(_ time.Duration, f func()) func() bool {
	c.fire = f
	return func() bool { return true }
}

// TestExpressLoop: an execution that never waits is timed out too, and has more events than a Standard one may have.
func TestExpressLoop(t *testing.T) {
	clock := &heldClock{}
	events := 0
	var fired sync.Once
	e := engine.New(engine.Config{Store: memory.New(memory.Options{}), Dispatcher: &worker{}, Clock: clock,
		Definitions: definitions{"d": compileExpress(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},
			"B":{"Type":"Choice","Choices":[{"Variable":"$.stop","IsPresent":true,"Next":"C"}],"Default":"A"},"C":{"Type":"Succeed"}}}`)},
		History: func(_ string, _ *engine.Meta, _ uint32, list []machine.HistoryEvent) {
			if events += len(list); events > 30_000 {
				fired.Do(func() { go clock.fire() })
			}
		}})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r, err := e.RunExpress(t.Context(), input("one", `{}`))
	if err != nil || r.Status != machine.TimedOut {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestExpressOverARestart: an asynchronous execution that a stop interrupts runs again, once more and not twice; a
// synchronous one does not, and leaves nothing.
func TestExpressOverARestart(t *testing.T) {
	s := memory.New(memory.Options{})
	reached := make(chan struct{}, 8)
	w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": func(ctx context.Context, d engine.Dispatch) engine.Outcome {
		reached <- struct{}{}
		return silent(ctx, d)
	}}}
	def := definitions{"d": compileExpress(t, passAndTask)}
	first := engine.New(engine.Config{Store: s, Definitions: def, Dispatcher: w})
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := first.StartExpress(t.Context(), input("async", `{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := first.RunExpress(context.Background(), input("sync", `{}`))
		done <- err
	}()
	<-reached
	<-reached
	first.Close()
	if err := <-done; err == nil {
		t.Error("the synchronous execution had an end")
	}
	if n := expressRows(t, s); n != 1 {
		t.Fatalf("%d records, want the asynchronous execution's", n)
	}

	ended := make(chan *engine.End, 8)
	again := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": func(_ context.Context, d engine.Dispatch) engine.Outcome {
		return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString("1")}
	}}}
	second := engine.New(engine.Config{Store: s, Definitions: def, Dispatcher: again, Ended: func(e *engine.End) { ended <- e }})
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := <-ended
	second.Close() // waits for what is under way
	if e.Name != "async" || e.Status != machine.Succeeded || !e.Express || len(ended) != 0 || !slices.Equal(again.states(), []string{"B"}) {
		t.Errorf("%s ended as %v, and %d others; tasks %v", e.Name, e.Status, len(ended), again.states())
	}
	third := engine.New(engine.Config{Store: s, Definitions: def, Dispatcher: again})
	if err := third.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	third.Close()
	if got := again.states(); len(got) != 1 {
		t.Errorf("it ran once more: tasks %v", got)
	}
}

func expressRows(t *testing.T, s store.Store) (n int) {
	t.Helper()
	for p := range s.Partitions() {
		err := s.View(t.Context(), store.Partition(p), func(rd store.Reader) error {
			table := store.K(store.TableExpress)
			for range rd.Scan(table, table.End(), false) {
				n++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}
