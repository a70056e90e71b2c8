package sqs

import (
	"sync"
	"time"
)

// waiting knows the receivers that wait for a message, by queue. It decides nothing: a receiver that is woken looks into
// the store again. Whoever makes n messages visible wakes n receivers; a receiver that goes away with a wake-up it has
// not used hands it on.
type waiting struct {
	now    func() time.Time
	mu     sync.Mutex
	rooms  map[address]*room
	closed bool
}

// room is the receivers of one queue, the longest waiting first, and the timer that wakes one of them when the queue's
// next message becomes visible.
type room struct {
	receivers []*receiver
	timer     *time.Timer
	due       int64 // ms; what the timer is set to, 0 if it is not running
}

type receiver struct {
	wake chan struct{} // one wake-up is kept
}

func (w *waiting) init(now func() time.Time) {
	w.now, w.rooms = now, map[address]*room{}
}

// join registers a receiver; it must do so before it looks into the store.
func (w *waiting) join(a address) *receiver {
	r := &receiver{wake: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		close(r.wake)
		return r
	}
	rm := w.rooms[a]
	if rm == nil {
		rm = &room{}
		w.rooms[a] = rm
	}
	rm.receivers = append(rm.receivers, r)
	return r
}

func (w *waiting) leave(a address, r *receiver) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rm := w.rooms[a]
	if rm == nil || w.closed {
		return
	}
	for i, other := range rm.receivers {
		if other == r {
			rm.receivers = append(rm.receivers[:i], rm.receivers[i+1:]...)
			break
		}
	}
	if len(rm.receivers) == 0 {
		rm.stop()
		delete(w.rooms, a)
		return
	}
	select {
	case <-r.wake:
		rm.wakeSome(1)
	default:
	}
}

// notify says that n messages are visible now and that others will be at a time (ms, 0 for none).
func (w *waiting) notify(a address, n int, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rm := w.rooms[a]
	if rm == nil || w.closed {
		return
	}
	now := w.now()
	if at > 0 && at <= now.UnixMilli() {
		n, at = max(n, 1), 0
	}
	rm.wakeSome(n)
	if at > 0 && (rm.due == 0 || at < rm.due) {
		rm.stop()
		rm.due = at
		rm.timer = time.AfterFunc(time.UnixMilli(at).Sub(now), func() { w.fired(a, rm, at) })
	}
}

func (w *waiting) fired(a address, rm *room, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rooms[a] != rm || rm.due != at {
		return
	}
	rm.due = 0
	rm.wakeSome(1)
}

// notifyAll wakes every receiver of a queue.
func (w *waiting) notifyAll(a address) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if rm := w.rooms[a]; rm != nil && !w.closed {
		rm.wakeSome(len(rm.receivers))
	}
}

// close wakes all receivers for good: a closed wake channel means that waiting is over.
func (w *waiting) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	for _, rm := range w.rooms {
		rm.stop()
		for _, r := range rm.receivers {
			close(r.wake)
		}
	}
}

// wakeSome wakes up to n receivers that have no wake-up yet.
func (rm *room) wakeSome(n int) {
	for _, r := range rm.receivers {
		if n <= 0 {
			return
		}
		select {
		case r.wake <- struct{}{}:
			n--
		default:
		}
	}
}

func (rm *room) stop() {
	if rm.timer != nil {
		rm.timer.Stop()
	}
	rm.timer, rm.due = nil, 0
}
