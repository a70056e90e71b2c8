package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// setClock is a time of day that is set back and forward, over timers that run evenly, as an operating system's are.
type setClock struct{ offset atomic.Int64 }

func (c *setClock) set(by time.Duration) { c.offset.Add(int64(by)) }
func (c *setClock) Now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *setClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

func openWithSetClock(t *testing.T, d engine.Dispatcher, definition string) (*engine.Engine, *setClock) {
	t.Helper()
	c := &setClock{}
	e := engine.New(engine.Config{Store: memory.New(memory.Options{Partitions: 4}), Definitions: definitions{"d": compile(t, definition)}, Dispatcher: d, Clock: c})
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e, c
}

// twoWaits waits for an hour, and then for a second, beside a task that nobody answers within two hours.
const twoWaits = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
	{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"Next":"V"},"V":{"Type":"Wait","Seconds":1,"End":true}}},
	{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","TimeoutSeconds":7200,
		"Catch":[{"ErrorEquals":["States.Timeout"],"Next":"C"}],"End":true},"C":{"Type":"Pass","End":true}}}]}}}`

// silent never answers.
func silent(ctx context.Context, _ engine.Dispatch) engine.Outcome {
	<-ctx.Done()
	return engine.Outcome{Kind: engine.TaskSucceeded}
}

func count(t *testing.T, e *engine.Engine, arn string, kind machine.EventType) (n int) {
	t.Helper()
	events, _, err := e.History(t.Context(), arn, engine.HistoryQuery{Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for _, ev := range events {
		if ev.Time < last {
			t.Errorf("the history's time goes back at event %d", ev.ID)
		}
		if last = ev.Time; ev.Type == kind {
			n++
		}
	}
	return n
}

// TestClockSetBack: after the clock was set back by half an hour, nothing fires before its time of day comes again, and
// nothing fires twice.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": silent}}
		e, clock := openWithSetClock(t, w, twoWaits)
		defer e.Close()
		in := input("one", `{}`)
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		clock.set(-30 * time.Minute)
		time.Sleep(30 * time.Minute) // an hour and 29 minutes later the clock shows 59 minutes
		synctest.Wait()
		if n := count(t, e, in.ARN, machine.EventWaitStateExited); n != 0 {
			t.Errorf("%d waits are over before their time", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := count(t, e, in.ARN, machine.EventWaitStateExited); n != 2 {
			t.Errorf("%d waits are over, want both", n)
		}
		clock.set(-time.Hour) // both times come again
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := count(t, e, in.ARN, machine.EventLambdaFunctionTimedOut); n != 1 {
			t.Errorf("the task timed out %d times by the clock's time", n)
		}
		if d, err := e.Describe(t.Context(), in.ARN); err != nil || d.Root.Status() != machine.Succeeded || count(t, e, in.ARN, machine.EventWaitStateExited) != 2 {
			t.Errorf("it ended as %v, %v, history %s", d.Root.Status(), err, types(t, e, in.ARN))
		}
	})
}

// TestClockSetForward: what is due after a step of the clock fires within a minute.
func TestClockSetForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": silent}}
		e, clock := openWithSetClock(t, w, twoWaits)
		defer e.Close()
		in := input("one", `{}`)
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		clock.set(3 * time.Hour)
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		d, err := e.Describe(t.Context(), in.ARN)
		if err != nil || d.Root.Status() != machine.Succeeded {
			t.Fatalf("it is %v, %v, history %s", d.Root.Status(), err, types(t, e, in.ARN))
		}
		if waits, timeouts := count(t, e, in.ARN, machine.EventWaitStateExited), count(t, e, in.ARN, machine.EventLambdaFunctionTimedOut); waits != 2 || timeouts != 1 {
			t.Errorf("%d waits were over and %d tasks timed out, want 2 and 1", waits, timeouts)
		}
	})
}

// TestLongestTimes: waits, timeouts and heartbeats up to 2^31 - 1 seconds are kept; a timeout beyond them has not passed
// either.
func TestLongestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
			{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$.longest","End":true}}},
			{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","TimeoutSecondsPath":"$.beyond","End":true}}},
			{"StartAt":"J","States":{"J":{"Type":"Task","QueryLanguage":"JSONata","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Arguments":{"QueueUrl":"q","MessageBody":"b"},
				"TimeoutSeconds":"{% $states.input.longest %}","HeartbeatSeconds":"{% $states.input.longest - 1 %}","End":true}}}]}}}`
		w := &worker{answers: map[string]func(context.Context, engine.Dispatch) engine.Outcome{"B": silent, "J": silent}}
		e, clock := openWithSetClock(t, w, wait)
		defer e.Close()
		in := input("one", `{"longest":2147483647,"beyond":9223372036854775807}`)
		start, err := e.StartExecution(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			now  time.Time
			want machine.Status
		}{{start.Add((1<<31 - 3600) * time.Second), machine.Running}, {start.Add((1<<31 - 2) * time.Second), machine.Failed}} {
			clock.set(x.now.Sub(clock.Now()))
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if d, err := e.Describe(t.Context(), in.ARN); err != nil || d.Root.Status() != x.want {
				t.Fatalf("at %s it is %v, %v: %s", x.now, d.Root.Status(), err, types(t, e, in.ARN))
			}
		}
		if n := count(t, e, in.ARN, machine.EventTaskTimedOut); n != 1 {
			t.Errorf("%d heartbeats were missed, want the one of 2^31 - 2 seconds", n)
		}
	})
}
