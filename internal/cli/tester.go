package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/mocks"
	"github.com/newel-run/newel/internal/node"
	"github.com/newel-run/newel/internal/suite"
	fsm "github.com/newel-run/newel/machine"
)

// tester runs suites on a private server whose time is skipped, and notes what they cover.
type tester struct {
	suites []*loadedSuite
	flags  *testFlags
	node   *node.Node
	client *client

	mu       sync.Mutex
	order    []string                   // files of machines, in the order of the suites
	coverage map[string]*suite.Coverage // by file
	machines map[string]*suite.Coverage // by state machine
	entered  map[string][]string        // states by execution
}

func (a *app) newTester(ctx context.Context, suites []*loadedSuite, f *testFlags) (*tester, error) {
	t := &tester{suites: suites, flags: f, coverage: map[string]*suite.Coverage{}, machines: map[string]*suite.Coverage{}, entered: map[string][]string{}}
	cases := mocks.Config{}
	for _, s := range suites {
		if t.coverage[s.Machine] == nil {
			t.coverage[s.Machine] = suite.NewCoverage(s.Machine, s.compiled)
			t.order = append(t.order, s.Machine)
		}
		t.machines[s.name] = t.coverage[s.Machine]
		cases[s.name] = map[string]*mocks.Case{}
		for i, c := range s.Cases {
			cases[s.name][strconv.Itoa(i)] = &c.Mocks
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if f.verbose {
		log = slog.New(slog.NewTextHandler(a.err, nil))
	}
	cfg := node.Config{Listen: "127.0.0.1:0", Memory: true, Account: "000000000000", Region: a.region, Version: Version, Log: log,
		Mocks: cases, SkipTime: true, Observer: t}
	var err error
	if t.node, err = node.Start(ctx, cfg); err != nil {
		return nil, err
	}
	t.client = a.local(t.node, cfg.Account)
	return t, nil
}

// Entered implements node.Observer.
func (t *tester) Entered(execution, state string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entered[execution] = append(t.entered[execution], state)
	if c := t.machines[machineOf(execution)]; c != nil {
		c.Entered(state)
	}
}

// Decided implements node.Observer.
func (t *tester) Decided(execution string, decisions []fsm.Decision) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.machines[machineOf(execution)]; c != nil {
		for _, d := range decisions {
			c.Decided(d)
		}
	}
}

// machineOf is the name of the state machine in the ARN of an execution; a distributed Map's child has its parent's.
func machineOf(execution string) string {
	parts := strings.Split(execution, ":")
	if len(parts) < 7 {
		return ""
	}
	name, _, _ := strings.Cut(parts[6], "/")
	return name
}

func (t *tester) covered() (all []*suite.Coverage) {
	for _, file := range t.order {
		all = append(all, t.coverage[file])
	}
	return all
}

// run runs the cases whose names match.
func (t *tester) run(ctx context.Context, only *regexp.Regexp) (runs []*suite.Run, err error) {
	for _, s := range t.suites {
		run := &suite.Run{Suite: s.Suite}
		in := map[string]string{"name": s.name, "definition": string(s.definition), "roleArn": "arn:aws:iam::" + t.client.account + ":role/newel-test"}
		if s.Express {
			in["type"] = "EXPRESS"
		}
		var created struct{ StateMachineArn string }
		if err := t.client.call(ctx, "states", "CreateStateMachine", in, &created); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Machine, err)
		}
		for i, c := range s.Cases {
			if !only.MatchString(c.Name) {
				continue
			}
			r := &suite.Result{Case: c}
			began := time.Now()
			err := t.runCase(ctx, s, created.StateMachineArn+"#"+strconv.Itoa(i), r)
			r.Real = time.Since(began)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				r.Wrong = []string{err.Error()}
			} else {
				r.Wrong = c.Expect.Check(&r.Outcome)
			}
			run.Results = append(run.Results, r)
		}
		if len(run.Results) > 0 {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// ended is what DescribeExecution and StartSyncExecution say of an execution.
type ended struct {
	ExecutionArn, Status, Error, Cause string
	Output                             *string
	StartDate, StopDate                float64
}

var notInExecutionNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

func (t *tester) runCase(ctx context.Context, s *loadedSuite, arn string, r *suite.Result) error {
	limited, cancel := context.WithTimeout(ctx, t.flags.timeout)
	defer cancel()
	name := strings.Trim(notInExecutionNames.ReplaceAllString(r.Case.Name, "-"), "-")
	in := map[string]string{"stateMachineArn": arn, "input": string(r.Case.Input), "name": name[:min(len(name), 60)] + "-" + arn[strings.LastIndexByte(arn, '#')+1:]}
	var out ended
	var err error
	if s.Express {
		if err = t.client.call(limited, "states", "StartSyncExecution", in, &out); limited.Err() != nil {
			err = fmt.Errorf("it did not end within %s", t.flags.timeout)
		}
	} else {
		err = t.standard(limited, in, &out)
	}
	if err != nil {
		return err
	}
	r.Outcome = suite.Outcome{Status: out.Status, Error: out.Error, Cause: out.Cause, Took: moment(out.StopDate).Sub(moment(out.StartDate))}
	if out.Output != nil {
		r.Outcome.Output = value.TextString(*out.Output)
	}
	r.Outcome.Path = t.path(s, out.ExecutionArn)
	return nil
}

func (t *tester) standard(ctx context.Context, in map[string]string, out *ended) error {
	if err := t.client.call(ctx, "states", "StartExecution", in, out); err != nil {
		return err
	}
	e := t.node.States().Engine()
	if _, err := e.Wait(ctx, out.ExecutionArn); err != nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		ctx = context.WithoutCancel(ctx)
		waits, _, err := e.Waits(ctx, out.ExecutionArn)
		_, stopped := e.Stop(ctx, out.ExecutionArn, nil, nil)
		if err := errors.Join(err, stopped); err != nil {
			return err
		}
		var states []string
		for _, w := range waits {
			if w.For != fsm.ForThreads {
				states = append(states, place(&w)+" ("+w.For+")")
			}
		}
		return fmt.Errorf("it did not end within %s; it waits in %s", t.flags.timeout, strings.Join(states, ", "))
	}
	return t.client.call(ctx, "states", "DescribeExecution", map[string]string{"executionArn": out.ExecutionArn}, out)
}

// path are the states of the machine's own thread that an execution has entered.
func (t *tester) path(s *loadedSuite, arn string) (path []string) {
	own := map[string]bool{}
	for _, st := range s.compiled.Root.States {
		own[st.Name] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, state := range t.entered[arn] {
		if own[state] {
			path = append(path, state)
		}
	}
	return path
}
