// Package outbox delivers calls that a service owes to others: a message for each subscription of a topic, an event for
// each target of a rule, a notification of a bucket. The entry is written in the transaction that causes it, so it
// exists exactly if the cause does; it is delivered after the commit, again after a crash, under the same token, and
// removed when the receiver has answered. A receiver in this server therefore sees its effect once.
//
// Rows, in the partition of the cause: TableOwed name 0 is the last sequence number given out, TableOwed name n the
// entry. Numbers grow by commit and are never used again; what is below the lowest entry is answered. Entries are
// delivered at the same time, those of one chain one after the other (chain.go).
package outbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Entry is one call that is owed.
type Entry struct {
	Request   Call
	Accepted  time.Time
	Attempts  int           // so far
	MaxAge    time.Duration // give up after this; 0 means 24 hours
	MaxTries  int           // give up after this many attempts; 0 means 185, EventBridge's number
	OnFailure *Call         // made when the call is given up (a dead-letter queue); nil for none
	Chain     string        // entries of one chain are delivered one after the other, in the order of their commits; "" for none

	Protection *service.Protection `json:",omitempty"` // the calls are kept encrypted; nil: as they are
	Sealed     []byte              `json:",omitempty"` // the calls, in an entry that was read back
}

// Call is the part of an aws.Request that is kept.
type Call struct {
	Service, Operation, Account, Region, Principal string
	Input                                          json.RawMessage
	Body                                           []byte
}

// Outbox is the outbox of one service.
type Outbox struct {
	name   string
	env    *service.Env
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	gate   chan struct{} // bounds the deliveries of chains that are under way

	mu     sync.Mutex
	live   map[store.Partition][]uint64 // numbers not yet answered, ascending
	chains map[chain]*worker
	line   line
}

const atOnce = 256

// New makes the outbox of the service of that name. Entries can be added before Start; they wait.
func New(env *service.Env, name string) *Outbox {
	o := &Outbox{name: name, env: env, gate: make(chan struct{}, atOnce), live: map[store.Partition][]uint64{}, chains: map[chain]*worker{}}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

func (o *Outbox) key(n uint64) store.Key { return store.K(store.TableOwed, o.name).U64(n) }

// Add writes an entry in a handler's transaction and has it delivered once the transaction is durable.
func (o *Outbox) Add(c *service.Context, tx store.Tx, e Entry) error {
	if e.Accepted.IsZero() {
		e.Accepted = c.Now
	}
	after, err := o.Put(c.Partition, tx, e)
	if err == nil {
		c.After = append(c.After, after)
	}
	return err
}

// Put writes an entry, whose Accepted is set, in a transaction on a partition. The caller calls the function that it
// returns once that transaction is durable, and not if it was not applied.
func (o *Outbox) Put(p store.Partition, tx store.Tx, e Entry) (after func(), err error) {
	last, err := tx.Get(o.key(0))
	if err != nil {
		return nil, err
	}
	n := uint64(1)
	if len(last) == 8 {
		n = binary.BigEndian.Uint64(last) + 1
	}
	b, err := o.encode(e)
	if err != nil {
		return nil, err
	}
	tx.Set(o.key(0), binary.BigEndian.AppendUint64(nil, n))
	tx.Set(o.key(n), b)
	if e.Chain != "" {
		tx.Set(o.chainKey(e.Chain).U64(n), []byte{})
	}
	return func() {
		o.keep(p, n)
		o.begin(p, n, e)
	}, nil
}

// begin sees to the delivery of an entry.
func (o *Outbox) begin(p store.Partition, n uint64, e Entry) {
	if e.Chain != "" {
		o.kick(chain{p, e.Chain})
	} else {
		o.enqueue(parcel{part: p, n: n, entry: &e})
	}
}

// Start delivers what is still owed.
func (o *Outbox) Start(ctx context.Context) error {
	for p := range o.env.Store.Partitions() {
		part := store.Partition(p)
		type owed struct {
			n     uint64
			chain string
		}
		var entries []owed
		err := o.env.Store.View(ctx, part, func(rd store.Reader) error {
			entries = entries[:0]
			table := store.K(store.TableOwed, o.name)
			for k, v := range rd.Scan(o.key(1), table.End(), false) {
				e, err := o.decode(v)
				if err != nil {
					return err
				}
				entries = append(entries, owed{binary.BigEndian.Uint64(k[len(table):]), e.Chain})
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, x := range entries {
			o.keep(part, x.n)
		}
		for _, x := range entries {
			if x.chain != "" {
				o.kick(chain{part, x.chain})
			} else {
				o.enqueue(parcel{part: part, n: x.n})
			}
		}
	}
	return nil
}

// Close stops delivering; what is owed is delivered after the next Start.
func (o *Outbox) Close() {
	o.cancel()
	o.mu.Lock()   // whoever has begun before is waited for
	o.mu.Unlock() //nolint:staticcheck // see above
	o.work.Wait()
}

func (o *Outbox) keep(p store.Partition, n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	live := append(o.live[p], n)
	for i := len(live) - 1; i > 0 && live[i-1] > live[i]; i-- { // After functions of one partition may run out of order
		live[i-1], live[i] = live[i], live[i-1]
	}
	o.live[p] = live
	o.owe(1)
}

func (o *Outbox) owe(n int64) {
	if o.env.Owed != nil {
		o.env.Owed.Add(n)
	}
}

func (o *Outbox) answered(p store.Partition, n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	live := o.live[p]
	for i, m := range live {
		if m == n {
			o.live[p] = append(live[:i:i], live[i+1:]...)
			o.owe(-1)
			break
		}
	}
	if len(o.live[p]) == 0 {
		delete(o.live, p)
	}
}

func (o *Outbox) low(p store.Partition, n uint64) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if live := o.live[p]; len(live) > 0 {
		return min(live[0], n)
	}
	return n
}

// backoff doubles from 100 ms to a minute.
func backoff(attempts int) time.Duration {
	return min(100*time.Millisecond<<min(attempts, 12), time.Minute)
}

// attempt makes the call once. A call that fails by the server's fault is made again; one that is refused is given up.
func (o *Outbox) attempt(p store.Partition, n uint64, e *Entry) (again bool, err error) {
	err = o.send(e, aws.Token{Source: fmt.Sprintf("%s/%d", o.name, p), Seq: n, Low: o.low(p, n)})
	if err != nil {
		e.Attempts++
		if retryable(err) && o.env.Now().Sub(e.Accepted) < orDefault(e.MaxAge, 24*time.Hour) && e.Attempts < orDefault(e.MaxTries, 185) {
			return true, nil
		}
		o.env.Log.Warn("a delivery was given up", "from", o.name, "to", e.Request.Service+":"+e.Request.Operation, "attempts", e.Attempts, "error", err)
		if e.OnFailure != nil {
			if err := o.call(e.OnFailure, aws.Token{Source: fmt.Sprintf("%s/failed/%d", o.name, p), Seq: n, Low: o.low(p, n)}); err != nil {
				o.env.Log.Error("the dead-letter delivery failed too", "from", o.name, "error", err)
			}
		}
	}
	err = o.env.Store.Update(store.Finishing(o.ctx), p, func(tx store.Tx) error {
		tx.Delete(o.key(n))
		if e.Chain != "" {
			tx.Delete(o.chainKey(e.Chain).U64(n))
		}
		return nil
	})
	if err == nil {
		o.answered(p, n)
	}
	return false, err
}

func orDefault[T comparable](v, or T) T {
	if v == *new(T) {
		return or
	}
	return v
}

func (o *Outbox) call(c *Call, t aws.Token) error {
	_, err := o.env.Caller.Call(o.ctx, &aws.Request{Service: c.Service, Operation: c.Operation, Account: c.Account, Region: c.Region,
		Principal: c.Principal, Input: c.Input, Body: c.Body, Token: t})
	return err
}

// retryable: the server's fault, a throttle, or no answer at all.
func retryable(err error) bool {
	var e *aws.Error
	return !errors.As(err, &e) || e.Fault || e.HTTPStatus() >= 500 && e.HTTPStatus() != 501 || e.HTTPStatus() == 429
}
