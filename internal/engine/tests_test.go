package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// breaking is a store that can no longer write once it is broken.
type breaking struct {
	store.Store
	broken atomic.Bool
}

func (b *breaking) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	if b.broken.Load() {
		return store.ErrClosed
	}
	return b.Store.Update(ctx, p, fn)
}

// visits answers tasks with the number that the engine gave them, and has them begin first.
type visits struct{ first engine.OutcomeKind }

func (v visits) Run(_ context.Context, d engine.Dispatch) engine.Outcome {
	return engine.Outcome{Kind: engine.TaskSucceeded, First: v.first, Output: value.TextString(fmt.Sprint(d.Visit))}
}
func (visits) Cancel(context.Context, engine.Dispatch) error { return nil }

// TestBegunAnswersSurviveACrash: the server stops after a mocked callback was submitted, or a mocked activity claimed, and
// before its answer is applied. The task is sent again under the same number and its events are written once.
func TestBegunAnswersSurviveACrash(t *testing.T) {
	for name, x := range map[string]struct {
		task  string
		first engine.OutcomeKind
		event machine.EventType
		types string
	}{
		"callback": {`"Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"QueueUrl":"q","MessageBody.$":"$$.Task.Token"}`,
			engine.TaskSubmitted, machine.EventTaskSubmitted, "TaskScheduled TaskStarted TaskSubmitted TaskSucceeded"},
		"activity": {`"Resource":"arn:aws:states:us-east-1:000000000000:activity:a"`, engine.TaskClaimed, machine.EventActivityStarted,
			"ActivityScheduled ActivityStarted ActivitySucceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			definition := compile(t, `{"StartAt":"T","States":{"T":{"Type":"Task",`+x.task+`,"ResultPath":"$.n","Next":"C"},
				"C":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericEquals":2,"Next":"S"}],"Default":"T"},"S":{"Type":"Succeed"}}}`)
			s := &breaking{Store: memory.New(memory.Options{})}
			begun := 0
			reached := make(chan struct{})
			cfg := engine.Config{Store: s, Definitions: definitions{"d": definition}, Dispatcher: visits{x.first}}
			cfg.History = func(_ string, _ *engine.Meta, _ uint32, events []machine.HistoryEvent) {
				for _, e := range events {
					if e.Type == x.event {
						if begun++; begun == 2 { // in the second visit
							s.broken.Store(true)
							close(reached)
						}
					}
				}
			}
			e := engine.New(cfg)
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			in := input("one", `{}`)
			in.Test = &engine.Test{Case: "c"}
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			<-reached
			e.Close()

			s.broken.Store(false)
			cfg.History = nil
			e = engine.New(cfg)
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			d, err := e.Wait(t.Context(), in.ARN)
			if err != nil || d.Root.Status() != machine.Succeeded || d.Output.String() != `{"n":2}` {
				t.Fatalf("%v, %v", d, err)
			}
			round := "TaskStateEntered " + x.types + " TaskStateExited ChoiceStateEntered ChoiceStateExited "
			want := "ExecutionStarted " + strings.Repeat(round, 3) + "SucceedStateEntered SucceedStateExited ExecutionSucceeded"
			if got := types(t, e, in.ARN); got != want {
				t.Errorf("history\n got %s\nwant %s", got, want)
			}
		})
	}
}

// TestVisitsAreCountedInOrder: the tasks of a Map's iterations are numbered in the order of the iterations, retries and
// Express executions included.
func TestVisitsAreCountedInOrder(t *testing.T) {
	boom := "Boom"
	numbers := make(chan string, 20)
	w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"T": func(_ context.Context, d engine.Dispatch) engine.Outcome {
		numbers <- fmt.Sprintf("%s=%d/%d", d.Task.Arguments, d.Visit, d.Task.Retries)
		if d.Task.Retries == 0 && d.Task.Arguments.String() == "3" {
			return engine.Outcome{Kind: engine.TaskFailed, Error: &boom}
		}
		return engine.Outcome{Kind: engine.TaskSucceeded, Output: d.Task.Arguments}
	}}}
	e := open(t, memory.New(memory.Options{}), w, `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"T","States":{
		"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Retry":[{"ErrorEquals":["Boom"],"IntervalSeconds":1}],"End":true}}}}}}`)
	defer e.Close()
	in := input("one", `[0,1,2,3]`)
	in.Test = &engine.Test{Case: "c"}
	run := map[string]func() error{
		"standard": func() error {
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				return err
			}
			_, err := e.Wait(t.Context(), in.ARN)
			return err
		},
		"express": func() error {
			_, err := e.RunExpress(t.Context(), in)
			return err
		},
	}
	for name, run := range run {
		if err := run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for range 5 {
			got = append(got, <-numbers)
		}
		slices.Sort(got)
		if want := []string{"0=0/0", "1=1/0", "2=2/0", "3=3/0", "3=4/1"}; !slices.Equal(got, want) {
			t.Errorf("%s: item=visit/retries %v, want %v", name, got, want)
		}
	}
}
