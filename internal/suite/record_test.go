package suite

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cli/tree"
)

// history makes the events of a machine's own thread, each following from the one before: "TYPE NAME DATA".
func history(t *testing.T, lines ...string) (events []tree.HistoryEvent) {
	t.Helper()
	for i, line := range lines {
		part := strings.SplitN(line, " ", 3)
		part = append(part, "", "")
		details := map[string]string{"name": part[1], "parameters": part[2], "output": part[2]}
		if strings.HasSuffix(part[0], "Failed") {
			details = map[string]string{"error": part[1], "cause": part[2]}
		}
		b, err := json.Marshal(map[string]any{"id": i + 1, "previousEventId": i, "type": part[0], "xEventDetails": details})
		if err != nil {
			t.Fatal(err)
		}
		var e tree.HistoryEvent
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// TestRecordedMocks: what each attempt came to, also those that no event ends.
func TestRecordedMocks(t *testing.T) {
	const task = `"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{}`
	d, problems := asl.Compile([]byte(`{"StartAt":"A","States":{"A":{`+task+`,"Next":"B"},"B":{`+task+`,"End":true}}}`), asl.Options{})
	if d == nil {
		t.Fatal(problems)
	}
	begun := []string{"ExecutionStarted", "TaskStateEntered A", "TaskScheduled - {}", "TaskStarted"}
	for name, x := range map[string]struct {
		events []string
		want   string
	}{
		"a failed attempt, then a result": {[]string{"TaskFailed Busy later", `TaskScheduled - {}`, "TaskStarted", `TaskSucceeded - {"n":1.0}`, "TaskStateExited A"},
			`- {"throw":{"error":"Busy","cause":"later"}}|- {"return":{"n":1.0}}`},
		"a timeout": {[]string{"TaskTimedOut"}, `- {"never":true}`},
		"a task that could not be started": {[]string{"ExecutionFailed States.Runtime An error occurred while executing the state 'A' (entered at the event id #2). It is wrong."},
			`- {"throw":{"error":"States.Runtime","cause":"It is wrong."}}`},
		"a task that was given up": {[]string{"ExecutionTimedOut"}, `- {"never":true}`},
	} {
		r := &Recording{Name: name, Machine: "m.asl.json", Definition: d, Status: "FAILED", Input: "{}", Events: history(t, append(begun, x.events...)...)}
		text, err := Record(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := "    mocks:\n      \"A\":\n        " + strings.ReplaceAll(x.want, "|", "\n        ") + "\n    expect:\n"
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: no\n%s\nin\n%s", name, want, text)
		}
		if _, err := Parse("m.test.yaml", text, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestArgumentsTellIterationsApart: by arguments where that is unambiguous, the more particular first.
func TestArgumentsTellIterationsApart(t *testing.T) {
	a := func(arguments, result string, retry bool) *attempt {
		return &attempt{arguments: parsed(arguments), retry: retry, response: throw(result, "")}
	}
	arms, ok := byArguments([]*attempt{a(`{}`, "X", false), a(`{"id":1}`, "Y", false), a(`{"id":1}`, "Z", true), a(`{}`, "X", false)})
	if got, want := fmt.Sprint(texts(arms), ok), `[{"when":{"id":1},"then":[{"throw":{"error":"Y"}},{"throw":{"error":"Z"}}]} {"when":{},"throw":{"error":"X"}}] true`; got != want {
		t.Errorf("arms\n got %s\nwant %s", got, want)
	}
	if _, ok := byArguments([]*attempt{a(`{}`, "X", false), a(`{}`, "Y", false)}); ok {
		t.Error("the same arguments were answered differently in two visits")
	}
}

func parsed(text string) value.Value { return value.TextString(text).Value() }

func texts(arms []*value.Object) (all []string) {
	for _, arm := range arms {
		all = append(all, string(value.Append(nil, arm)))
	}
	return all
}
