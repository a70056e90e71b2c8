package node

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/tracing"
)

// span is what the receiver understands of one.
type span struct {
	TraceID, SpanID, ParentSpanID, Name string
}

// receiver is a receiver of OTLP in its JSON encoding. It answers down until it is up.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	up    bool
	asked int
	spans map[string]span // by id
	came  chan struct{}
}

func newReceiver(t *testing.T, up bool) *receiver {
	r := &receiver{up: up, spans: map[string]span{}, came: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var in struct {
		ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
	}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	select {
	case r.came <- struct{}{}:
	default:
	}
	switch {
	case err != nil || req.URL.Path != "/v1/traces":
		w.WriteHeader(http.StatusBadRequest)
	case !r.up:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		for _, s := range in.ResourceSpans[0].ScopeSpans[0].Spans {
			r.spans[s.SpanID] = s
		}
		_, _ = w.Write([]byte(`{}`))
	}
}

// until returns once the receiver has what is asked for.
func (r *receiver) until(t *testing.T, enough func() bool) {
	t.Helper()
	for {
		r.mu.Lock()
		ok := enough()
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-r.came:
		case <-t.Context().Done():
			t.Fatal("the spans did not come")
		}
	}
}

func (r *receiver) named(name string) (list []span) {
	for _, s := range r.spans {
		if s.Name == name {
			list = append(list, s)
		}
	}
	return list
}

func (r *receiver) config() tracing.Config {
	return tracing.Config{Endpoint: r.URL + "/v1/traces", JSON: true, Ratio: 1}
}

func call(t *testing.T, n *Node, operation string, in any) map[string]any {
	t.Helper()
	input, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.Caller().Call(t.Context(), &aws.Request{Service: "states", Operation: operation, Account: "000000000000", Region: "us-east-1", Input: input})
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	text, err := json.Marshal(out.Value)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func create(t *testing.T, n *Node, name, kind, definition string, more object) string {
	t.Helper()
	in := object{"name": name, "type": kind, "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/r"}
	for k, v := range more {
		in[k] = v
	}
	return call(t, n, "CreateStateMachine", in)["stateMachineArn"].(string)
}

const pass = `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`

// TestTraces: an execution, the one that it starts and waits for, and the children of its distributed Map are one trace,
// each below the attempt that started it; a machine that says that it is not traced is not.
func TestTraces(t *testing.T) {
	r := newReceiver(t, true)
	n, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: t.TempDir(), Traces: r.config()})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close(t.Context())
	inner := create(t, n, "inner", "STANDARD", pass, nil)
	quiet := create(t, n, "quiet", "STANDARD", pass, object{"tracingConfiguration": object{"enabled": false}})
	outer := create(t, n, "outer", "STANDARD", fmt.Sprintf(`{"StartAt":"Nest","States":{
		"Nest":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","Parameters":{"StateMachineArn":%q,"Input":{}},"ResultPath":null,"Next":"Each"},
		"Each":{"Type":"Map","ItemsPath":"$","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
			"StartAt":"C","States":{"C":{"Type":"Pass","End":true}}},"End":true}}}`, inner), nil)
	call(t, n, "StartExecution", object{"stateMachineArn": quiet})
	call(t, n, "StartExecution", object{"stateMachineArn": outer, "input": "[1,2]", "traceHeader": "Root=1-65f0c0de-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1"})
	r.until(t, func() bool { return len(r.named("outer")) == 1 && len(r.named("inner")) == 1 && len(r.named("C")) == 2 })

	r.mu.Lock()
	defer r.mu.Unlock()
	chain := func(s span) string {
		var names []string
		for ; s.SpanID != ""; s = r.spans[s.ParentSpanID] {
			names = append(names, s.Name)
			if s.TraceID != "65f0c0de0123456789abcdef01234567" {
				t.Errorf("%s is in the trace %s", s.Name, s.TraceID)
			}
		}
		return strings.Join(names, " < ")
	}
	if got, want := chain(r.named("P")[0]), "P < inner < states:startExecution.sync:2 < Nest < outer"; got != want {
		t.Errorf("the nested execution's state hangs at %s, want %s", got, want)
	}
	for _, s := range r.named("C") {
		got := chain(s)
		first, rest, _ := strings.Cut(got, " < ")
		_, above, _ := strings.Cut(rest, " < ")
		if first != "C" || above != "map run < Each < outer" {
			t.Errorf("a child's state hangs at %s", got)
		}
	}
	if got := r.named("outer")[0].ParentSpanID; got != "53995c3f42cd8ad8" {
		t.Errorf("the trace's caller is %s", got)
	}
	if got := r.named("quiet"); len(got) != 0 {
		t.Errorf("a machine with tracing off has spans: %v", got)
	}
}

// TestTracesAreNotLost: what ended while nobody took traces is sent after a restart.
func TestTracesAreNotLost(t *testing.T) {
	r := newReceiver(t, false)
	cfg := Config{Listen: "127.0.0.1:0", Data: t.TempDir(), CacheDir: t.TempDir(), Traces: r.config()}
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	standard, express := create(t, n, "standard", "STANDARD", pass, nil), create(t, n, "express", "EXPRESS", pass, nil)
	call(t, n, "StartExecution", object{"stateMachineArn": standard})
	call(t, n, "StartExecution", object{"stateMachineArn": express})
	r.until(t, func() bool { return r.asked > 0 })
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	if len(r.spans) != 0 {
		t.Fatal("the receiver took spans that it refused")
	}
	r.up = true
	r.mu.Unlock()
	if n, err = Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer n.Close(t.Context())
	r.until(t, func() bool {
		return len(r.named("standard")) == 1 && len(r.named("express")) == 1 && len(r.named("P")) == 2
	})
}
