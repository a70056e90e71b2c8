package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// laggingDisk is a store whose commits are applied at once and durable when the disk is let go.
type laggingDisk struct {
	*memory.Store
	held    atomic.Pointer[chan struct{}]
	waiting atomic.Int32
}

func (s *laggingDisk) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	held := s.held.Load()
	if held == nil {
		return s.Store.Update(ctx, p, fn)
	}
	err := s.Store.Update(ctx, p, fn)
	if err == nil {
		store.Applied(ctx)
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	<-*held
	return err
}

const twoTokens = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
	{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"QueueUrl":"q","MessageBody.$":"$$.Task.Token"},"Next":"A2"},"A2":{"Type":"Pass","End":true}}},
	{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"QueueUrl":"q","MessageBody.$":"$$.Task.Token"},"End":true}}},
	{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100,"End":true}}}]}}}`

// TestEventsShareASync holds the disk: a second event of the execution does not wait for the first one's sync, and nobody is
// answered before it, a repetition of the first event neither.
func TestEventsShareASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &laggingDisk{Store: memory.New(memory.Options{})}
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{}}
		tokens := map[string]string{}
		for _, state := range []string{"A", "B"} {
			w.answers[state] = func(_ context.Context, d engine.Dispatch) engine.Outcome {
				return engine.Outcome{Kind: engine.TaskSubmitted, Output: value.TextString(`{}`)}
			}
		}
		e := open(t, disk, w, twoTokens)
		defer e.Close()
		in := input("one", `{}`)
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, d := range w.asked {
			tokens[d.Task.State] = d.Task.Token
		}
		held := make(chan struct{})
		disk.held.Store(&held)
		answers := map[string]machine.Answer{}
		var mu sync.Mutex
		for _, who := range []string{"A", "B", "A again"} {
			go func() {
				answer, err := e.AnswerToken(t.Context(), tokens[who[:1]], machine.Event{Kind: machine.TaskSucceeded, Output: value.TextString(`{}`)})
				if err != nil {
					t.Errorf("%s: %v", who, err)
				}
				mu.Lock()
				defer mu.Unlock()
				answers[who] = answer
			}()
			synctest.Wait()
		}
		if n := disk.waiting.Load(); n != 2 {
			t.Errorf("%d commits wait for the disk, want 2", n)
		}
		if len(answers) != 0 {
			t.Errorf("answered before it is durable: %v", answers)
		}
		disk.held.Store(nil)
		close(held)
		synctest.Wait()
		if answers["A"] != machine.Taken || answers["B"] != machine.Taken || answers["A again"] == machine.Taken {
			t.Errorf("answers %v: one of A, and B, are to be taken", answers)
		}
		if d, err := e.Wait(t.Context(), in.ARN); err != nil || d.Root.Status() != machine.Succeeded {
			t.Errorf("the execution: %+v, %v", d, err)
		}
		types(t, e, in.ARN) // without a gap
	})
}
