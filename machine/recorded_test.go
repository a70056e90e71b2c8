package machine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// recordedCase is what this test needs of a recorded case: definitions in its script, histories in its expectations.
type recordedCase struct {
	Trust string
	Steps []struct {
		Action string
		Args   any
	}
	Expected map[string]any
}

// TestRecordedHistories plays histories that were recorded from AWS: what the world answered (tasks, timers, stops) is fed
// to the machine as the recording has it, and every event that the machine makes must have the recording's number,
// predecessor, type, names, counts and errors. Cases whose definition does not compile here, or that ran a distributed
// Map, and recordings without numbers are left out and counted.
func TestRecordedHistories(t *testing.T) {
	dir := os.Getenv("NEWEL_SHARED")
	if dir == "" {
		dir = "../../shared"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "conformance/cases/*/*.json"))
	if len(files) == 0 {
		t.Skip("no recordings: set NEWEL_SHARED")
	}
	played, left := 0, map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c recordedCase
		if err := json.Unmarshal(text, &c); err != nil {
			continue // a case whose steps are of another shape
		}
		def, events, why := c.playable()
		if why == "" {
			why = playRecording(t, filepath.Base(file), def, events)
		}
		if why != "" {
			left[why]++
			continue
		}
		played++
	}
	var reasons []string
	for why, n := range left {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, why))
	}
	sort.Strings(reasons)
	t.Logf("%d recorded histories played; left out: %s", played, strings.Join(reasons, ", "))
	if played < 100 {
		t.Errorf("only %d recordings could be played", played)
	}
}

var (
	reference  = regexp.MustCompile(`\$\{[^}]*\}`)
	lambdaTask = regexp.MustCompile(`"Resource":\s*"\$\{[^"]*"`)
)

// playable finds the one definition and the one history of a case.
func (c *recordedCase) playable() (*asl.Definition, []map[string]any, string) {
	if c.Trust == "localstack" {
		return nil, nil, "not recorded on AWS"
	}
	var definitions []string
	for _, s := range c.Steps {
		args, _ := s.Args.(map[string]any)
		if d, ok := args["definition"].(string); ok && s.Action == "CreateStateMachine" {
			definitions = append(definitions, d)
		}
	}
	events := onlyHistory(c.Expected)
	if len(definitions) != 1 || events == nil {
		return nil, nil, "not one machine and one history"
	}
	text := definitions[0]
	resource := "arn:aws:lambda:us-east-1:111111111111:function:f"
	if in := document(details(events[0])["input"]).String(); strings.Contains(in, "<timestamp>") || strings.Contains(in, `"date"`) || strings.Contains(in, `"timestamp"`) {
		return nil, nil, "with a time that was not kept"
	}
	for _, e := range events {
		if _, numbered := e["id"].(float64); !numbered {
			return nil, nil, "recorded without numbers"
		}
		switch e["type"] {
		case "MapRunStarted":
			return nil, nil, "with a distributed Map"
		case "ExecutionFailed":
			if cause, _ := details(e)["cause"].(string); strings.Contains(cause, "does not exist.") || strings.Contains(cause, "could not be used to start the Task") {
				return nil, nil, "with a task that was refused before it was scheduled"
			}
		case "ActivityScheduled":
			resource = "arn:aws:states:us-east-1:111111111111:activity:a"
		}
	}
	text = lambdaTask.ReplaceAllString(text, `"Resource": "`+resource+`"`)
	text = reference.ReplaceAllString(text, "x")
	def, _ := asl.Compile([]byte(text), asl.Options{})
	if def == nil {
		return nil, nil, "in a language that is not there yet"
	}
	return def, events, ""
}

func onlyHistory(expected map[string]any) []map[string]any {
	var found []map[string]any
	for _, v := range expected {
		o, ok := v.(map[string]any)
		if !ok {
			continue
		}
		list, ok := o["events"].([]any)
		if !ok || len(list) == 0 {
			continue
		}
		if found != nil {
			return nil
		}
		for _, e := range list {
			m, ok := e.(map[string]any)
			if !ok || m["type"] == nil {
				return nil
			}
			found = append(found, m)
		}
	}
	return found
}

// details are an event's details, whatever its type.
func details(e map[string]any) map[string]any {
	for k, v := range e {
		if strings.HasSuffix(k, "EventDetails") {
			return v.(map[string]any)
		}
	}
	return nil
}

// document is a recorded document: the recorder has parsed those that are objects.
func document(v any) *value.Doc {
	if s, ok := v.(string); ok && json.Valid([]byte(s)) {
		return value.TextString(s)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return value.Text(bytes.TrimSpace(b.Bytes()))
}

func optionalText(v any) *string {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return &v
	}
	b, _ := json.Marshal(v)
	s := string(b)
	return &s
}

func playRecording(t *testing.T, name string, def *asl.Definition, events []map[string]any) string {
	w := newWorld(t, def)
	ev := startEvent(w.now, "{}")
	ev.Start.Input = document(details(events[0])["input"])
	w.step(ev)
	for {
		for i := range min(len(w.history), len(events)) {
			if diff := differs(events[i], w.history[i]); diff != "" {
				if forks(events[:i+1]) {
					return "with concurrent events in another order"
				}
				t.Errorf("%s: event %d: %s\n%v\n%s", name, i+1, diff, events[i], historyLine(w.history[i]))
				return ""
			}
		}
		if len(w.history) >= len(events) {
			if len(w.history) > len(events) {
				t.Errorf("%s: more events than recorded: %s", name, historyLine(w.history[len(events)]))
			}
			return ""
		}
		next, why := w.nextRecorded(events[len(w.history)])
		if why != "" {
			return why
		}
		w.step(next)
	}
}

// forks reports whether more than one thread of control is under way: their events' order is AWS's own.
func forks(events []map[string]any) bool {
	type step struct {
		kind string
		prev float64
	}
	seen := map[step]bool{}
	for _, e := range events {
		s := step{e["type"].(string), e["previousEventId"].(float64)}
		if seen[s] {
			return true
		}
		seen[s] = true
	}
	return false
}

// nextRecorded is what must have happened for a recorded event to come next.
func (w *world) nextRecorded(e map[string]any) (Event, string) {
	prev, d := int64(e["previousEventId"].(float64)), details(e)
	kind := e["type"].(string)
	if kind == "ExecutionAborted" {
		return Event{Kind: StopRequested, Now: w.now, Error: optionalText(d["error"]), Cause: optionalText(d["cause"])}, ""
	}
	f := w.frameAfter(prev)
	if f == nil {
		return Event{}, "with concurrent events in another order"
	}
	ev := Event{Now: w.now, Attempt: Attempt{f.id, f.attempt}}
	switch kind {
	case "TaskSubmitted":
		ev.Kind, ev.Output = TaskSubmitted, document(d["output"])
	case "TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded":
		ev.Kind, ev.Output = TaskSucceeded, document(d["output"])
	case "TaskFailed", "LambdaFunctionFailed", "ActivityFailed":
		if d["error"] == "States.DataLimitExceeded" {
			ev.Kind, ev.Output = TaskSucceeded, value.TextString(big("long:300000"))
			break
		}
		ev.Kind, ev.Error, ev.Cause = TaskFailed, optionalText(d["error"]), optionalText(d["cause"])
	case "ActivityStarted":
		ev.Kind, ev.Worker = ActivityClaimed, d["workerName"].(string)
	default:
		own := f.timers()
		if len(own) == 0 {
			return Event{}, "unexpected " + kind
		}
		fires := own[len(own)-1]
		for i, timer := range w.timers {
			if timer == fires {
				w.timers = append(w.timers[:i:i], w.timers[i+1:]...)
				break
			}
		}
		if w.now.Before(fires.At) {
			w.now = fires.At
		}
		return Event{Kind: TimerFired, Now: w.now, Timer: fires}, ""
	}
	return ev, ""
}

func (w *world) frameAfter(event int64) *Frame {
	for id := uint32(1); id <= w.root().frames; id++ {
		if f := w.frame(id); f != nil && f.last == event {
			return f
		}
	}
	return nil
}

// differs compares what the machine decides of an event: everything but the documents, which belong to the language.
func differs(want map[string]any, got HistoryEvent) string {
	d := details(want)
	num := func(name string) int64 {
		n, _ := d[name].(float64)
		return int64(n)
	}
	switch {
	case int64(want["id"].(float64)) != got.ID || int64(want["previousEventId"].(float64)) != got.Prev:
		return "number or predecessor"
	case want["type"] != got.Type.String():
		return "type"
	case num("index") != got.Index || num("length") != got.Length:
		return "index or length"
	case num("timeoutInSeconds") != got.TimeoutSeconds || num("heartbeatInSeconds") != got.HeartbeatSeconds:
		return "timeouts"
	case d["name"] != nil && d["name"] != got.Name:
		return "name"
	case d["resourceType"] != nil && (d["resourceType"] != got.ResourceType || d["resource"] != got.Resource):
		return "resource"
	case !sameText(d["error"], got.Error):
		return "error"
	case !sameText(d["cause"], got.Cause):
		return "cause"
	}
	return ""
}

// sameText compares texts unless the recorded one has placeholders in it.
func sameText(want any, got *string) bool {
	w := optionalText(want)
	if w == nil || got == nil {
		return w == got
	}
	return *w == *got || strings.ContainsAny(*w, "<") || strings.Contains(*w, "_arn ")
}
