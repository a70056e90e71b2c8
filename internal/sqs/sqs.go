// Package sqs is Amazon SQS: standard and FIFO queues.
//
// A queue is one partition, placed by its name. Its rows in the store are authoritative for everything: the queue's
// record, a tally of its messages, and for each message an immutable body, a small state, and one index row that says
// where the message is: ready (ordered by the time it was sent) or waiting (ordered by the time it becomes visible). A
// receive reads the heads of these two indexes, never the queue. Visibility timeouts, delays and retention are evaluated
// when somebody looks: no background work exists for a queue that nobody reads.
//
// Receivers that wait (long polling) live in memory only. They are woken after the commit that makes a message visible,
// or by one timer a queue set to the time when its next message becomes visible; nothing polls.
//
// A message that was received too often moves to its dead-letter queue, which may be on another partition: the receive
// that finds it takes it out of the indexes into the queue's outbox, a delivery under an idempotency token puts it into
// the other queue after that commit, and a third transaction forgets it. A crash in between is repaired by the next
// receive of the queue or by Resume, whichever is first; the token keeps a repeated delivery from making a second message.
package sqs

import (
	"context"
	"errors"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Service is SQS. Close ends what waits in it.
type Service struct {
	*service.Service
	waiting waiting
	redrive sync.Mutex // one delivery to dead-letter queues at a time: see redrive.go
}

// New makes the service.
func New(env *service.Env) *Service {
	s := &Service{}
	s.waiting.init(env.Now)
	s.Service = service.New("sqs", env, []service.Operation{
		{Name: "CreateQueue", Key: keyName, Update: s.createQueue},
		{Name: "GetQueueUrl", Key: keyName, View: s.getQueueURL},
		{Name: "ListQueues", Do: s.listQueues},
		{Name: "ListDeadLetterSourceQueues", Do: s.listDeadLetterSources},
		{Name: "DeleteQueue", Key: keyURL, Update: s.on(s.deleteQueue)},
		{Name: "PurgeQueue", Key: keyURL, Update: s.on(s.purgeQueue)},
		{Name: "GetQueueAttributes", Key: keyURL, Update: s.on(s.getAttributes)},
		{Name: "SetQueueAttributes", Key: keyURL, Update: s.on(s.setAttributes)},
		{Name: "TagQueue", Key: keyURL, Update: s.on(s.tagQueue)},
		{Name: "UntagQueue", Key: keyURL, Update: s.on(s.untagQueue)},
		{Name: "ListQueueTags", Key: keyURL, Update: s.on(s.listTags)},
		{Name: "AddPermission", Key: keyURL, Update: s.on(s.addPermission)},
		{Name: "RemovePermission", Key: keyURL, Update: s.on(s.removePermission)},
		{Name: "SendMessage", Key: keyURL, Update: s.on(s.sendMessage)},
		{Name: "SendMessageBatch", Key: keyURL, Update: s.on(s.sendBatch)},
		{Name: "ReceiveMessage", Key: keyURL, Do: s.receiveMessage},
		{Name: peekMessages, Key: keyURL, View: s.peek},
		{Name: "DeleteMessage", Key: keyURL, Update: s.on(s.deleteMessage)},
		{Name: "DeleteMessageBatch", Key: keyURL, Update: s.on(s.deleteBatch)},
		{Name: "ChangeMessageVisibility", Key: keyURL, Update: s.on(s.changeVisibility)},
		{Name: "ChangeMessageVisibilityBatch", Key: keyURL, Update: s.on(s.changeVisibilityBatch)},
	})
	s.KeyFault = keyFault
	return s
}

// Close lets every waiting receiver answer with no messages, and later ones not wait at all.
func (s *Service) Close() { s.waiting.close() }

// Call runs one operation, on the queue that the request's address leads to (address.go).
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if !s.Has(r.Operation) {
		return nil, service.NotImplemented("sqs", r.Operation)
	}
	r, err := s.resolve(ctx, r)
	if err == nil {
		err = s.checkDeadLetterTarget(ctx, r)
	}
	if err != nil {
		return nil, service.Wire(err)
	}
	return s.Service.Call(ctx, r)
}

// on makes a handler of one existing queue: it opens the queue that the request names, runs the handler, writes what the
// handler changed of queue and tally, and wakes receivers once that is durable.
func (s *Service) on(fn func(*service.Context, *box) (any, error)) func(*service.Context, store.Tx) (any, error) {
	return func(c *service.Context, tx store.Tx) (any, error) {
		b, err := open(c.Env, tx, address{c.Account, c.Region, c.Key}, c.Now.UnixMilli())
		if err != nil {
			return nil, err
		}
		out, err := fn(c, b)
		if err != nil {
			return nil, err
		}
		if err := b.close(); err != nil {
			return nil, err
		}
		c.After = append(c.After, func() { b.emit(c.Now) })
		if b.woken > 0 || b.visibleAt > 0 {
			c.After = append(c.After, func() { s.waiting.notify(b.address, b.woken, b.visibleAt) })
		}
		return out, nil
	}
}

// asError returns the wire error in err's chain.
func asError(err error) (*aws.Error, bool) {
	var e *aws.Error
	ok := errors.As(err, &e)
	return e, ok
}
