package cfn

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// world is as much of queues and tables as a deployment sees. It notes every call that changes something, and can fail
// the n-th call.
type world struct {
	things map[string]bool // "sqs:name"
	calls  []string
	count  int
	failAt int // fail this call, counted from 1; 0 for none
}

func (w *world) Call(_ context.Context, r *aws.Request) (*aws.Output, error) {
	w.count++
	if w.count == w.failAt {
		return nil, fmt.Errorf("the connection broke")
	}
	var in map[string]any
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return nil, err
	}
	name := fmt.Sprint(firstOf(in["QueueName"], in["TableName"], in["QueueUrl"]))
	name = strings.TrimPrefix(name, "http://queues/")
	key := r.Service + ":" + name
	missing := aws.Errorf("ResourceNotFoundException", "no %s", name)
	missing.QueryCode = "AWS.SimpleQueueService.NonExistentQueue"
	switch r.Operation {
	case "GetQueueUrl", "DescribeTable":
		if !w.things[key] {
			return nil, missing
		}
		table := map[string]string{"TableArn": "arn:table/" + name}
		return &aws.Output{Value: map[string]any{"QueueUrl": "http://queues/" + name, "Table": table}}, nil
	case "CreateQueue", "CreateTable":
		if w.things[key] {
			return nil, aws.Errorf("Taken", "%s is taken", name)
		}
		w.things[key] = true
	case "DeleteQueue", "DeleteTable":
		if !w.things[key] {
			return nil, missing
		}
		delete(w.things, key)
	case "SetQueueAttributes":
		w.calls = append(w.calls, r.Operation+" "+string(r.Input))
		return &aws.Output{}, nil
	default:
		return nil, aws.Errorf("NotImplemented", "%s", r.Operation)
	}
	w.calls = append(w.calls, r.Operation+" "+name)
	return &aws.Output{Value: json.RawMessage("{}")}, nil
}

func firstOf(vs ...any) any {
	for _, v := range vs {
		if v != nil {
			return v
		}
	}
	return nil
}

func (w *world) take() string {
	s := strings.Join(w.calls, "\n")
	w.calls = nil
	return s
}

// store is the record as it is kept: what Save was given last.
type kept struct{ text []byte }

func (k *kept) save(_ context.Context, s *Stack) (err error) {
	k.text, err = json.Marshal(s)
	return err
}

func (k *kept) load(t *testing.T) *Stack {
	t.Helper()
	s, err := decodeStack(k.text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t *testing.T, text string) *Template {
	t.Helper()
	tmpl, err := Parse("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func newStack() *Stack {
	return &Stack{Version: 1, ID: "arn:aws:cloudformation:us-east-1:000000000000:stack/s/1", Name: "s", Account: "000000000000", Region: "us-east-1"}
}

func deployment(w *world, s *Stack, t *Template, k *kept) *Deployment {
	return &Deployment{Stack: s, Template: t, Caller: w, Save: k.save, Now: func() time.Time { return time.Unix(0, 0).UTC() }}
}

func resolve(t *testing.T, s *Scope, text string) (value.Value, error) {
	t.Helper()
	n, err := ParseNode("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Resolve(n)
}
