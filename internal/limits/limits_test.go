package limits

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// clock is a time that the test moves on.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

// taken is how many calls pass at once.
func taken(l *Limiter, operation, account, region string) (n int) {
	for l.Take("states", operation, account, region) == nil {
		n++
	}
	return n
}

func TestQuotas(t *testing.T) {
	c := newClock()
	metrics := map[string]float64{}
	l := New(Config{AWS: true, Now: c.Now, Rates: map[string]Rate{"states:TestState": {3, 1}}, Record: func(_, region, _, metric, _ string, v float64, _ time.Time, d ...string) {
		metrics[fmt.Sprint(region, " ", metric, " ", d)] += v
	}})
	for _, x := range []struct {
		operation, region string
		burst, second     int
	}{
		{"StartExecution", "us-east-1", 1300, 300}, {"StartExecution", "eu-central-1", 800, 150}, {"StartExecution.EXPRESS", "eu-central-1", 6000, 6000},
		{"SendTaskSuccess", "eu-west-1", 3000, 500}, {"CreateStateMachine", "us-east-1", 100, 1}, {"DescribeActivity", "us-east-1", 200, 1},
		{"DescribeExecution", "us-east-1", 300, 15}, {"TestState", "us-east-1", 3, 1},
	} {
		if n := taken(l, x.operation, "1", x.region); n != x.burst {
			t.Errorf("%s in %s: %d at once, want %d", x.operation, x.region, n, x.burst)
		}
		c.now = c.now.Add(time.Second)
		if n := taken(l, x.operation, "1", x.region); n != x.second {
			t.Errorf("%s in %s: %d after a second, want %d", x.operation, x.region, n, x.second)
		}
		c.now = c.now.Add(24 * time.Hour)
		if n := taken(l, x.operation, "1", x.region); n != x.burst {
			t.Errorf("%s in %s: %d after a day, want %d", x.operation, x.region, n, x.burst)
		}
	}
	if n := taken(l, "StartExecution", "2", "us-east-1"); n != 1300 {
		t.Errorf("another account: %d", n)
	}
	if l.Take("states", "StartSyncExecution", "1", "us-east-1") != nil || l.Take("sqs", "SendMessage", "1", "us-east-1") != nil {
		t.Error("what has no quota is throttled")
	}
	for metric, want := range map[string]float64{"us-east-1 ThrottledEvents [APIName TestState]": 3, "us-east-1 ConsumedCapacity [APIName TestState]": 10,
		"eu-central-1 ThrottledEvents [APIName StartExecution]": 6} {
		if metrics[metric] != want {
			t.Errorf("%s is %v, want %v", metric, metrics[metric], want)
		}
	}
}

// TestTransitions: those that have happened are paid for by waiting.
func TestTransitions(t *testing.T) {
	c := newClock()
	l := New(Config{AWS: true, Now: c.Now})
	if d := l.Spend("1", "us-east-1", 5000); d != 0 {
		t.Errorf("within the bucket: %v", d)
	}
	if d := l.Spend("1", "us-east-1", 10_000); d != 2*time.Second {
		t.Errorf("10,000 too many at 5,000 a second: %v", d)
	}
	c.now = c.now.Add(3 * time.Second)
	if d := l.Spend("1", "us-east-1", 5000); d != 0 {
		t.Errorf("after three seconds: %v", d)
	}
	if d := New(Config{Now: c.Now}).Spend("1", "us-east-1", 1e9); d != 0 {
		t.Errorf("without limits: %v", d)
	}
}

// TestBucketsAreBounded: accounts that callers make up do not fill the memory.
func TestBucketsAreBounded(t *testing.T) {
	c := newClock()
	l := New(Config{AWS: true, Now: c.Now})
	for i := range 3 * bucketsMost {
		c.now = c.now.Add(time.Second)
		l.Take("states", "StartExecution", fmt.Sprint(i), "us-east-1")
	}
	if len(l.buckets) > bucketsMost {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

func TestCallerThrottlesClients(t *testing.T) {
	c := newClock()
	rates := map[string]Rate{}
	for _, name := range []string{"lambda:Invoke", "s3:PutObject", "sqs:SendMessage", "iam:GetRole", "logs:PutLogEvents"} {
		rates[name] = Rate{0, 1}
	}
	caller := New(Config{Now: c.Now, Rates: rates}).Caller(aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) { return nil, nil }))
	for _, x := range []struct{ service, operation, want, retry string }{
		{"lambda", "Invoke", "429 TooManyRequestsException: Rate Exceeded.", "1"},
		{"s3", "PutObject", "503 SlowDown: Please reduce your request rate.", ""},
		{"sqs", "SendMessage", "403 RequestThrottled: Request is throttled.", ""},
		{"iam", "GetRole", "400 Throttling: Rate exceeded", ""},
		{"logs", "PutLogEvents", "400 ThrottlingException: Rate exceeded", ""},
	} {
		_, err := caller.Call(t.Context(), &aws.Request{Service: x.service, Operation: x.operation, Host: "localhost"})
		e, ok := err.(*aws.Error)
		if !ok || fmt.Sprintf("%d %s", e.HTTPStatus(), e) != x.want || e.Header.Get("Retry-After") != x.retry {
			t.Errorf("%s: %v, want %s", x.service, err, x.want)
		}
		if _, err := caller.Call(t.Context(), &aws.Request{Service: x.service, Operation: x.operation}); err != nil {
			t.Errorf("the server's own call: %v", err)
		}
	}
}
