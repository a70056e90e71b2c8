package sqs

import (
	"context"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// Depth is what lies in all queues together.
type Depth struct{ Queues, Ready, InFlight, Delayed uint64 }

// Depth adds up the counts of the queues, of which there is one small row each.
func (s *Service) Depth(ctx context.Context) (d Depth, err error) {
	prefix := append(store.K(store.TableQueue), rowTally)
	for p := range s.Env.Store.Partitions() {
		var part Depth
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			part = Depth{}
			for _, v := range rd.Scan(prefix, prefix.End(), false) {
				t, err := decodeTally(v)
				if err != nil {
					return err
				}
				part.Queues++
				part.Ready += t.ready
				part.InFlight += t.inFlight
				part.Delayed += t.delayed
			}
			return nil
		})
		if err != nil {
			return d, err
		}
		d = Depth{d.Queues + part.Queues, d.Ready + part.Ready, d.InFlight + part.InFlight, d.Delayed + part.Delayed}
	}
	return d, nil
}

// traffic counts what one transaction did with a queue's messages, for its metrics.
type traffic struct{ sent, sentBytes, received, removed int }

// emit records the metrics of a transaction that has become durable: what it did, and how full it left the queue. (AWS
// samples the latter once a minute, also where nothing happens.)
func (b *box) emit(at time.Time) {
	if b.traffic == (traffic{}) {
		return
	}
	record := func(metric, unit string, v float64) {
		b.env.Record(b.account, b.region, "AWS/SQS", metric, unit, v, at, "QueueName", b.name)
	}
	for _, m := range []struct {
		metric string
		n      int
	}{{"NumberOfMessagesSent", b.sent}, {"NumberOfMessagesReceived", b.received}, {"NumberOfMessagesDeleted", b.removed}} {
		if m.n > 0 {
			record(m.metric, "Count", float64(m.n))
		}
	}
	if b.sent > 0 {
		record("SentMessageSize", "Bytes", float64(b.sentBytes)/float64(b.sent))
	}
	record("ApproximateNumberOfMessagesVisible", "Count", float64(b.ready))
	record("ApproximateNumberOfMessagesNotVisible", "Count", float64(b.inFlight))
	record("ApproximateNumberOfMessagesDelayed", "Count", float64(b.delayed))
}
