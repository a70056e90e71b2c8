package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// What the simulation (internal/sim) found, each by itself.

const syncTask = `{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2",
	"Parameters":{"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:c"},"End":true}}}`

// A .sync task's work may end before its request is answered: nothing of the task is left then. (Seed 1, wild.)
func TestWorkThatEndsBeforeItsRequestLeavesNothing(t *testing.T) {
	var e *engine.Engine
	w := &worker{}
	w.answers = map[string]func(context.Context, engine.Dispatch) engine.Outcome{
		"B": func(ctx context.Context, d engine.Dispatch) engine.Outcome {
			ev := machine.Event{Kind: machine.TaskSucceeded, Output: value.TextString(`{"Output":1}`)}
			if _, err := e.AnswerToken(ctx, d.Task.Token, ev); err != nil {
				t.Error(err)
			}
			return engine.Outcome{Kind: engine.TaskSubmitted, Output: value.TextString("{}")}
		}}
	e = open(t, memory.New(memory.Options{}), w, syncTask)
	defer e.Close()
	in := input("early", "{}")
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Wait(t.Context(), in.ARN); err != nil || d.Root.Status() != machine.Succeeded {
		t.Fatalf("%v, %v", d, err)
	}
	if awaited, err := e.Awaits(t.Context(), in.ARN, w.asked[0].Attempt); err != nil || awaited {
		t.Errorf("the task is awaited: %v, %v", awaited, err)
	}
}

// A start that finds its name taken leaves the books of the running execution's task as they are. (Seed 37.)
func TestStartOfATakenNameLeavesTheOutboxAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		hold := make(chan struct{})
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{
			"B": func(ctx context.Context, d engine.Dispatch) engine.Outcome {
				select {
				case <-hold:
				case <-ctx.Done():
				}
				return engine.Outcome{Kind: engine.TaskSucceeded, Output: d.Task.Arguments}
			}}}
		e := open(t, s, w, passAndTask)
		in := input("taken", "{}")
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		e.Close()
		e = open(t, s, w, passAndTask) // which has the execution on disk only
		defer e.Close()
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if n := e.Stats().Outbox; n != 1 {
			t.Errorf("%d tasks are not answered, want 1", n)
		}
		close(hold)
		if _, err := e.Wait(t.Context(), in.ARN); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := e.Stats().Outbox; n != 0 {
			t.Errorf("%d tasks are not answered at the end", n)
		}
	})
}

// A task that is cancelled while it stands in line is not sent. (Seed 29.)
func TestTaskCancelledInLineIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{
			"B": func(_ context.Context, d engine.Dispatch) engine.Outcome {
				<-hold
				return engine.Outcome{Kind: engine.TaskSucceeded, Output: d.Task.Arguments}
			}}}
		e := engine.New(engine.Config{Store: memory.New(memory.Options{}), Definitions: definitions{"d": compile(t, passAndTask)}, Dispatcher: w,
			Bounds: engine.Bounds{TasksAtOnce: 1}})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		first, second := input("first", "{}"), input("second", "{}")
		for _, in := range []engine.StartInput{first, second} {
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if _, err := e.Stop(t.Context(), second.ARN, nil, nil); err != nil {
			t.Fatal(err)
		}
		close(hold)
		synctest.Wait()
		if len(w.asked) != 1 || w.asked[0].ExecutionARN != first.ARN {
			t.Errorf("sent: %v", w.states())
		}
	})
}

// unreadable is a store of which views fail from the n-th on, once n is set.
type unreadable struct {
	store.Store
	after atomic.Int64
}

var errUnreadable = errors.New("unreadable")

func (u *unreadable) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if n := u.after.Load(); n > 0 && u.after.Add(-1) == 0 {
		u.after.Store(1)
		return errUnreadable
	}
	return u.Store.View(ctx, p, fn)
}

// A start that is repeated while the store cannot be read is an error, and no more. (Found by disk failures.)
func TestRepeatedStartThatCannotBeRead(t *testing.T) {
	s := &unreadable{Store: memory.New(memory.Options{})}
	const wait = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}`
	in := input("again", `"`+strings.Repeat("x", 2000)+`"`) // a payload of its own
	e := open(t, s, &worker{}, wait)
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	e.Close()
	e = open(t, s, &worker{}, wait)
	defer e.Close()
	s.after.Store(2) // the execution can be read, its input cannot
	if _, err := e.StartExecution(t.Context(), in); !errors.Is(err, errUnreadable) {
		t.Errorf("while it cannot be read: %v", err)
	}
	s.after.Store(0)
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
