package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

// clients are those who call the engine, and what they have been told.
type clients struct {
	definitions  map[string]*asl.Definition
	childMachine string
	executions   []*execution
	express      []*express
	busy         int // what is not over yet
	observed     int
}

// execution is one that a client started, or is about to.
type execution struct {
	machine, name, input string
	arn                  string
	tries                int
	acknowledged         bool
	started              time.Time // zero if it was found to be there
	redrives             int
	stops                int
	outcome              string
	seen                 []string // the longest history that was shown, an event a line
}

// express is an Express execution.
type express struct {
	machine, name string
	input         string
	sync          bool
	acknowledged  bool
	ended         int
	outcome       string
}

func (x *express) arn() string {
	return "arn:aws:states:us-east-1:000000000000:express:" + x.machine + ":" + x.name + ":1"
}

// Definition implements engine.Definitions.
func (c *clients) Definition(_ context.Context, id string) (*asl.Definition, error) {
	if d := c.definitions[id]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("sim: no definition %s", id)
}

func machineARN(name string) string {
	return "arn:aws:states:us-east-1:000000000000:stateMachine:" + name
}

func executionARN(machine, name string) string {
	return "arn:aws:states:us-east-1:000000000000:execution:" + machine + ":" + name
}

func (w *World) startOf(definition, name, input string) engine.StartInput {
	in := engine.StartInput{Definition: definition, Start: machine.Start{
		ARN: executionARN(definition, name), Name: name, MachineARN: machineARN(definition), MachineName: definition,
		RoleARN: "arn:aws:iam::000000000000:role/r", Region: "us-east-1", Input: value.TextString(input),
	}}
	copy(in.Seed[:], "seed of "+name)
	return in
}

// caller is the context key of a client's label, by which those who ask the store for the same are told apart.
type caller struct{}

// onEngine has a client call the engine of the process that is there, waiting until one is. The answer may be lost. An
// action may call it once: of two calls that begin together one could overtake the other.
func (w *World) onEngine(label string, run func(context.Context, *engine.Engine) error, then func(error)) {
	p := w.live
	if p == nil || !p.up || p.ending {
		w.later(w.between(20*time.Millisecond, 500*time.Millisecond), "wait "+label, func() { w.onEngine(label, run, then) })
		return
	}
	go func() {
		err := run(context.WithValue(context.Background(), caller{}, label), p.engine)
		w.soon("done "+label, func() {
			if p.dead() {
				err = errDied // an answer that it gave in dying has reached nobody
			}
			if err == nil && w.stormy() && w.profile.loses > 0 && w.chance(3*w.profile.loses) {
				w.count("answers lost")
				err = errLost
			}
			if errors.Is(err, engine.ErrNotFound) {
				w.violated("%s: there is no such execution", label)
			}
			then(err)
		})
	}()
}

// again has a client try once more in a while.
func (w *World) again(label string, do func()) {
	w.busy++
	w.later(w.between(50*time.Millisecond, 2*time.Second), "again "+label, func() {
		w.busy--
		do()
	})
}

// startExecution is a client that starts an execution, until it is told that it runs.
func (w *World) startExecution(x *execution, client int) {
	w.busy++
	label := fmt.Sprintf("start %s by %d", x.name, client)
	var at time.Time
	x.tries++
	w.onEngine(label, func(ctx context.Context, e *engine.Engine) (err error) {
		at, err = e.StartExecution(ctx, w.startOf(x.machine, x.name, x.input))
		return err
	}, func(err error) {
		w.busy--
		switch {
		case errors.Is(err, engine.ErrExists):
			if x.tries == 1 || x.redrives == 0 && w.statusOf(x.arn) == machine.Running {
				w.violated("a start of %s is refused", x.name)
			}
			x.acknowledged = true
		case err != nil:
			w.again(label, func() { w.startExecution(x, client) })
		case x.started.IsZero():
			x.acknowledged, x.started = true, at
		case !x.started.Equal(at):
			w.violated("a start of %s is answered with %s, then with %s", x.name, x.started, at)
		}
	})
}

// startOther uses the name of an execution with another input.
func (w *World) startOther(x *execution) {
	w.onEngine("other start "+x.name, func(ctx context.Context, e *engine.Engine) (err error) {
		_, err = e.StartExecution(ctx, w.startOf(x.machine, x.name, `{"n":0,"a":[],"s":"other"}`))
		return err
	}, func(err error) {
		if err == nil || errors.Is(err, errLost) {
			w.violated("the name of %s is given twice", x.name)
		}
	})
}

// disturbExecution stops an execution, redrives it, looks at it, or starts it once more.
func (w *World) disturbExecution() {
	x := w.executions[w.random.IntN(len(w.executions))]
	if !x.acknowledged || !w.stormy() {
		return
	}
	switch w.random.IntN(5) {
	case 0:
		if x.stops < 3 {
			w.stop(x)
		}
	case 1:
		if x.redrives < 8 {
			w.redrive(x)
		}
	case 2:
		w.startOther(x)
	default:
		w.observe(x)
	}
}

func (w *World) stop(x *execution) {
	x.stops++
	w.count("stops")
	w.onEngine(fmt.Sprint("stop ", x.name, " ", x.stops), func(ctx context.Context, e *engine.Engine) error {
		_, err := e.Stop(ctx, x.arn, nil, nil)
		return err
	}, func(error) {})
}

// redrive asks for a redrive until it is answered, and then again under the same token.
func (w *World) redrive(x *execution) {
	x.redrives++
	token := fmt.Sprint("redrive ", x.name, " ", x.redrives)
	w.tryRedrive(x, token, func(date time.Time) {
		if !w.chance(2) {
			return
		}
		w.tryRedrive(x, token, func(again time.Time) {
			if !again.Equal(date) {
				w.violated("%s is answered with %s, then with %s", token, date, again)
			}
		})
	})
}

func (w *World) tryRedrive(x *execution, token string, then func(date time.Time)) {
	w.busy++
	var date time.Time
	w.onEngine(token, func(ctx context.Context, e *engine.Engine) (err error) {
		date, err = e.Redrive(ctx, x.arn, engine.RedriveInput{Token: token})
		return err
	}, func(err error) {
		var refused *engine.NotRedrivable
		switch {
		case errors.As(err, &refused):
		case err != nil:
			w.again(token, func() { w.tryRedrive(x, token, then) })
		default:
			w.count("redrives")
			then(date)
		}
		w.busy--
	})
}

// watch is a client that looks at one execution after the other.
func (w *World) watch() {
	if !w.stormy() {
		return
	}
	if x := w.executions[w.random.IntN(len(w.executions))]; x.acknowledged {
		w.observe(x)
	}
	w.later(w.between(0, 400*time.Millisecond), "watch", w.watch)
}

// observe looks at an execution and at the list: what was shown before stays.
func (w *World) observe(x *execution) {
	var lines []string
	var rows []engine.Row
	w.observed++
	w.onEngine(fmt.Sprint("observe ", x.name, " ", w.observed), func(ctx context.Context, e *engine.Engine) error {
		events, _, err := e.History(ctx, x.arn, engine.HistoryQuery{Max: 100_000})
		lines = historyLines(events)
		if err == nil {
			rows, _, err = e.List(ctx, engine.ListQuery{MachineARN: machineARN(x.machine), Max: 1000})
		}
		return err
	}, func(err error) {
		if err != nil {
			return
		}
		w.sawHistory(x, lines)
		if !slices.ContainsFunc(rows, func(r engine.Row) bool { return r.ARN == x.arn }) {
			w.violated("%s is not in the list", x.name)
		}
	})
}

func (w *World) sawHistory(x *execution, lines []string) {
	n := min(len(lines), len(x.seen))
	if !slices.Equal(lines[:n], x.seen[:n]) {
		w.violated("the history of %s that was shown is another now", x.name)
	}
	if len(lines) > len(x.seen) {
		x.seen = lines
	}
}

// startExpress starts an Express execution or runs it to its end.
func (w *World) startExpress(x *express) {
	in := w.startOf(x.machine, x.name, x.input)
	in.ARN, in.Express = x.arn(), true
	w.busy++
	w.onEngine("express "+x.name, func(ctx context.Context, e *engine.Engine) error {
		if !x.sync {
			_, err := e.StartExpress(ctx, in)
			return err
		}
		res, err := e.RunExpress(ctx, in)
		if err == nil {
			x.outcome = outcome(res.Status, res.Output, res.Error)
		}
		return err
	}, func(err error) {
		w.busy--
		if err != nil {
			w.again("express "+x.name, func() { w.startExpress(x) })
			return
		}
		x.acknowledged = true
	})
}

// expressEnded is engine.Config.Ended.
func (w *World) expressEnded(end *engine.End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.express {
		if end.ARN == x.arn() {
			x.ended++
		}
	}
}

// result is engine.Config.Result: what an execution that has ended answers to the task that waits for it.
func (w *World) result(d *engine.Description, _ bool) engine.Outcome {
	if d.Root.Status() == machine.Succeeded {
		return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(`{"Output":` + d.Output.String() + `}`)}
	}
	name, cause := "States.TaskFailed", "the child has not succeeded"
	return engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &cause}
}
