package engine

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// timerLoop fires timers. In memory it keeps, for each partition, only when its next timer may be due: a hint that is
// never later than the truth. The timers themselves are keys.
type timerLoop struct {
	e    *Engine
	wake chan struct{}

	mu   sync.Mutex
	next map[store.Partition]int64 // epoch milliseconds; what the heap holds for the partition
	heap hintHeap
}

type hint struct {
	due int64
	p   store.Partition
}

type hintHeap []hint

func (h hintHeap) Len() int           { return len(h) }
func (h hintHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h hintHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hintHeap) Push(x any)        { *h = append(*h, x.(hint)) }
func (h *hintHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (l *timerLoop) init(e *Engine) {
	l.e = e
	l.wake = make(chan struct{}, 1)
	l.next = map[store.Partition]int64{}
}

// hint says that a partition has a timer that is due at a time.
func (l *timerLoop) hint(p store.Partition, due int64) {
	l.mu.Lock()
	old, ok := l.next[p]
	if ok && old <= due {
		l.mu.Unlock()
		return
	}
	l.next[p] = due
	heap.Push(&l.heap, hint{due, p}) // an older, later entry of the partition is skipped when it comes up
	first := l.heap[0].due == due
	l.mu.Unlock()
	if first {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// take returns a partition with a timer due at now, or how long to wait for one (0: no timer at all).
func (l *timerLoop) take(now int64) (p store.Partition, due bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.heap) > 0 {
		h := l.heap[0]
		if l.next[h.p] != h.due {
			heap.Pop(&l.heap) // superseded
			continue
		}
		if h.due > now {
			return 0, false, time.Duration(h.due-now) * time.Millisecond
		}
		heap.Pop(&l.heap)
		delete(l.next, h.p)
		return h.p, true, 0
	}
	return 0, false, 0
}

// maxTimerWait bounds how long the loop sleeps: timers that a change of the clock makes due fire within it.
const maxTimerWait = time.Minute

func (l *timerLoop) run() {
	e := l.e
	for e.ctx.Err() == nil {
		p, due, wait := l.take(e.now().UnixMilli())
		if due {
			done := e.working()
			e.work.Go(func() {
				defer done()
				l.fire(e.parts[p])
			})
			continue
		}
		var stop func() bool
		if wait > 0 {
			stop = e.cfg.Clock.AfterFunc(min(wait, maxTimerWait), func() {
				select {
				case l.wake <- struct{}{}:
				default:
				}
			})
		}
		select {
		case <-l.wake:
		case <-e.ctx.Done():
		}
		if stop != nil {
			stop()
		}
	}
}

func (e *Engine) fireTimer(d dueTimer) error {
	if d.timer.Kind == expiryTimer {
		return e.expire(d)
	}
	e.stats.timerLag.Took(e.now().Sub(e.due(d)))
	_, err := e.Deliver(e.ctx, d.arn, machine.Event{Kind: machine.TimerFired, Timer: d.timer})
	if errors.Is(err, ErrNotFound) {
		return e.cfg.Store.Update(store.Finishing(e.ctx), e.partitionOf(d.arn).id, func(tx store.Tx) error {
			tx.Delete(d.key)
			return nil
		})
	}
	return err
}

// window is the first of a partition's due timers.
type window struct {
	due  []dueTimer
	full bool  // more are due
	next int64 // when the first of the others may be, epoch milliseconds; 0 for none
}

// dueTimers reads the timers that are due, but for those of executions that skip says; nil skips none.
func (e *Engine) dueTimers(p *partition, now time.Time, skip func(arn string) bool) (w window, err error) {
	err = e.cfg.Store.View(e.ctx, p.id, func(rd store.Reader) error {
		w = window{}
		skipped := 0
		table := store.K(store.TableTimer)
		for k := range rd.Scan(table, table.End(), false) {
			d, err := decodeTimer(k)
			if err != nil {
				return err
			}
			at := e.due(d)
			switch {
			case at.After(now):
				if w.next == 0 || at.UnixMilli() < w.next {
					w.next = at.UnixMilli()
				}
			case skip != nil && skip(d.arn):
				skipped++
			case len(w.due) == timersAtOnce:
				w.full = true
			default:
				w.due = append(w.due, d)
			}
			if w.full || d.timer.At.After(now) || skipped == skippedMost {
				break
			}
		}
		return nil
	})
	return w, err
}

func firstTimer(rd store.Reader) (int64, error) {
	table := store.K(store.TableTimer)
	for k := range rd.Scan(table, table.End(), false) {
		d, err := decodeTimer(k)
		return d.timer.At.UnixMilli(), err
	}
	return 0, nil
}

// expire deletes a finished execution whose retention is over; its name is free in the same transaction.
func (e *Engine) expire(d dueTimer) error {
	p := e.partitionOf(d.arn)
	x := p.acquire(d.arn)
	defer x.release(true)
	return e.cfg.Store.Update(store.Finishing(context.WithoutCancel(e.ctx)), p.id, func(tx store.Tx) error {
		tx.Delete(d.key)
		meta, _, root, err := readExecution(tx, d.arn)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil || root.(*machine.Root).Status() == machine.Running {
			return err // it was redriven
		}
		for _, table := range []byte{store.TableExecution, store.TableHistory} {
			k := store.K(table, d.arn)
			tx.DeleteRange(k, k.End())
		}
		tx.Delete(indexKey(meta.MachineARN, meta.Start, d.arn))
		return nil
	})
}

func sortBySequence(entries []*outboxEntry) {
	slices.SortFunc(entries, func(a, b *outboxEntry) int {
		if a.sequence < b.sequence {
			return -1
		}
		return 1
	})
}
