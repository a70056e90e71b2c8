// Package engine keeps executions: it loads one, lets machine.Step say what an event leads to, writes that in ONE
// transaction on the execution's partition, and carries out the commands once the transaction is durable.
//
// Authoritative is the store; everything in memory is a cache of it or a hint. Per execution:
//
//	x arn 'm'        meta: what never changes (definition revision, version, trace header)
//	x arn 'r'        root piece, preceded by the execution's revision, which every commit checks
//	x arn 'f' n      frames          x arn 'p' n   payloads
//	x arn 'v' state  how many tasks of a state were sent   x arn 'w' ...  and the numbers of its children's; of tests only
//	x arn 'd'        redrives: the tokens that they were asked for with
//	h arn firstID    history, one chunk a commit
//	o arn frame n    outbox: tasks that are sent and not answered; removed by the commit of the answer
//	j arn frame n    .sync tasks that have started their work; removed by the commit of the answer
//	y arn ...        what an ended or cancelled thing still owes: an answer to the task that waits for this execution, the
//	                 cancellation of the work of a .sync task
//	n arn            continuation: the last step ran out of budget
//	t due arn timer  timers, and the end of the retention of a finished execution
//	i machine start arn   the row that ListExecutions reads
//
// Order: Step is computed outside the partition's writer while the execution's lock is held; the transaction checks
// the revision and writes; the store returns when it is durable; only then commands are dispatched and callers
// answered. A crash before the commit loses nothing that anybody has seen; a crash after it finds the commands in the
// outbox, the timers and the continuations, which Start reads. Late, repeated and unknown answers change nothing.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Clock is the engine's time.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f after d; the function returned stops it.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Definitions finds definition revisions. A revision never changes; implementations cache them.
type Definitions interface {
	Definition(ctx context.Context, id string) (*asl.Definition, error)
}

// Dispatcher sends tasks. Run is called on a goroutine of its own, again after a crash under the same Token, and
// returns the outcome; ctx ends when the engine closes, and the outcome is then ignored.
type Dispatcher interface {
	Run(ctx context.Context, d Dispatch) Outcome
	// Cancel stops what a .sync task has started; it is called until it returns nil, also after a restart, and also for a
	// task that has started nothing.
	Cancel(ctx context.Context, d Dispatch) error
}

// Dispatch is one task to be sent.
type Dispatch struct {
	ExecutionARN string
	MachineARN   string
	Attempt      machine.Attempt
	Task         *machine.Task
	Token        aws.Token
	// Started is when the task's timers began.
	Started time.Time
	// Test is the test case that the execution was started on, nil for none; Visit is then the number of the task among
	// those of its state, from 0, in the order in which they began.
	Test  *Test
	Visit int
	// Trace is the trace header that the task hands on; "" if its execution is not traced.
	Trace string
}

// Outcome is what sending a task led to.
type Outcome struct {
	Kind         OutcomeKind
	First        OutcomeKind // of an answer that was there at once: what comes before it, TaskSubmitted or TaskClaimed
	Output       *value.Doc  // Succeeded: the result; Submitted: the response of the call
	Error, Cause *string     // Failed
	Exchange     *Exchange   // of an HTTP task; nil for every other
}

// Exchange is what went to an HTTP API and what came back, for TestState to show.
type Exchange struct {
	Full, Public HTTPMessage // the request: whole, and without what the connection has added
	Answer       *HTTPMessage
}

// HTTPMessage is a request or an answer. Headers are in the form that TestState gives them.
type HTTPMessage struct {
	Protocol, Method, URL, Headers, Body string
	StatusCode, StatusMessage            string
}

// OutcomeKind says what an outcome is.
type OutcomeKind uint8

// The kinds of outcome.
const (
	TaskSucceeded OutcomeKind = iota + 1
	TaskFailed
	TaskSubmitted  // accepted; the answer comes by task token
	TaskQueued     // an activity's task waits for its worker: the outbox keeps it until a worker claims it
	TaskUnanswered // nobody will answer it: a mock's way to have it time out
	TaskClaimed    // an activity's task has its worker; only as First
)

// TestClock says whether an engine's time can be moved on; see Engine.Skip.
type TestClock uint8

// The kinds of test clock.
const (
	NoTestClock TestClock = iota
	SkipOnDemand
	SkipWhenIdle // Waits and retry delays are over as soon as nothing else is left to be done
)

// Config is what an engine is made of.
type Config struct {
	Store       store.Store
	Definitions Definitions
	// Unlock makes the payload of a task from the outbox readable; nil: it is. While it fails the task waits.
	Unlock     func(ctx context.Context, payload []byte) ([]byte, error)
	Dispatcher Dispatcher
	Clock      Clock // nil: the system's
	// TestClock lets the time be moved on, for tests of state machines.
	TestClock TestClock
	Log       *slog.Logger
	Limits    machine.Limits
	// Retention is how long finished executions are kept; 0 means AWS's 90 days.
	Retention time.Duration
	// Spawn starts a goroutine that may do much before it asks for anything, in a world in which they take turns; nil: go.
	Spawn func(f func())
	// Cached is how many executions stay in memory between events; 0 means 4,096.
	Cached int
	Bounds
	// Pace is told after each commit how many states it has entered, and answers how long the machine's tasks and further
	// steps have to wait; nil: not at all.
	Pace func(machineARN string, transitions int) time.Duration
	// Gone reports whether there is no activity of that ARN, as an execution sees it; nil: none is gone. It is asked while
	// a step is worked out, must be quick and must not call the engine.
	Gone func(ctx context.Context, execution, activity string) bool
	// Finished is called after the commit that ends an execution; nil for none.
	Finished func(arn string, status machine.Status)
	// Ended is called after the end of an execution of either type, for metrics; nil for none.
	Ended func(e *End)
	// History is called after each commit with the events that it has added, and how often the execution was redriven by
	// then, for logs; nil for none. It must not block.
	History func(arn string, m *Meta, redrives uint32, events []machine.HistoryEvent)
	// Decided is called after each commit with what was chosen in it, and after each step of an Express execution; nil for
	// none. It must not block.
	Decided func(execution string, decisions []machine.Decision)
	// Changed is asked before the commit of an execution's start or end what is to be written with it; nil for nothing. It
	// must be quick and must not call the engine.
	Changed func(c *Change) Write
	// Tracing is told of what traces are made of; nil for no traces.
	Tracing Tracing
	// Result is what a finished execution answers to the .sync task that waits for it.
	Result func(d *Description, parsed bool) Outcome
}

// End is the end of an execution.
type End struct {
	ARN string
	*Meta
	Status   machine.Status
	Took     time.Duration // since its start
	Stop     time.Time
	Express  bool
	Redriven bool // at least once
}

// Tracing follows executions for traces. The spans of a Standard execution are made of its history after its end, which
// Config.Changed tells. Its methods are quick and do not call the engine.
type Tracing interface {
	// Header is the trace header of a task that an event has scheduled, "" if the execution is not traced.
	Header(arn string, m *Meta, event int64) string
	// Express takes the history of an Express execution that has ended, which is kept nowhere. What it returns is written
	// with the end of one whose start was stored; nil for nothing.
	Express(arn string, m *Meta, history []machine.HistoryEvent, stored bool) Write
}

// Engine runs executions on the partitions of one store.
type Engine struct {
	cfg   Config
	parts []*partition

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	work   sync.WaitGroup // dispatches, continuations, timer loop
	crew   *crew

	tasks    *fair // dispatches
	steps    *fair // continuations
	settling *fair // debts
	firing   *fair // due timers

	stats  stats
	timers timerLoop
	watch  watchers
	test   *testClock // nil without one
}

// partition is the in-memory side of one partition: caches and hints only.
type partition struct {
	id     store.Partition
	cache  cache
	outbox outbox
	firing firing
}

// Errors of the engine.
var (
	// ErrNotFound: there is no such execution.
	ErrNotFound = errors.New("engine: execution does not exist")
	// ErrExists: an execution of that name exists that the start does not repeat.
	ErrExists = errors.New("engine: execution already exists")
	// ErrToken: the task token is malformed or was not made here.
	ErrToken = errors.New("engine: invalid task token")
)

// New makes an engine; it does nothing before Start.
func New(cfg Config) *Engine {
	if cfg.Clock == nil {
		cfg.Clock = systemClock{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Retention == 0 {
		cfg.Retention = 90 * 24 * time.Hour
	}
	if cfg.Cached == 0 {
		cfg.Cached = 4096
	}
	cfg.Bounds = cfg.Bounds.withDefaults()
	e := &Engine{cfg: cfg}
	if cfg.TestClock != NoTestClock {
		e.test = &testClock{Clock: cfg.Clock, naps: map[*nap]bool{}, never: map[pendingKey]bool{}}
		e.cfg.Clock = e.test
		if cfg.TestClock == SkipWhenIdle {
			e.test.idle = make(chan struct{}, 1)
		}
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	n := cfg.Store.Partitions()
	e.parts = make([]*partition, n)
	for i := range e.parts {
		e.parts[i] = &partition{id: store.Partition(i), outbox: outbox{numbering: newTurn()}}
		e.parts[i].cache.init(max(cfg.Cached/n, 4), cfg.CachedBytes/int64(n), &e.stats.evicted)
	}
	e.crew = newCrew(e.ctx, &e.work)
	e.tasks = newFair(cfg.TasksAtOnce, cfg.TaskBytes, e.cfg.Clock, e.crew.run)
	e.steps = newFair(stepsAtOnce, math.MaxInt64, e.cfg.Clock, e.crew.run)
	e.settling = newFair(debtsAtOnce, math.MaxInt64, e.cfg.Clock, e.crew.run)
	e.firing = newFair(firingAtOnce, math.MaxInt64, e.cfg.Clock, e.spawn)
	e.timers.init(e)
	e.watch.init()
	return e
}

// partitionOf is the partition of an execution: a hash of its ARN.
func (e *Engine) partitionOf(arn string) *partition {
	return e.parts[store.Place(len(e.parts), arn)]
}

// Partition is where an execution lies.
func (e *Engine) Partition(arn string) store.Partition { return e.partitionOf(arn).id }

// Start resumes what the store holds: unanswered tasks are sent again, unfinished steps continue, due timers fire. It
// returns when all of it is under way. What it reads is proportional to that, not to the number of executions.
func (e *Engine) Start(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(e.parts))
	gate := make(chan struct{}, 8)
	resumed := make([]resume, len(e.parts))
	for i, p := range e.parts {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			resumed[i], errs[i] = e.recover(ctx, p)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, p := range e.parts {
		for _, entry := range resumed[i].tasks {
			e.dispatch(p, entry)
		}
		for _, arn := range resumed[i].continuations {
			e.resume("", arn)
		}
		for _, d := range resumed[i].debts {
			e.settle(p, d)
		}
		for _, arn := range resumed[i].express {
			e.resumeExpress(p, arn)
		}
		e.stats.standard.open.Add(resumed[i].open)
		if resumed[i].due != 0 {
			e.timers.hint(p.id, resumed[i].due)
		}
	}
	e.work.Go(e.timers.run)
	if e.test != nil && e.test.idle != nil {
		e.work.Go(e.skipWhenIdle)
	}
	return nil
}

// Close stops dispatching and waits for what is under way; the rest is resumed by the next Start.
func (e *Engine) Close() {
	e.cancel()
	e.tasks.close()
	e.steps.close()
	e.work.Wait()
}

// spawn starts a goroutine that Close waits for.
func (e *Engine) spawn(f func()) {
	if e.cfg.Spawn == nil {
		e.work.Go(f)
		return
	}
	e.work.Add(1)
	e.cfg.Spawn(func() {
		defer e.work.Done()
		f()
	})
}

func (e *Engine) now() time.Time { return e.cfg.Clock.Now().UTC().Truncate(time.Millisecond) }

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }
func (systemClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}
