package observe

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/tally"
)

// answers is a service whose answer the operation's name says.
func answers(_ context.Context, r *aws.Request) (*aws.Output, error) {
	switch r.Operation {
	case "Refuse":
		return nil, &aws.Error{Code: "TooManyRequestsException", Status: 429}
	case "Break":
		return nil, errors.New("broken")
	case "Odd":
		return &aws.Output{Status: 299}, nil
	}
	return &aws.Output{}, nil
}

func has(_, operation string) bool { return !strings.HasPrefix(operation, "Unknown") }

func TestCalls(t *testing.T) {
	c := NewCalls(aws.CallerFunc(answers), has)
	for _, r := range []aws.Request{
		{Service: "s", Operation: "Do", Host: "localhost"}, {Service: "s", Operation: "Do", Host: "localhost"}, {Service: "s", Operation: "Do"},
		{Service: "s", Operation: "Refuse"}, {Service: "s", Operation: "Break"}, {Service: "s", Operation: "Odd"},
	} {
		_, _ = c.Call(t.Context(), &r)
	}
	for i := range 1000 {
		_, _ = c.Call(t.Context(), &aws.Request{Service: fmt.Sprint(i), Operation: fmt.Sprint("Unknown", i)})
	}
	var got []string
	for _, x := range c.Read() {
		got = append(got, fmt.Sprintf("%s:%s %v %v %d", x.Service, x.Operation, x.Inside, x.Status, x.Took.Count))
	}
	want := "[: true map[200:1000] 1000 s:Break true map[500:1] 1 s:Do false map[200:2] 2 s:Do true map[200:1] 1 s:Odd true map[0:1] 1 s:Refuse true map[429:1] 1]"
	if fmt.Sprint(got) != want {
		t.Errorf("got\n%v, want\n%s", got, want)
	}
}

// TestMetrics reads the text: the buckets are cumulative and their edges in seconds.
func TestMetrics(t *testing.T) {
	var took tally.Histogram
	for _, d := range []time.Duration{0, 63 * time.Microsecond, 100 * time.Microsecond, time.Hour} {
		took.Took(d)
	}
	var s Snapshot
	s.Calls = []Call{{Service: "s", Operation: "Do", Status: map[int]uint64{200: 3, 429: 1}, Took: took.Read()}}
	s.Engine.Standard.Open = 7
	w := httptest.NewRecorder()
	Metrics(func() Snapshot { return s }).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	for _, line := range []string{
		`newel_requests_total{operation="Do",origin="client",service="s",status="429"} 1`,
		`newel_request_seconds_bucket{operation="Do",origin="client",service="s",le="6.4e-05"} 2`,
		`newel_request_seconds_bucket{operation="Do",origin="client",service="s",le="0.000128"} 3`,
		`newel_request_seconds_bucket{operation="Do",origin="client",service="s",le="67.108864"} 3`,
		`newel_request_seconds_bucket{operation="Do",origin="client",service="s",le="+Inf"} 4`,
		`newel_executions_open{type="STANDARD"} 7`,
		"# TYPE newel_request_seconds histogram",
		"# TYPE go_goroutines gauge",
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("no %s in\n%.3000s", line, w.Body)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	out := &aws.Output{}
	c := NewCalls(aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) { return out, nil }), has)
	r := &aws.Request{Service: "states", Operation: "StartExecution", Host: "localhost"}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Call(b.Context(), r)
	}
}
