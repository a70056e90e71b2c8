package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

const account, region = "000000000000", "us-east-1"

// world is a service over a store with a clock that the test moves.
type world struct {
	t     testing.TB
	s     *Service
	store store.Store
	now   time.Time
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, store: memory.New(memory.Options{Partitions: 8, RunTwice: true}), now: time.Unix(1_700_000_000, 0)}
	w.s = New(testEnv(w.store, func() time.Time { return w.now }))
	return w
}

func testEnv(st store.Store, now func() time.Time) *service.Env {
	return &service.Env{Store: st, Now: now, Log: slog.New(slog.DiscardHandler), Account: account, Region: region,
		BaseURL: func() string { return "http://127.0.0.1:4566" }}
}

type object = map[string]any

func request(operation string, in any) *aws.Request {
	input, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return &aws.Request{Service: "sqs", Operation: operation, Account: account, Region: region, Input: input}
}

// call performs an operation and returns its answer as a client would see it.
func call(s *Service, r *aws.Request) (object, error) { return callWith(context.Background(), s, r) }

func callWith(ctx context.Context, s *Service, r *aws.Request) (object, error) {
	out, err := s.Call(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := service.Marshal(out.Value)
	if err != nil {
		return nil, err
	}
	var o object
	return o, json.Unmarshal(b, &o)
}

func (w *world) do(operation string, in object) object {
	w.t.Helper()
	out, err := call(w.s, request(operation, in))
	if err != nil {
		w.t.Fatalf("%s %v: %v", operation, in, err)
	}
	return out
}

// fails asserts an operation's query code and a part of its message.
func (w *world) fails(operation string, in object, code, message string) {
	w.t.Helper()
	_, err := call(w.s, request(operation, in))
	wantError(w.t, err, code, message)
}

func wantError(t testing.TB, err error, code, message string) {
	t.Helper()
	var e *aws.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error answer %s", err, code)
	}
	if e.QueryCode != code || !strings.Contains(e.Message, message) {
		t.Errorf("got %s (%s) %q, want %s %q", e.QueryCode, e.Code, e.Message, code, message)
	}
}

func (w *world) create(name string, attributes object) string {
	w.t.Helper()
	return w.do("CreateQueue", object{"QueueName": name, "Attributes": attributes})["QueueUrl"].(string)
}

func (w *world) sendBody(url, body string) {
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": body})
}

// receive returns messages; options are further members.
func (w *world) receive(url string, options object) []object {
	w.t.Helper()
	in := object{"QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": []string{"All"}, "MessageAttributeNames": []string{"All"}}
	for k, v := range options {
		in[k] = v
	}
	return messagesOf(w.do("ReceiveMessage", in))
}

func messagesOf(out object) []object {
	var list []object
	messages, _ := out["Messages"].([]any)
	for _, m := range messages {
		list = append(list, m.(object))
	}
	return list
}

func bodies(messages []object) string {
	var b []string
	for _, m := range messages {
		b = append(b, m["Body"].(string))
	}
	return strings.Join(b, " ")
}

func (w *world) expect(url, want string) []object {
	w.t.Helper()
	got := w.receive(url, nil)
	if bodies(got) != want {
		w.t.Fatalf("received %q, want %q", bodies(got), want)
	}
	return got
}

func (w *world) attribute(url, name string) string {
	w.t.Helper()
	out := w.do("GetQueueAttributes", object{"QueueUrl": url, "AttributeNames": []string{name}})
	v, _ := out["Attributes"].(object)[name].(string)
	return v
}

func (w *world) tallies(url string) string {
	w.t.Helper()
	return w.attribute(url, "ApproximateNumberOfMessages") + "/" + w.attribute(url, "ApproximateNumberOfMessagesNotVisible") +
		"/" + w.attribute(url, "ApproximateNumberOfMessagesDelayed")
}

func (w *world) counts(url, want string) {
	w.t.Helper()
	if got := w.tallies(url); got != want {
		w.t.Errorf("visible/in flight/delayed are %s, want %s", got, want)
	}
}
