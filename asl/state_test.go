package asl_test

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

var next = regexp.MustCompile(`"(?:Next|Default)":"(\w+)"`)

// machineOf puts one state into a machine that compiles.
func machineOf(t *testing.T, state string) *asl.Definition {
	t.Helper()
	var others strings.Builder
	seen := map[string]bool{}
	for _, m := range next.FindAllStringSubmatch(state, -1) {
		if !seen[m[1]] {
			fmt.Fprintf(&others, `,%q:{"Type":"Succeed"}`, m[1])
		}
		seen[m[1]] = true
	}
	if !regexp.MustCompile(`^{"Type":"(Choice|Succeed|Fail)"`).MatchString(state) {
		state = state[:len(state)-1] + `,"End":true}`
	}
	return compileOK(t, `{"StartAt":"S","States":{"S":`+state+others.String()+`}}`)
}

// TestStates runs testdata/states.txt.
func TestStates(t *testing.T) {
	file, err := os.Open("testdata/states.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var state *asl.State
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		if text, ok := strings.CutPrefix(line, "state "); ok {
			state = machineOf(t, text).Root.Start
			continue
		}
		input, want, ok := strings.Cut(line, " => ")
		if !ok {
			input, want, _ = strings.Cut(line, " !! ")
			want = "!! " + want
		}
		input, result, _ := strings.Cut(input, " | ")
		got, err := runState(state, input, result)
		if err != nil {
			got = "!! " + err.Error()
		}
		if got != strings.TrimSpace(want) {
			t.Errorf("line %d:\ngot  %s\nwant %s", n, got, want)
		}
	}
}

func runState(s *asl.State, input, result string) (string, error) {
	now := time.Date(2024, 3, 18, 19, 59, 0, 0, time.UTC)
	env := func(d *value.Doc) *asl.Env {
		return &asl.Env{Input: d, Now: now, Context: func() *value.Doc { return value.TextString(`{"Execution":{"Name":"e-1"}}`) }}
	}
	raw := value.TextString(input)
	in, err := s.Effective(env(raw))
	if err != nil {
		return "", err
	}
	out := in
	switch s.Type {
	case asl.Choice:
		to, err := s.Choose(env(in))
		if err != nil {
			return "", err
		}
		return to.Next.Name, nil
	case asl.Wait:
		until, err := s.WaitUntil(env(in))
		return fmt.Sprint(until.Sub(now).Seconds()), err
	case asl.Fail:
		name, cause, err := s.FailWith(env(raw))
		text := ""
		if name != nil {
			text = *name
		}
		if cause != nil {
			text += ": " + *cause
		}
		return text, err
	case asl.Pass, asl.Task:
		if out, err = s.Arguments(env(in)); err != nil {
			return "", err
		}
		if result != "" {
			out = value.TextString(result)
		}
	}
	if out, err = s.Output(env(in), raw, out); err != nil {
		return "", err
	}
	return out.String(), nil
}

func TestMap(t *testing.T) {
	processor := `"ItemProcessor":{"StartAt":"X","States":{"X":{"Type":"Succeed"}}}`
	s := machineOf(t, `{"Type":"Map","ItemsPath":"$.items","MaxConcurrencyPath":"$.n","ItemSelector":{"i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value","all.$":"$.n"},`+processor+`}`).Root.Start
	env := &asl.Env{Input: value.TextString(`{"items":[1, {"a": 2}],"n":3}`), Context: func() *value.Doc {
		return value.TextString(`{"Map":{"Item":{"Index":1,"Value":{"a":2}}}}`)
	}}
	items, err := s.Items(env)
	if err != nil || fmt.Sprint(items) != `[1 {"a": 2}]` {
		t.Fatal(items, err)
	}
	if in, err := s.ItemInput(env, items[1]); err != nil || in.String() != `{"i":1,"v":{"a":2},"all":3}` {
		t.Error(in, err)
	}
	if n, err := s.MaxConcurrency(env); n != 3 || err != nil {
		t.Error(n, err)
	}
	for input, want := range map[string]string{
		`{"n":"NoNumber"}`: `States.Runtime: The MaxConcurrencyPath field refers to value "NoNumber" which is not a valid integer: $.n`,
		`{"n":{}}`:         `States.Runtime: The MaxConcurrencyPath field refers to value "{}" which is not a valid integer: $.n`,
		`{}`:               `States.Runtime: Invalid path '$.n' : No results for path: $['n']`,
	} {
		if _, err := s.MaxConcurrency(&asl.Env{Input: value.TextString(input)}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", input, err)
		}
	}
	for input, want := range map[string]string{
		`{"items":{"a":1}}`: `States.Runtime: Reference path "$.items" must point to array.`,
		`{"other":1}`:       `States.ReferencePathConflict: Unable to apply step "items" to input {"other":1}`,
	} {
		if _, err := s.Items(&asl.Env{Input: value.TextString(input)}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", input, err)
		}
	}
	plain := machineOf(t, `{"Type":"Map",`+processor+`}`).Root.Start
	item := value.TextString(`{"a":1}`)
	if in, err := plain.ItemInput(env, item); in != item || err != nil {
		t.Error(in, err)
	}
	if _, err := plain.Items(env); err == nil || err.Error() != `States.Runtime: Reference path "$" must point to array.` {
		t.Error(err)
	}
}

// TestUntouched: a state with default paths hands the document on as it came, and ResultPath of one field does not
// decode it.
func TestUntouched(t *testing.T) {
	raw, result := value.TextString(`{"a": 1}`), value.TextString(`{"b": 2}`)
	s := machineOf(t, `{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","ResultPath":"$.r"}`).Root.Start
	env := &asl.Env{Input: raw}
	in, _ := s.Effective(env)
	arguments, _ := s.Arguments(env)
	if in != raw || arguments != raw {
		t.Error("the input was copied")
	}
	out, err := s.Output(env, raw, result)
	if err != nil || out.String() != `{"a": 1,"r":{"b": 2}}` || raw.Decoded() || out.Decoded() || result.Decoded() {
		t.Error(out, err)
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		names, yes, no string
	}{
		{"States.ALL", "E States.TaskFailed States.Timeout States.HeartbeatTimeout States.DataLimitExceeded", "States.Runtime"},
		{"States.Runtime", "", "States.Runtime E"},
		{"States.TaskFailed", "E Lambda.Unknown States.TaskFailed States.DataLimitExceeded", "States.Timeout States.HeartbeatTimeout States.Runtime"},
		{"States.Timeout", "States.Timeout States.HeartbeatTimeout", "E"},
		{"States.HeartbeatTimeout", "States.HeartbeatTimeout", "States.Timeout"},
		{"A B", "A B", "C States.ALL"},
	} {
		r, c2 := asl.Retrier{ErrorEquals: strings.Fields(c.names)}, asl.Catcher{ErrorEquals: strings.Fields(c.names)}
		for _, e := range strings.Fields(c.yes) {
			if !r.Matches(e) || !c2.Matches(e) {
				t.Errorf("%s does not match %s", c.names, e)
			}
		}
		for _, e := range strings.Fields(c.no) {
			if r.Matches(e) || c2.Matches(e) {
				t.Errorf("%s matches %s", c.names, e)
			}
		}
	}
}

func TestCompiled(t *testing.T) {
	d := compileOK(t, `{"Comment":"c","Version":"1.0","TimeoutSeconds":9,"StartAt":"M","States":{
	  "M":{"Type":"Map","Next":"T","ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}},
	  "T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Next":"P","HeartbeatSecondsPath":"$.h","TimeoutSeconds":7,"Credentials":{"RoleArn.$":"$.role"},
	    "Retry":[{"ErrorEquals":["A"]},{"ErrorEquals":["B"],"IntervalSeconds":2,"MaxAttempts":0,"BackoffRate":1.5,"MaxDelaySeconds":60,"JitterStrategy":"FULL"}],
	    "Catch":[{"ErrorEquals":["A"],"Next":"P","ResultPath":"$.e"},{"ErrorEquals":["States.ALL"],"Next":"P"}]},
	  "P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"X","States":{"X":{"Type":"Succeed"}}},{"StartAt":"Y","States":{"Y":{"Type":"Succeed"}}}]}}}`)
	var names []string
	for i, s := range d.States {
		if s.ID != i {
			t.Error(s.Name, s.ID)
		}
		names = append(names, s.Name)
	}
	if strings.Join(names, " ") != "M I T P X Y" || len(d.Scopes) != 4 || d.Root != d.Scopes[0] || d.TimeoutSeconds != 9 {
		t.Error(names, len(d.Scopes), d.TimeoutSeconds)
	}
	m, task, p := d.StateNamed("M"), d.StateNamed("T"), d.StateNamed("P")
	if m.Next != task || m.Map.Processor.Owner != m || m.Map.Processor.Start.Name != "I" || len(p.Branches) != 2 || p.Branches[1].Start.Name != "Y" {
		t.Error("wrong links")
	}
	want := []asl.Retrier{
		{ErrorEquals: []string{"A"}, IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2},
		{ErrorEquals: []string{"B"}, IntervalSeconds: 2, MaxAttempts: 0, BackoffRate: 1.5, MaxDelaySeconds: 60, FullJitter: true},
	}
	if fmt.Sprint(task.Retry) != fmt.Sprint(want) || task.Catch[0].Next != p {
		t.Error(task.Retry)
	}
	env := &asl.Env{Input: value.TextString(`{"h":5,"role":"arn:r"}`)}
	timeout, err1 := task.TimeoutSeconds(env)
	heartbeat, err2 := task.HeartbeatSeconds(env)
	role, err3 := task.CredentialsRole(env)
	if timeout != 7 || heartbeat != 5 || role != "arn:r" || err1 != nil || err2 != nil || err3 != nil || !task.Task.HasHeartbeat {
		t.Error(timeout, heartbeat, role, err1, err2, err3)
	}
	raw, e := value.TextString(`{"a":1}`), value.TextString(`{"Error":"A"}`)
	for i, want := range []string{`{"a":1,"e":{"Error":"A"}}`, `{"Error":"A"}`} {
		if out, err := task.Catch[i].Output(env, raw, e); err != nil || out.String() != want {
			t.Error(i, out, err)
		}
	}
}

func TestParseResource(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:states:::lambda:invoke":                               "1 false lambda invoke 1 lambda invoke",
		"arn:aws:states:::lambda:invoke.waitForTaskToken":              "1 false lambda invoke 4 lambda invoke.waitForTaskToken",
		"arn:aws:states:us-east-1:111111111111:sqs:sendMessage":        "1 false sqs sendMessage 1 sqs sendMessage",
		"arn:aws-cn:states:::states:startExecution.sync:2":             "1 false states startExecution 3 states startExecution.sync:2",
		"arn:aws-us-gov:states:::states:startExecution.sync":           "1 false states startExecution 2 states startExecution.sync",
		"arn:aws:states:::aws-sdk:s3:getObject":                        "1 true s3 getObject 1 aws-sdk:s3 getObject",
		"arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken": "1 true sfn startExecution 4 aws-sdk:sfn startExecution.waitForTaskToken",
		"arn:aws:lambda:us-east-1:111111111111:function:f":             "2 false lambda invoke 1  ",
		"arn:aws:lambda:us-east-1:111111111111:function:f:$LATEST":     "2 false lambda invoke 1  ",
		"arn:aws:states:us-east-1:111111111111:activity:a.b":           "3 false   4  ",
		"arn:aws:lambda:us-east-1:111111111111:function":               "",
		"arn:aws:lambda:us-east-1:111111111111:function:f:1:2":         "",
		"arn:aws:states:::lambda":                                      "",
		"arn:aws:states:::lambda:invoke.sync:3":                        "",
		"arn:aws:states:::aws-sdk:s3":                                  "",
		"arn:aws:states:::aws-sdk:s3:getObject.sync":                   "",
		"arn:aws:sns:us-east-1:111111111111:topic":                     "",
		"arn:azure:states:::lambda:invoke":                             "",
		"lambda:invoke":                                                "",
	} {
		i, ok := asl.ParseResource(arn)
		got := fmt.Sprintln(i.Kind, i.SDK, i.Service, i.Action, i.Pattern, i.ResourceType, i.ResourceName)
		if ok != (want != "") || ok && strings.TrimSuffix(got, "\n") != want {
			t.Errorf("%s: %t %s", arn, ok, got)
		}
	}
}

// FuzzCompile: no text makes the compiler or the states of what it accepts panic.
func FuzzCompile(f *testing.F) {
	f.Add(orderMachine, order)
	f.Add(`{"StartAt":"A","States":{"A":{"Type":"Map","End":true,"ItemsPath":"$.i","ItemSelector":{"x.$":"$$"},"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Wait","SecondsPath":"$.s","End":true}}}}}}`, `{"i":[1]}`)
	f.Add(`{"StartAt":"A","States":{"A":{"Type":"Fail","CausePath":"States.Format('{}', $.a)"}}}`, `{"a":1}`)
	f.Add(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSecondsPath":"$.t","ResultPath":"$.a[0].b","Next":"A","Catch":[{"ErrorEquals":["States.ALL"],"Next":"A"}]}}}`, `{"a":[{}]}`)
	f.Fuzz(func(t *testing.T, definition, input string) {
		asl.Compile([]byte(definition), asl.Options{YAML: true})
		d, ds := asl.Compile([]byte(definition), asl.Options{})
		if (d == nil) == (ds == nil) {
			t.Fatalf("%q: definition %v, diagnostics %v", definition, d, ds)
		}
		if d == nil || value.Valid([]byte(input)) != nil {
			return
		}
		raw := value.TextString(input)
		for _, s := range d.States {
			env := &asl.Env{Input: raw, Random: func() uint64 { return 1 }}
			if s.Type == asl.Map {
				if items, err := s.Items(env); err == nil && len(items) > 0 {
					_, _ = s.ItemInput(env, items[0])
				}
				_, _ = s.MaxConcurrency(env)
			}
			if s.Type == asl.Task {
				_, _ = s.TimeoutSeconds(env)
				_, _ = s.CredentialsRole(env)
			}
			_, _ = runState(s, input, "")
		}
	})
}
