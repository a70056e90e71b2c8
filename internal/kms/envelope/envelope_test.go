package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb"
	"github.com/newel-run/newel/internal/kms"
	"github.com/newel-run/newel/internal/kms/envelope"
	"github.com/newel-run/newel/internal/logs"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

type object = map[string]any

// world is KMS and the services whose data it protects.
type world struct {
	t        *testing.T
	store    store.Store
	master   kms.Master
	now      time.Time
	env      *service.Env
	services map[string]aws.Caller
	asked    atomic.Int64 // calls of KMS for data keys
	key      string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: memory.New(memory.Options{Partitions: 4, RunTwice: true}), master: kms.NewMaster(), now: time.Unix(1_700_000_000, 0)}
	w.start()
	w.key = w.do("kms", "CreateKey", object{})["KeyMetadata"].(object)["KeyId"].(string)
	w.do("kms", "CreateAlias", object{"AliasName": "alias/SB-KMS", "TargetKeyId": w.key})
	return w
}

// start makes the services over what is stored, as a restart does.
func (w *world) start() {
	env := &service.Env{Store: w.store, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }, BaseURL: func() string { return "http://127.0.0.1:4566" }}
	env.Caller = aws.CallerFunc(func(ctx context.Context, r *aws.Request) (*aws.Output, error) {
		if r.Service == "kms" && (r.Operation == "GenerateDataKey" || r.Operation == "Decrypt") {
			w.asked.Add(1)
		}
		return w.services[r.Service].Call(ctx, r)
	})
	vault := envelope.New(env.Caller, env.Now)
	env.Vault = vault
	w.env = env
	w.services = map[string]aws.Caller{"kms": kms.New(env, kms.Config{Master: w.master, Changed: vault.Forget}), "sqs": sqs.New(env), "dynamodb": dynamodb.New(env), "logs": logs.New(env)}
}

func (w *world) call(name, operation string, in object) (object, error) {
	input, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.services[name].Call(context.Background(), &aws.Request{Service: name, Operation: operation, Account: "000000000000", Region: "us-east-1", Input: input})
	if err != nil {
		return nil, err
	}
	b, err := service.Marshal(out.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	var o object
	return o, json.Unmarshal(b, &o)
}

func (w *world) do(name, operation string, in object) object {
	w.t.Helper()
	out, err := w.call(name, operation, in)
	if err != nil {
		w.t.Fatalf("%s %v: %v", operation, in, err)
	}
	return out
}

func (w *world) fails(name, operation string, in object, code string) {
	w.t.Helper()
	_, err := w.call(name, operation, in)
	var e *aws.Error
	if !errors.As(err, &e) || e.Code != code && e.QueryCode != code {
		w.t.Errorf("%s:%s: got %v, want %s", name, operation, err, code)
	}
}

// stored reports whether a text stands in the raw store.
func (w *world) stored(text string) bool {
	found := false
	for p := range w.store.Partitions() {
		err := w.store.View(context.Background(), store.Partition(p), func(rd store.Reader) error {
			for k, v := range rd.Scan(nil, nil, false) {
				found = found || strings.Contains(string(k), text) || strings.Contains(string(v), text)
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return found
}

const secret = "the-secret-of-this-test"

// protected is a service with a resource under a key.
type protected struct {
	name   string
	make   func(w *world, key string)
	put    string // operation and input
	putIn  object
	get    string
	getIn  object
	codes  [2]string // of put and get while the key is disabled
	absent string    // of put (or make) while the key does not exist
}

var queue = "http://127.0.0.1:4566/000000000000/q"

var all = []protected{
	{
		name: "sqs",
		make: func(w *world, key string) {
			w.do("sqs", "CreateQueue", object{"QueueName": "q", "Attributes": object{"KmsMasterKeyId": key, "VisibilityTimeout": "0"}})
		},
		put: "SendMessage", putIn: object{"QueueUrl": queue, "MessageBody": secret},
		get: "ReceiveMessage", getIn: object{"QueueUrl": queue},
		codes: [2]string{"KMS.DisabledException", "KMS.DisabledException"},
	},
	{
		name: "dynamodb",
		make: func(w *world, key string) {
			w.do("dynamodb", "CreateTable", object{"TableName": "table", "BillingMode": "PAY_PER_REQUEST", "KeySchema": []object{{"AttributeName": "id", "KeyType": "HASH"}},
				"AttributeDefinitions": []object{{"AttributeName": "id", "AttributeType": "S"}}, "SSESpecification": object{"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": key}})
		},
		put: "PutItem", putIn: object{"TableName": "table", "Item": object{"id": object{"S": "1"}, "v": object{"S": secret}}},
		get: "Scan", getIn: object{"TableName": "table"},
		codes: [2]string{"AccessDeniedException", "AccessDeniedException"},
	},
	{
		name: "logs",
		make: func(w *world, key string) {
			w.do("logs", "CreateLogGroup", object{"logGroupName": "g", "kmsKeyId": key})
			w.do("logs", "CreateLogStream", object{"logGroupName": "g", "logStreamName": "s"})
		},
		put: "PutLogEvents", putIn: object{"logGroupName": "g", "logStreamName": "s", "logEvents": []object{{"timestamp": 1_700_000_000_000, "message": secret}}},
		get: "FilterLogEvents", getIn: object{"logGroupName": "g", "filterPattern": "secret"},
		codes: [2]string{"AccessDeniedException", "AccessDeniedException"},
	},
}

func (p *protected) read(w *world) {
	w.t.Helper()
	b, _ := json.Marshal(w.do(p.name, p.get, p.getIn))
	if !strings.Contains(string(b), secret) {
		w.t.Errorf("%s gave %s", p.get, b)
	}
}

// TestProtected: what is put under a key cannot be found in the store, comes back after a restart, is out of reach while
// the key is disabled and back when it is enabled.
func TestProtected(t *testing.T) {
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			w := newWorld(t)
			p.make(w, "alias/SB-KMS")
			w.do(p.name, p.put, p.putIn)
			if w.stored(secret) {
				t.Error("the store has the plaintext")
			}
			p.read(w)
			w.start()
			p.read(w)
			w.do("kms", "DisableKey", object{"KeyId": w.key})
			w.fails(p.name, p.put, p.putIn, p.codes[0])
			w.fails(p.name, p.get, p.getIn, p.codes[1])
			w.do("kms", "EnableKey", object{"KeyId": w.key})
			p.read(w)
			w.do("kms", "RotateKeyOnDemand", object{"KeyId": w.key})
			w.start()
			p.read(w)
			// The same store under another master key is unreadable.
			w.master = kms.NewMaster()
			w.start()
			if _, err := w.call(p.name, p.get, p.getIn); err == nil {
				t.Error("read without the master key")
			}
		})
	}
}

// TestPlain: without a key data is as it was, which shows that the scan above looks at the right places.
func TestPlain(t *testing.T) {
	w := newWorld(t)
	w.do("sqs", "CreateQueue", object{"QueueName": "q"})
	w.do("sqs", "SendMessage", object{"QueueUrl": queue, "MessageBody": secret})
	if !w.stored(secret) {
		t.Error("the scan does not find a plaintext")
	}
	// A key that the queue gets later protects what comes later.
	w.do("sqs", "SetQueueAttributes", object{"QueueUrl": queue, "Attributes": object{"KmsMasterKeyId": "alias/aws/sqs"}})
	w.do("sqs", "SendMessage", object{"QueueUrl": queue, "MessageBody": "another " + secret})
	if w.stored("another " + secret) {
		t.Error("the store has the plaintext")
	}
	if got := w.do("sqs", "ReceiveMessage", object{"QueueUrl": queue, "MaxNumberOfMessages": 10})["Messages"].([]any); len(got) != 2 {
		t.Errorf("received %v", got)
	}
}

// TestReuse: a data key encrypts for its reuse period, then another one is asked for.
func TestReuse(t *testing.T) {
	w := newWorld(t)
	w.do("sqs", "CreateQueue", object{"QueueName": "q", "Attributes": object{"KmsMasterKeyId": w.key, "KmsDataKeyReusePeriodSeconds": "60"}})
	for _, c := range []struct {
		after time.Duration
		asked int64
	}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {30 * time.Second, 2}} {
		w.now = w.now.Add(c.after)
		w.do("sqs", "SendMessage", object{"QueueUrl": queue, "MessageBody": "m"})
		if w.asked.Load() != c.asked {
			t.Errorf("after %v: KMS was asked %d times, want %d", c.after, w.asked.Load(), c.asked)
		}
	}
}

// TestNoKey: a key that does not exist is told by the service's own error.
func TestNoKey(t *testing.T) {
	w := newWorld(t)
	w.do("sqs", "CreateQueue", object{"QueueName": "q", "Attributes": object{"KmsMasterKeyId": "alias/none"}})
	w.fails("sqs", "SendMessage", object{"QueueUrl": queue, "MessageBody": "m"}, "KMS.NotFoundException")
	w.fails("logs", "CreateLogGroup", object{"logGroupName": "g", "kmsKeyId": "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"}, "InvalidParameterException")
	w.fails("dynamodb", "CreateTable", object{"TableName": "table", "BillingMode": "PAY_PER_REQUEST", "KeySchema": []object{{"AttributeName": "id", "KeyType": "HASH"}},
		"AttributeDefinitions": []object{{"AttributeName": "id", "AttributeType": "S"}}, "SSESpecification": object{"Enabled": true, "KMSMasterKeyId": "alias/none"}}, "ValidationException")
}

// TestBound: a sealed value opens for the resource that it was sealed for and for no other.
func TestBound(t *testing.T) {
	w := newWorld(t)
	env := &service.Env{Vault: envelope.New(w.services["kms"], func() time.Time { return w.now })}
	mine := &service.Protection{Account: "000000000000", Region: "us-east-1", KeyID: w.key, Context: map[string]string{"aws:sqs:arn": "mine"}}
	yours := &service.Protection{Account: "000000000000", Region: "us-east-1", KeyID: w.key, Context: map[string]string{"aws:sqs:arn": "yours"}}
	var sealed []byte
	err := env.WithKeys(context.Background(), func() (err error) { sealed, err = env.Seal(mine, []byte(secret)); return err })
	if err != nil {
		t.Fatal(err)
	}
	open := func(p *service.Protection, v []byte) (got string, err error) {
		err = env.WithKeys(context.Background(), func() error {
			b, err := env.Open(p, v)
			got = string(b)
			return err
		})
		return got, err
	}
	if got, err := open(mine, sealed); got != secret || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := open(yours, sealed); err == nil {
		t.Error("opened for another resource")
	}
	env.Vault = envelope.New(w.services["kms"], func() time.Time { return w.now })
	if _, err := open(yours, sealed); err == nil {
		t.Error("opened for another resource, asking KMS")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := open(mine, sealed); err == nil {
		t.Error("opened what was changed")
	}
}
