package states_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/states"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/internal/task"
)

// observed is a Step Functions API whose metrics and execution logs are looked at.
type observed struct {
	redriven // calls
	mu       sync.Mutex
	values   map[string]float64 // "ExecutionTime Milliseconds StateMachineArn=..." -> sum
	lines    []string           // of logs
}

func newObserved(t *testing.T) *observed {
	o := &observed{values: map[string]float64{}}
	o.t = t
	env := &service.Env{Store: memory.New(memory.Options{}), Now: time.Now, Log: slog.New(slog.DiscardHandler), Caller: aws.CallerFunc(o.log), Metrics: o}
	o.s = states.New(states.Config{Env: env, Dispatcher: answering(func(d engine.Dispatch) engine.Outcome {
		if d.Task.Integration.Kind == asl.Activity {
			return (&task.Runner{Caller: o.s}).Run(context.Background(), d)
		}
		name, cause := "E", "secret"
		return engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &cause}
	})})
	if err := o.s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *observed) Add(_, _, namespace, metric, unit string, v float64, _ time.Time, dimensions ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := namespace + " " + metric + " " + unit
	for i := 0; i < len(dimensions); i += 2 {
		key += " " + dimensions[i] + "=" + dimensions[i+1][strings.LastIndexByte(dimensions[i+1], ':')+1:]
	}
	o.values[key] += v
}

// value is the sum of a metric of AWS/States, named with its unit and dimensions.
func (o *observed) value(key string) float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.values["AWS/States "+key]
}

func (o *observed) log(_ context.Context, r *aws.Request) (*aws.Output, error) {
	var in struct{ LogEvents []struct{ Message string } }
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range in.LogEvents {
		o.lines = append(o.lines, e.Message)
	}
	return &aws.Output{Value: object{"logGroups": []object{{"logGroupName": "g"}}}}, nil
}

func (o *observed) express(name, definition string, more object) string {
	o.t.Helper()
	in := object{"name": name, "type": "EXPRESS", "definition": definition, "roleArn": role}
	for k, v := range more {
		in[k] = v
	}
	return o.call("CreateStateMachine", in)["stateMachineArn"].(string)
}

func logging(level string, data bool) object {
	return object{"loggingConfiguration": object{"level": level, "includeExecutionData": data,
		"destinations": []object{{"cloudWatchLogsLogGroup": object{"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}}}}
}

const waits = `{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$.s","End":true}}}`

// TestStartSyncExecution: the answer's members, what is billed, what is left out on request, and what is refused.
func TestStartSyncExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		defer o.s.Close()
		m := o.express("m", waits, nil)
		for _, x := range []struct {
			input  string
			status string
			billed float64
			more   string // further members
		}{
			{`{"s":0}`, "SUCCEEDED", 100, "output"},
			{`{"s":1}`, "SUCCEEDED", 1000, "output"},
			{`{"s":301}`, "TIMED_OUT", 300000, "error"},
			{`{"s":-1}`, "FAILED", 100, "cause error"},
		} {
			out := o.call("StartSyncExecution", object{"stateMachineArn": m, "input": x.input, "name": "same", "traceHeader": "Root=1-65f0c0de-0123456789abcdef01234567"})
			bill := out["billingDetails"].(object)
			if out["status"] != x.status || bill["billedDurationInMilliseconds"] != x.billed || bill["billedMemoryUsedInMB"] != 64.0 {
				t.Errorf("%s: %v, billed %v", x.input, out["status"], bill)
			}
			want := append(strings.Fields(x.more), "billingDetails", "executionArn", "input", "inputDetails", "name", "outputDetails", "startDate", "stateMachineArn",
				"status", "stopDate", "traceHeader")
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(out)); !slices.Equal(got, want) {
				t.Errorf("%s: members\n%v, want\n%v", x.input, got, want)
			}
		}
		bare := o.call("StartSyncExecution", object{"stateMachineArn": m, "input": `{"s":0}`, "includedData": "METADATA_ONLY"})
		if bare["input"] != nil || bare["output"] != nil || fmt.Sprint(bare["inputDetails"], bare["outputDetails"]) != "map[included:false] map[included:false]" {
			t.Errorf("METADATA_ONLY gave %v", bare)
		}
		standard := o.call("CreateStateMachine", object{"name": "s", "definition": waits, "roleArn": role})["stateMachineArn"]
		o.refused("StartSyncExecution", object{"stateMachineArn": standard}, "StateMachineTypeNotSupported", "not supported by this type of state machine")
		o.refused("StartSyncExecution", object{"stateMachineArn": m + "x"}, "StateMachineDoesNotExist", m+"x")
		o.refused("StartSyncExecution", object{"stateMachineArn": m, "input": "{"}, "InvalidExecutionInput", "")
		o.refused("StartSyncExecution", object{"stateMachineArn": m, "name": "a b"}, "InvalidName", "a b")
		o.refused("ListExecutions", object{"stateMachineArn": m}, "StateMachineTypeNotSupported", "")
		started := o.call("StartExecution", object{"stateMachineArn": m, "input": `{"s":0}`, "name": "same"})["executionArn"]
		if again := o.call("StartExecution", object{"stateMachineArn": m, "input": `{"s":0}`, "name": "same"})["executionArn"]; again == started {
			t.Error("the same name twice is one Express execution")
		}
		for _, operation := range []string{"DescribeExecution", "GetExecutionHistory", "StopExecution", "DescribeStateMachineForExecution"} {
			o.refused(operation, object{"executionArn": started}, "InvalidArn", "Resource type not valid in this context: express")
		}
	})
}

// TestExpressMetrics: names, units and dimensions of an execution through an alias.
func TestExpressMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		defer o.s.Close()
		m := o.express("m", waits, object{"publish": true})
		alias := o.call("CreateStateMachineAlias", object{"name": "live", "routingConfiguration": []object{{"stateMachineVersionArn": m + ":1", "weight": 100}}})["stateMachineAliasArn"]
		o.call("StartSyncExecution", object{"stateMachineArn": alias, "input": `{"s":2}`})
		for metric, want := range map[string]float64{
			"ExecutionsStarted Count": 1, "ExecutionsSucceeded Count": 1, "ExecutionTime Milliseconds": 2000,
			"ExpressExecutionBilledDuration Milliseconds": 2000, "ExpressExecutionBilledMemory Megabytes": 64, "ExpressExecutionMemory Megabytes": 64,
		} {
			for _, dimensions := range []string{" StateMachineArn=m", " StateMachineArn=m Version=1", " StateMachineArn=m Alias=live"} {
				if got := o.value(metric + dimensions); got != want {
					t.Errorf("%s%s is %v, want %v", metric, dimensions, got, want)
				}
			}
		}
	})
}

// TestTaskMetrics: the counts and times of tasks, by the kind of task; a missed heartbeat is told from the end of the time.
func TestTaskMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		defer o.s.Close()
		activity := o.call("CreateActivity", object{"name": "a"})["activityArn"].(string)
		for i, limits := range []string{`"TimeoutSeconds":10,"HeartbeatSeconds":3`, `"TimeoutSeconds":10`, `"TimeoutSeconds":60`} {
			m := o.call("CreateStateMachine", object{"name": fmt.Sprint("m", i), "roleArn": role,
				"definition": `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"` + activity + `",` + limits + `,"End":true}}}`})["stateMachineArn"]
			e := o.call("StartExecution", object{"stateMachineArn": m})["executionArn"].(string)
			synctest.Wait()
			time.Sleep(2 * time.Second) // until a worker asks
			token := o.call("GetActivityTask", object{"activityArn": activity})["taskToken"]
			if i == 2 {
				time.Sleep(time.Second)
				o.call("SendTaskSuccess", object{"taskToken": token, "output": "1"})
			}
			o.end(e)
		}
		m := o.call("CreateStateMachine", object{"name": "service", "definition": failsAtFirst, "roleArn": role})["stateMachineArn"]
		o.end(o.call("StartExecution", object{"stateMachineArn": m})["executionArn"].(string))
		for metric, want := range map[string]float64{
			"ActivitiesScheduled Count": 3, "ActivitiesStarted Count": 3, "ActivitiesSucceeded Count": 1, "ActivitiesFailed Count": 0,
			"ActivitiesTimedOut Count": 1, "ActivitiesHeartbeatTimedOut Count": 1,
			"ActivityScheduleTime Milliseconds": 6000, "ActivityRunTime Milliseconds": 3000 + 10000 + 1000, "ActivityTime Milliseconds": 6000 + 14000,
		} {
			if got := o.value(metric + " ActivityArn=a"); got != want {
				t.Errorf("%s is %v, want %v", metric, got, want)
			}
		}
		for metric, want := range map[string]float64{"ServiceIntegrationsScheduled Count": 1, "ServiceIntegrationsStarted Count": 1, "ServiceIntegrationsFailed Count": 1} {
			if got := o.value(metric + " ServiceIntegrationResourceArn=invoke"); got != want {
				t.Errorf("%s is %v, want %v", metric, got, want)
			}
		}
	})
}

// TestLogLevels: which events of the same three executions each level writes, and what they hold.
func TestLogLevels(t *testing.T) {
	const works = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"T","States":{"T":{"Type":"Task",
		"Resource":"arn:aws:states:::lambda:invoke","Parameters":{"Payload":"secret"},"Retry":[{"ErrorEquals":["E"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"W"}],"End":true},
		"W":{"Type":"Wait","SecondsPath":"$.s","End":true}}}]}}}`
	for level, want := range map[string]string{
		"OFF": "", "FATAL": "ExecutionFailed",
		"ERROR": "TaskFailed TaskFailed WaitStateAborted ParallelStateFailed ExecutionFailed",
		"ALL": "ExecutionStarted ParallelStateEntered ParallelStateStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed TaskScheduled TaskStarted TaskFailed " +
			"TaskStateExited WaitStateEntered WaitStateAborted ParallelStateFailed ExecutionFailed",
	} {
		for _, kind := range []string{"STANDARD", "EXPRESS"} {
			t.Run(level+" "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newObserved(t)
					more := logging(level, level == "ERROR")
					more["type"] = kind
					m := o.express("m", works, more)
					o.call("StartExecution", object{"stateMachineArn": m})
					time.Sleep(time.Minute)
					o.s.Close() // writes what is left
					var got []string
					for _, text := range o.lines {
						var line struct {
							Type          string
							Execution_arn string
						}
						if err := json.Unmarshal([]byte(text), &line); err != nil || !strings.HasPrefix(line.Execution_arn, "arn:aws:states:") {
							t.Errorf("%v: %s", err, text)
						}
						if got = append(got, line.Type); level == "ALL" && strings.Contains(text, `"input"`) {
							t.Errorf("data in %s", text)
						}
					}
					if strings.Join(got, " ") != want {
						t.Errorf("got  %v\nwant %s", got, want)
					}
				})
			})
		}
	}
}
