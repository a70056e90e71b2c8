package sns

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/mail"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/service/servicetest"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

const account, region = servicetest.Account, servicetest.Region

type members = servicetest.Object

// world is SNS with a queue service, a mail sink and a recorder of function invocations behind it.
type world struct {
	*servicetest.Client
	t     testing.TB
	store store.Store
	sns   *Service
	sqs   *sqs.Service
	mail  *mail.Service

	mu      sync.Mutex
	invoked []string
	broken  func(r *aws.Request) error // answers in place of a receiver
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, store: memory.New(memory.Options{Partitions: 8, RunTwice: true})}
	w.open()
	return w
}

// open starts the services over the store.
func (w *world) open() {
	w.Client = &servicetest.Client{T: w.t, Service: "sns", Caller: aws.CallerFunc(w.call)}
	env := &service.Env{Store: w.store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Account: account, Region: region,
		BaseURL: func() string { return "http://127.0.0.1:4566" }, Caller: aws.CallerFunc(w.call)}
	w.sqs, w.mail, w.sns = sqs.New(env), mail.New(env, mail.Config{}), New(env)
	ctx := context.Background()
	if err := errors.Join(w.mail.Start(ctx), w.sns.Start(ctx)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.sns.Close()
	w.mail.Close()
	w.sqs.Close()
}

func (w *world) call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	w.mu.Lock()
	broken := w.broken
	w.mu.Unlock()
	if broken != nil && r.Service != "sns" {
		if err := broken(r); err != nil {
			return nil, err
		}
	}
	switch r.Service {
	case "sqs":
		return w.sqs.Call(ctx, r)
	case mail.Name:
		return w.mail.Call(ctx, r)
	case "sns":
		return w.sns.Call(ctx, r)
	case "lambda":
		w.mu.Lock()
		defer w.mu.Unlock()
		w.invoked = append(w.invoked, string(r.Body))
		return service.Answer(nil), nil
	}
	return nil, service.NotImplemented(r.Service, r.Operation)
}

func (w *world) try(serviceName, operation string, in members) (members, error) {
	return servicetest.Call(w.t, aws.CallerFunc(w.call), &aws.Request{Service: serviceName, Operation: operation}, in)
}

func (w *world) topic(name string, attributes members) string {
	w.t.Helper()
	return w.Do("CreateTopic", members{"Name": name, "Attributes": attributes})["TopicArn"].(string)
}

// queue makes a queue and returns its ARN.
func (w *world) queue(name string) string {
	w.t.Helper()
	attributes := members{}
	if strings.HasSuffix(name, ".fifo") {
		attributes["FifoQueue"] = "true"
	}
	if _, err := w.try("sqs", "CreateQueue", members{"QueueName": name, "Attributes": attributes}); err != nil {
		w.t.Fatal(err)
	}
	return "arn:aws:sqs:us-east-1:000000000000:" + name
}

func (w *world) subscribe(topic, protocol, endpoint string, attributes members) string {
	w.t.Helper()
	return w.Do("Subscribe", members{"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint, "Attributes": attributes, "ReturnSubscriptionArn": true})["SubscriptionArn"].(string)
}

// receive waits for n messages of a queue, takes them out and returns them.
func (w *world) receive(queueARN string, n int) (messages []members) {
	w.t.Helper()
	url := "http://127.0.0.1:4566/000000000000/" + queueARN[strings.LastIndexByte(queueARN, ':')+1:]
	for len(messages) < n {
		out, err := w.try("sqs", "ReceiveMessage", members{"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20,
			"MessageAttributeNames": []string{"All"}, "AttributeNames": []string{"All"}})
		if err != nil {
			w.t.Fatal(err)
		}
		list, _ := out["Messages"].([]any)
		if len(list) == 0 {
			w.t.Fatalf("%d messages arrived in %s, want %d", len(messages), queueARN, n)
		}
		for _, m := range list {
			messages = append(messages, m.(members))
			if _, err := w.try("sqs", "DeleteMessage", members{"QueueUrl": url, "ReceiptHandle": m.(members)["ReceiptHandle"]}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return messages
}

// empty asserts that nothing more is in a queue.
func (w *world) empty(queueARN string) {
	w.t.Helper()
	url := "http://127.0.0.1:4566/000000000000/" + queueARN[strings.LastIndexByte(queueARN, ':')+1:]
	out, err := w.try("sqs", "ReceiveMessage", members{"QueueUrl": url, "WaitTimeSeconds": 0})
	if err != nil {
		w.t.Fatal(err)
	}
	if list, _ := out["Messages"].([]any); len(list) > 0 {
		w.t.Errorf("%s still holds %v", queueARN, list)
	}
}

func body(m members) string { return m["Body"].(string) }
