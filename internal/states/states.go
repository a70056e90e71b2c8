// Package states is the AWS Step Functions API over internal/engine.
//
// A state machine is a head record (what can change) and one record a revision (what an execution keeps for its whole
// life: definition, role, logging, tracing, encryption). Revisions are immutable, so executions name theirs by id and
// every node may cache them; deleting a machine removes its head and leaves the revisions to the executions that still
// need them. All records of a machine live on the partition of its ARN.
package states

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/maprun"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Service answers the Step Functions API.
type Service struct {
	*service.Service
	env       *service.Env
	engine    *engine.Engine
	revisions *revisions
	// definitions are revisions for whoever writes data of their executions: sealed knows their keys then.
	definitions learning
	sealed      *sealedStore
	resource    func(i asl.Integration, resource string) string
	model       *aws.Service
	hasTest     func(machine, name string) bool
	polls       *polls
	lines       lines
	removals    sync.WaitGroup // of claimed tasks from the queues of activities
	logger      *logger
	meter       *meter
	maps        *maprun.Runs
	admission   func(operation, account, region string) *aws.Error
	pollersMost int
	// Of TestState: where an unmocked task goes, and Config.MockProblem.
	dispatcher  engine.Dispatcher
	mockProblem func(i asl.Integration, result []byte, required bool) string
}

// scheduleActivityTask is an operation that only this server's tasks call.
const scheduleActivityTask = "ScheduleActivityTask"

// Config is what the API needs beside the common environment.
type Config struct {
	Env        *service.Env
	Dispatcher engine.Dispatcher
	// Resource says why a Task's Resource cannot be run here; "" if it can (see asl.Options).
	Resource func(i asl.Integration, resource string) string
	// MockProblem says in AWS's words why a task cannot give a result that TestState is to take as its own; "" if it can.
	// required asks for the members that the API model requires. nil: it can give anything.
	MockProblem func(i asl.Integration, result []byte, required bool) string
	Limits      machine.Limits
	// Changed is engine.Config.Changed, with how the execution's data is kept; nil for nothing to write.
	Changed func(c *engine.Change, p *service.Protection) engine.Write
	Clock   engine.Clock
	// Entered and Decided tell tests what an execution covers: each state that it enters, and engine.Config.Decided; nil for
	// none.
	Entered func(execution, state string)
	Decided func(execution string, decisions []machine.Decision)
	// Tracing makes traces of executions; nil for none.
	Tracing Tracing
	// Bounds and Pace are the engine's.
	Bounds engine.Bounds
	Pace   func(machineARN string, transitions int) time.Duration
	// Admit is asked before a client's start, whose operation is named with the machine's type, and may refuse it; nil: it
	// does not.
	Admit func(operation, account, region string) *aws.Error
	// Pollers bounds the workers that wait for tasks of one activity; 0: no bound.
	Pollers int
	// TestClock lets the engine's time be moved on.
	TestClock engine.TestClock
	// HasTest reports whether a machine has a test case of a name; nil: StartExecution knows no test cases.
	HasTest func(machine, name string) bool
}

// New makes the service and its engine; Start begins the engine's work.
func New(cfg Config) *Service {
	s := &Service{
		env: cfg.Env, resource: cfg.Resource, model: aws.MustModel("states"), polls: newPolls(), hasTest: cfg.HasTest,
		dispatcher: cfg.Dispatcher, mockProblem: cfg.MockProblem, admission: cfg.Admit, pollersMost: cfg.Pollers,
	}
	if s.mockProblem == nil {
		s.mockProblem = func(asl.Integration, []byte, bool) string { return "" }
	}
	s.revisions = newRevisions(cfg.Env)
	s.logger = newLogger(s)
	s.meter = newMeter(s)
	s.sealed = newSealedStore(cfg.Env)
	s.definitions = learning{s.revisions, s.sealed}
	runs := *cfg.Env
	runs.Store = s.sealed
	s.maps = maprun.New(maprun.Config{Env: &runs, PayloadBytes: cfg.Limits.PayloadBytes}, executions{s})
	s.engine = engine.New(engine.Config{
		Store: s.sealed, Definitions: s.definitions, Unlock: s.sealed.unlock, Dispatcher: dispatcher{cfg.Dispatcher, s, mocking(cfg.Dispatcher)}, Clock: cfg.Clock,
		TestClock: cfg.TestClock, Bounds: cfg.Bounds, Pace: s.pace(cfg.Pace),
		Log: cfg.Env.Log, Limits: cfg.Limits, Result: nestedResult, Changed: s.changed(cfg), Tracing: s.tracing(cfg.Tracing), Finished: s.maps.Finished,
		History: func(execution string, x *engine.Meta, redrives uint32, events []machine.HistoryEvent) {
			s.logger.add(execution, x, redrives, events)
			s.meter.history(execution, x, events)
			tell(cfg.Entered, execution, events)
		},
		Ended: s.ended, Gone: s.gone(), Decided: cfg.Decided,
	})
	s.Service = service.New("states", cfg.Env, s.rows())
	s.Place = func(_, _, key string) store.Partition { return store.Place(cfg.Env.Store.Partitions(), key) }
	s.KeyFault = keyFault
	return s
}

// ended is told of every execution's end.
func (s *Service) ended(e *engine.End) {
	s.meter.ended(e)
	if s.env.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.env.Log.Debug("execution ended", "execution", e.ARN, "status", statusName(e.Status), "durationMs", e.Took.Milliseconds())
	}
}

// began notes which request has started an execution.
func (s *Service) began(c *service.Context, arn string) {
	if s.env.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.env.Log.Debug("execution started", "execution", arn, "request", c.ID)
	}
}

// Engine is the engine under the API.
func (s *Service) Engine() *engine.Engine { return s.engine }

// Start resumes what was running.
func (s *Service) Start(ctx context.Context) error {
	s.logger.start()
	if err := s.engine.Start(ctx); err != nil {
		return err
	}
	return s.maps.Start(ctx)
}

// Close stops the engine.
func (s *Service) Close() {
	s.maps.Close()
	s.engine.Close()
	s.removals.Wait()
	s.logger.close()
}

// Call checks the input against the API model, in AWS's words, before the operation looks at it.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if op := s.model.Operations[r.Operation]; op != nil && op.Input != nil {
		if err := op.Input.Validate(r.Input); err != nil {
			return nil, err
		}
	}
	if r.Operation == "CreateStateMachine" || r.Operation == "UpdateStateMachine" {
		if err := s.checkLogGroup(ctx, r); err != nil {
			return nil, err
		}
	}
	return s.Service.Call(ctx, r)
}

// rows is the table of operations with the partition that each works on: the machine's for what touches a machine
// record, the engine's own placement for executions (Do), all of them for lists.
func (s *Service) rows() []service.Operation {
	do := func(f func(context.Context, *service.Context) (any, error)) func(context.Context, *service.Context) (*aws.Output, error) {
		return func(ctx context.Context, c *service.Context) (*aws.Output, error) {
			v, err := f(ctx, c)
			if err != nil {
				return nil, wire(err)
			}
			return service.Answer(v), nil
		}
	}
	return []service.Operation{
		{Name: "CreateStateMachine", Key: machineByName, Update: s.createStateMachine},
		{Name: "UpdateStateMachine", Key: machineByARN, Update: s.updateStateMachine},
		{Name: "DeleteStateMachine", Key: machineByARN, Update: s.deleteStateMachine},
		{Name: "DescribeStateMachine", Key: machineByARN, View: s.describeStateMachine},
		{Name: "ListStateMachines", Do: do(s.listStateMachines)},
		{Name: "ValidateStateMachineDefinition", Do: do(s.validateDefinition)},
		{Name: "PublishStateMachineVersion", Key: machineByARN, Update: s.publishVersion},
		{Name: "ListStateMachineVersions", Key: machineByARN, View: s.listVersions},
		{Name: "DeleteStateMachineVersion", Key: versionByARN, Update: s.deleteVersion},
		{Name: "CreateStateMachineAlias", Key: aliasByRouting, Update: s.createAlias},
		{Name: "UpdateStateMachineAlias", Key: aliasByARN, Update: s.updateAlias},
		{Name: "DeleteStateMachineAlias", Key: aliasByARN, Update: s.deleteAlias},
		{Name: "DescribeStateMachineAlias", Key: aliasByARN, View: s.describeAlias},
		{Name: "ListStateMachineAliases", Key: machineByARN, View: s.listAliases},
		{Name: "TagResource", Key: resourceByARN, Update: s.tagResource},
		{Name: "UntagResource", Key: resourceByARN, Update: s.untagResource},
		{Name: "ListTagsForResource", Key: resourceByARN, View: s.listTags},
		{Name: "StartExecution", Do: do(s.startExecution)},
		{Name: "DescribeExecution", Do: do(s.describeExecution)},
		{Name: "DescribeStateMachineForExecution", Do: do(s.describeForExecution)},
		{Name: "ListExecutions", Do: do(s.listExecutions)},
		{Name: "DescribeMapRun", Do: do(s.describeMapRun)},
		{Name: "ListMapRuns", Do: do(s.listMapRuns)},
		{Name: "UpdateMapRun", Do: do(s.updateMapRun)},
		{Name: "GetExecutionHistory", Do: do(s.getExecutionHistory)},
		{Name: "StopExecution", Do: do(s.stopExecution)},
		{Name: "RedriveExecution", Do: do(s.redriveExecution)},
		{Name: "SendTaskSuccess", Do: do(s.sendTaskSuccess)},
		{Name: "SendTaskFailure", Do: do(s.sendTaskFailure)},
		{Name: "SendTaskHeartbeat", Do: do(s.sendTaskHeartbeat)},
		{Name: "CreateActivity", Key: activityByName, Update: s.createActivity},
		{Name: "DescribeActivity", Key: activityByARN, View: s.describeActivity},
		{Name: "DeleteActivity", Key: activityByARN, Update: s.deleteActivity},
		{Name: "ListActivities", Do: do(s.listActivities)},
		{Name: "GetActivityTask", Do: do(s.getActivityTask)},
		{Name: scheduleActivityTask, Do: do(s.scheduleActivityTask)},
		{Name: stopExecutionOf, Do: do(s.stopExecutionOf)},
		{Name: "StartSyncExecution", Do: do(s.startSyncExecution)},
		{Name: "TestState", Do: do(s.testState)},
	}
}

// epoch is a timestamp as AWS's JSON protocol writes it: seconds with milliseconds.
type epoch int64 // milliseconds

func (e epoch) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 16)
	return appendEpoch(b, int64(e)), nil
}

func appendEpoch(b []byte, ms int64) []byte {
	sec, frac := ms/1000, ms%1000
	b = appendInt(b, sec)
	if frac == 0 {
		return b
	}
	return append(b, '.', byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
}

func epochOf(t time.Time) epoch { return epoch(t.UnixMilli()) }

// rawOr returns a member's JSON, or a default where it was not given.
func rawOr(raw json.RawMessage, or string) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(or)
	}
	return raw
}
