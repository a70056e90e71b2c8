package states_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/states"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// redriven is a Step Functions API whose task fails until it is healed.
type redriven struct {
	t       *testing.T
	s       *states.Service
	store   store.Store
	mu      sync.Mutex
	healed  bool
	metrics map[string]float64
	logs    []string
	changes []string
}

func newRedriven(t *testing.T) *redriven {
	w := &redriven{t: t, store: memory.New(memory.Options{}), metrics: map[string]float64{}}
	w.open()
	t.Cleanup(func() { w.s.Close() })
	return w
}

func (w *redriven) open() {
	env := &service.Env{Store: w.store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Caller: aws.CallerFunc(w.log), Metrics: w}
	w.s = states.New(states.Config{Env: env, Dispatcher: answering(w.task), Changed: func(c *engine.Change, _ *service.Protection) engine.Write {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changes = append(w.changes, fmt.Sprintf("%d %d %s", c.Status, c.Redrives, c.NotRedrivable))
		return nil
	}})
	if err := w.s.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *redriven) task(d engine.Dispatch) engine.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.healed {
		return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString("1")}
	}
	name := "E"
	return engine.Outcome{Kind: engine.TaskFailed, Error: &name}
}

func (w *redriven) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.healed = true
}

// log takes the place of CloudWatch Logs.
func (w *redriven) log(_ context.Context, r *aws.Request) (*aws.Output, error) {
	var in struct{ LogEvents []struct{ Message string } }
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range in.LogEvents {
		var line struct{ Type, Redrive_count string }
		if err := json.Unmarshal([]byte(e.Message), &line); err != nil {
			w.t.Error(err)
		}
		w.logs = append(w.logs, line.Type+" "+line.Redrive_count)
	}
	return &aws.Output{Value: object{"logGroups": []object{{"logGroupName": "g", "arn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}}}, nil
}

// Add implements service.Recorder.
func (w *redriven) Add(_, _, _, metric, _ string, v float64, _ time.Time, _ ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.metrics[metric] += v
}

func (w *redriven) try(operation string, input object) (object, error) {
	in, err := json.Marshal(input)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.s.Call(context.Background(), &aws.Request{Service: "states", Operation: operation, Account: "000000000000", Region: "us-east-1", Input: in})
	if err != nil {
		return nil, err
	}
	answer := object{}
	if b, err := service.Marshal(out.Value); err != nil || json.Unmarshal(b, &answer) != nil {
		w.t.Fatalf("%v of %s", err, operation)
	}
	return answer, nil
}

func (w *redriven) call(operation string, input object) object {
	w.t.Helper()
	out, err := w.try(operation, input)
	if err != nil {
		w.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func (w *redriven) refused(operation string, input object, code, message string) {
	w.t.Helper()
	_, err := w.try(operation, input)
	var e *aws.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, message) {
		w.t.Errorf("%s: %v, want %s: %s", operation, err, code, message)
	}
}

const failsAtFirst = `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{},"End":true}}}`

// failed starts an execution and waits for its failure.
func (w *redriven) failed(machine string, more object) (machineARN, execution string) {
	w.t.Helper()
	in := object{"name": machine, "definition": failsAtFirst, "roleArn": role}
	for k, v := range more {
		in[k] = v
	}
	m := w.call("CreateStateMachine", in)["stateMachineArn"].(string)
	e := w.call("StartExecution", object{"stateMachineArn": m, "name": "e"})["executionArn"].(string)
	w.end(e)
	return m, e
}

func (w *redriven) end(execution string) {
	w.t.Helper()
	if _, err := w.s.Engine().Wait(context.Background(), execution); err != nil {
		w.t.Fatal(err)
	}
}

func TestRedriveExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRedriven(t)
		logs := object{"level": "ALL", "destinations": []object{{"cloudWatchLogsLogGroup": object{"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}}}
		m, e := w.failed("m", object{"loggingConfiguration": logs})
		execution := object{"executionArn": e}
		if d := w.call("DescribeExecution", execution); d["redriveStatus"] != "REDRIVABLE" || d["redriveStatusReason"] != nil || d["redriveCount"] != 0.0 || d["redriveDate"] != nil {
			t.Errorf("before: %v", d)
		}
		time.Sleep(time.Hour)
		w.heal()
		now := float64(time.Now().UnixMilli()) / 1000
		if at := w.call("RedriveExecution", execution)["redriveDate"]; at != now {
			t.Errorf("redriveDate %v, want %v", at, now)
		}
		w.end(e)
		d := w.call("DescribeExecution", execution)
		if d["status"] != "SUCCEEDED" || d["redriveCount"] != 1.0 || d["redriveDate"] != now || d["redriveStatus"] != "NOT_REDRIVABLE" ||
			d["redriveStatusReason"] != "Execution is SUCCEEDED and cannot be redriven" || d["error"] != nil || d["startDate"] != now-3600 {
			t.Errorf("after: %v", d)
		}
		listed := w.call("ListExecutions", object{"stateMachineArn": m, "statusFilter": "SUCCEEDED"})["executions"].([]any)
		if len(listed) != 1 || listed[0].(object)["redriveCount"] != 1.0 || listed[0].(object)["redriveDate"] != now {
			t.Errorf("listed: %v", listed)
		}
		history := w.call("GetExecutionHistory", execution)["events"].([]any)
		event := history[6].(object)
		if event["type"] != "ExecutionRedriven" || event["previousEventId"] != 6.0 || event["executionRedrivenEventDetails"].(object)["redriveCount"] != 1.0 {
			t.Errorf("event: %v", event)
		}
		time.Sleep(time.Second) // logs are written in the background
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if got := strings.Join(w.logs, ","); !strings.Contains(got, "ExecutionFailed 0,ExecutionRedriven 1,TaskScheduled 1,") {
			t.Errorf("logs %s", got)
		}
		for metric, want := range map[string]float64{"ExecutionsStarted": 1, "ExecutionsFailed": 1, "ExecutionsRedriven": 1, "RedrivenExecutionsSucceeded": 1, "RedrivenExecutionsFailed": 0} {
			if w.metrics[metric] != want {
				t.Errorf("%s %v, want %v", metric, w.metrics[metric], want)
			}
		}
		want := "1 0 Execution is RUNNING and cannot be redriven,3 0 ,1 1 Execution is RUNNING and cannot be redriven,2 1 Execution is SUCCEEDED and cannot be redriven"
		if got := strings.Join(w.changes, ","); got != want {
			t.Errorf("changes %s", got)
		}
	})
}

// TestRedriveIsIdempotent: a client's token is answered as before for 15 minutes, the last ten of them, over a restart too.
func TestRedriveIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRedriven(t)
		_, e := w.failed("m", nil)
		count := func() any {
			w.end(e)
			return w.call("DescribeExecution", object{"executionArn": e})["redriveCount"]
		}
		redrive := func(token string) any {
			date := w.call("RedriveExecution", object{"executionArn": e, "clientToken": token})["redriveDate"]
			w.end(e)
			return date
		}
		first := redrive("t0")
		time.Sleep(time.Minute)
		w.s.Close()
		w.open()
		if again := redrive("t0"); again != first || count() != 1.0 {
			t.Errorf("the same token: %v, then %v, %v redrives", first, again, count())
		}
		for i := range 10 {
			redrive(fmt.Sprint("t", i+1))
		}
		if redrive("t1"); count() != 11.0 {
			t.Errorf("one of the last ten tokens: %v redrives", count())
		}
		if redrive("t0"); count() != 12.0 {
			t.Errorf("an eleventh token: %v redrives", count())
		}
		time.Sleep(15 * time.Minute)
		if redrive("t9"); count() != 13.0 {
			t.Errorf("a token of 15 minutes ago: %v redrives", count())
		}
	})
}

func TestWhatCannotBeRedriven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRedriven(t)
		m, e := w.failed("m", nil)
		execution := object{"executionArn": e}
		w.refused("RedriveExecution", object{"executionArn": e + "x"}, "ExecutionDoesNotExist", "Execution Does Not Exist: '"+e+"x'")
		w.refused("RedriveExecution", object{"executionArn": "nonsense"}, "InvalidArn", "")
		w.refused("RedriveExecution", object{"executionArn": strings.Replace(e, ":execution:", ":express:", 1)}, "InvalidArn", "")
		w.refused("RedriveExecution", object{"executionArn": e, "clientToken": ""}, "ValidationException", "clientToken")
		w.refused("ListExecutions", object{"stateMachineArn": m, "statusFilter": "PENDING_REDRIVE"}, "ValidationException", "")
		w.refused("ListExecutions", object{"stateMachineArn": m, "redriveFilter": "REDRIVEN"}, "ValidationException", "")

		time.Sleep(14*24*time.Hour + time.Second)
		w.refused("RedriveExecution", execution, "ExecutionNotRedrivable", "Execution redrivable period exceeded")
		if d := w.call("DescribeExecution", execution); d["redriveStatus"] != "NOT_REDRIVABLE" || d["redriveStatusReason"] != "Execution redrivable period exceeded" {
			t.Errorf("%v", d)
		}

		_, e = w.failed("deleted", nil)
		w.call("DeleteStateMachine", object{"stateMachineArn": strings.Replace(m, ":m", ":deleted", 1)})
		w.refused("RedriveExecution", object{"executionArn": e}, "ExecutionNotRedrivable", "State machine is in DELETING status")

		_, e = w.failed("kept", nil)
		w.heal()
		w.call("RedriveExecution", object{"executionArn": e})
		w.end(e)
		w.refused("RedriveExecution", object{"executionArn": e}, "ExecutionNotRedrivable", "Execution is SUCCEEDED and cannot be redriven")
	})
}

// TestRedriveKeepsTheExecution: the end of the retention counts from the last end.
func TestRedriveKeepsTheExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRedriven(t)
		_, e := w.failed("m", nil)
		time.Sleep(10 * 24 * time.Hour)
		w.call("RedriveExecution", object{"executionArn": e})
		w.end(e)
		time.Sleep(89 * 24 * time.Hour)
		synctest.Wait()
		w.call("DescribeExecution", object{"executionArn": e})
		time.Sleep(2 * 24 * time.Hour)
		synctest.Wait()
		w.refused("DescribeExecution", object{"executionArn": e}, "ExecutionDoesNotExist", "")
	})
}
