package engine

import (
	"cmp"
	"errors"
	"math"
)

// Bounds are what an engine takes on at a time. Zero fields take the defaults.
type Bounds struct {
	TasksAtOnce  int   // tasks that are sent at a time, 1,024; the others wait in line, machine by machine
	TaskBytes    int64 // bytes of the arguments of those, and as much again of those in line, 64 MiB; more is left in the store
	TasksWaiting int   // tasks in line above which clients' starts are refused, 100,000
	ExpressOpen  int   // Express executions above which clients' starts are refused, 10,000
	Open         int   // Standard executions above which clients' starts are refused; no bound
	CachedBytes  int64 // bytes of the executions that stay in memory between events, 64 MiB
}

// stepsAtOnce bounds the executions whose steps go on after a budget was spent, debtsAtOnce what is settled at a time.
const (
	stepsAtOnce = 256
	debtsAtOnce = 64
)

func (b Bounds) withDefaults() Bounds {
	return Bounds{cmp.Or(b.TasksAtOnce, 1024), cmp.Or(b.TaskBytes, 64<<20), cmp.Or(b.TasksWaiting, 100_000), cmp.Or(b.ExpressOpen, 10_000), cmp.Or(b.Open, math.MaxInt), cmp.Or(b.CachedBytes, 64<<20)}
}

// Errors of Admit.
var (
	// ErrBusy: so much is under way that nothing new is taken on; what was accepted goes on.
	ErrBusy = errors.New("engine: too much is under way")
	// ErrOpen: as many Standard executions are open as there may be.
	ErrOpen = errors.New("engine: too many executions are open")
)

// Admit refuses a client's start, with ErrBusy or ErrOpen, while too much is under way. What executions start themselves is part of
// accepted work: it is not asked for.
func (e *Engine) Admit(express bool) error {
	if e.tasks.load().Waiting >= e.cfg.TasksWaiting || express && e.stats.express.open.Load() >= int64(e.cfg.ExpressOpen) {
		return ErrBusy
	}
	if !express && e.stats.standard.open.Load() >= int64(e.cfg.Open) {
		return ErrOpen
	}
	return nil
}
