package states

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// queueWorld is a queue of one activity in a store.
type queueWorld struct {
	t *testing.T
	*Service
	arn string
}

func newQueueWorld(t *testing.T) *queueWorld {
	w := &queueWorld{t, &Service{env: &service.Env{Store: memory.New(memory.Options{Partitions: 1}), Log: slog.New(slog.DiscardHandler)}}, "arn:activity"}
	w.update(func(tx store.Tx) error { return writeActivity(tx, &activity{ARN: w.arn}) })
	return w
}

func (w *queueWorld) update(fn func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.env.Store.Update(w.t.Context(), 0, fn); err != nil {
		w.t.Error(err)
	}
}

// enqueue puts the next task into the queue, as scheduleActivityTask does.
func (w *queueWorld) enqueue() {
	task := &waitingTask{}
	var number uint64
	var size int
	w.update(func(tx store.Tx) error {
		a, err := readActivity(tx, w.arn)
		if err != nil {
			return err
		}
		a.Last++
		number, task.Token = a.Last, fmt.Sprint(a.Last)
		b, err := service.Marshal(task)
		size = len(b)
		tx.Set(waitingKey(w.arn).U64(number), b)
		if err != nil {
			return err
		}
		return writeActivity(tx, a)
	})
	w.lines.add(w.arn, number, task, size)
}

func (w *queueWorld) first() *queuedTask {
	w.t.Helper()
	task, err := w.lines.of(w.arn).first(w.t.Context(), w.Service, 0)
	if err != nil {
		w.t.Error(err)
	}
	return task
}

// stored is how many tasks are in the store once all removals are done.
func (w *queueWorld) stored() (n int) {
	w.t.Helper()
	w.removals.Wait()
	err := w.env.Store.View(w.t.Context(), 0, func(rd store.Reader) error {
		n = 0
		for range rd.Scan(waitingKey(w.arn), waitingKey(w.arn).End(), false) {
			n++
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
	return n
}

// TestLineIsFIFO takes far more tasks than a line holds, some of which come while others are taken: in their order, once each.
func TestLineIsFIFO(t *testing.T) {
	w := newQueueWorld(t)
	l := w.lines.of(w.arn)
	const before, during = 2 * lineTasks, lineTasks
	for range before {
		w.enqueue()
	}
	for next := uint64(1); next <= before+during; next++ {
		if next <= during {
			w.enqueue()
		}
		task := w.first()
		if task == nil || task.number != next {
			t.Fatalf("%+v comes when it is %d's turn", task, next)
		}
		if next%100 == 0 { // its claim fails
			l.giveBack(task)
			if task = w.first(); task == nil || task.number != next {
				t.Fatalf("%+v comes after %d was given back", task, next)
			}
		}
		l.remove(w.Service, 0, next)
	}
	if left := w.stored(); left != 0 {
		t.Fatalf("%d tasks stay in the store", left)
	}
	if task := w.first(); task != nil {
		t.Fatalf("%d is in an empty queue", task.number)
	}
}

// TestLineLosesNothing adds and takes tasks at once, and forgets the line in between, as a restart does.
func TestLineLosesNothing(t *testing.T) {
	w := newQueueWorld(t)
	const n, workers = 2500, 8
	var taken sync.Map
	var count atomic.Int64
	var all sync.WaitGroup
	done, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range workers {
		all.Go(func() {
			for j := range n / workers {
				w.enqueue()
				if j == n/workers/2 && i == 0 {
					w.lines.close(w.arn)
				}
			}
		})
		all.Go(func() {
			for {
				if task := w.first(); task != nil {
					if _, again := taken.LoadOrStore(task.number, true); !again && count.Add(1) == n/workers*workers {
						cancel()
					}
					w.lines.of(w.arn).remove(w.Service, 0, task.number)
				} else if done.Err() != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if left := w.stored(); left != 0 {
		t.Fatalf("%d tasks stay in the store", left)
	}
}
