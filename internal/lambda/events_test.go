package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// recorder is a Caller that keeps what it is asked and answers as told.
type recorder struct {
	mu     sync.Mutex
	calls  []*aws.Request
	answer func(*aws.Request) error
	signal chan *aws.Request
}

func newRecorder() *recorder { return &recorder{signal: make(chan *aws.Request, 1000)} }

func (r *recorder) Call(_ context.Context, q *aws.Request) (*aws.Output, error) {
	r.mu.Lock()
	r.calls = append(r.calls, q)
	answer := r.answer
	r.mu.Unlock()
	r.signal <- q
	if answer != nil {
		if err := answer(q); err != nil {
			return nil, err
		}
	}
	return &aws.Output{Value: json.RawMessage("{}")}, nil
}

func (r *recorder) until(operation string) *aws.Request {
	for q := range r.signal {
		if q.Operation == operation {
			return q
		}
	}
	return nil
}

func caller(c aws.Caller) option { return func(_ *Config, e *service.Env) { e.Caller = c } }

func (w *world) storedEvents() (n int) {
	all := store.K(store.TableFunction, "event")
	err := w.store.View(context.Background(), w.PartitionOf(testAccount, testRegion, ""), func(r store.Reader) error {
		n = 0
		for range r.Scan(all, all.End(), false) {
			n++
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// appends is a function that notes each attempt in a file and fails as often as the payload says.
const appends = `
import os
def handler(event, c):
    with open(event["file"], "a") as f:
        f.write(c.aws_request_id + "\n")
    with open(event["file"]) as f:
        n = len(f.readlines())
    if n <= event["failures"]:
        raise Exception("not yet")
`

func TestEventIsRetriedTwiceAndThenGivenUp(t *testing.T) {
	needs(t, "python3")
	r := newRecorder()
	w := newWorld(t, caller(r))
	w.create("f", "python3.12", "app.handler", map[string]string{"app.py": appends},
		map[string]any{"DeadLetterConfig": map[string]string{"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}})
	file := filepath.Join(t.TempDir(), "attempts")
	payload, _ := json.Marshal(map[string]any{"file": file, "failures": 99})
	out := w.run("f", string(payload), "InvocationType", "Event")
	want(t, "status", out.status, 202)
	want(t, "body", out.payload, "")
	q := r.until("SendMessage") // the dead letter is the last thing before the row goes
	var message struct {
		QueueUrl, MessageBody string
		MessageAttributes     map[string]map[string]string
	}
	if err := json.Unmarshal(q.Input, &message); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	attempts := strings.Fields(string(b))
	if len(attempts) != 3 || attempts[0] != attempts[2] {
		t.Fatal("three attempts under one request id expected:", attempts)
	}
	want(t, "queue", message.QueueUrl, "http://127.0.0.1:4566/000000000000/dead")
	want(t, "message", message.MessageBody, string(payload))
	want(t, "request", message.MessageAttributes["RequestID"]["StringValue"], attempts[0])
	w.Close() // waits for the attempt to end
	want(t, "rows", w.storedEvents(), 0)
}

func TestEventSurvivesARestart(t *testing.T) {
	needs(t, "python3")
	st := memory.New(memory.Options{})
	defer st.Close()
	w := open(t, st, func(c *Config, _ *service.Env) { c.MaxWorkers = 1 })
	dir := t.TempDir()
	file := filepath.Join(dir, "attempts")
	w.create("f", "python3.12", "app.handler", map[string]string{"app.py": appends}, nil)
	payload, _ := json.Marshal(map[string]any{"file": file, "failures": 0})
	w.do("PutFunctionConcurrency", map[string]any{"FunctionName": "f", "ReservedConcurrentExecutions": 0})
	w.run("f", string(payload), "InvocationType", "Event") // throttled, and so put off
	w.Close()
	want(t, "rows after the stop", w.storedEvents(), 1)

	r := newRecorder()
	w = open(t, st, caller(r), func(_ *Config, e *service.Env) {
		e.Now = func() time.Time { return time.Now().Add(time.Hour) } // the pause is over
	})
	_ = r
	w.do("DeleteFunctionConcurrency", map[string]any{"FunctionName": "f"})
	for { // the function's log tells when it has run
		q := r.until("PutLogEvents")
		if strings.Contains(string(q.Input), "END RequestId") {
			break
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
}

func TestEventConfig(t *testing.T) {
	w := newWorld(t)
	w.create("f", "python3.12", "a.h", map[string]string{"a.py": ""}, nil)
	_, err := w.try("GetFunctionEventInvokeConfig", map[string]string{"FunctionName": "f"})
	wantError(t, err, "ResourceNotFoundException", 404, "doesn't have an EventInvokeConfig")
	w.do("PutFunctionEventInvokeConfig", map[string]any{"FunctionName": "f", "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})
	w.do("UpdateFunctionEventInvokeConfig", map[string]any{"FunctionName": "f", "MaximumRetryAttempts": 1})
	c := w.do("GetFunctionEventInvokeConfig", map[string]string{"FunctionName": "f"})
	want(t, "retries", c["MaximumRetryAttempts"], 1)
	want(t, "age", c["MaximumEventAgeInSeconds"], 60)
}

func TestLogsAreShipped(t *testing.T) {
	needs(t, "python3")
	r := newRecorder()
	made := map[string]bool{}
	r.answer = func(q *aws.Request) error {
		switch q.Operation {
		case "PutLogEvents":
			if !made["CreateLogStream"] {
				return &aws.Error{Code: "ResourceNotFoundException", Message: "The specified log group does not exist."}
			}
		default:
			made[q.Operation] = true
		}
		return nil
	}
	w := newWorld(t, caller(r))
	w.create("f", "python3.12", "a.h", map[string]string{"a.py": "def h(e, c):\n    print('to the logs')\n    return c.log_stream_name\n"}, nil)
	stream := w.run("f", "").payload
	w.Close()
	if !made["CreateLogGroup"] {
		t.Fatal("the group was not made")
	}
	last := r.calls[len(r.calls)-1]
	var in struct {
		LogGroupName, LogStreamName string
		LogEvents                   []logEvent
	}
	if err := json.Unmarshal(last.Input, &in); err != nil {
		t.Fatal(err)
	}
	want(t, "group", in.LogGroupName, "/aws/lambda/f")
	want(t, "stream", `"`+in.LogStreamName+`"`, stream)
	want(t, "account", last.Account+last.Region, testAccount+testRegion)
	want(t, "lines", len(in.LogEvents), 4)
	want(t, "line", in.LogEvents[1].Message, "to the logs")
}

func TestRepeatedDeliveryOfAnEvent(t *testing.T) {
	w := newWorld(t)
	w.create("f", "python3.12", "a.h", map[string]string{"a.py": ""}, nil)
	w.do("PutFunctionConcurrency", map[string]any{"FunctionName": "f", "ReservedConcurrentExecutions": 0})
	for range 2 {
		_, err := w.Call(context.Background(), &aws.Request{Service: "lambda", Operation: "Invoke", Account: testAccount, Region: testRegion,
			Input: []byte(`{"FunctionName":"f","InvocationType":"Event"}`), Token: aws.Token{Source: "p1", Seq: 7, Low: 7}})
		if err != nil {
			t.Fatal(err)
		}
	}
	want(t, "rows", w.storedEvents(), 1)
}

func TestReservedConcurrencyThrottles(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	w.create("f", "python3.12", "a.h", map[string]string{"a.py": "import os\ndef h(e, c):\n    if e:\n        open(e[0], 'w').close()\n        open(e[1]).close()\n"}, map[string]any{"Timeout": 60})
	w.do("PutFunctionConcurrency", map[string]any{"FunctionName": "f", "ReservedConcurrentExecutions": 1})
	in, out := fifo(t), fifo(t)
	payload, _ := json.Marshal([]string{in, out})
	done := make(chan error, 1)
	go func() {
		_, err := w.call("f", string(payload))
		done <- err
	}()
	f, err := os.Open(in) // returns when the function runs
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	_, err = w.call("f", "")
	wantError(t, err, "TooManyRequestsException", 429, "Rate Exceeded.")
	g, err := os.OpenFile(out, os.O_WRONLY, 0) // lets it end
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	if err = <-done; err != nil {
		t.Fatal(err)
	}
	if _, err = w.call("f", "[]"); err != nil {
		var e *aws.Error
		errors.As(err, &e)
		t.Fatal(err)
	}
}
