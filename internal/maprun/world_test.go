package maprun_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/states"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// world is a server with the state machines, an S3 in memory and tasks that a test answers.
type world struct {
	t      *testing.T
	store  store.Store
	s3     *bucketOfTests
	task   func(ctx context.Context, input *value.Doc) engine.Outcome
	states *states.Service
	limits machine.Limits
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: memory.New(memory.Options{}), s3: &bucketOfTests{objects: map[string][]byte{}}}
	w.task = func(_ context.Context, input *value.Doc) engine.Outcome { return succeeded(input.String()) }
	w.open()
	t.Cleanup(func() { w.states.Close() })
	return w
}

// open starts a server on the world's store.
func (w *world) open() {
	if err := w.tryOpen(); err != nil {
		w.t.Fatal(err)
	}
}

// tryOpen is open where the store may fail while the server starts.
func (w *world) tryOpen() error {
	env := &service.Env{Store: w.store, Caller: w.s3, Now: time.Now, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil))}
	w.states = states.New(states.Config{Env: env, Dispatcher: tasks{w}, Limits: w.limits})
	return w.states.Start(w.t.Context())
}

// crash stops the server and starts another one on what is stored.
func (w *world) crash() {
	w.states.Close()
	w.open()
}

type tasks struct{ w *world }

func (d tasks) Run(ctx context.Context, r engine.Dispatch) engine.Outcome {
	return d.w.task(ctx, r.Task.Arguments)
}

func (tasks) Cancel(context.Context, engine.Dispatch) error { return nil }

func succeeded(text string) engine.Outcome {
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(text)}
}

func failedTask(name, cause string) engine.Outcome {
	return engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &cause}
}

// call calls an operation of Step Functions; its error ends the test.
func (w *world) call(operation string, input map[string]any) map[string]any {
	w.t.Helper()
	out, err := w.try(operation, input)
	if err != nil {
		w.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func (w *world) try(operation string, input map[string]any) (map[string]any, error) {
	b, err := json.Marshal(input)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.states.Call(context.Background(), &aws.Request{Service: "states", Operation: operation, Account: "000000000000", Region: "us-east-1", Input: b})
	if err != nil {
		return nil, err
	}
	if b, err = service.Marshal(out.Value); err != nil {
		w.t.Fatal(err)
	}
	v := map[string]any{}
	if err := json.Unmarshal(b, &v); err != nil {
		w.t.Fatal(err)
	}
	return v, nil
}

// distributed is a machine of one distributed Map whose children run one task; fields are further fields of the Map.
func distributed(kind, fields string) string {
	return `{"StartAt":"M","States":{"M":{"Type":"Map","Label":"L",` + fields + `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"` + kind +
		`"},"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"item.$":"$"},"End":true}}},"End":true}}}`
}

// start creates the machine and starts an execution of it.
func (w *world) start(definition, input string) (execution string) {
	w.t.Helper()
	m := w.call("CreateStateMachine", map[string]any{"name": "m", "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/r"})
	e := w.call("StartExecution", map[string]any{"stateMachineArn": m["stateMachineArn"], "input": input})
	return e["executionArn"].(string)
}

// end waits for an execution's end.
func (w *world) end(execution string) *engine.Description {
	w.t.Helper()
	d, err := w.states.Engine().Wait(w.t.Context(), execution)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// mapRun is the ARN of an execution's only map run.
func (w *world) mapRun(execution string) string {
	w.t.Helper()
	list := w.call("ListMapRuns", map[string]any{"executionArn": execution})["mapRuns"].([]any)
	if len(list) != 1 {
		w.t.Fatalf("%d map runs", len(list))
	}
	return list[0].(map[string]any)["mapRunArn"].(string)
}

// counts renders what DescribeMapRun counts: status, then executions, then items, zeros left out.
func (w *world) counts(mapRun string) string {
	w.t.Helper()
	d := w.call("DescribeMapRun", map[string]any{"mapRunArn": mapRun})
	text := d["status"].(string)
	for _, kind := range []string{"executionCounts", "itemCounts"} {
		text += " |"
		for _, name := range []string{"total", "pending", "running", "succeeded", "failed", "timedOut", "aborted", "resultsWritten"} {
			if n := d[kind].(map[string]any)[name].(float64); n != 0 {
				text += fmt.Sprintf(" %s=%v", name, n)
			}
		}
	}
	return text
}

func (w *world) history(execution string) []string {
	events, _, err := w.states.Engine().History(w.t.Context(), execution, engine.HistoryQuery{Max: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprintf("%d<-%d %s", e.ID, e.Prev, e.Type))
	}
	return list
}

func text(s *string) string {
	if s == nil {
		return "nil"
	}
	return *s
}

func wantOutput(t *testing.T, d *engine.Description, want string) {
	t.Helper()
	if d.Root.Status() != machine.Succeeded {
		t.Fatalf("status %v, error %s, cause %s", d.Root.Status(), text(d.Root.Error()), text(d.Root.Cause()))
	}
	if got := d.Output.String(); got != want {
		t.Errorf("output %s, want %s", got, want)
	}
}

func wantFailure(t *testing.T, d *engine.Description, name, cause string) {
	t.Helper()
	if d.Root.Status() != machine.Failed || text(d.Root.Error()) != name || !strings.Contains(text(d.Root.Cause()), cause) {
		t.Errorf("status %v, error %s, cause %s; want %s, %s", d.Root.Status(), text(d.Root.Error()), text(d.Root.Cause()), name, cause)
	}
}

// bucketOfTests is an S3 of which every bucket is the same.
type bucketOfTests struct {
	mu      sync.Mutex
	objects map[string][]byte
	refuse  bool // PutObject
}

func (b *bucketOfTests) put(key, content string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[key] = []byte(content)
}

func (b *bucketOfTests) get(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.objects[key])
}

func (b *bucketOfTests) keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for k := range b.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func etag(content []byte) string {
	sum := md5.Sum(content)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// Call answers the operations that a map run uses.
func (b *bucketOfTests) Call(_ context.Context, r *aws.Request) (*aws.Output, error) {
	var in struct{ Key, IfMatch, Prefix, ContinuationToken string }
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return nil, err
	}
	switch r.Service + ":" + r.Operation {
	case "s3:GetObject":
		b.mu.Lock()
		defer b.mu.Unlock()
		content, ok := b.objects[in.Key]
		if !ok {
			return nil, &aws.Error{Code: "NoSuchKey", Message: "The specified key does not exist.", Status: 404}
		}
		if in.IfMatch != "" && in.IfMatch != etag(content) {
			return nil, &aws.Error{Code: "PreconditionFailed", Message: "At least one of the pre-conditions you specified did not hold", Status: 412}
		}
		return &aws.Output{Value: map[string]any{"ETag": etag(content)}, Stream: io.NopCloser(bytes.NewReader(content))}, nil
	case "s3:PutObject":
		if b.refuse {
			return nil, &aws.Error{Code: "NoSuchBucket", Message: "The specified bucket does not exist", Status: 404}
		}
		content, err := io.ReadAll(r.Stream)
		if err != nil {
			return nil, err
		}
		b.put(in.Key, string(content))
		return &aws.Output{Value: map[string]any{"ETag": etag(content)}}, nil
	case "s3:ListObjectsV2":
		return b.list(in.Prefix, in.ContinuationToken)
	}
	return nil, service.NotImplemented(r.Service, r.Operation)
}

// list answers two keys a page.
func (b *bucketOfTests) list(prefix, after string) (*aws.Output, error) {
	contents := []map[string]any{}
	out := map[string]any{}
	for _, k := range b.keys() {
		if !strings.HasPrefix(k, prefix) || k <= after {
			continue
		}
		if len(contents) == 2 {
			out["NextContinuationToken"] = contents[1]["Key"]
			break
		}
		c := b.get(k)
		contents = append(contents, map[string]any{"Key": k, "Size": len(c), "ETag": etag([]byte(c)), "LastModified": 1700000000.5, "StorageClass": "STANDARD"})
	}
	out["Contents"] = contents
	return &aws.Output{Value: out}, nil
}
