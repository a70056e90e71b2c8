package events

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/service/servicetest"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

const account, region = servicetest.Account, servicetest.Region

const queueARN = "arn:aws:sqs:us-east-1:000000000000:q"

type object = servicetest.Object

// world is EventBridge with SQS and a recorder of all other calls behind it.
type world struct {
	*servicetest.Client
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
	w.Client = &servicetest.Client{T: w.t, Service: "events", Caller: aws.CallerFunc(w.call)}
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
	return servicetest.Call(w.t, aws.CallerFunc(w.call), &aws.Request{Service: serviceName, Operation: operation, Principal: principal}, in)
}

// rule makes a rule with targets.
func (w *world) rule(name, pattern string, targets ...object) {
	w.t.Helper()
	w.Do("PutRule", object{"Name": name, "EventPattern": pattern})
	if len(targets) > 0 {
		w.Do("PutTargets", object{"Rule": name, "Targets": targets})
	}
}

func (w *world) put(entries ...object) []any {
	w.t.Helper()
	return w.Do("PutEvents", object{"Entries": entries})["Entries"].([]any)
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
