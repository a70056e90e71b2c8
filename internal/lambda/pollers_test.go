package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/source"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// queued is a Lambda service beside real queues whose functions are Go functions: no process is started, so that the clock
// can be synctest's.
type queued struct {
	*world
	sqs *sqs.Service

	mu       sync.Mutex
	function func(ctx context.Context, records []source.Event) (string, error) // the error is a function error
	batches  [][]source.Event
}

const sourceARN = "arn:aws:sqs:us-east-1:000000000000:q"

func newQueued(t *testing.T, st store.Store, function func(ctx context.Context, records []source.Event) (string, error)) *queued {
	q := &queued{function: function}
	q.world = open(t, st, func(_ *Config, env *service.Env) {
		env.Caller = aws.CallerFunc(q.Call)
		q.sqs = sqs.New(env)
	})
	t.Cleanup(q.sqs.Close)
	return q
}

func (q *queued) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if r.Service == "sqs" {
		return q.sqs.Call(ctx, r)
	}
	var event struct{ Records []source.Event }
	if err := json.Unmarshal(r.Body, &event); err != nil {
		return nil, err
	}
	q.mu.Lock()
	q.batches = append(q.batches, event.Records)
	q.mu.Unlock()
	answer, err := q.function(ctx, event.Records)
	out := answered(answer)
	switch e, isWire := err.(*aws.Error); {
	case isWire:
		return nil, e
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		out.Header.Set("X-Amz-Function-Error", "Unhandled")
	}
	return out, nil
}

func answered(payload string) *aws.Output {
	return &aws.Output{Body: []byte(payload), Header: map[string][]string{}}
}

func (q *queued) queue(operation string, input map[string]any) map[string]any {
	q.t.Helper()
	if input["QueueUrl"] == nil && operation != "CreateQueue" {
		input["QueueUrl"] = "http://127.0.0.1:4566/000000000000/q"
	}
	b, _ := json.Marshal(input)
	out, err := q.sqs.Call(context.Background(), &aws.Request{Service: "sqs", Operation: operation, Account: testAccount, Region: testRegion, Input: b})
	if err != nil {
		q.t.Fatalf("%s: %v", operation, err)
	}
	if b, err = service.Marshal(out.Value); err != nil {
		q.t.Fatal(err)
	}
	var m map[string]any
	if err = json.Unmarshal(b, &m); err != nil {
		q.t.Fatal(err)
	}
	return m
}

// setUp makes a queue with a dead-letter queue, a function and the mapping between them.
func (q *queued) setUp(mapping map[string]any) string {
	q.t.Helper()
	q.queue("CreateQueue", map[string]any{"QueueName": "dead"})
	q.queue("CreateQueue", map[string]any{"QueueName": "q", "Attributes": map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"3"}`}})
	q.create("f", "provided.al2023", "x", shell("one"), nil)
	in := map[string]any{"FunctionName": "f", "EventSourceArn": sourceARN}
	for k, v := range mapping {
		in[k] = v
	}
	out := q.do("CreateEventSourceMapping", in)
	if out["State"] != "Creating" {
		q.t.Errorf("state after Create: %v", out["State"])
	}
	return out["UUID"].(string)
}

func (q *queued) send(bodies ...string) {
	for _, b := range bodies {
		q.queue("SendMessage", map[string]any{"MessageBody": b})
	}
}

// left counts the messages of a queue, visible or not.
func (q *queued) left(name string) string {
	a := q.queue("GetQueueAttributes", map[string]any{"QueueUrl": "http://127.0.0.1:4566/000000000000/" + name, "AttributeNames": []string{"All"}})["Attributes"].(map[string]any)
	return fmt.Sprint(a["ApproximateNumberOfMessages"], "+", a["ApproximateNumberOfMessagesNotVisible"])
}

// bodies are the bodies of the messages that the function got, sorted.
func (q *queued) bodies() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []string
	for _, batch := range q.batches {
		for _, m := range batch {
			all = append(all, m.Body)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func fine(context.Context, []source.Event) (string, error) { return "null", nil }

// inBubble runs a test on a clock that stands still while anybody works. goleak's and the pool's goroutines are the
// bubble's own and end with it.
func inBubble(t *testing.T, function func(context.Context, []source.Event) (string, error), body func(q *queued)) {
	synctest.Test(t, func(t *testing.T) {
		st := memory.New(memory.Options{})
		t.Cleanup(func() { st.Close() })
		body(newQueued(t, st, function))
	})
}

func TestMappingDeliversAndDeletes(t *testing.T) {
	inBubble(t, fine, func(q *queued) {
		uuid := q.setUp(nil)
		q.queue("SendMessage", map[string]any{"MessageBody": "hello", "MessageAttributes": map[string]any{
			"mamaMia": map[string]string{"DataType": "String", "StringValue": "v"}}})
		synctest.Wait()
		if len(q.batches) != 1 || q.left("q") != "0+0" {
			t.Fatalf("%v, left %s", q.batches, q.left("q"))
		}
		b, _ := json.Marshal(q.batches[0][0])
		var m map[string]any
		_ = json.Unmarshal(b, &m)
		for k, v := range map[string]string{"body": "hello", "eventSource": "aws:sqs", "eventSourceARN": sourceARN, "awsRegion": "us-east-1",
			"md5OfBody": "5d41402abc4b2a76b9719d911017c592"} {
			if m[k] != v {
				t.Errorf("%s: %v", k, m[k])
			}
		}
		if a := fmt.Sprint(m["messageAttributes"]); a != "map[mamaMia:map[binaryListValues:[] dataType:String stringListValues:[] stringValue:v]]" {
			t.Error(a)
		}
		for _, name := range []string{"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} {
			if m["attributes"].(map[string]any)[name] == nil {
				t.Errorf("no attribute %s in %v", name, m["attributes"])
			}
		}
		if got := q.do("GetEventSourceMapping", map[string]any{"UUID": uuid}); got["State"] != "Enabled" || got["BatchSize"] != 10.0 {
			t.Error(got)
		}
		if got := q.do("UpdateEventSourceMapping", map[string]any{"UUID": uuid, "Enabled": false}); got["State"] != "Disabling" {
			t.Error(got)
		}
		q.send("later")
		synctest.Wait()
		if q.left("q") != "1+0" {
			t.Errorf("a disabled mapping received: %s", q.left("q"))
		}
		q.do("UpdateEventSourceMapping", map[string]any{"UUID": uuid, "Enabled": true})
		synctest.Wait()
		if q.left("q") != "0+0" || q.bodies() != "hello later" {
			t.Errorf("%s, left %s", q.bodies(), q.left("q"))
		}
		q.do("DeleteEventSourceMapping", map[string]any{"UUID": uuid})
		q.send("never")
		time.Sleep(time.Minute)
		if q.left("q") != "1+0" {
			t.Error("a deleted mapping received")
		}
	})
}

func TestFailingFunctionFillsTheDeadLetterQueue(t *testing.T) {
	fails := func(context.Context, []source.Event) (string, error) { return `{}`, fmt.Errorf("boom") }
	inBubble(t, fails, func(q *queued) {
		q.setUp(map[string]any{"BatchSize": 1})
		q.send("a", "b")
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if q.bodies() != "a a a b b b" || q.left("dead") != "2+0" || q.left("q") != "0+0" {
			t.Errorf("%s; left %s; dead %s", q.bodies(), q.left("q"), q.left("dead"))
		}
	})
}

func TestOnlyFailedItemsComeAgain(t *testing.T) {
	answer := func(_ context.Context, records []source.Event) (string, error) {
		for _, r := range records {
			if r.Body == "bad" && r.Attributes["ApproximateReceiveCount"] == "1" {
				return `{"batchItemFailures":[{"itemIdentifier":"` + r.MessageID + `"}]}`, nil
			}
		}
		return "", nil
	}
	inBubble(t, answer, func(q *queued) {
		q.queue("CreateQueue", map[string]any{"QueueName": "elsewhere"})
		q.setUp(map[string]any{"MaximumBatchingWindowInSeconds": 5, "FunctionResponseTypes": []string{"ReportBatchItemFailures"}})
		q.send("good", "bad", "fine")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(q.batches) != 1 || len(q.batches[0]) != 3 || q.left("q") != "0+1" {
			t.Errorf("a window gathers one batch: %v, left %s", q.batches, q.left("q"))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if q.bodies() != "bad bad fine good" || q.left("q") != "0+0" {
			t.Errorf("%s, left %s", q.bodies(), q.left("q"))
		}
	})
}

func TestFilters(t *testing.T) {
	inBubble(t, fine, func(q *queued) {
		q.setUp(map[string]any{"FilterCriteria": map[string]any{"Filters": []any{
			map[string]string{"Pattern": `{"body":{"kind":["order"],"n":[{"numeric":[">",5]}]}}`}, map[string]string{"Pattern": `{"body":[{"prefix":"plain"}]}`}}}})
		q.send(`{"kind":"order","n":6}`, `{"kind":"order","n":5}`, `{"kind":"other"}`, "plain text", "text")
		synctest.Wait()
		if q.bodies() != `plain text {"kind":"order","n":6}` || q.left("q") != "0+0" {
			t.Errorf("%s, left %s", q.bodies(), q.left("q"))
		}
	})
}

func TestThrottledBatchesAreOfferedAgain(t *testing.T) {
	var began time.Time
	throttled := func(context.Context, []source.Event) (string, error) {
		if time.Since(began) < 3*time.Second {
			return "", fail("TooManyRequestsException", 429, "Rate Exceeded.")
		}
		return "null", nil
	}
	inBubble(t, throttled, func(q *queued) {
		began = time.Now()
		q.setUp(nil)
		q.send("a")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if q.left("q") != "0+0" || q.batches[len(q.batches)-1][0].Attributes["ApproximateReceiveCount"] != "1" {
			t.Errorf("left %s after %d tries", q.left("q"), len(q.batches))
		}
	})
}

func TestMappingOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memory.New(memory.Options{})
		t.Cleanup(func() { st.Close() })
		hangs := func(ctx context.Context, _ []source.Event) (string, error) { <-ctx.Done(); return "", nil }
		first := newQueued(t, st, hangs)
		first.setUp(nil)
		first.send("a")
		synctest.Wait()
		if first.bodies() != "a" || first.left("q") != "0+1" {
			t.Fatalf("%s, left %s", first.bodies(), first.left("q"))
		}
		first.Close()
		second := newQueued(t, st, fine)
		second.send("b")
		synctest.Wait()
		if second.bodies() != "b" {
			t.Errorf("the message that was under way came before its visibility timeout was over: %s", second.bodies())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if second.bodies() != "a b" || second.left("q") != "0+0" {
			t.Errorf("%s, left %s", second.bodies(), second.left("q"))
		}
	})
}

func TestMappingChecks(t *testing.T) {
	inBubble(t, fine, func(q *queued) {
		q.setUp(nil)
		q.queue("CreateQueue", map[string]any{"QueueName": "short", "Attributes": map[string]string{"VisibilityTimeout": "1"}})
		q.queue("CreateQueue", map[string]any{"QueueName": "a.fifo", "Attributes": map[string]string{"FifoQueue": "true"}})
		arn := "arn:aws:sqs:us-east-1:000000000000:"
		for _, x := range []struct {
			in         map[string]any
			code, text string
		}{
			{map[string]any{}, "ResourceConflictException", "provided mapping already exists"},
			{map[string]any{"FunctionName": "g"}, "InvalidParameterValueException", "Function does not exist"},
			{map[string]any{"EventSourceArn": arn + "none"}, "InvalidParameterValueException", "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."},
			{map[string]any{"EventSourceArn": arn + "short"}, "InvalidParameterValueException", "Queue visibility timeout: 1 seconds is less than Function timeout: 3 seconds"},
			{map[string]any{"EventSourceArn": arn + "a.fifo", "BatchSize": 11}, "InvalidParameterValueException", "FIFO"},
			{map[string]any{"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}, "InvalidParameterValueException", "event sources other than SQS queues"},
			{map[string]any{"BatchSize": 11}, "InvalidParameterValueException", "Maximum batch window"},
			{map[string]any{"BatchSize": 0}, "ValidationException", "batchSize"},
			{map[string]any{"StartingPosition": "LATEST"}, "InvalidParameterValueException", "StartingPosition"},
			{map[string]any{"FilterCriteria": map[string]any{"Filters": []any{map[string]string{"Pattern": `{"body":"x"}`}}}}, "InvalidParameterValueException", "Invalid filter pattern definition"},
		} {
			in := map[string]any{"FunctionName": "f", "EventSourceArn": sourceARN}
			for k, v := range x.in {
				in[k] = v
			}
			_, err := q.try("CreateEventSourceMapping", in)
			if e, ok := err.(*aws.Error); !ok || e.Code != x.code || !strings.Contains(e.Message, x.text) {
				t.Errorf("%v: %v", x.in, err)
			}
		}
		for operation, in := range map[string]map[string]any{"GetEventSourceMapping": {"UUID": "x"}, "DeleteEventSourceMapping": {"UUID": "x"}, "UpdateEventSourceMapping": {"UUID": "x"}} {
			_, err := q.try(operation, in)
			wantError(t, err, "ResourceNotFoundException", 404, "does not exist")
		}
		list := q.do("ListEventSourceMappings", map[string]any{"FunctionName": "f"})["EventSourceMappings"].([]any)
		if len(list) != 1 {
			t.Fatal(list)
		}
		tag := map[string]any{"Resource": list[0].(map[string]any)["EventSourceMappingArn"], "Tags": map[string]string{"a": "b"}}
		q.do("TagResource", tag)
		if tags := q.do("ListTags", tag)["Tags"]; fmt.Sprint(tags) != "map[a:b]" {
			t.Error(tags)
		}
	})
}
