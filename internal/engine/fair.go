package engine

import (
	"slices"
	"sync"
	"time"
)

// fair runs work of many machines, a bounded number at a time, and lets the machines take turns: one with a hundred
// thousand tasks in line holds up another's by one at most. What does not run waits as a function in memory; who queues
// keeps it small.
//
// Work may run for minutes, so that turns alone are not enough: when the last eighth of the places (and of the bytes) is
// reached, only machines that hold less than a sixty-fourth of the places get one of them.
type fair struct {
	places int
	bytes  int64 // of payloads of what runs; the first runs however large it is
	spawn  func(func())
	clock  Clock

	mu      sync.Mutex
	lines   map[string]*line // of machines with work that runs or waits
	turns   []*line          // with work that waits; the first is next
	running int
	held    int64 // bytes of what runs
	waiting int
	lying   int64                // bytes of what waits
	holds   map[string]time.Time // machines whose work has to wait until then
	wake    time.Time            // when the next look at them is due; zero for none
	closed  bool
}

// line is the work of one machine.
type line struct {
	machine string
	running int
	queue   []job // oldest first
}

// job is a piece of work. held is what its payload takes while it runs, lying while it waits.
type job struct {
	held, lying int64
	run         func()
	line        *line
}

func newFair(places int, bytes int64, clock Clock, spawn func(func())) *fair {
	return &fair{places: places, bytes: bytes, clock: clock, spawn: spawn, lines: map[string]*line{}, holds: map[string]time.Time{}}
}

// add has work done for a machine.
func (f *fair) add(machine string, j job) {
	f.mu.Lock()
	f.enqueue(machine, j)
	ready := f.pick(nil)
	f.mu.Unlock()
	for _, j := range ready {
		f.spawn(func() { f.work(j) })
	}
}

// work does a piece of work, and then what has its turn.
func (f *fair) work(j job) {
	var ready []job
	for {
		j.run()
		f.mu.Lock()
		f.finish(j)
		ready = f.pick(ready[:0])
		f.mu.Unlock()
		if len(ready) == 0 {
			return
		}
		for _, other := range ready[1:] {
			f.spawn(func() { f.work(other) })
		}
		j = ready[0]
	}
}

func (f *fair) enqueue(machine string, j job) {
	l := f.lines[machine]
	if l == nil {
		l = &line{machine: machine}
		f.lines[machine] = l
	}
	j.line = l
	if len(l.queue) == 0 {
		f.turns = append(f.turns, l)
	}
	l.queue = append(l.queue, j)
	f.waiting++
	f.lying += j.lying
}

// pick takes all that may run out of the lines.
func (f *fair) pick(ready []job) []job {
	for i := 0; i < len(f.turns); {
		l := f.turns[i]
		if f.isHeld(l.machine) {
			i++
			continue
		}
		j := l.queue[0]
		if f.running >= f.places || f.running > 0 && f.held+j.held > f.bytes {
			break
		}
		if l.running >= max(1, f.places/64) && (f.running >= f.places-f.places/8 || f.held > 0 && f.held+j.held > f.bytes-f.bytes/8) {
			i++ // at most 64 machines hold so much
			continue
		}
		l.queue[0] = job{}
		l.queue = l.queue[1:]
		f.turns = slices.Delete(f.turns, i, i+1)
		if len(l.queue) > 0 {
			f.turns = append(f.turns, l)
		} else {
			l.queue = nil
		}
		l.running++
		f.running++
		f.waiting--
		f.held += j.held
		f.lying -= j.lying
		ready = append(ready, j)
	}
	return ready
}

func (f *fair) finish(j job) {
	j.line.running--
	f.running--
	f.held -= j.held
	if j.line.running == 0 && len(j.line.queue) == 0 {
		delete(f.lines, j.line.machine)
	}
}

// hold lets nothing more of a machine begin for a while.
func (f *fair) hold(machine string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	until := f.clock.Now().Add(d)
	if until.After(f.holds[machine]) {
		f.holds[machine] = until
	}
	f.lookAt(until)
}

// lookAt has the lines looked at again at a time, if that is not to happen sooner.
func (f *fair) lookAt(at time.Time) {
	if f.wake.IsZero() || at.Before(f.wake) {
		f.wake = at
		f.clock.AfterFunc(at.Sub(f.clock.Now()), func() { f.look(at) })
	}
}

func (f *fair) look(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || !f.wake.Equal(at) {
		return
	}
	f.wake = time.Time{}
	for _, j := range f.pick(nil) {
		f.spawn(func() { f.work(j) })
	}
	for machine, until := range f.holds {
		if f.isHeld(machine) {
			f.lookAt(until)
		}
	}
}

func (f *fair) isHeld(machine string) bool {
	if len(f.holds) == 0 {
		return false
	}
	until, ok := f.holds[machine]
	if ok && !f.clock.Now().Before(until) {
		delete(f.holds, machine)
		return false
	}
	return ok
}

// close begins nothing any more that a hold has held up.
func (f *fair) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// crowded reports whether what waits fills the memory that there is for it: as much as for what runs.
func (f *fair) crowded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lying > f.bytes
}

// Load is how much work runs and waits.
type Load struct {
	Running, Waiting           int
	RunningBytes, WaitingBytes int64
}

func (f *fair) load() Load {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Load{f.running, f.waiting, f.held, f.lying}
}

func (f *fair) machine(arn string) (running, waiting int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lines[arn]; l != nil {
		return l.running, len(l.queue)
	}
	return 0, 0
}
