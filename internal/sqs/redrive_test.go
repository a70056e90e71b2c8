package sqs

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/store"
)

func (w *world) createWithDeadLetters(receives int) (source, dead string) {
	dead = w.create("dead", nil)
	policy := fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":%d}`, w.attribute(dead, "QueueArn"), receives)
	return w.create("source", object{"VisibilityTimeout": "10", "RedrivePolicy": policy}), dead
}

func TestMessageMovesToDeadLetterQueueAfterItsReceives(t *testing.T) {
	w := newWorld(t)
	source, dead := w.createWithDeadLetters(2)
	w.sendBody(source, "poison")
	id := w.expect(source, "poison")[0]["MessageId"]
	w.now = w.now.Add(11 * time.Second)
	w.expect(source, "poison")
	w.now = w.now.Add(11 * time.Second)
	w.sendBody(source, "good")
	w.counts(dead, "0/0/0")
	w.expect(source, "good")
	w.counts(source, "0/1/0")
	m := w.expect(dead, "poison")[0]
	attributes := m["Attributes"].(object)
	if m["MessageId"] != id || attributes["SentTimestamp"] != "1700000000000" || attributes["ApproximateReceiveCount"] != "3" ||
		attributes["DeadLetterQueueSourceArn"] != "arn:aws:sqs:us-east-1:000000000000:source" {
		t.Errorf("in the dead-letter queue: %v", m)
	}
	out := w.do("ListDeadLetterSourceQueues", object{"QueueUrl": dead})
	if list := out["queueUrls"].([]any); len(list) != 1 || list[0] != source {
		t.Errorf("sources %v", out)
	}
}

func TestDeletedDeadLetterQueueLosesNothing(t *testing.T) {
	w := newWorld(t)
	source, dead := w.createWithDeadLetters(1)
	w.sendBody(source, "m")
	w.do("DeleteQueue", object{"QueueUrl": dead})
	for range 3 {
		w.expect(source, "m")
		w.now = w.now.Add(11 * time.Second)
	}
	w.create("dead", nil)
	w.expect(source, "")
	w.counts(source, "0/0/0")
	w.expect(dead, "m")
}

func TestPurgeSparesWhatIsOnItsWay(t *testing.T) {
	w := newWorld(t)
	source, dead, failing := w.stuck(t, 1)
	failing.err = nil
	w.do("PurgeQueue", object{"QueueUrl": source})
	if err := w.s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.expect(dead, "m0")
	w.counts(source, "0/0/0")
}

// faulty fails Updates of one partition.
type faulty struct {
	store.Store
	partition store.Partition
	after     bool // fail although the update was done
	err       error
}

func (f *faulty) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	if f.err == nil || p != f.partition {
		return f.Store.Update(ctx, p, fn)
	}
	if f.after {
		if err := f.Store.Update(ctx, p, fn); err != nil {
			return err
		}
	}
	return f.err
}

// stuck makes n messages wait in the outbox because the dead-letter queue's partition fails.
func (w *world) stuck(t *testing.T, n int) (source, dead string, f *faulty) {
	source, dead = w.createWithDeadLetters(1)
	for i := range n {
		w.sendBody(source, fmt.Sprint("m", i))
	}
	w.receive(source, nil)
	w.now = w.now.Add(11 * time.Second)
	f = &faulty{Store: w.store, partition: w.s.partition(address{account, region, "dead"}), err: errors.New("disk on fire")}
	if f.partition == w.s.partition(address{account, region, "source"}) {
		t.Fatal("the queues share a partition: choose other names")
	}
	w.s = New(testEnv(f, func() time.Time { return w.now }))
	w.expect(source, "")
	return source, dead, f
}

func TestDeliveryGoesOnAfterRestartAndHappensOnce(t *testing.T) {
	for _, after := range []bool{false, true} {
		w := newWorld(t)
		source, dead, f := w.stuck(t, 3)
		f.after = after // the second attempt does the first message's work, and fails
		w.expect(source, "")
		w.s = New(testEnv(w.store, func() time.Time { return w.now }))
		if err := w.s.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.expect(dead, "m0 m1 m2")
		w.counts(source, "0/0/0")
		w.counts(dead, "0/3/0")
		w.now = w.now.Add(time.Hour)
		w.expect(source, "")
		if err := w.store.View(t.Context(), w.s.partition(address{account, region, "source"}), func(rd store.Reader) error {
			for _, kind := range []byte{rowPending, rowOutbox, rowState, rowBody} {
				k := address{account, region, "source"}.key(kind)
				for range rd.Scan(k, k.End(), false) {
					t.Errorf("a row %c is left", kind)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
