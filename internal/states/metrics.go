package states

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

// namespace of the metrics of Step Functions.
const namespace = "AWS/States"

// meter emits the metrics of executions and of their tasks. Those of a task follow from its history events; what an
// event does not say of itself (the resource, when it was scheduled) is remembered from the events before it, in memory
// only: of tasks that a restart interrupts, those of service integrations are counted at their end without their times, and
// those of activities and function ARNs, whose ends do not name them, are not.
type meter struct {
	s *Service

	seed   maphash.Seed
	shards [64]trackedShard // by execution
}

type trackedShard struct {
	mu    sync.Mutex
	tasks map[string]map[int64]tracked // execution -> history event -> its task
	n     int
}

// tracked is a task that has been scheduled.
type tracked struct {
	kind               *taskMetrics
	resource           string
	scheduled, started int64 // epoch milliseconds
	timeout, heartbeat int64 // seconds, 0 for none
}

// taskMetrics are the names of the metrics of a kind of task.
type taskMetrics struct{ count, time, dimension string }

var (
	activityMetrics = &taskMetrics{"Activities", "Activity", "ActivityArn"}
	functionMetrics = &taskMetrics{"LambdaFunctions", "LambdaFunction", "LambdaFunctionArn"}
	serviceMetrics  = &taskMetrics{"ServiceIntegrations", "ServiceIntegration", "ServiceIntegrationResourceArn"}
)

// trackedMost bounds the events that a shard remembers; when there are more all of it are forgotten.
const trackedMost = 1 << 10

func newMeter(s *Service) *meter { return &meter{s: s, seed: maphash.MakeSeed()} }

func (m *meter) shard(execution string) *trackedShard {
	return &m.shards[maphash.String(m.seed, execution)%uint64(len(m.shards))]
}

// ended emits what is known at an execution's end.
func (m *meter) ended(e *engine.End) {
	emit := func(metric, unit string, v float64) { m.ofMachine(e.Meta, metric, unit, v, e.Stop) }
	emit("ExecutionsStarted", "Count", 0) // as AWS does
	emit("ExecutionTime", "Milliseconds", float64(e.Took.Milliseconds()))
	if e.Express {
		memory, duration := billed(e.Took)
		emit("ExpressExecutionMemory", "Megabytes", float64(memory))
		emit("ExpressExecutionBilledMemory", "Megabytes", float64(memory))
		emit("ExpressExecutionBilledDuration", "Milliseconds", float64(duration))
	}
	name := map[machine.Status]string{machine.Succeeded: "ExecutionsSucceeded", machine.Failed: "ExecutionsFailed",
		machine.TimedOut: "ExecutionsTimedOut", machine.Aborted: "ExecutionsAborted"}[e.Status]
	if name == "" {
		return
	}
	emit(name, "Count", 1)
	if e.Redriven {
		emit("Redriven"+name, "Count", 1)
	}
}

// billed is what AWS bills for an Express execution: memory in chunks of 64 MB, of which what an execution can hold within
// the limits of payloads fits into one, and begun tenths of a second.
func billed(took time.Duration) (megabytes, milliseconds int64) {
	return 64, max((took.Milliseconds()+99)/100*100, 100)
}

// ofMachine records a value under the machine's ARN, and under its version and alias too for an execution that was started
// through them.
func (m *meter) ofMachine(x *engine.Meta, metric, unit string, v float64, at time.Time) {
	m.emit(x.MachineARN, metric, unit, v, at, "StateMachineArn", x.MachineARN)
	if x.VersionARN != "" {
		m.emit(x.MachineARN, metric, unit, v, at, "StateMachineArn", x.MachineARN, "Version", qualifierOf(x.VersionARN))
	}
	if x.AliasARN != "" {
		m.emit(x.MachineARN, metric, unit, v, at, "StateMachineArn", x.MachineARN, "Alias", qualifierOf(x.AliasARN))
	}
}

// qualifierOf is a version's number or an alias's name.
func qualifierOf(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// emit records a value in the account and region that an ARN names.
func (m *meter) emit(arn, metric, unit string, v float64, at time.Time, dimensions ...string) {
	if a, ok := aws.ParseARN(arn); ok {
		m.s.env.Record(a.Account, a.Region, namespace, metric, unit, v, at, dimensions...)
	}
}

// history takes the events of a commit of an execution.
func (m *meter) history(execution string, x *engine.Meta, events []machine.HistoryEvent) {
	if m.s.env.Metrics == nil {
		return
	}
	for i := range events {
		switch ev := &events[i]; ev.Type {
		case machine.EventExecutionStarted, machine.EventExecutionRedriven:
			name := "ExecutionsStarted"
			if ev.Type == machine.EventExecutionRedriven {
				name = "ExecutionsRedriven"
			}
			m.ofMachine(x, name, "Count", 1, time.UnixMilli(ev.Time))
		case machine.EventExecutionSucceeded, machine.EventExecutionFailed, machine.EventExecutionAborted, machine.EventExecutionTimedOut:
			m.forget(execution)
		default:
			m.task(execution, ev)
		}
	}
}

// task follows a task from event to event.
func (m *meter) task(execution string, ev *machine.HistoryEvent) {
	var t tracked
	switch ev.Type {
	case machine.EventActivityScheduled:
		t = tracked{kind: activityMetrics, resource: ev.Resource, scheduled: ev.Time, timeout: ev.TimeoutSeconds, heartbeat: ev.HeartbeatSeconds}
	case machine.EventLambdaFunctionScheduled:
		t = tracked{kind: functionMetrics, resource: ev.Resource, scheduled: ev.Time}
	case machine.EventTaskScheduled:
		t = tracked{kind: serviceMetrics, resource: integrationOf(ev), scheduled: ev.Time}
	case machine.EventActivityStarted, machine.EventLambdaFunctionStarted, machine.EventTaskStarted:
		if t = m.take(execution, ev.Prev); t.kind != nil {
			t.started = ev.Time
			m.measure(execution, t, "Started", "ScheduleTime", ev.Time-t.scheduled, ev)
			m.keep(execution, ev.ID, t)
		}
		return
	case machine.EventTaskSubmitted:
		if t = m.take(execution, ev.Prev); t.kind != nil {
			m.keep(execution, ev.ID, t)
		}
		return
	default:
		m.over(execution, ev)
		return
	}
	m.measure(execution, t, "Scheduled", "", 0, ev)
	m.keep(execution, ev.ID, t)
}

// over emits what the end of a task says.
func (m *meter) over(execution string, ev *machine.HistoryEvent) {
	name := ev.Type.String()
	if !strings.HasPrefix(name, "Activity") && !strings.HasPrefix(name, "LambdaFunction") && !strings.HasPrefix(name, "Task") || strings.HasPrefix(name, "TaskState") {
		return
	}
	t := m.take(execution, ev.Prev)
	if t.kind == nil && ev.ResourceType != "" {
		t = tracked{kind: serviceMetrics, resource: integrationOf(ev)}
	}
	if t.kind == nil {
		return
	}
	ending := "Failed"
	switch {
	case strings.HasSuffix(name, "Succeeded"):
		ending = "Succeeded"
	case strings.HasSuffix(name, "TimedOut"):
		ending = "TimedOut"
		if t.missedHeartbeat(ev.Time) {
			ending = "HeartbeatTimedOut"
		}
	}
	if t.scheduled == 0 {
		m.measure(execution, t, ending, "", 0, ev)
		return
	}
	m.measure(execution, t, ending, "Time", ev.Time-t.scheduled, ev)
	if t.started != 0 {
		m.measure(execution, t, "", "RunTime", ev.Time-t.started, ev)
	}
}

// integrationOf is the ARN of an integration that an event of a task names.
func integrationOf(ev *machine.HistoryEvent) string {
	return "arn:aws:states:::" + ev.ResourceType + ":" + ev.Resource
}

// missedHeartbeat tells a missed heartbeat from the end of an activity's time; both are States.Timeout in the history.
func (t *tracked) missedHeartbeat(at int64) bool {
	return t.kind == activityMetrics && t.heartbeat > 0 && (t.timeout == 0 || at-t.started < 1000*t.timeout)
}

// measure emits a count and a duration (ms) of a task; an empty name emits none.
func (m *meter) measure(execution string, t tracked, count, duration string, ms int64, ev *machine.HistoryEvent) {
	at := time.UnixMilli(ev.Time)
	if count != "" {
		m.emit(execution, t.kind.count+count, "Count", 1, at, t.kind.dimension, t.resource)
	}
	if duration != "" {
		m.emit(execution, t.kind.time+duration, "Milliseconds", float64(ms), at, t.kind.dimension, t.resource)
	}
}

func (m *meter) keep(execution string, event int64, t tracked) {
	sh := m.shard(execution)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.n++; sh.n > trackedMost || sh.tasks == nil {
		sh.tasks, sh.n = map[string]map[int64]tracked{}, 1
	}
	if sh.tasks[execution] == nil {
		sh.tasks[execution] = map[int64]tracked{}
	}
	sh.tasks[execution][event] = t
}

func (m *meter) take(execution string, event int64) tracked {
	sh := m.shard(execution)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t, there := sh.tasks[execution][event]
	if there {
		delete(sh.tasks[execution], event)
		sh.n--
	}
	return t
}

func (m *meter) forget(execution string) {
	sh := m.shard(execution)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.n -= len(sh.tasks[execution])
	delete(sh.tasks, execution)
}
