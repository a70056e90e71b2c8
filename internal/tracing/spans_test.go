package tracing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// definition has a Parallel with a task that is repeated once, and a Map whose second iteration fails.
const definition = `{"StartAt":"Both","States":{
	"Both":{"Type":"Parallel","Next":"Each","ResultPath":null,"Branches":[
		{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}},
		{"StartAt":"Call","States":{"Call":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},
			"Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":1}],"End":true}}}]},
	"Each":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":1,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"Sorry"}],"End":true,
		"ItemProcessor":{"StartAt":"Is","States":{
			"Is":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":2,"Next":"No"}],"Default":"Yes"},
			"Yes":{"Type":"Succeed"},"No":{"Type":"Fail","Error":"Two"}}}},
	"Sorry":{"Type":"Fail","Error":"Sorry","Cause":"secret"}}}`

type fixed map[string]*asl.Definition

func (f fixed) Definition(_ context.Context, id string) (*asl.Definition, error) { return f[id], nil }

// busy fails the first attempt at a task.
type busy struct{ asked int }

func (b *busy) Run(context.Context, engine.Dispatch) engine.Outcome {
	if b.asked++; b.asked == 1 {
		name := "Busy"
		return engine.Outcome{Kind: engine.TaskFailed, Error: &name}
	}
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString("1")}
}

func (b *busy) Cancel(context.Context, engine.Dispatch) error { return nil }

// history runs an execution of the definition and returns it with its history.
func history(t *testing.T) (*Execution, []machine.HistoryEvent) {
	t.Helper()
	d, diagnostics := asl.Compile([]byte(definition), asl.Options{})
	if d == nil {
		t.Fatal(diagnostics)
	}
	e := engine.New(engine.Config{Store: memory.New(memory.Options{}), Definitions: fixed{"d": d}, Dispatcher: &busy{}})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	in := engine.StartInput{Definition: "d", Start: machine.Start{ARN: "arn:aws:states:us-east-1:000000000000:execution:m:x", Name: "x",
		MachineARN: "arn:aws:states:us-east-1:000000000000:stateMachine:m", Input: value.TextString(`{"items":[1,2,3]}`)}}
	if _, err := e.StartExecution(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	x, err := e.Wait(t.Context(), in.ARN)
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := e.History(t.Context(), in.ARN, engine.HistoryQuery{Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return execution(in.ARN, &x.Meta, Context{Trace: traceOf(in.ARN, x.StartMs())}), events
}

// outline is the spans as an indented list.
func outline(spans []Span) string {
	var b strings.Builder
	var under func(parent SpanID, indent string)
	under = func(parent SpanID, indent string) {
		for i := range spans {
			s := &spans[i]
			if s.Parent != parent {
				continue
			}
			status := ""
			for _, a := range s.Attributes {
				if a.Name == attrStatus {
					status = a.Text
				}
			}
			fmt.Fprintf(&b, "%s%s %s %s failed=%t\n", indent, s.Name, status, s.Error, s.Failed)
			under(s.ID, indent+"  ")
		}
	}
	under(SpanID{}, "")
	return b.String()
}

const wantOutline = `m FAILED Sorry failed=true
  Both SUCCEEDED  failed=false
    Both branch 0 SUCCEEDED  failed=false
      A SUCCEEDED  failed=false
    Both branch 1 SUCCEEDED  failed=false
      Call SUCCEEDED  failed=false
        lambda:invoke FAILED Busy failed=true
        lambda:invoke SUCCEEDED  failed=false
  Each CAUGHT  failed=false
    Each iteration 0 SUCCEEDED  failed=false
      Is SUCCEEDED  failed=false
      Yes SUCCEEDED  failed=false
    Each iteration 1 FAILED  failed=true
      Is SUCCEEDED  failed=false
      No FAILED  failed=true
  Sorry FAILED Sorry failed=true
`

func TestSpansFollowTheHistory(t *testing.T) { synctest.Test(t, spansFollowTheHistory) }

func spansFollowTheHistory(t *testing.T) {
	x, events := history(t)
	spans := Spans(x, events)
	if got := outline(spans); got != wantOutline {
		t.Errorf("spans\n%s\nwant\n%s", got, wantOutline)
	}
	seen := map[SpanID]bool{}
	for _, s := range spans {
		if seen[s.ID] {
			t.Errorf("two spans have the id of %s", s.Name)
		}
		seen[s.ID] = true
		if s.End.Before(s.Start) || s.Start.Before(spans[0].Start) || s.End.After(spans[0].End) {
			t.Errorf("%s lasts from %v to %v, outside of its execution", s.Name, s.Start, s.End)
		}
		for _, a := range s.Attributes {
			if strings.Contains(a.Text, "secret") {
				t.Errorf("%s shows a cause", s.Name)
			}
		}
	}
	if again := Spans(x, events); fmt.Sprint(again) != fmt.Sprint(spans) {
		t.Error("the same history made other spans")
	}
}

// TestEncodings reads what both encodings wrote back into the same form.
func TestEncodings(t *testing.T) { synctest.Test(t, encodings) }

func encodings(t *testing.T) {
	x, events := history(t)
	spans := Spans(x, events)
	resource := texts("service.name", "s")
	text, err := encodeJSON(resource, "1", spans)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []jsonAttribute }
			ScopeSpans []struct {
				Scope struct{ Name, Version string }
				Spans []jsonSpan
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	scope := doc.ResourceSpans[0].ScopeSpans[0]
	if len(scope.Spans) != len(spans) || scope.Scope.Name != "newel" || *doc.ResourceSpans[0].Resource.Attributes[0].Value.Text != "s" {
		t.Fatalf("the JSON encoding holds %+v", doc)
	}
	message := field(t, encodeProto(resource, "1", spans), 1)[0]
	wire := field(t, field(t, message.bytes, 2)[0].bytes, 2)
	for i, w := range wire {
		if got, want := readSpan(t, w.bytes), scope.Spans[i]; fmt.Sprintf("%+v", flat(got)) != fmt.Sprintf("%+v", flat(want)) {
			t.Errorf("span %d is in protobuf\n%+v\nand in JSON\n%+v", i, flat(got), flat(want))
		}
	}
	if len(wire) != len(spans) {
		t.Errorf("%d spans in protobuf, want %d", len(wire), len(spans))
	}
}

func TestTraceHeaders(t *testing.T) {
	const header = "Root=1-65f0c0de-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1"
	c, ok := parseHeader(header)
	if !ok || !c.Sampled || !c.Decided || c.Trace.header(c.Parent) != header {
		t.Errorf("%s was read as %+v", header, c)
	}
	for _, bad := range []string{"", "x", "Root=2-65f0c0de-0123456789abcdef01234567", "Root=1-65f0c0de-0123", "Parent=53995c3f42cd8ad8"} {
		if c, ok := parseHeader(bad); ok {
			t.Errorf("%q was read as %+v", bad, c)
		}
	}
}

func TestEnvironment(t *testing.T) {
	read := func(endpoint string, pairs ...string) (Config, error) {
		return FromEnvironment(func(name string) string {
			if i := slices.Index(pairs, name); i >= 0 {
				return pairs[i+1]
			}
			return ""
		}, endpoint)
	}
	for _, x := range []struct {
		flag  string
		env   []string
		where string
	}{
		{"", nil, ""},
		{"http://h:4318", nil, "http://h:4318/v1/traces"},
		{"http://h:4318/v1/traces", nil, "http://h:4318/v1/traces"},
		{"", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://h/base/"}, "https://h/base/v1/traces"},
		{"", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h/own"}, "http://h/own"},
		{"http://flag", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h/own"}, "http://flag/v1/traces"},
		{"http://h", []string{"OTEL_SDK_DISABLED", "true"}, ""},
		{"http://h", []string{"OTEL_TRACES_EXPORTER", "none"}, ""},
	} {
		if c, err := read(x.flag, x.env...); err != nil || c.Endpoint != x.where {
			t.Errorf("%q with %q: %q, %v; want %q", x.flag, x.env, c.Endpoint, err, x.where)
		}
	}
	for _, env := range [][]string{{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {"OTEL_TRACES_EXPORTER", "zipkin"}, {"OTEL_TRACES_SAMPLER", "jaeger_remote"},
		{"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "2"}, {"OTEL_EXPORTER_OTLP_HEADERS", "x"}, {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"}} {
		if _, err := read("http://h", env...); err == nil {
			t.Errorf("%q was accepted", env)
		}
	}
	c, err := read("http://h", "OTEL_SERVICE_NAME", "mine", "OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment=a%2Cb",
		"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x")
	if err != nil || fmt.Sprint(c.Resource) != fmt.Sprint(texts("service.name", "mine", "deployment.environment", "a,b")) || c.Headers[0][1] != "Bearer x" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestSampling: a caller's decision goes before the ratio, unless the sampler is not parent based.
func TestSampling(t *testing.T) {
	arn, m := "arn:aws:states:us-east-1:000000000000:execution:m:x", &engine.Meta{Start: 1}
	yes := &engine.Meta{Parent: "Root=1-65f0c0de-0123456789abcdef01234567;Sampled=1"}
	no := &engine.Meta{Trace: "Root=1-65f0c0de-0123456789abcdef01234567;Sampled=0"}
	for _, x := range []struct {
		cfg  Config
		m    *engine.Meta
		want bool
	}{
		{Config{Ratio: 1}, m, true}, {Config{Ratio: 0}, m, false}, {Config{Ratio: 0}, yes, true}, {Config{Ratio: 1}, no, false},
		{Config{Ratio: 0, Ignore: true}, yes, false}, {Config{Ratio: 1, Ignore: true}, no, true},
	} {
		tr := &Tracer{cfg: x.cfg}
		if got := tr.Header(arn, x.m, 1) != ""; got != x.want {
			t.Errorf("%+v, caller %q%q: traced %t", x.cfg, x.m.Trace, x.m.Parent, got)
		}
	}
	n := 0
	tr := &Tracer{cfg: Config{Ratio: 0.25}}
	for i := range 4000 {
		if tr.sampled(traceOf(fmt.Sprint(arn, i), 0)) {
			n++
		}
	}
	if n < 850 || n > 1150 {
		t.Errorf("%d of 4,000 executions are traced, want about 1,000", n)
	}
}
