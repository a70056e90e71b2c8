package sim

import (
	"math/rand/v2"
	"time"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

// profile is what kind of world a run has. Of each kind of fault some worlds have none and others a lot: a world in which
// everything goes wrong all the time shows less.
type profile struct {
	disturbed bool
	wild      bool // the definitions' failures end things
	cached    int  // executions in memory
	steps     int  // transitions in one step of the machine
	bounds    engine.Bounds

	storm     time.Duration // how long faults happen
	crashes   int           // one in how many actions is a power cut, 0: none
	diskFails int           // one in how many syncs fails
	loses     int           // one in how many messages is lost
	repeats   int           // one in how many requests arrives twice
	slow      int           // one in how many of the engine's questions is answered late
	shutdowns int           // one in how many actions
	takeovers int
	jumps     int
	fills     int // the disk becomes full, or has space again
	stops     int // StopExecution, RedriveExecution
	slowSync  bool
	slowWork  bool
}

const (
	partitions = 3
	retention  = 2 * time.Hour
)

func calm(wild bool) profile { return profile{wild: wild, cached: 4096} }

func disturbed(r *rand.Rand, wild bool) profile {
	rate := func(often, seldom int) int {
		switch r.IntN(3) {
		case 0:
			return 0
		case 1:
			return seldom
		}
		return often
	}
	return profile{
		disturbed: true, wild: wild, cached: 1, steps: 1 + r.IntN(20), bounds: engine.Bounds{TasksAtOnce: 1 + r.IntN(8), TaskBytes: 1 + r.Int64N(5000)}, storm: time.Duration(3+r.IntN(17)) * time.Second,
		crashes: rate(60, 400), diskFails: rate(40, 200), loses: rate(4, 20), repeats: rate(3, 10), slow: rate(10, 60),
		shutdowns: rate(150, 600), takeovers: rate(150, 600), jumps: rate(50, 200), fills: rate(60, 200), stops: rate(60, 200),
		slowSync: r.IntN(4) == 0, slowWork: r.IntN(3) == 0,
	}
}

func (p *profile) limits() machine.Limits {
	l := machine.Limits{StepTransitions: p.steps}
	if !p.wild {
		l.HistoryEvents = 100_000 // redrives need some
	}
	return l
}

func (p *profile) syncTime(w *World) time.Duration {
	switch {
	case !w.stormy():
		return time.Millisecond
	case p.slowSync && w.chance(10):
		return w.between(0, 3*time.Second)
	}
	return w.between(0, 20*time.Millisecond)
}

func (p *profile) latency(w *World) time.Duration {
	switch {
	case !w.stormy():
		return time.Millisecond
	case w.chance(10):
		return w.between(0, 2*time.Second)
	}
	return w.between(0, 20*time.Millisecond)
}

func (p *profile) workTime(w *World) time.Duration {
	switch {
	case !w.stormy():
		return 20 * time.Millisecond
	case p.slowWork && w.chance(5):
		return w.between(0, 12*time.Second)
	}
	return w.between(0, 300*time.Millisecond)
}

// weather may have a fault happen between two actions.
func (w *World) weather() {
	p := &w.profile
	if !w.stormy() {
		return
	}
	often := func(n int) bool { return n > 0 && w.chance(n) }
	if live := w.live; live != nil {
		switch {
		case often(p.crashes):
			w.count("crashes")
			w.note("crash")
			w.crash(live)
		case often(p.shutdowns):
			w.note("shutdown")
			w.shutDown(live)
		case often(p.takeovers) && live.up && !live.ending:
			w.note("takeover")
			w.takeOver(live)
		case often(p.fills):
			live.store.full = !live.store.full
			w.note("space")
		}
	}
	if often(p.jumps) {
		w.count("clock jumps")
		w.ahead = w.between(-4*time.Minute, 4*time.Minute)
		w.note("the clock jumps")
	}
	if often(p.stops) {
		w.soon("disturb", w.disturbExecution)
	}
}
