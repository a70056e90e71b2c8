package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
	"github.com/newel-run/newel/machine/machinetest"
)

// Options say what is run.
type Options struct {
	Seed uint64
	// Wild definitions have failures that end things: the invariants count, not the outcome.
	Wild   bool
	Mutant Mutant
	// Trace keeps all lines of the trace.
	Trace bool
}

// Report is what came of a run.
type Report struct {
	Failure error // nil: nothing was found
	Hash    uint64
	Lines   []string       // of the trace, the last ones
	Counts  map[string]int // of what happened
	Steps   int
	Texts   string // the definitions and executions
}

// Run makes the run of a seed: the same executions in an undisturbed world and in a disturbed one. It is called in a bubble
// of testing/synctest, and leaves no goroutine.
func Run(o Options) Report {
	script := newScript(o)
	still := newWorld(script, o, calm(o.Wild), 2)
	if o.Mutant != Sound {
		still.mutant = Sound
	}
	if still.play(); still.failure != nil {
		return still.report(script, fmt.Errorf("undisturbed: %w", still.failure))
	}
	w := newWorld(script, o, disturbed(rand.New(rand.NewPCG(o.Seed, 3)), o.Wild), 4)
	w.play()
	err := w.failure
	if err == nil && !o.Wild {
		err = compare(still, w)
	}
	return w.report(script, err)
}

func (w *World) report(s *script, err error) Report {
	lines := w.lines
	if !w.keepAll {
		lines = lines[max(0, len(lines)-keptLines):]
	}
	return Report{Failure: err, Hash: w.trace.Sum64(), Lines: lines, Counts: w.counts, Steps: w.steps, Texts: s.String()}
}

// script is what is to be run, whatever the world.
type script struct {
	texts       map[string]string
	definitions map[string]*asl.Definition
	executions  []execution
	express     []express
}

func newScript(o Options) *script {
	r := rand.New(rand.NewPCG(o.Seed, 1))
	s := &script{texts: map[string]string{}, definitions: map[string]*asl.Definition{}}
	function := []string{"arn:aws:states:::lambda:invoke"}
	parents := append(machinetest.Resources(), "arn:aws:states:::states:startExecution.sync:2")
	s.define("c", &machinetest.Generator{Random: r, Wild: o.Wild, Depth: 1})
	s.define("x", &machinetest.Generator{Random: r, Depth: 1, Resources: function})
	for i := range 1 + r.IntN(2) {
		g := &machinetest.Generator{Random: r, Wild: o.Wild, Depth: 1 + r.IntN(2), Resources: parents}
		name := fmt.Sprint("m", i)
		s.define(name, g)
		for j := range 1 + r.IntN(2) {
			x := execution{machine: name, name: fmt.Sprintf("%s-%d", name, j), input: g.Input()}
			x.arn = executionARN(name, x.name)
			s.executions = append(s.executions, x)
		}
	}
	g := &machinetest.Generator{Random: r}
	for i := range r.IntN(3) {
		s.express = append(s.express, express{machine: "x", name: fmt.Sprint("x-", i), sync: r.IntN(2) == 0, input: g.Input()})
	}
	return s
}

func (s *script) define(name string, g *machinetest.Generator) {
	text := g.Machine()
	d, problems := asl.Compile([]byte(text), asl.Options{})
	if d == nil {
		panic(fmt.Sprint("sim: definition: ", problems, "\n", text))
	}
	s.texts[name], s.definitions[name] = text, d
}

func (s *script) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.texts)) {
		fmt.Fprintf(&b, "%s: %s\n", name, s.texts[name])
	}
	for _, x := range s.executions {
		fmt.Fprintf(&b, "%s: %s\n", x.name, x.input)
	}
	return b.String()
}

func newWorld(s *script, o Options, p profile, stream uint64) *World {
	w := &World{
		random: rand.New(rand.NewPCG(o.Seed, stream)), profile: p, mutant: o.Mutant, start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
		disk: newDisk(partitions), outside: newOutside(), clients: &clients{definitions: s.definitions, childMachine: "c"},
		trace: newTrace(), keepAll: o.Trace, counts: map[string]int{},
	}
	w.now = w.start
	w.until = w.start.Add(p.storm)
	for _, x := range s.executions {
		w.executions = append(w.executions, &x)
	}
	for _, x := range s.express {
		w.express = append(w.express, &x)
	}
	return w
}

// play runs the world to its end and checks it.
func (w *World) play() {
	defer func() {
		if r := recover(); r != nil {
			v, ok := r.(violation)
			if !ok {
				panic(r)
			}
			w.failure = fmt.Errorf("%s (action %d)", v.text, w.steps)
		}
		w.end()
	}()
	w.boot()
	w.schedule()
	for !w.over() {
		w.weather()
		if !w.step(w.start.Add(100 * 24 * time.Hour)) {
			w.violated("nothing can happen any more")
		}
	}
	for _, x := range w.executions {
		d := w.describe(x.arn)
		x.outcome = outcome(d.Root.Status(), d.Output, d.Root.Error())
	}
	w.checkExecutions()
	w.checkLeftovers()
	w.checkTokens()
	w.checkRestart()
	w.checkRetention()
}

// schedule has clients start executions.
func (w *World) schedule() {
	when := func() time.Duration { return w.between(0, w.profile.storm/4) }
	for _, x := range w.executions {
		for client := range 1 + w.random.IntN(3) {
			w.later(when(), fmt.Sprint("client ", client, " of ", x.name), func() { w.startExecution(x, client) })
			if !w.profile.disturbed {
				break
			}
		}
	}
	if w.profile.disturbed {
		w.later(when(), "watch", w.watch)
	}
	for _, x := range w.express {
		w.later(when(), "client of "+x.name, func() { w.startExpress(x) })
	}
}

// over reports whether all has been done. An execution of a calm definition that was stopped is redriven until it ends by
// itself.
func (w *World) over() bool {
	if w.busy < 0 {
		panic("sim: more is over than was begun")
	}
	if w.settle(); len(w.ready) > 0 || w.busy > 0 || len(w.queue) > 0 || w.stormy() || w.live == nil || !w.live.up {
		w.checkStuck()
		return false
	}
	if len(w.future) > 0 && w.future[0].due.Before(w.now.Add(time.Second)) {
		return false
	}
	over := !w.unfinished()
	for _, arn := range w.stored() {
		over = over && w.statusOf(arn) != machine.Running
	}
	for _, x := range w.executions {
		over = over && x.acknowledged
		if over && !w.profile.wild && w.statusOf(x.arn) == machine.Aborted {
			w.redrive(x)
			over = false
		}
	}
	for _, x := range w.express {
		over = over && x.acknowledged && (x.sync || x.ended > 0)
	}
	if !over {
		w.checkStuck()
	}
	return over
}

// unfinished reports whether the store holds what is to be done: tasks, continuations, debts, Express executions.
func (w *World) unfinished() (found bool) {
	for _, part := range w.disk.parts {
		for _, table := range []byte{store.TableOutbox, store.TableContinue, store.TableDebt, store.TableExpress} {
			part.durable.Ascend(string(store.K(table)), func(k string, _ []byte) bool {
				numbers := k == string(outboxNumbers)
				found = found || k[0] == table && !numbers
				return numbers
			})
		}
		found = found || len(part.staged) > 0
	}
	return found
}

// patience is how long after the storm everything must have come to its end.
const patience = time.Hour

func (w *World) checkStuck() {
	if w.now.Before(w.until.Add(patience)) {
		return
	}
	for _, arn := range w.stored() {
		if w.statusOf(arn) == machine.Running {
			w.violated("%s does not end", arn)
		}
	}
	w.violated("the run does not come to rest")
}

// end leaves no goroutine behind.
func (w *World) end() {
	for _, p := range w.processes {
		if !p.dead() {
			close(p.died)
		}
	}
	w.settle()
	for _, p := range w.processes {
		p.engine.Close()
	}
}

// compare holds the disturbed run of calm definitions against the undisturbed one.
func compare(still, w *World) error {
	stops, failed := 0, false
	for i, x := range w.executions {
		if x.outcome != still.executions[i].outcome {
			return fmt.Errorf("disturbed, %s comes to something else:\n%s\n%s", x.name, still.executions[i].outcome, x.outcome)
		}
		stops += x.stops
		failed = failed || !strings.HasPrefix(x.outcome, "SUCCEEDED")
	}
	for i, x := range w.express {
		// A clock that is set back holds up what waits by it, and Express executions have five minutes.
		late := w.counts["clock jumps"] > 0 && strings.HasPrefix(x.outcome, "TIMED_OUT")
		if x.sync && !late && x.outcome != still.express[i].outcome {
			return fmt.Errorf("disturbed, %s comes to something else:\n%s\n%s", x.name, still.express[i].outcome, x.outcome)
		}
	}
	if stops > 0 || failed {
		return nil // what was stopped, or aborted by a failure beside it, is done again or not at all
	}
	if !maps.Equal(still.done, w.done) {
		return fmt.Errorf("disturbed, something else is done:\n%v\n%v", still.done, w.done)
	}
	return nil
}
