package events

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

const account, region = "000000000000", "us-east-1"

const queueARN = "arn:aws:sqs:us-east-1:000000000000:q"

type object = map[string]any

// world is EventBridge with SQS and a recorder of all other calls behind it.
type world struct {
	t      testing.TB
	store  store.Store
	events *Service
	sqs    *sqs.Service

	mu     sync.Mutex
	calls  []string                   // of other services: service:Operation input body
	broken func(r *aws.Request) error // answers in place of a receiver
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, store: memory.New(memory.Options{Partitions: 8, RunTwice: true})}
	w.open()
	for _, name := range []string{"q", "dead"} {
		if _, err := w.try("sqs", "CreateQueue", object{"QueueName": name}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) open() {
	env := &service.Env{Store: w.store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Account: account, Region: region,
		BaseURL: func() string { return "http://127.0.0.1:4566" }, Caller: aws.CallerFunc(w.call)}
	w.sqs, w.events = sqs.New(env), New(env)
	if err := w.events.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.events.Close()
	w.sqs.Close()
}

func (w *world) call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	w.mu.Lock()
	broken := w.broken
	w.mu.Unlock()
	if broken != nil && r.Service != "events" {
		if err := broken(r); err != nil {
			return nil, err
		}
	}
	switch r.Service {
	case "sqs":
		return w.sqs.Call(ctx, r)
	case "events":
		return w.events.Call(ctx, r)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, r.Service+":"+r.Operation+" "+string(r.Input)+" "+string(r.Body))
	return service.Answer(nil), nil
}

func (w *world) try(serviceName, operation string, in object) (object, error) {
	return w.tryAs("", serviceName, operation, in)
}

func (w *world) tryAs(principal, serviceName, operation string, in object) (object, error) {
	input, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.call(context.Background(), &aws.Request{Service: serviceName, Operation: operation, Account: account, Region: region, Principal: principal, Input: input})
	if err != nil {
		return nil, err
	}
	b, err := service.Marshal(out.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	var o object
	return o, json.Unmarshal(b, &o)
}

func (w *world) do(operation string, in object) object {
	w.t.Helper()
	out, err := w.try("events", operation, in)
	if err != nil {
		w.t.Fatalf("%s %v: %v", operation, in, err)
	}
	return out
}

func (w *world) fails(operation string, in object, code, message string) {
	w.t.Helper()
	_, err := w.try("events", operation, in)
	var e *aws.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, message) {
		w.t.Errorf("%s %v: got %v, want %s %q", operation, in, err, code, message)
	}
}

// rule makes a rule with targets.
func (w *world) rule(name, pattern string, targets ...object) {
	w.t.Helper()
	w.do("PutRule", object{"Name": name, "EventPattern": pattern})
	if len(targets) > 0 {
		w.do("PutTargets", object{"Rule": name, "Targets": targets})
	}
}

func (w *world) put(entries ...object) []any {
	w.t.Helper()
	return w.do("PutEvents", object{"Entries": entries})["Entries"].([]any)
}

// drain takes everything that is in a queue now.
func (w *world) drain(name string) (bodies []string) {
	w.t.Helper()
	url := "http://127.0.0.1:4566/000000000000/" + name
	for {
		out, err := w.try("sqs", "ReceiveMessage", object{"QueueUrl": url, "MaxNumberOfMessages": 10})
		if err != nil {
			w.t.Fatal(err)
		}
		list, _ := out["Messages"].([]any)
		if len(list) == 0 {
			return bodies
		}
		for _, m := range list {
			bodies = append(bodies, m.(object)["Body"].(string))
			if _, err := w.try("sqs", "DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m.(object)["ReceiptHandle"]}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}
