package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The machines of TestTortureKillWhileWaiting: one waits for a callback, one for a worker, one for a nested execution of the first.
const (
	waitsForToken = `{"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","End":true,
		"Parameters":{"QueueUrl":"%s","MessageBody":{"n.$":"$.n","token.$":"$$.Task.Token"}}}}}`
	// A worker that was handed a task by an answer that got lost never comes back: as on AWS a timeout is for that.
	waitsForWorker = `{"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"%s","End":true,
		"TimeoutSeconds":10,"Retry":[{"ErrorEquals":["States.Timeout"],"IntervalSeconds":1}]}}}`
	waitsForChild = `{"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","OutputPath":"$.Output","End":true,
		"Parameters":{"StateMachineArn":"%s","Name.$":"States.Format('child-{}', $.n)","Input.$":"$"}}}}`
)

// TestTortureKillWhileWaiting kills the server with -9 while executions wait on task tokens, activities and nested executions, and
// again while they are being answered: every answer counts once, whether its client has heard of it or not, and all of the
// executions end with it. NEWEL_TORTURE=full has 1,000 of them.
func TestTortureKillWhileWaiting(t *testing.T) {
	t.Parallel()
	each := 20
	if full() {
		each = 334
	}
	w := newWaiting(t)
	for i := range each {
		w.begin("token", i)
		w.begin("worker", i)
		w.begin("child", i)
	}
	tokens := w.receive(2 * each)
	w.kill()
	w.start()
	// The second kill comes in the midst of the answers: their clients repeat what they have no answer to.
	answered := make(chan bool, 3*each)
	var clients sync.WaitGroup
	clients.Go(func() {
		for range each / 2 {
			<-answered
		}
		w.kill()
		w.start()
	})
	for _, m := range tokens {
		clients.Go(func() {
			w.answer(m.Token, m.N)
			answered <- true
		})
	}
	var tasks atomic.Int32
	for range 8 {
		clients.Go(func() {
			for tasks.Add(1) <= int32(each) {
				w.work()
				answered <- true
			}
		})
	}
	clients.Wait()
	defer func() {
		report(t, "kill -9 while executions wait, and while they are answered", "%d on task tokens, %d on activities, %d on nested executions: all have ended, each answered once", each, each, each)
	}()
	for i := range each {
		w.check("token", fmt.Sprintf("token-%d", i), i)
		w.check("worker", fmt.Sprintf("worker-%d", i), i)
		w.check("child", fmt.Sprintf("child-%d", i), i)
		w.check("token", fmt.Sprintf("child-%d", i), i) // the nested one
	}
}

// waiting is a server with the three machines.
type waiting struct {
	*server
	queue    string
	activity string
	machines map[string]string
}

type tokenMessage struct {
	N     int    `json:"n"`
	Token string `json:"token"`
}

func newWaiting(t *testing.T) *waiting {
	w := &waiting{server: newServer(t), machines: map[string]string{}}
	w.server.start()
	w.prepare()
	return w
}

// prepare makes the queue, the activity and the machines.
func (w *waiting) prepare() {
	var queue struct{ QueueURL string }
	w.must(w.sqs("CreateQueue", map[string]any{"QueueName": "asked"}, &queue))
	w.queue = queue.QueueURL
	var activity struct{ ActivityArn string }
	w.must(w.states("CreateActivity", map[string]any{"name": "work"}, &activity))
	w.activity = activity.ActivityArn
	w.machine("token", fmt.Sprintf(waitsForToken, w.queue))
	w.machine("worker", fmt.Sprintf(waitsForWorker, w.activity))
	w.machine("child", fmt.Sprintf(waitsForChild, w.machines["token"]))
}

func (w *waiting) sqs(operation string, in, out any) error {
	return w.call("sqs", map[string]string{"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS." + operation}, "/", in, out)
}

func (w *waiting) machine(name, definition string) {
	var out struct{ StateMachineArn string }
	w.must(w.states("CreateStateMachine", map[string]any{"name": name, "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/r"}, &out))
	w.machines[name] = out.StateMachineArn
}

func (w *waiting) begin(machine string, n int) {
	w.must(w.states("StartExecution", map[string]any{"stateMachineArn": w.machines[machine], "name": fmt.Sprintf("%s-%d", machine, n), "input": fmt.Sprintf(`{"n":%d}`, n)}, nil))
}

// receive takes the tokens that were asked for from the queue.
func (w *waiting) receive(count int) (all []tokenMessage) {
	for deadline := time.Now().Add(time.Minute); len(all) < count; {
		var out struct {
			Messages []struct{ Body, ReceiptHandle string }
		}
		w.must(w.sqs("ReceiveMessage", map[string]any{"QueueUrl": w.queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 5}, &out))
		for _, m := range out.Messages {
			var body tokenMessage
			w.must(json.Unmarshal([]byte(m.Body), &body))
			all = append(all, body)
			w.must(w.sqs("DeleteMessage", map[string]any{"QueueUrl": w.queue, "ReceiptHandle": m.ReceiptHandle}, nil))
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d of %d tokens have come", len(all), count)
		}
	}
	return all
}

// answer sends a token's result. A second answer is refused if the first one was taken before the outage.
func (w *waiting) answer(token string, n int) {
	err := w.again(func() error {
		return w.states("SendTaskSuccess", map[string]any{"taskToken": token, "output": fmt.Sprintf(`{"answer":%d}`, n)}, nil)
	})
	if err != nil && !strings.Contains(err.Error(), "TaskTimedOut") {
		w.t.Errorf("answer %d: %v", n, err)
	}
}

// work polls a task of the activity and answers it.
func (w *waiting) work() {
	var task struct{ TaskToken, Input string }
	for deadline := time.Now().Add(time.Minute); task.TaskToken == ""; {
		err := w.again(func() error {
			return w.states("GetActivityTask", map[string]any{"activityArn": w.activity, "workerName": "w"}, &task)
		})
		if err != nil || time.Now().After(deadline) {
			w.t.Errorf("no task to work on: %v", err)
			return
		}
	}
	var input struct{ N int }
	if err := json.Unmarshal([]byte(task.Input), &input); err != nil {
		w.t.Error(err)
	}
	w.answer(task.TaskToken, input.N)
}

// check waits for an execution's end: it has the answer, and its task succeeded once.
func (w *waiting) check(machine, name string, n int) {
	w.t.Helper()
	arn := strings.Replace(w.machines[machine], ":stateMachine:", ":execution:", 1) + ":" + name
	var d struct{ Status, Output, Error, Cause string }
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		w.must(w.states("DescribeExecution", map[string]any{"executionArn": arn}, &d))
		if d.Status != "RUNNING" {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s still waits", arn)
		}
	}
	if want := fmt.Sprintf(`{"answer":%d}`, n); d.Status != "SUCCEEDED" || d.Output != want {
		w.t.Errorf("%s: %s %s %s %s", arn, d.Status, d.Output, d.Error, d.Cause)
	}
	var h struct{ Events []event }
	w.must(w.states("GetExecutionHistory", map[string]any{"executionArn": arn}, &h))
	succeeded := 0
	for i, ev := range h.Events {
		if ev.ID != i+1 || ev.PreviousEventID >= ev.ID {
			w.t.Errorf("%s: event %d has id %d, previous %d", arn, i+1, ev.ID, ev.PreviousEventID)
		}
		if ev.Type == "TaskSucceeded" || ev.Type == "ActivitySucceeded" {
			succeeded++
		}
	}
	if succeeded != 1 {
		w.t.Errorf("%s: its task succeeded %d times", arn, succeeded)
	}
}
