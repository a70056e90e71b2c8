package asl_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// recordedCases finds the recorded AWS answers; the test is skipped where they are not there.
func recordedCases(t testing.TB) []string {
	dir := os.Getenv("NEWEL_CONFORMANCE")
	if dir == "" {
		shared := os.Getenv("NEWEL_SHARED")
		if shared == "" {
			shared = "../../shared"
		}
		dir = filepath.Join(shared, "conformance")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "cases", "*", "*.json"))
	if len(files) == 0 {
		t.Skip("SKIPPED: no recorded cases at " + dir)
	}
	return files
}

type recordedCase struct {
	Trust string
	Steps []struct {
		Op, Action, Expect_snapshot_key string
		Args                            json.RawMessage
		Expect_error                    bool
		Save_as                         string
	}
	Expected map[string]json.RawMessage
}

// run walks a machine that has no tasks or nested scopes; ok is false where it meets one.
func run(d *asl.Definition, input *value.Doc) (output *value.Doc, err error, ok bool) {
	context := value.TextString(`{"Execution":{"Id":"EXECUTION","Input":` + input.String() + `,"Name":"NAME","RoleArn":"R","StartTime":"T"},"State":{"Name":"S","EnteredTime":"T"},"StateMachine":{"Id":"MACHINE","Name":"NAME"}}`)
	state := d.Root.Start
	variables := map[string]*value.Doc{}
	lookup := func(name string) (*value.Doc, bool) { doc, ok := variables[name]; return doc, ok }
	for range 1000 {
		env := func(in *value.Doc) *asl.Env {
			return &asl.Env{Input: in, Context: func() *value.Doc { return context }, Variables: lookup, Now: time.Now(), Random: func() uint64 { return 7 }}
		}
		effective, err := state.Effective(env(input))
		if err != nil {
			return nil, err, true
		}
		exit, result := &state.Exit, effective
		switch state.Type {
		case asl.Pass:
			result, err = state.Arguments(env(effective))
		case asl.Choice:
			exit, err = state.Choose(env(effective))
		case asl.Wait:
			_, err = state.WaitUntil(env(effective))
		case asl.Succeed:
		case asl.Fail:
			name, cause, err := state.FailWith(env(input))
			if err == nil {
				failure := &asl.Error{}
				if name != nil {
					failure.Name = *name
				}
				if cause != nil {
					failure.Cause = *cause
				}
				err = failure
			}
			return nil, err, true
		default:
			return nil, nil, false
		}
		var set []asl.Variable
		if err == nil {
			output, err = exit.Output(env(effective), input, result)
		}
		if err == nil {
			set, err = exit.Assign(env(effective), input, result)
		}
		if err != nil {
			return nil, err, true
		}
		if state.End || state.Type == asl.Succeed {
			return output, nil, true
		}
		for _, v := range set {
			variables[v.Name] = v.Value
		}
		state, input = exit.Next, output
	}
	return nil, nil, false
}

// TestRecordedExecutions runs every recorded machine of Pass, Choice, Wait, Succeed and Fail states.
func TestRecordedExecutions(t *testing.T) {
	checked := 0
	for _, file := range recordedCases(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c recordedCase
		if err := json.Unmarshal(text, &c); err != nil || c.Trust == "localstack" || c.Trust == "none" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { checked += runRecorded(t, c) })
	}
	t.Logf("%d executions compared", checked)
}

func runRecorded(t *testing.T, c recordedCase) (checked int) {
	var d *asl.Definition
	var input *value.Doc
	for _, s := range c.Steps {
		var args struct{ Definition, Input any }
		_ = json.Unmarshal(s.Args, &args)
		definition, _ := args.Definition.(string)
		switch s.Action {
		case "StopExecution":
			return checked
		case "CreateStateMachine":
			d, _ = asl.Compile([]byte(definition), asl.Options{})
		case "StartExecution":
			text, _ := args.Input.(string)
			if text == "" {
				text = "{}"
			}
			if input = value.TextString(text); value.Valid([]byte(text)) != nil || strings.Contains(text, "${") {
				input = nil
			}
		case "GetExecutionHistory":
			var history struct{ Events []map[string]json.RawMessage }
			if d == nil || input == nil || json.Unmarshal(c.Expected[s.Expect_snapshot_key], &history) != nil || len(history.Events) == 0 {
				continue
			}
			last := history.Events[len(history.Events)-1]
			output, err, ok := run(d, input)
			if !ok {
				continue
			}
			checked++
			compareEnd(t, last, output, err)
		}
	}
	return checked
}

func compareEnd(t *testing.T, last map[string]json.RawMessage, output *value.Doc, err error) {
	t.Helper()
	var ended struct{ Output json.RawMessage }
	var failed struct{ Error, Cause string }
	if details, ok := last["executionSucceededEventDetails"]; ok {
		_ = json.Unmarshal(details, &ended)
		if err != nil {
			t.Errorf("recorded output %s, got %v", ended.Output, err)
			return
		}
		want, _ := value.Parse(ended.Output)
		if s, ok := want.(string); ok && !value.Equal(want, output.Value()) {
			want, _ = value.Parse([]byte(s))
		}
		if text := string(ended.Output); !value.Equal(want, output.Value()) && !strings.Contains(text, "<") && !strings.Contains(text, "date") {
			t.Errorf("recorded output %s, got %s", ended.Output, output)
		}
		return
	}
	_ = json.Unmarshal(last["executionFailedEventDetails"], &failed)
	if failed.Error == "States.DataLimitExceeded" {
		return // the machine's limit, not the language's
	}
	failure, ok := err.(*asl.Error)
	if !ok {
		t.Errorf("recorded %v, got output %v, error %v", failed, output, err)
		return
	}
	cause := failed.Cause
	if _, after, ok := strings.Cut(cause, "). "); ok {
		cause = after
	}
	if failure.Name != failed.Error || failure.Cause != cause && !strings.Contains(cause, "<") {
		t.Errorf("recorded %s: %s\ngot      %s: %s", failed.Error, cause, failure.Name, failure.Cause)
	}
}

var reference = regexp.MustCompile(`\$\{[^}]*\}`)

// TestRecordedDefinitions compiles every recorded definition: those that AWS took must be good here (or be valid and not
// run yet), those that it refused must be refused in its words.
func TestRecordedDefinitions(t *testing.T) {
	good, later := 0, 0
	for _, file := range recordedCases(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c recordedCase
		if err := json.Unmarshal(text, &c); err != nil || c.Trust == "localstack" || c.Trust == "none" {
			continue
		}
		for _, s := range c.Steps {
			var args struct{ Definition, Type any }
			_ = json.Unmarshal(s.Args, &args)
			definition, ok := args.Definition.(string)
			if !ok || definition == "" && s.Action != "CreateStateMachine" || s.Op != "call" || !strings.HasSuffix(s.Action, "StateMachine") || s.Expect_error {
				continue
			}
			definition = reference.ReplaceAllString(definition, "arn:aws:lambda:us-east-1:111111111111:function:f")
			_, ds := asl.Compile([]byte(definition), asl.Options{Express: args.Type == "EXPRESS"})
			if ds == nil {
				good++
			}
			if text := asl.InvalidDefinition(ds); strings.Contains(text, "does not run it yet") {
				later++
			} else if text != "" {
				t.Errorf("%s: AWS took %s\ngot %s", filepath.Base(file), definition, text)
			}
		}
	}
	t.Logf("%d definitions compiled, %d valid but not run yet", good, later)
}

// TestRecordedRefusals compares the words in which AWS refused definitions.
func TestRecordedRefusals(t *testing.T) {
	refused := regexp.MustCompile(`Invalid State Machine Definition: '(.*?)'"`)
	compared := 0
	for _, file := range recordedCases(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c recordedCase
		if err := json.Unmarshal(text, &c); err != nil || c.Trust == "localstack" || c.Trust == "none" {
			continue
		}
		var texts []string
		var found []asl.Diagnostic
		for _, s := range c.Steps {
			var args struct{ Definition, Type any }
			_ = json.Unmarshal(s.Args, &args)
			if definition, ok := args.Definition.(string); ok {
				_, ds := asl.Compile([]byte(definition), asl.Options{Express: args.Type == "EXPRESS"})
				texts, found = append(texts, asl.InvalidDefinition(ds)), append(found, ds...)
			}
		}
		for name, expected := range c.Expected {
			var validation struct{ Diagnostics []asl.Diagnostic }
			if m := refused.FindStringSubmatch(string(expected)); m != nil {
				compared++
				var want string
				if err := json.Unmarshal([]byte(`"`+strings.ReplaceAll(m[1], "<partition>", "aws")+`"`), &want); err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(texts, want) {
					t.Errorf("%s\nrecorded %s\ngot      %q", filepath.Base(file), want, texts)
				}
			} else if strings.Contains(name, "validation_response") && json.Unmarshal(expected, &validation) == nil && len(validation.Diagnostics) > 0 {
				compared++
				for i := range found {
					found[i].Line, found[i].Column = 0, 0
				}
				if !slices.Equal(found, validation.Diagnostics) {
					t.Errorf("%s\nrecorded %+v\ngot      %+v", filepath.Base(file), validation.Diagnostics, found)
				}
			}
		}
	}
	t.Logf("%d refusals compared", compared)
}

// TestRecordedChoices runs the recorded comparisons: one machine and one input each, in the order of the answers.
func TestRecordedChoices(t *testing.T) {
	compared := 0
	for _, file := range recordedCases(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c recordedCase
		var answers []struct{ Input, Output json.RawMessage }
		if err := json.Unmarshal(text, &c); err != nil || json.Unmarshal(c.Expected["cases"], &answers) != nil {
			continue
		}
		var d *asl.Definition
		n := 0
		for _, s := range c.Steps {
			var args struct{ Definition, Input string }
			_ = json.Unmarshal(s.Args, &args)
			switch s.Action {
			case "CreateStateMachine":
				d = compileOK(t, args.Definition)
			case "StartExecution":
				output, err, _ := run(d, value.TextString(args.Input))
				if want, _ := value.Parse(answers[n].Output); err != nil || !value.Equal(want, output.Value()) {
					t.Errorf("%s: %s in %s: recorded %s, got %v %v", filepath.Base(file), args.Input, d.Source[:200], answers[n].Output, output, err)
				}
				n++
			}
		}
		compared += n
	}
	t.Logf("%d choices compared", compared)
}
