// Package service is what the embedded services have in common: a table of operations, each row naming the partition
// that the operation works on, and one runner that gives the handler a transaction on that partition and nothing else.
//
// A row with Update or View is transactional: its handler gets one partition's Tx, may run more than once, has no effect
// but through Tx, and is idempotent for internal deliveries (Request.Token) without knowing it: the runner commits the
// answer with the effect and answers repetitions from there. A row with Do is not: it may wait (long polling), call
// other operations through Env.Caller or run several transactions of its own.
package service

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
)

// Operation is a row of a service's table. Exactly one of Update, View and Do is set.
type Operation struct {
	Name string
	// Key names the resource whose partition the operation works on: the text that is hashed into a partition together
	// with account and region. nil is the account's and region's own partition (the resource "").
	Key    func(r *aws.Request) (string, error)
	Update func(c *Context, tx store.Tx) (any, error)
	View   func(c *Context, rd store.Reader) (any, error)
	Do     func(ctx context.Context, c *Context) (*aws.Output, error)
}

// Context is what a handler is given beside its transaction.
type Context struct {
	*aws.Request
	Env       *Env
	Now       time.Time
	Key       string          // what the row's Key has answered
	Partition store.Partition // of the transaction
	// Protection is set by a handler whose answer holds data of a resource with a KMS key: an answer that is kept for
	// repetitions is kept as the resource's data is.
	Protection *Protection
	// After collects what is to happen once the transaction is durable (waking waiting receivers); it is dropped if
	// the function runs again.
	After []func()
}

// Env is what every service is built from.
type Env struct {
	Store   store.Store
	Caller  aws.Caller       // the whole of AWS as this server knows it; set before the first call
	Now     func() time.Time // the server's clock
	Log     *slog.Logger
	Account string        // default account
	Region  string        // default region
	BaseURL func() string // "http://127.0.0.1:4566": where clients reach this server
	Vault   Vault         // nil: no KMS
	Metrics Recorder      // nil: no CloudWatch
	Owed    *atomic.Int64 // how many calls services owe to others; nil: not counted
}

// Service is a table of operations. Service values are Callers.
type Service struct {
	Name string
	Env  *Env
	ops  map[string]*Operation
	// Place overrides the default placement (hash of account, region, service and key).
	Place func(account, region, key string) store.Partition
	// KeyFault is the service's error for KMS's refusal of a data key; nil for KMS's own.
	KeyFault func(*aws.Error) error
	kept     kept
}
