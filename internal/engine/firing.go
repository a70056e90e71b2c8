package engine

import (
	"strings"
	"sync"
	"time"
)

// Due timers of different executions are applied at the same time, and share the store's syncs; those of one execution one
// after the other, in their order. Machines take turns (fair.go). Of each partition a window of due timers is in memory;
// the next one is read when half of it is done, so that an execution that takes long holds up nobody else's timers.

const (
	timersAtOnce = 64               // timers of a partition's window, and executions whose timers are applied
	skippedMost  = 4 * timersAtOnce // timers that are skipped in looking for others
	firingAtOnce = 256              // executions, of all partitions
)

// firing is which executions of a partition have timers that are being applied.
type firing struct {
	mu         sync.Mutex
	reading    bool            // a window is being read
	wanted     bool            // another one is to be read when there is room
	executions map[string]bool // true: others of its timers have become due meanwhile
}

// begin reports whether the caller may read a window now; else one is read when there is room.
func (f *firing) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = f.reading || len(f.executions) >= timersAtOnce
	f.reading = f.reading || !f.wanted
	return !f.wanted
}

// skip reports whether timers of an execution are being applied.
func (f *firing) skip(arn string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, busy := f.executions[arn]
	if busy {
		f.executions[arn] = true
	}
	return busy
}

// take puts the timers of a window together by execution, which are busy from then on, and reports whether to look again at
// once.
func (f *firing) take(w window) (groups [][]dueTimer, look bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.executions == nil {
		f.executions = map[string]bool{}
	}
	at := map[string]int{}
	for _, d := range w.due {
		i, there := at[d.arn]
		if !there {
			i = len(groups)
			at[d.arn], f.executions[d.arn] = i, false
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	f.reading = false
	f.wanted = f.wanted || w.full
	return groups, f.room()
}

// done has an execution be busy no more, and reports whether to look again.
func (f *firing) done(arn string) (look bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	more := f.executions[arn]
	delete(f.executions, arn)
	return f.room() || more
}

// room reports whether a window that is wanted can be read, which is then no longer said to be wanted; mu is held.
func (f *firing) room() bool {
	if !f.wanted || f.reading || len(f.executions) > timersAtOnce/2 {
		return false
	}
	f.wanted = false
	return true
}

// fire begins to apply the due timers of a partition, a bounded number at a time, and has the loop look again when the next
// one is due.
func (l *timerLoop) fire(p *partition) {
	e := l.e
	if !p.firing.begin() {
		return
	}
	w, err := e.dueTimers(p, e.now(), p.firing.skip)
	groups, look := p.firing.take(w)
	if err != nil {
		if e.ctx.Err() == nil {
			e.cfg.Log.Error("timers could not be read", "partition", p.id, "error", err)
			l.hint(p.id, e.now().Add(time.Second).UnixMilli())
		}
		return
	}
	if look {
		w.next = e.now().UnixMilli()
	}
	if w.next != 0 {
		l.hint(p.id, w.next)
	}
	for _, group := range groups {
		done := e.working()
		e.firing.add(machineOf(group[0].arn), job{run: func() {
			defer done()
			l.apply(p, group)
		}})
	}
}

// apply applies due timers of an execution.
func (l *timerLoop) apply(p *partition, group []dueTimer) {
	e := l.e
	failed := false
	for _, d := range group {
		if e.ctx.Err() != nil {
			return
		}
		if err := e.fireTimer(d); err != nil && e.ctx.Err() == nil {
			e.cfg.Log.Error("a timer could not be applied", "execution", d.arn, "error", err)
			failed = true
		}
	}
	look := p.firing.done(group[0].arn)
	if failed {
		l.hint(p.id, e.now().Add(time.Second).UnixMilli())
	}
	if look {
		l.hint(p.id, e.now().UnixMilli())
	}
}

// machineOf is what the executions of a machine have in common in their ARNs.
func machineOf(arn string) string { return arn[:max(strings.LastIndexByte(arn, ':'), 0)] }
