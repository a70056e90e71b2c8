package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// work is a function that takes its time, and fails the first time that it sees some of its inputs.
const work = `
import os, time

def handler(event, context):
    time.sleep(0.02 + 0.06 * (event["n"] % 3))
    mark = os.path.join(event["marks"], str(event["n"]))
    if event["n"] % 4 == 0 and not os.path.exists(mark):
        open(mark, "w").close()
        raise RuntimeError("not yet")
    return {"n": event["n"], "square": event["n"] ** 2}
`

// torture has a slow task with retries beside a wait, in parallel, and a task after them.
const torture = `{"StartAt":"Both","States":{
	"Both":{"Type":"Parallel","Next":"Sum","Branches":[
		{"StartAt":"Work","States":{"Work":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,
			"Parameters":{"FunctionName":"work","Payload.$":"$"},"OutputPath":"$.Payload",
			"Retry":[{"ErrorEquals":["RuntimeError"],"IntervalSeconds":1,"MaxAttempts":3}]}}},
		{"StartAt":"Rest","States":{"Rest":{"Type":"Wait","Seconds":1,"Next":"Rested"},"Rested":{"Type":"Pass","Result":"rested","End":true}}}]},
	"Sum":{"Type":"Pass","Parameters":{"square.$":"$[0].square","rest.$":"$[1]"},"End":true}}}`

// TestTortureKill kills the server with -9 at random moments while executions with slow tasks, waits, retries and
// parallel branches run, and restarts it: all of them finish with the right output, and their histories have no gap and
// no repetition. NEWEL_TORTURE=full runs 500 executions and ten kills.
func TestTortureKill(t *testing.T) {
	disturbed(t, "kill -9 under load", 10, func(s *server) { s.kill(); s.start() })
}

// disturbed runs the executions while disturb is called at random moments, most times in the long form.
func disturbed(t *testing.T, what string, most int, disturb func(s *server), flags ...string) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is not here")
	}
	executions, times := 60, 3
	if full() {
		executions, times = 500, most
	}
	began := time.Now()
	s := newServer(t, append(flags, "--limit", "lambda-workers=8")...)
	s.start()
	marks := t.TempDir()
	createFunction(t, s, "work", work)
	var machine struct{ StateMachineArn string }
	if err := s.states("CreateStateMachine", map[string]any{"name": "torture", "definition": torture, "roleArn": "arn:aws:iam::000000000000:role/r"}, &machine); err != nil {
		t.Fatal(err)
	}
	arns := make([]string, executions)
	var starts sync.WaitGroup
	starts.Go(func() { // starts go on through the outages, as a client's do: with a name, again and again
		for i := range arns {
			var out struct{ ExecutionArn string }
			input, _ := json.Marshal(map[string]any{"n": i, "marks": marks})
			err := s.again(func() error {
				return s.states("StartExecution", map[string]any{"stateMachineArn": machine.StateMachineArn, "name": fmt.Sprintf("e-%d", i), "input": string(input)}, &out)
			})
			if err != nil && !strings.Contains(err.Error(), "ExecutionAlreadyExists") {
				t.Errorf("start %d: %v", i, err)
			}
			arns[i] = strings.Replace(machine.StateMachineArn, ":stateMachine:", ":execution:", 1) + fmt.Sprintf(":e-%d", i)
		}
	})
	for range times {
		time.Sleep(time.Duration(100+rand.IntN(900)) * time.Millisecond) // a random moment: what the test is about
		disturb(s)
	}
	starts.Wait()
	for i, arn := range arns {
		checkExecution(t, s, arn, i)
	}
	report(t, what, "%d executions with a Lambda task, retries, Parallel and Wait, %d times, in %.0f s: all have ended right, no event is missing or repeated", executions, times, time.Since(began).Seconds())
}

func createFunction(t *testing.T, s *server, name, source string) {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.Create("code.py")
	if err == nil {
		_, err = w.Write([]byte(source))
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	err = s.call("lambda", map[string]string{"Content-Type": "application/json"}, "/2015-03-31/functions", map[string]any{
		"FunctionName": name, "Runtime": "python3.12", "Handler": "code.handler", "Role": "arn:aws:iam::000000000000:role/r", "Timeout": 30,
		"Code": map[string]any{"ZipFile": base64.StdEncoding.EncodeToString(buf.Bytes())}}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

type event struct {
	Type            string
	ID              int `json:"id"`
	PreviousEventID int `json:"previousEventId"`
}

func checkExecution(t *testing.T, s *server, arn string, n int) {
	t.Helper()
	var d struct{ Status, Output, Error, Cause string }
	for deadline := time.Now().Add(2 * time.Minute); d.Status != "SUCCEEDED"; {
		if err := s.again(func() error { return s.states("DescribeExecution", map[string]any{"executionArn": arn}, &d) }); err != nil {
			t.Fatalf("execution %d: %v", n, err)
		}
		if d.Status != "RUNNING" && d.Status != "SUCCEEDED" || time.Now().After(deadline) {
			t.Fatalf("execution %d is %s: %s %s", n, d.Status, d.Error, d.Cause)
		}
		if d.Status == "RUNNING" {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if want := fmt.Sprintf(`{"square":%d,"rest":"rested"}`, n*n); d.Output != want {
		t.Errorf("execution %d: output %s, want %s", n, d.Output, want)
	}
	var h struct{ Events []event }
	if err := s.states("GetExecutionHistory", map[string]any{"executionArn": arn, "maxResults": 1000}, &h); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for i, ev := range h.Events {
		if ev.ID != i+1 || ev.PreviousEventID >= ev.ID {
			t.Errorf("execution %d: event %d has id %d, previous %d", n, i+1, ev.ID, ev.PreviousEventID)
		}
		count[ev.Type]++
	}
	attempts := 1
	if n%4 == 0 {
		attempts = count["TaskScheduled"] // the mark may have been set by an attempt whose failure a kill swallowed
	}
	for kind, want := range map[string]int{"ExecutionStarted": 1, "ExecutionSucceeded": 1, "ParallelStateEntered": 1, "ParallelStateExited": 1, "TaskStateEntered": 1,
		"TaskStateExited": 1, "WaitStateEntered": 1, "WaitStateExited": 1, "PassStateEntered": 2, "PassStateExited": 2,
		"TaskScheduled": attempts, "TaskStarted": attempts, "TaskFailed": attempts - 1, "TaskSucceeded": 1} {
		if count[kind] != want {
			t.Errorf("execution %d: %d events %s, want %d", n, count[kind], kind, want)
		}
	}
	if attempts < 1 || attempts > 2 {
		t.Errorf("execution %d: %d attempts", n, attempts)
	}
}
