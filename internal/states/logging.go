package states

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

// loggingConfiguration says what of an execution's history is written to a log group.
type loggingConfiguration struct {
	Level                string
	IncludeExecutionData bool
	Destinations         []struct {
		CloudWatchLogsLogGroup struct{ LogGroupArn string }
	}
}

// normalLogging puts a configuration into the form that Describe shows: defaults filled in.
func normalLogging(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(noLogging), nil
	}
	v, err := value.Parse(raw)
	given, ok := v.(*value.Object)
	if err != nil || !ok {
		return nil, invalidLogging("The configuration must be an object.")
	}
	out := value.NewObject()
	if d, there := given.Get("destinations"); there && d != nil {
		out.Set("destinations", d)
	}
	for _, def := range []value.Member{{Name: "includeExecutionData", Value: false}, {Name: "level", Value: "OFF"}} {
		if x, there := given.Get(def.Name); there && x != nil {
			def.Value = x
		}
		out.Set(def.Name, def.Value)
	}
	var c loggingConfiguration
	text := value.Append(nil, out)
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, invalidLogging(err.Error())
	}
	if c.Level != "OFF" && len(c.Destinations) != 1 || len(c.Destinations) > 1 {
		return nil, invalidLogging("Must specify exactly one Log Destination.")
	}
	return text, nil
}

func invalidLogging(why string) *aws.Error {
	return aws.Errorf("InvalidLoggingConfiguration", "Invalid Logging Configuration: %s", why)
}

// checkLogGroup makes sure that the log group of a create or update is there. It calls another service, so it comes
// before the operation's transaction.
func (s *Service) checkLogGroup(ctx context.Context, r *aws.Request) error {
	var in struct{ LoggingConfiguration loggingConfiguration }
	if json.Unmarshal(r.Input, &in) != nil || len(in.LoggingConfiguration.Destinations) != 1 {
		return nil
	}
	group, ok := logGroup(in.LoggingConfiguration.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn)
	if !ok {
		return invalidLogging("Invalid Log Destination.")
	}
	input, err := json.Marshal(map[string]string{"logGroupNamePrefix": group.name})
	if err != nil {
		return err
	}
	out, err := s.env.Caller.Call(ctx, &aws.Request{Service: "logs", Operation: "DescribeLogGroups", Account: group.account, Region: group.region, Input: input})
	if err != nil {
		return err
	}
	text, err := service.Marshal(out.Value)
	if err != nil {
		return err
	}
	var found struct {
		LogGroups []struct{ LogGroupName string }
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return err
	}
	for _, g := range found.LogGroups {
		if g.LogGroupName == group.name {
			return nil
		}
	}
	return invalidLogging("Log Destination not found.")
}

// groupName is a log group's ARN taken apart.
type groupName struct{ account, region, name string }

func logGroup(arn string) (groupName, bool) {
	a, ok := aws.ParseARN(arn)
	name, isGroup := strings.CutPrefix(a.Resource, "log-group:")
	name, all := strings.CutSuffix(name, ":*")
	return groupName{a.Account, a.Region, name}, ok && isGroup && all && a.Service == "logs"
}

// logger writes histories to log groups. It collects for a moment what commits bring and writes it behind: at most the
// last moment is lost in a crash.
type logger struct {
	s    *Service
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	pending map[groupName][]logLine
	started bool
	closed  bool
}

type logLine struct {
	stream string
	at     int64 // epoch milliseconds
	text   string
}

const logDelay = 100 * time.Millisecond

func newLogger(s *Service) *logger {
	return &logger{s: s, wake: make(chan struct{}, 1), done: make(chan struct{}), pending: map[groupName][]logLine{}}
}

// add takes the events of a commit of an execution.
func (l *logger) add(execution string, x *engine.Meta, redrives uint32, events []machine.HistoryEvent) {
	c := l.s.revisions.cachedRevision(x.Definition)
	if c == nil || c.logging.Level == "OFF" || len(c.logging.Destinations) != 1 {
		return
	}
	group, ok := logGroup(c.logging.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn)
	if !ok {
		return
	}
	l.mu.Lock()
	for i := range events {
		ev := &events[i]
		if logged(ev.Type, c.logging.Level) {
			stream := fmt.Sprintf("states/%s/%s/%s", c.Name, time.UnixMilli(ev.Time).UTC().Format("2006-01-02-15-04"), x.Definition[len(x.Definition)-8:])
			l.pending[group] = append(l.pending[group], logLine{stream, ev.Time, string(appendLogEntry(nil, ev, execution, redrives, c.logging.IncludeExecutionData))})
		}
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// logged says whether a level includes a type of event.
func logged(t machine.EventType, level string) bool {
	name := t.String()
	switch level {
	case "ALL":
		return true
	case "FATAL":
		return t == machine.EventExecutionAborted || t == machine.EventExecutionFailed || t == machine.EventExecutionTimedOut
	case "ERROR":
		return t == machine.EventFailStateEntered || strings.HasSuffix(name, "Failed") || strings.HasSuffix(name, "Aborted") || strings.HasSuffix(name, "TimedOut")
	}
	return false
}

// appendLogEntry writes an event as it stands in a log: numbers as texts, details without the type in their name.
func appendLogEntry(b []byte, ev *machine.HistoryEvent, execution string, redrives uint32, data bool) []byte {
	start := len(b)
	b = appendMembers(b, "id", strconv.FormatInt(ev.ID, 10), "type", ev.Type.String())
	b = append(append(b, `,"details":`...), closeObject(appendDetails(nil, ev, data))...)
	b = appendMembers(b, "redrive_count", strconv.FormatUint(uint64(redrives), 10), "previous_event_id", strconv.FormatInt(ev.Prev, 10),
		"event_timestamp", strconv.FormatInt(ev.Time, 10), "execution_arn", execution)
	b[start] = '{'
	return append(b, '}')
}

// start begins to write; close ends it.
func (l *logger) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
	go l.run()
}

func (l *logger) run() {
	defer close(l.done)
	for {
		<-l.wake
		timer := time.NewTimer(logDelay)
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if !closed {
			<-timer.C
		}
		timer.Stop()
		l.flush()
		if closed {
			return
		}
	}
}

func (l *logger) close() {
	l.mu.Lock()
	started := l.started
	l.closed = true
	l.mu.Unlock()
	if !started {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	<-l.done
}

func (l *logger) flush() {
	l.mu.Lock()
	pending := l.pending
	l.pending = map[groupName][]logLine{}
	l.mu.Unlock()
	for group, lines := range pending {
		streams := map[string][]logLine{}
		for _, line := range lines {
			streams[line.stream] = append(streams[line.stream], line)
		}
		for stream, lines := range streams {
			if err := l.write(group, stream, lines); err != nil {
				l.s.env.Log.Error("execution logs could not be written", "group", group.name, "error", err)
			}
		}
	}
}

const linesAtOnce = 1000

func (l *logger) write(group groupName, stream string, lines []logLine) error {
	call := func(operation string, in map[string]any) error {
		in["logGroupName"], in["logStreamName"] = group.name, stream
		input, err := service.Marshal(in)
		if err != nil {
			return err
		}
		_, err = l.s.env.Caller.Call(context.Background(), &aws.Request{Service: "logs", Operation: operation, Account: group.account, Region: group.region, Input: input})
		return err
	}
	err := call("CreateLogStream", map[string]any{})
	if e, ok := err.(*aws.Error); err != nil && (!ok || e.Code != "ResourceAlreadyExistsException") {
		return err
	}
	for len(lines) > 0 {
		n := min(len(lines), linesAtOnce)
		events := make([]map[string]any, n)
		for i, line := range lines[:n] {
			events[i] = map[string]any{"timestamp": line.at, "message": line.text}
		}
		if err := call("PutLogEvents", map[string]any{"logEvents": events}); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}
