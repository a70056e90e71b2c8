package states

import (
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

// namespace of the metrics of Step Functions.
const namespace = "AWS/States"

// meter emits the metrics of executions and of their tasks. Those of a task follow from its history events; what an
// event does not say of itself (the resource, when it was scheduled) is remembered from the events before it, in memory
// only: of tasks that a restart interrupts, or that tens of thousands of later ones have pushed out, those of service
// integrations are counted at their end without their times, and those of activities and function ARNs, whose ends do not
// name them, are not.
type meter struct {
	s     *Service
	tasks trackedTasks
}

// taskMetrics are the names of the metrics of a kind of task.
type taskMetrics struct{ count, time, dimension string }

var (
	activityMetrics = &taskMetrics{"Activities", "Activity", "ActivityArn"}
	functionMetrics = &taskMetrics{"LambdaFunctions", "LambdaFunction", "LambdaFunctionArn"}
	serviceMetrics  = &taskMetrics{"ServiceIntegrations", "ServiceIntegration", "ServiceIntegrationResourceArn"}
)

func newMeter(s *Service) *meter {
	m := &meter{s: s}
	m.tasks.init()
	return m
}

// ended emits what is known at an execution's end.
func (m *meter) ended(e *engine.End) {
	if m.s.env.Metrics == nil {
		return
	}
	of := m.ofMachine(e.Meta)
	emit := func(metric, unit string, v float64) { of.emit(metric, unit, v, e.Stop) }
	emit("ExecutionsStarted", "Count", 0) // as AWS does
	emit("ExecutionTime", "Milliseconds", float64(e.Took.Milliseconds()))
	if e.Express {
		memory, duration := billed(e.Took)
		emit("ExpressExecutionMemory", "Megabytes", float64(memory))
		emit("ExpressExecutionBilledMemory", "Megabytes", float64(memory))
		emit("ExpressExecutionBilledDuration", "Milliseconds", float64(duration))
	}
	name := endings[e.Status]
	if name == "" {
		return
	}
	emit(name, "Count", 1)
	if e.Redriven {
		emit("Redriven"+name, "Count", 1)
	}
}

var endings = map[machine.Status]string{machine.Succeeded: "ExecutionsSucceeded", machine.Failed: "ExecutionsFailed",
	machine.TimedOut: "ExecutionsTimedOut", machine.Aborted: "ExecutionsAborted"}

// billed is what AWS bills for an Express execution: memory in chunks of 64 MB, of which what an execution can hold within
// the limits of payloads fits into one, and begun tenths of a second.
func billed(took time.Duration) (megabytes, milliseconds int64) {
	return 64, max((took.Milliseconds()+99)/100*100, 100)
}

// machineMeter records values under a machine's ARN, and under its version and alias too for an execution that was started
// through them.
type machineMeter struct {
	m          *meter
	arn        aws.ARN
	dimensions [][]string
}

func (m *meter) ofMachine(x *engine.Meta) machineMeter {
	arn, ok := aws.ParseARN(x.MachineARN)
	if !ok {
		return machineMeter{}
	}
	list := [][]string{{"StateMachineArn", x.MachineARN}}
	if x.VersionARN != "" {
		list = append(list, []string{"StateMachineArn", x.MachineARN, "Version", qualifierOf(x.VersionARN)})
	}
	if x.AliasARN != "" {
		list = append(list, []string{"StateMachineArn", x.MachineARN, "Alias", qualifierOf(x.AliasARN)})
	}
	return machineMeter{m, arn, list}
}

func (o machineMeter) emit(metric, unit string, v float64, at time.Time) {
	for _, d := range o.dimensions {
		o.m.s.env.Record(o.arn.Account, o.arn.Region, namespace, metric, unit, v, at, d...)
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
			m.ofMachine(x).emit(name, "Count", 1, time.UnixMilli(ev.Time))
		default:
			m.task(execution, ev)
		}
	}
}

// task follows a task from event to event.
func (m *meter) task(execution string, ev *machine.HistoryEvent) {
	switch ev.Type {
	case machine.EventActivityScheduled:
		m.scheduled(execution, ev, taskKind{metrics: activityMetrics, resource: ev.Resource, timeout: ev.TimeoutSeconds, heartbeat: ev.HeartbeatSeconds})
	case machine.EventLambdaFunctionScheduled:
		m.scheduled(execution, ev, taskKind{metrics: functionMetrics, resource: ev.Resource})
	case machine.EventTaskScheduled:
		m.scheduled(execution, ev, integration(ev))
	case machine.EventActivityStarted, machine.EventLambdaFunctionStarted, machine.EventTaskStarted:
		if t := m.tasks.take(execution, ev.Prev); t.taskKind != nil {
			t.started = ev.Time
			m.measure(execution, t, "Started", "ScheduleTime", ev.Time-t.scheduled, ev)
			m.tasks.moved(execution, ev.ID, t)
		}
	case machine.EventTaskSubmitted:
		if t := m.tasks.take(execution, ev.Prev); t.taskKind != nil {
			m.tasks.moved(execution, ev.ID, t)
		}
	default:
		m.over(execution, ev)
	}
}

func (m *meter) scheduled(execution string, ev *machine.HistoryEvent, kind taskKind) {
	m.measure(execution, m.tasks.begin(execution, ev, kind), "Scheduled", "", 0, ev)
}

// over emits what the end of a task says.
func (m *meter) over(execution string, ev *machine.HistoryEvent) {
	name := ev.Type.String()
	if !strings.HasPrefix(name, "Activity") && !strings.HasPrefix(name, "LambdaFunction") && !strings.HasPrefix(name, "Task") || strings.HasPrefix(name, "TaskState") {
		return
	}
	t := m.tasks.take(execution, ev.Prev)
	if t.taskKind == nil {
		if ev.ResourceType == "" {
			return
		}
		kind := integration(ev)
		t.taskKind = &kind
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

// integration is that of a task's event.
func integration(ev *machine.HistoryEvent) taskKind {
	return taskKind{metrics: serviceMetrics, service: ev.ResourceType, resource: ev.Resource}
}

// missedHeartbeat tells a missed heartbeat from the end of an activity's time; both are States.Timeout in the history.
func (t *tracked) missedHeartbeat(at int64) bool {
	return t.metrics == activityMetrics && t.heartbeat > 0 && (t.timeout == 0 || at-t.started < 1000*t.timeout)
}

// measure emits a count and a duration (ms) of a task; an empty name emits none.
func (m *meter) measure(execution string, t tracked, count, duration string, ms int64, ev *machine.HistoryEvent) {
	at, resource := time.UnixMilli(ev.Time), t.arn()
	if count != "" {
		m.emit(execution, t.metrics.count+count, "Count", 1, at, t.metrics.dimension, resource)
	}
	if duration != "" {
		m.emit(execution, t.metrics.time+duration, "Milliseconds", float64(ms), at, t.metrics.dimension, resource)
	}
}
