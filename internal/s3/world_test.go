package s3_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// world is S3 over a store, beside services that take down what they are called with.
type world struct {
	*testing.T
	s     *s3.Service
	store store.Store
	env   *service.Env

	mu    sync.Mutex
	calls []*aws.Request
	told  chan struct{} // one for each call
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, store: memory.New(memory.Options{}), told: make(chan struct{}, 1000)}
	t.Cleanup(func() { _ = w.store.Close() })
	w.env = &service.Env{Store: w.store, Caller: aws.CallerFunc(w.note), Now: time.Now, Log: slog.New(slog.DiscardHandler), Account: "123456789012", Region: "us-east-1"}
	w.start(s3.Config{Wanted: func(_, _, _, _ string) bool { return false }})
	return w
}

// start runs the service until the test ends or it is stopped.
func (w *world) start(cfg s3.Config) {
	w.Helper()
	w.s = s3.New(w.env, cfg)
	if err := w.s.Start(context.Background()); err != nil {
		w.Fatal(err)
	}
	s := w.s
	w.Cleanup(func() { _ = s.Close() })
}

func (w *world) note(_ context.Context, r *aws.Request) (*aws.Output, error) {
	w.mu.Lock()
	w.calls = append(w.calls, r)
	w.mu.Unlock()
	w.told <- struct{}{}
	return &aws.Output{}, nil
}

// call makes a call and returns its value and what streams; a refusal is returned as its code.
func (w *world) call(operation, input, body string) (value map[string]any, stream string, code string) {
	w.Helper()
	out, err := w.s.Call(context.Background(), &aws.Request{Service: "s3", Operation: operation, Account: "123456789012", Region: "us-east-1", Input: []byte(input), Body: []byte(body), ID: "R"})
	if err != nil {
		e, ok := err.(*aws.Error)
		if !ok {
			w.Fatalf("%s %s: %v", operation, input, err)
		}
		return nil, "", e.Code
	}
	if out.Stream != nil {
		b, err := io.ReadAll(out.Stream)
		if err != nil {
			w.Fatal(err)
		}
		_ = out.Stream.Close()
		stream = string(b)
	}
	raw, err := service.Marshal(out.Value)
	if err != nil {
		w.Fatal(err)
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		w.Fatalf("%s: %v in %s", operation, err, raw)
	}
	return value, stream, ""
}

// must is call for what has to succeed.
func (w *world) must(operation, input, body string) (map[string]any, string) {
	w.Helper()
	value, stream, code := w.call(operation, input, body)
	if code != "" {
		w.Fatalf("%s %s: %s", operation, input, code)
	}
	return value, stream
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
