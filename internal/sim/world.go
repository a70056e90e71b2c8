package sim

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// World is one run. Its fields are the driver's, which touches them only while every other goroutine of the bubble is held;
// what other goroutines touch is guarded by mu.
type World struct {
	random    *rand.Rand
	profile   profile
	mutant    Mutant
	start     time.Time
	now       time.Time     // never goes back
	ahead     time.Duration // of the wall clock before now; it jumps
	until     time.Time     // faults happen before
	disk      *disk
	live      *process // the one that owns the disk; nil while there is none
	born      int      // processes so far
	processes []*process
	commits   int
	*outside
	*clients

	ready  []*action // can be carried out, in the order in which they came
	future []*action // lie ahead in time, the first first
	steps  int

	trace   hash.Hash64
	lines   []string // the last ones, or all
	keepAll bool
	counts  map[string]int
	failure error

	mu       sync.Mutex
	arrivals []*action
}

// action is something that can happen.
type action struct {
	label   string
	due     time.Time
	p       *process // whose end it does not outlive; nil: the world's
	do      func()
	stopped bool
}

// maxSteps ends a run that does not end by itself.
const maxSteps = 400_000

// violation is the panic with which a check ends the run.
type violation struct{ text string }

func (w *World) violated(format string, args ...any) {
	panic(violation{fmt.Sprintf(format, args...)})
}

func (w *World) count(what string) { w.counts[what]++ }

// chance is true one time in n.
func (w *World) chance(n int) bool { return w.random.IntN(n) == 0 }

// between is a random duration.
func (w *World) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(w.random.Int64N(int64(hi-lo)))
}

// look is what a transaction would do to a partition now.
func (w *World) look(part *diskPart, fn func(store.Tx) error) uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fingerprint(part.applied(), fn)
}

// stormy says whether faults happen still.
func (w *World) stormy() bool { return w.profile.disturbed && w.now.Before(w.until) }

// soon adds an action that can be carried out now, later one that lies ahead. Any goroutine may call them.
func (w *World) soon(label string, do func()) { w.add(&action{label: label, do: do}) }

func (w *World) later(d time.Duration, label string, do func()) *action {
	a := &action{label: label, due: w.now.Add(d), do: do}
	w.add(a)
	return a
}

func (w *World) add(a *action) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals = append(w.arrivals, a)
}

// settle waits until every goroutine is held and takes in what they have asked for.
func (w *World) settle() {
	synctest.Wait()
	w.mu.Lock()
	arrivals := w.arrivals
	w.arrivals = nil
	w.mu.Unlock()
	slices.SortStableFunc(arrivals, func(a, b *action) int { return strings.Compare(a.label, b.label) })
	for _, a := range arrivals {
		if a.stopped {
			continue
		}
		if a.due.IsZero() && w.stormy() && w.profile.slow > 0 && w.chance(w.profile.slow) {
			a.due = w.now.Add(w.between(0, 5*time.Second))
		}
		if a.due.After(w.now) {
			i, _ := slices.BinarySearchFunc(w.future, a.due, func(b *action, due time.Time) int {
				if b.due.After(due) {
					return 1
				}
				return -1
			})
			w.future = slices.Insert(w.future, i, a)
			continue
		}
		w.ready = append(w.ready, a)
	}
}

// step carries out one action; it reports false if there is none before the limit.
func (w *World) step(limit time.Time) bool {
	w.settle()
	for {
		a := w.next(limit)
		if a == nil {
			return false
		}
		if a.stopped || a.p != nil && a.p.dead() {
			continue
		}
		if w.steps++; w.steps > maxSteps {
			w.violated("the run does not end")
		}
		w.note(a.label)
		a.do()
		return true
	}
}

// next takes an action from those that are ready, or moves the time on to the first that lies ahead.
func (w *World) next(limit time.Time) *action {
	ahead := len(w.future) > 0 && !w.future[0].due.After(limit)
	stall := ahead && w.stormy() && w.future[0].due.Before(w.now.Add(5*time.Second))
	if len(w.ready) == 0 || stall && w.chance(20) {
		if !ahead {
			return nil
		}
		a := w.future[0]
		w.future = slices.Delete(w.future, 0, 1)
		if !a.stopped && (a.p == nil || !a.p.dead()) && a.due.After(w.now) {
			w.now = a.due
		}
		return a
	}
	i := 0
	if w.profile.disturbed {
		i = w.random.IntN(len(w.ready))
	}
	a := w.ready[i]
	w.ready = slices.Delete(w.ready, i, i+1)
	return a
}

const keptLines = 80

// note writes a line of the trace.
func (w *World) note(line string) {
	line = fmt.Sprintf("%d %s %s", w.steps, w.now.Sub(w.start), line)
	w.trace.Write([]byte(line))
	w.lines = append(w.lines, line)
	if !w.keepAll && len(w.lines) > 2*keptLines {
		w.lines = append(w.lines[:0], w.lines[len(w.lines)-keptLines:]...)
	}
}

// call is a goroutine that waits for an answer of the world.
type call struct {
	p        *process
	answered chan error
}

func (c *call) answer(err error) { c.answered <- err }

// ask holds the calling goroutine until the world answers or the process dies.
func (p *process) ask(label string, do func(c *call)) error {
	if p.dead() {
		return errDied
	}
	c := &call{p, make(chan error, 1)}
	p.w.add(&action{label: label, p: p, do: func() { do(c) }})
	select {
	case err := <-c.answered:
		return err
	case <-p.died:
		return errDied
	}
}

// later is an action of the process.
func (p *process) later(d time.Duration, label string, do func()) {
	p.w.add(&action{label: label, due: p.w.now.Add(d), p: p, do: do})
}

// answerAll answers those who wait, one by one; with err if it is not nil.
func (w *World) answerAll(waiters []*waiter, err error) {
	for _, wait := range waiters {
		if err != nil {
			wait.err = err
		}
		w.add(&action{label: "answer", p: wait.call.p, do: func() { wait.call.answer(wait.err) }})
	}
}

func newTrace() hash.Hash64 { return fnv.New64a() }
