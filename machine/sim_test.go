package machine

import (
	"fmt"
	"hash/fnv"
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
	g := &generator{rng: rand.New(rand.NewPCG(seed, 1)), wild: wild}
	text := g.machine()
	input := fmt.Sprintf(`{"n":%d,"a":[1,2,3,4],"s":"%s"}`, g.rng.IntN(10), strings.Repeat("x", g.rng.IntN(1500)))
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

// generator makes random definitions. Every task's input says how often it was tried, so that what it answers can be a
// function of what it is asked.
type generator struct {
	rng    *rand.Rand
	wild   bool
	states int
}

func (g *generator) machine() string {
	timeout := ""
	if g.wild && g.rng.IntN(4) == 0 {
		timeout = `"TimeoutSeconds":20,`
	}
	return "{" + timeout + g.scope(3) + "}"
}

// scope is the inside of a States block's owner: a chain of states, some behind a Choice.
func (g *generator) scope(depth int) string {
	n := 1 + g.rng.IntN(4)
	names := make([]string, n)
	for i := range names {
		g.states++
		names[i] = fmt.Sprint("S", g.states)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `"StartAt":%q,"States":{`, names[0])
	for i, name := range names {
		next := `"End":true`
		if i+1 < n {
			next = fmt.Sprintf(`"Next":%q`, names[i+1])
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `%q:{%s}`, name, g.state(depth, next, names[n-1], i == n-1))
	}
	b.WriteString("}")
	return b.String()
}

func (g *generator) state(depth int, next, last string, end bool) string {
	k := g.rng.IntN(14)
	if depth == 0 && k >= 8 && k < 11 {
		k -= 3
	}
	switch k {
	case 0, 1:
		return `"Type":"Pass","ResultPath":"$.p","Parameters":{"u.$":"States.UUID()"},` + next
	case 2:
		return fmt.Sprintf(`"Type":"Wait","Seconds":%d,%s`, g.rng.IntN(5), next)
	case 3:
		if !end {
			target := strings.TrimPrefix(next, `"Next":`)
			return fmt.Sprintf(`"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":5,"Next":%q}],"Default":%s`, last, target)
		}
		return `"Type":"Succeed"`
	case 4, 5, 6, 7:
		if g.wild && end && g.rng.IntN(6) == 0 {
			return `"Type":"Fail","Error":"E1"`
		}
		return g.task(depth, next, last, end)
	case 8:
		var branches []string
		for range 1 + g.rng.IntN(3) {
			branches = append(branches, "{"+g.scope(depth-1)+"}")
		}
		return `"Type":"Parallel","ResultPath":"$.r",` + g.handlers(false, last, end) + `"Branches":[` + strings.Join(branches, ",\n") + "]," + next
	case 11, 12, 13:
		return g.variables(depth, next)
	default:
		return fmt.Sprintf(`"Type":"Map","ItemsPath":"$.a","MaxConcurrency":%d,"ResultPath":"$.r","ItemSelector":{"n.$":"$$.Map.Item.Value","a.$":"$.a","s.$":"$.s"},%s"ItemProcessor":{%s},%s`,
			g.rng.IntN(4), g.handlers(false, last, end), g.scope(depth-1), next)
	}
}

var resources = []string{
	"arn:aws:states:::lambda:invoke", "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
	"arn:aws:states:us-east-1:000000000000:activity:a", "arn:aws:lambda:us-east-1:000000000000:function:f",
}

// variables sets the variable of the scope's depth and reads those of this scope and the ones around it, in JSONata.
func (g *generator) variables(depth int, next string) string {
	of := depth + g.rng.IntN(4-depth)
	return fmt.Sprintf(`"Type":"Pass","QueryLanguage":"JSONata","Assign":{"d%d":"{%% {'n':$states.input.n,'was':$exists($d%d.n) ? $d%d.n : 'none','s':$states.input.s} %%}"},`+
		`"Output":"{%% $merge([$states.input,{'v%d':$exists($d%d) ? $d%d : 'none'}]) %%}",%s`, depth, depth, depth, of, of, of, next)
}

func (g *generator) task(depth int, next, last string, end bool) string {
	timers := ""
	r := resources[g.rng.IntN(len(resources))]
	if g.wild && g.rng.IntN(3) == 0 {
		timers = `"TimeoutSeconds":7,`
		if strings.Contains(r, "Token") {
			timers += `"HeartbeatSeconds":3,`
		}
	}
	if g.rng.IntN(3) == 0 {
		timers += fmt.Sprintf(`"Assign":{"t%d.$":"$","n%d.$":"$$.State.Name"},`, depth, depth)
	}
	return fmt.Sprintf(`"Type":"Task","Resource":%q,%s"ResultPath":"$.t%d","Parameters":{"try.$":"$$.State.RetryCount","state.$":"$$.State.Name","n.$":"$.n"},%s%s`,
		r, timers, g.rng.IntN(2), g.handlers(true, last, end), next)
}

// handlers are what a calm definition always has where failures happen, and a wild one now and then.
func (g *generator) handlers(task bool, last string, end bool) string {
	if !task && !g.wild {
		return ""
	}
	catch := ""
	if g.wild && !end && g.rng.IntN(2) == 0 {
		catch = fmt.Sprintf(`"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":%q}],`, last)
	}
	if g.wild && g.rng.IntN(2) == 0 {
		return catch
	}
	return catch + fmt.Sprintf(`"Retry":[{"ErrorEquals":["E1"],"MaxAttempts":3,"BackoffRate":1.5},{"ErrorEquals":["States.ALL"],"MaxAttempts":%d,"JitterStrategy":"FULL","IntervalSeconds":2}],`,
		2+g.rng.IntN(2))
}

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
	args := c.Task.Arguments.Value().(*value.Object)
	state, _ := args.Get("state")
	n, _ := args.Get("n")
	try, _ := args.Get("try")
	h := fnv.New64a()
	fmt.Fprint(h, state, n)
	sum := h.Sum64() >> 7
	tries, _ := strconv.Atoi(string(try.(value.Number)))
	fails := int(sum % 3) // 0, 1 or 2 failures first
	if p.wild {
		fails = int(sum % 6)
	}
	a := Event{Attempt: c.Attempt, Callback: true}
	if tries < fails {
		name, cause := fmt.Sprint("E", (sum>>8+uint64(tries))%3), "as it goes"
		a.Kind, a.Error, a.Cause = TaskFailed, &name, &cause
	} else {
		a.Kind = TaskSucceeded
		a.Output = value.TextString(fmt.Sprintf(`{"v":%d,"s":"%s"}`, sum%1000, strings.Repeat("y", int(sum%5)*400)))
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
