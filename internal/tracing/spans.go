package tracing

import (
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/machine"
)

// Execution is what the spans of an execution say of it.
type Execution struct {
	ARN, MachineARN, Name string
	VersionARN, AliasARN  string
	StartMs               int64 // epoch milliseconds
	Context               Context
}

// Span is a span as it is exported.
type Span struct {
	Trace      TraceID
	ID, Parent SpanID
	Name       string
	Client     bool // of a call of something else; else internal
	Start, End time.Time
	Failed     bool
	Error      string // its name; causes hold data and stay here
	Attributes []Attribute
	Events     []SpanEvent
}

// Attribute is a name with a text or, where Text is "", a number.
type Attribute struct {
	Name, Text string
	Number     int64
}

// SpanEvent is something that happened during a span.
type SpanEvent struct {
	Name string
	At   time.Time
}

// The attributes' names. OpenTelemetry's conventions name the first two.
const (
	attrMachine   = "aws.step_functions.state_machine.arn"
	attrActivity  = "aws.step_functions.activity.arn"
	attrExecution = "aws.step_functions.execution.arn"
	attrName      = "aws.step_functions.execution.name"
	attrStatus    = "aws.step_functions.status"
	attrVersion   = "aws.step_functions.version.arn"
	attrAlias     = "aws.step_functions.alias.arn"
	attrState     = "aws.step_functions.state.name"
	attrType      = "aws.step_functions.state.type"
	attrResource  = "aws.step_functions.resource"
	attrMapRun    = "aws.step_functions.map_run.arn"
	attrIndex     = "aws.step_functions.index"
	attrAttempt   = "aws.step_functions.attempt"
	attrError     = "error.type"
)

// Spans makes the spans of an execution that has ended: its own first, then a span for each visit of a state, for each
// branch of a Parallel and iteration of a Map, and for each attempt at a task.
func Spans(x *Execution, history []machine.HistoryEvent) []Span {
	b := builder{x: x, tree: tree.New(x.Name), attempts: map[int64]*attempt{}, of: map[*tree.State][]*attempt{}, runs: map[*tree.State]string{}}
	for i := range history {
		b.add(&history[i])
	}
	t := b.tree
	root := b.span(spanExecution, 0, x.Context.Parent, x.Name, t.Start, t.End, t.Status)
	root.Name = machineName(x.MachineARN)
	root.Attributes = append(root.Attributes, texts(attrMachine, x.MachineARN, attrExecution, x.ARN, attrName, x.Name, attrVersion, x.VersionARN, attrAlias, x.AliasARN)...)
	root.fail(t.Error)
	b.spans = append(b.spans, root)
	b.thread(t.Root, root.ID)
	return b.spans
}

// machineName is the last part of a machine's ARN.
func machineName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

type builder struct {
	x        *Execution
	tree     *tree.Tree
	attempts map[int64]*attempt // by their events
	of       map[*tree.State][]*attempt
	runs     map[*tree.State]string // map runs of distributed Maps
	spans    []Span
}

// attempt is one attempt at a task.
type attempt struct {
	event      int64 // that scheduled it
	start, end time.Time
	resource   string
	activity   string
	status     tree.Status
	err        string
	events     []SpanEvent
}

func (b *builder) add(ev *machine.HistoryEvent) {
	e := treeEvent(ev)
	b.tree.Add(e)
	switch ev.Type {
	case machine.EventActivityScheduled, machine.EventLambdaFunctionScheduled, machine.EventTaskScheduled:
		if s := b.tree.State(ev.ID); s != nil {
			a := &attempt{event: ev.ID, start: e.Time, resource: e.Resource, status: tree.Running}
			if ev.Type == machine.EventActivityScheduled {
				a.activity = ev.Resource
			}
			b.attempts[ev.ID], b.of[s] = a, append(b.of[s], a)
		}
	case machine.EventMapRunStarted:
		if s := b.tree.State(ev.ID); s != nil {
			a := &attempt{event: ev.ID, start: e.Time, resource: "map run", status: tree.Running}
			b.attempts[ev.ID], b.of[s], b.runs[s] = a, append(b.of[s], a), ev.MapRunARN
		}
	default:
		b.follow(ev, e.Time)
	}
}

// follow takes the further events of an attempt.
func (b *builder) follow(ev *machine.HistoryEvent, at time.Time) {
	a := b.attempts[ev.Prev]
	if a == nil || a.status != tree.Running {
		return
	}
	switch ev.Type {
	case machine.EventActivityStarted, machine.EventLambdaFunctionStarted, machine.EventTaskStarted:
		a.events = append(a.events, SpanEvent{"started", at})
	case machine.EventTaskSubmitted:
		a.events = append(a.events, SpanEvent{"submitted", at})
	case machine.EventActivitySucceeded, machine.EventLambdaFunctionSucceeded, machine.EventTaskSucceeded, machine.EventMapRunSucceeded:
		a.status, a.end = tree.Succeeded, at
	case machine.EventActivityTimedOut, machine.EventLambdaFunctionTimedOut, machine.EventTaskTimedOut:
		a.status, a.end, a.err = tree.TimedOut, at, text(ev.Error)
	case machine.EventActivityFailed, machine.EventActivityScheduleFailed, machine.EventLambdaFunctionFailed, machine.EventLambdaFunctionScheduleFailed,
		machine.EventLambdaFunctionStartFailed, machine.EventTaskFailed, machine.EventTaskStartFailed, machine.EventTaskSubmitFailed, machine.EventMapRunFailed:
		a.status, a.end, a.err = tree.Failed, at, text(ev.Error)
	default:
		return
	}
	b.attempts[ev.ID] = a
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// treeEvent is an event as the tree takes it, without data.
func treeEvent(ev *machine.HistoryEvent) tree.Event {
	e := tree.Event{ID: ev.ID, Previous: ev.Prev, Type: ev.Type.String(), Time: time.UnixMilli(ev.Time).UTC(), Name: ev.Name,
		Index: int(ev.Index), Length: int(ev.Length), Error: text(ev.Error), Resource: ev.Resource}
	if ev.ResourceType != "" {
		e.Resource = ev.ResourceType + ":" + ev.Resource
	}
	return e
}

var statusNames = map[tree.Status]string{tree.Running: "ABORTED", tree.Succeeded: "SUCCEEDED", tree.Caught: "CAUGHT", tree.Failed: "FAILED",
	tree.Aborted: "ABORTED", tree.TimedOut: "TIMED_OUT"}

// span makes a span that may not have ended: then it ends with the execution.
func (b *builder) span(kind byte, event int64, parent SpanID, name string, start, end time.Time, status tree.Status) Span {
	if end.IsZero() {
		end = b.tree.Last()
	}
	s := Span{Trace: b.x.Context.Trace, ID: spanOf(b.x.ARN, b.x.StartMs, kind, event), Parent: parent, Name: name, Start: start, End: end,
		Attributes: texts(attrStatus, statusNames[status])}
	s.Failed = status == tree.Failed || status == tree.TimedOut || status == tree.Aborted || status == tree.Running
	return s
}

// fail names the error that a span ended with, or that it caught.
func (s *Span) fail(name string) {
	if s.Error = name; name != "" {
		s.Attributes = append(s.Attributes, texts(attrError, name)...)
	}
}

func texts(pairs ...string) []Attribute {
	list := make([]Attribute, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, Attribute{Name: pairs[i], Text: pairs[i+1]})
		}
	}
	return list
}

func (b *builder) thread(th *tree.Thread, parent SpanID) {
	for _, s := range th.States {
		b.state(s, parent)
	}
}

func (b *builder) state(s *tree.State, parent SpanID) {
	sp := b.span(spanState, s.First, parent, s.Name, s.Start, s.End, s.Status)
	sp.Attributes = append(sp.Attributes, texts(attrState, s.Name, attrType, s.Type, attrResource, s.Resource, attrMapRun, b.runs[s])...)
	sp.fail(s.Error)
	b.spans = append(b.spans, sp)
	for i, a := range b.of[s] {
		b.attempt(a, i, sp.ID, &sp)
	}
	for _, th := range append(append([]*tree.Thread(nil), s.Past...), s.Threads...) {
		kind := "branch"
		if s.Type == "Map" {
			kind = "iteration"
		}
		x := b.span(spanThread, th.First, sp.ID, fmt.Sprintf("%s %s %d", s.Name, kind, th.Index), th.Start, th.End, th.Status)
		x.Attributes = append(x.Attributes, Attribute{Name: attrIndex, Number: int64(th.Index)})
		b.spans = append(b.spans, x)
		b.thread(th, x.ID)
	}
}

// attempt makes the span of an attempt; one that was given up ends with its state.
func (b *builder) attempt(a *attempt, n int, parent SpanID, state *Span) {
	if a.end.IsZero() {
		a.end = state.End
	}
	sp := b.span(spanAttempt, a.event, parent, a.resource, a.start, a.end, a.status)
	sp.Client, sp.Events = true, a.events
	sp.Attributes = append(sp.Attributes, texts(attrResource, a.resource, attrActivity, a.activity)...)
	sp.Attributes = append(sp.Attributes, Attribute{Name: attrAttempt, Number: int64(n)})
	sp.fail(a.err)
	b.spans = append(b.spans, sp)
}
