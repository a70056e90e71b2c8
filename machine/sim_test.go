package machine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/machine/machinetest"
)

// TestSimulation runs random definitions in a world that answers tasks late, out of order, twice, with failures, and fires
// timers when they are due or after they were cancelled. Every step is made from the state in memory and from the stored
// state (world.step), so each one is a crash and a reload.
//
// A calm definition's failures are all handled where they happen, so that its outcome does not depend on order: it must be
// that of an undisturbed run. A wild one has failures that end Parallels and Maps, missed heartbeats, a stop at any moment:
// for it the invariants count (numbers without a gap, predecessors, tasks and timers that are cancelled exactly when nobody
// waits for them, nothing left over).
//
// A disturbed run is stopped now and then and redriven, after failures too, twice in a row, while it runs: a calm one still
// comes to the outcome of the undisturbed run, and runs no task again that had succeeded.
//
// NEWEL_SIM_SEEDS=N runs N seeds; NEWEL_SIM_SEED=S only the one that failed.
func TestSimulation(t *testing.T) {
	seeds, first := 100, 1
	if n, err := strconv.Atoi(os.Getenv("NEWEL_SIM_SEEDS")); err == nil {
		seeds = n
	}
	if n, err := strconv.Atoi(os.Getenv("NEWEL_SIM_SEED")); err == nil {
		first, seeds = n, 1
	}
	for seed := first; seed < first+seeds; seed++ {
		ok := t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			simulate(t, uint64(seed), false)
			simulate(t, uint64(seed), true)
		})
		if !ok {
			t.Fatalf("NEWEL_SIM_SEED=%d shows it again", seed)
		}
	}
}

func simulate(t *testing.T, seed uint64, wild bool) {
	g := &machinetest.Generator{Random: rand.New(rand.NewPCG(seed, 1)), Wild: wild}
	text := g.Machine()
	input := g.Input()
	defer func() {
		if t.Failed() {
			t.Logf("definition of seed %d (wild %v):\n%s\ninput %s", seed, wild, text, input)
		}
	}()
	calm := newPlay(t, text, rand.New(rand.NewPCG(seed, 2)), false, wild)
	calm.run(input)
	disturbed := newPlay(t, text, rand.New(rand.NewPCG(seed, 3)), true, wild)
	disturbed.run(input)
	if !wild {
		if a, b := calm.outcome(), disturbed.outcome(); a != b {
			t.Fatalf("disturbed, it comes to something else:\n%s\n%s", shorten(a), shorten(b))
		}
		a, b := calm.events(), disturbed.events()
		// One that fails (its data grow beyond the limit, say) aborts its other branches wherever they happen to be.
		failed := slices.ContainsFunc(a, func(ev string) bool { return strings.HasPrefix(ev, "ExecutionFailed") })
		if !failed && disturbed.redrives == 0 && !slices.Equal(a, b) {
			t.Fatalf("disturbed, something else happens:\n%s\n%s", shorten(fmt.Sprint(a)), shorten(fmt.Sprint(b)))
		}
	}
}

// uuid: their values depend on when a state was entered.
var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

// play is one run of a definition.
type play struct {
	*world
	rng       *rand.Rand
	disturbed bool
	wild      bool
	pending   []Event // what is on its way to the execution
	past      []Event // what has arrived: it may arrive again
	redrives  int
	done      map[visit]bool // tasks that have succeeded
}

// visit is a state in a frame: a calm definition enters each once.
type visit struct {
	frame uint32
	state string
}

func newPlay(t *testing.T, text string, rng *rand.Rand, disturbed, wild bool) *play {
	p := &play{world: newWorld(t, compile(t, text)), rng: rng, disturbed: disturbed, wild: wild}
	if !wild {
		p.lim.HistoryEvents = 100_000 // redrives need some
	}
	if disturbed {
		p.lim.StepTransitions = 1 + rng.IntN(20)
	}
	return p
}

func (p *play) run(input string) {
	p.feed(startEvent(p.now, input))
	p.done = map[visit]bool{}
	for steps := 0; p.last.Status == Running || p.redrive(); steps++ {
		if steps > 20000 {
			p.t.Fatal("it does not end")
		}
		if p.last.Status == Running {
			p.feed(p.next())
		}
	}
	for _, ev := range p.past {
		if ev.Now = p.now; !p.step(ev).NoOp {
			p.t.Fatalf("an ended execution took %+v", ev)
		}
	}
}

// redrive has an ended execution go on, if it may.
func (p *play) redrive() bool {
	failed := p.last.Status == Failed || p.last.Status == TimedOut
	if !p.disturbed || p.last.Status == Succeeded || failed && (p.redrives > 8 || p.rng.IntN(3) == 0) {
		return false
	}
	p.now = p.now.Add(time.Duration(p.rng.IntN(5000)) * time.Millisecond)
	for len(p.past) > 0 && p.rng.IntN(3) == 0 { // what comes too late
		p.feed(p.past[p.rng.IntN(len(p.past))])
	}
	p.redrives++
	p.feed(Event{Kind: RedriveRequested})
	return !p.last.NoOp || p.last.Status == Running
}

// next chooses what happens next.
func (p *play) next() Event {
	if p.disturbed {
		switch n := p.rng.IntN(40); {
		case n < 3 && len(p.past) > 0:
			return p.past[p.rng.IntN(len(p.past))]
		case n == 3 && p.redrives < 8 && p.rng.IntN(10) == 0:
			return Event{Kind: StopRequested}
		case n < 6 && len(p.tasks) > 0:
			return Event{Kind: TaskHeartbeat, Attempt: p.anyTask()}
		case n == 6:
			return Event{Kind: RedriveRequested}
		case n == 7:
			return Event{Kind: TaskSucceeded, Attempt: Attempt{uint32(p.rng.IntN(9)), 1 << 20}, Output: value.TextString("0")}
		}
	}
	if p.last.More && (!p.disturbed || p.rng.IntN(3) > 0) {
		return Event{Kind: Continue}
	}
	if len(p.pending) > 0 && (len(p.timers) == 0 || !p.disturbed || p.rng.IntN(6) > 0) {
		i := 0
		if p.disturbed {
			i = p.firstOfItsAttempt(p.rng.IntN(len(p.pending)))
		}
		ev := p.pending[i]
		p.pending = slices.Delete(p.pending, i, i+1)
		return ev
	}
	if t, ok := p.earliest(); ok {
		p.now = later(p.now, t.At)
		return Event{Kind: TimerFired, Timer: t}
	}
	if p.last.More {
		return Event{Kind: Continue}
	}
	p.t.Fatalf("nothing can happen any more after %s", historyLine(p.history[len(p.history)-1]))
	panic("unreachable")
}

// firstOfItsAttempt: what one source says of an attempt comes in its order, except that a callback may overtake the word
// that the request was submitted.
func (p *play) firstOfItsAttempt(i int) int {
	for j := range i {
		if p.pending[j].Attempt == p.pending[i].Attempt && p.pending[j].Kind == ActivityClaimed {
			return j
		}
	}
	return i
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (p *play) anyTask() Attempt {
	var list []Attempt
	for a := range p.tasks {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Attempt) int { return int(a.N) - int(b.N) })
	return list[p.rng.IntN(len(list))]
}

// feed makes a step with an event and has the world answer the tasks that it starts.
func (p *play) feed(ev Event) {
	p.t.Helper()
	ev.Now = p.now
	before := map[Attempt]bool{}
	for a := range p.tasks {
		before[a] = true
	}
	repeated := p.arrived(ev)
	was, refused := p.tasks[ev.Attempt], ev.Kind == RedriveRequested && p.root().NotRedrivable(p.now, p.lim) != ""
	res := p.step(ev)
	if repeated && !res.NoOp {
		p.t.Fatalf("an event was taken twice: %+v", ev)
	}
	if ev.Kind == RedriveRequested && res.NoOp != refused {
		p.t.Fatalf("redrive: no-op %v, refused %v", res.NoOp, refused)
	}
	if ev.Kind == TaskSucceeded && !res.NoOp && !res.Held && res.Status == Running {
		p.done[visit{ev.Attempt.Frame, was.State}] = true
	}
	if !res.NoOp && ev.Kind != Started && ev.Kind != Continue && ev.Kind != TaskHeartbeat && ev.Kind != StopRequested && ev.Kind != RedriveRequested {
		p.past = append(p.past, ev)
	}
	for _, c := range res.Commands {
		if c.Kind == RunTask && !before[c.Attempt] {
			if !p.wild && p.done[visit{c.Attempt.Frame, c.Task.State}] {
				p.t.Fatalf("%s has succeeded and runs again", c.Task.State)
			}
			p.pending = append(p.pending, p.answers(c)...)
		}
	}
}

func (p *play) arrived(ev Event) bool {
	for _, old := range p.past {
		if old.Kind == ev.Kind && old.Attempt == ev.Attempt && old.Timer == ev.Timer {
			return true
		}
	}
	return false
}

// answers are what the world says to a task: a function of what it is asked. The first tries of some fail.
func (p *play) answers(c Command) []Event {
	if p.wild && p.rng.IntN(12) == 0 {
		// It never answers, and is timed out; an activity's time counts from the claim.
		switch {
		case c.Task.Timeout == 0:
		case c.Task.Integration.Kind == asl.Activity:
			return []Event{{Kind: ActivityClaimed, Attempt: c.Attempt, Worker: "w"}}
		default:
			return nil
		}
	}
	said := machinetest.AnswerTo(c.Task.Arguments, p.wild)
	a := Event{Attempt: c.Attempt, Callback: true}
	if said.Failed {
		cause := "as it goes"
		a.Kind, a.Error, a.Cause = TaskFailed, &said.Error, &cause
	} else {
		a.Kind, a.Output = TaskSucceeded, value.TextString(said.Output)
	}
	switch {
	case strings.Contains(c.Task.Resource, "Token"):
		submitted := Event{Kind: TaskSubmitted, Attempt: c.Attempt, Output: value.TextString(`{"id":1}`)}
		return []Event{submitted, a}
	case strings.Contains(c.Task.Resource, "activity"):
		return []Event{{Kind: ActivityClaimed, Attempt: c.Attempt, Worker: "w"}, a}
	}
	a.Callback = false
	return []Event{a}
}

func (p *play) outcome() string {
	s := statusNames[p.root().Status()]
	if out := p.root().Output(p.pieces); out != nil {
		return s + " " + uuid.ReplaceAllString(out.String(), "U")
	}
	return s + fmt.Sprint(" ", *p.root().Error())
}

// events are the kinds of event of the history and whose they are, sorted: what happened, whatever the order.
func (p *play) events() []string {
	var list []string
	for _, e := range p.history {
		list = append(list, fmt.Sprint(e.Type, " ", e.Name, " ", e.Index))
	}
	slices.Sort(list)
	return list
}
