package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb"
	"github.com/newel-run/newel/internal/events"
	connections "github.com/newel-run/newel/internal/events/connection"
	"github.com/newel-run/newel/internal/iam"
	"github.com/newel-run/newel/internal/kms"
	"github.com/newel-run/newel/internal/kms/envelope"
	"github.com/newel-run/newel/internal/logs"
	"github.com/newel-run/newel/internal/s3"
	"github.com/newel-run/newel/internal/secretsmanager"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/sns"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/ssm"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

const (
	account = "000000000000"
	region  = "us-east-1"
)

// world is a server of real services over a store in memory, as a deployment sees it. It can fail calls, hold them, and
// lose the process.
type world struct {
	*testing.T
	store   store.Store
	objects string
	master  kms.Master
	service *Service

	mu       sync.Mutex
	services map[string]aws.Caller
	failing  map[string]string // error message by operation
	dying    bool
	dieAfter int           // if dying: calls that are still made before the process is lost
	lost     chan struct{} // closed when it is
	effect   bool          // the last call has its effect, and its answer is lost
	held     map[string]hold
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, store: memory.New(memory.Options{RunTwice: true}), failing: map[string]string{}, held: map[string]hold{}, objects: t.TempDir(), master: kms.NewMaster()}
	t.Cleanup(func() { w.store.Close() }) //nolint:errcheck // memory
	t.Cleanup(func() { w.service.Close() })
	w.boot(-1)
	return w
}

// boot starts the process; it is lost after some calls of the deployer.
func (w *world) boot(dieAfter int) {
	w.Helper()
	env := &service.Env{Store: w.store, Caller: w, Now: time.Now, Log: slog.New(slog.DiscardHandler), Account: account, Region: region,
		BaseURL: func() string { return "http://here" }, Vault: envelope.New(aws.CallerFunc(w.inner), time.Now)}
	objects := s3.New(env, s3.Config{Dir: w.objects})
	if err := objects.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { objects.Close() })
	within := *env
	within.Caller = aws.CallerFunc(w.inner)
	w.mu.Lock()
	w.dying, w.dieAfter, w.effect, w.lost = dieAfter >= 0, dieAfter, false, make(chan struct{})
	w.services = map[string]aws.Caller{"sqs": sqs.New(env), "sns": sns.New(env), "s3": objects, "dynamodb": dynamodb.New(env), "iam": iam.New(env), "logs": logs.New(env), "kms": kms.New(env, kms.Config{Master: w.master}),
		"secretsmanager": secretsmanager.New(env), "ssm": ssm.New(env), "events": events.New(env, connections.New(&within).Operations()...)}
	w.mu.Unlock()
	w.service = New(env, map[string]Macro{"Test::Double": double})
	if err := w.service.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// inner answers the calls that services make of each other, which the deployer does not make.
func (w *world) inner(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	w.mu.Lock()
	s := w.services[r.Service]
	w.mu.Unlock()
	return s.Call(ctx, r)
}

// double is a macro that makes a second queue of every queue.
func double(file string, template *Node, _ map[string]string) (*Node, error) {
	out := *template
	out.Fields = slices.Clone(template.Fields)
	for i, f := range out.Fields {
		if f.Name != "Resources" {
			continue
		}
		r := *f.Value
		for _, q := range f.Value.Fields {
			if q.Name == "Bad" {
				return nil, Problems{{file, q.Line, q.Column, "Bad cannot be doubled"}}
			}
			q.Name += "2"
			r.Fields = append(r.Fields, q)
		}
		out.Fields[i].Value = &r
	}
	return &out, nil
}

// Call is the seam: it notes what the deployer changes.
func (w *world) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	w.mu.Lock()
	s := w.services[r.Service]
	msg, fails := w.failing[r.Operation]
	dead, last := false, false
	h, held := w.held[r.Operation]
	delete(w.held, r.Operation)
	if w.dying && r.Service != "s3" {
		if w.dieAfter--; w.dieAfter < 0 {
			last, dead = w.dieAfter == -1, true
			w.dieAfter = -2
		}
	}
	w.mu.Unlock()
	if dead { // nothing answers any more
		if last && w.effect {
			s.Call(context.WithoutCancel(ctx), r) //nolint:errcheck // the answer is lost
		}
		if last {
			close(w.lost)
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if held {
		close(h.reached)
		<-h.release
	}
	if s == nil {
		return nil, &aws.Error{Code: "NotImplemented", Status: 501, Message: fmt.Sprintf("Newel does not have the service %q yet", r.Service)}
	}
	if fails {
		return nil, aws.Errorf("Failing", "%s", msg)
	}
	return s.Call(ctx, r)
}

// hold makes the next call of an operation wait.
type hold struct{ reached, release chan struct{} }

func (w *world) hold(operation string) (reached <-chan struct{}, release func()) {
	h := hold{make(chan struct{}), make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[operation] = h
	return h.reached, func() { close(h.release) }
}

func (w *world) fail(operation, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if message == "" {
		delete(w.failing, operation)
		return
	}
	w.failing[operation] = message
}

// put makes an object for templates to be read from.
func (w *world) put(bucket, key, text string) {
	w.Helper()
	w.must("s3", "CreateBucket", "Bucket", bucket)
	in, _ := json.Marshal(map[string]string{"Bucket": bucket, "Key": key})
	if _, err := w.services["s3"].Call(w.Context(), &aws.Request{Service: "s3", Operation: "PutObject", Account: account, Region: region, Input: in,
		Body: []byte(text), Stream: strings.NewReader(text)}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) must(service, operation string, members ...any) string {
	w.Helper()
	out, err := w.ask(service, operation, members...)
	if err != nil {
		w.Fatalf("%s: %s", operation, err)
	}
	return out
}

func (w *world) ask(key, operation string, members ...any) (string, error) {
	in := map[string]any{}
	for i := 0; i+1 < len(members); i += 2 {
		in[members[i].(string)] = members[i+1]
	}
	b, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	var s aws.Caller = w.service
	if key != "cloudformation" {
		s = w.services[key]
	}
	out, err := s.Call(w.Context(), &aws.Request{Service: key, Operation: operation, Account: account, Region: region, Input: b})
	if err != nil {
		return "", err
	}
	b, err = service.Marshal(out.Value)
	return string(b), err
}

// call answers an operation's output as JSON, or the error's code and message.
func (w *world) call(operation string, members ...any) string {
	w.Helper()
	out, err := w.ask("cloudformation", operation, members...)
	var e *aws.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// rest waits until a stack is at rest and returns its record.
func (w *world) rest(name string) *Stack {
	w.Helper()
	st, err := w.service.load(w.Context(), account, region, name)
	if err == nil && st != nil {
		st, err = w.service.await(w.Context(), account, region, st.ID)
	}
	if err != nil {
		w.Fatal(err)
	}
	return st
}

func (w *world) want(got string, parts ...string) {
	w.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			w.Errorf("%s\nlacks %s", got, p)
		}
	}
}

func parse(t *testing.T, text string) *Template {
	t.Helper()
	tmpl, err := Parse("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func resolve(t *testing.T, s *Scope, text string) (value.Value, error) {
	t.Helper()
	n, err := ParseNode("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Resolve(n)
}

func parameter(pairs ...string) []map[string]string {
	var out []map[string]string
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, map[string]string{"ParameterKey": pairs[i], "ParameterValue": pairs[i+1]})
	}
	return out
}
