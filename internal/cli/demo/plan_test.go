package demo

import (
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
)

const plan = `
about: a test
executions:
  - name: one
    input: {id: !Ref Q}
    expect: {status: FAILED, error: Oops, states: [A, B]}
  - name: two
    input: 1
    expect: {status: SUCCEEDED, output: {b: 1, a: [2]}}
checks:
  - {about: any order, call: "sqs:ReceiveMessage", select: "$.Messages[*].Body", items: [b, a]}
  - {about: exact, call: "sqs:ListQueues", equals: {x: 1.0}}
`

func TestPlan(t *testing.T) {
	p, err := Parse("demo.yaml", []byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	one := &p.Executions[0]
	if d := one.Compare(Outcome{Status: "FAILED", Error: "Oops", States: []string{"A", "B"}}, nil); d != nil {
		t.Errorf("got %q", d)
	}
	d := strings.Join(one.Compare(Outcome{Status: "SUCCEEDED", States: []string{"A"}}, nil), "|")
	if d != "status: expected FAILED, got SUCCEEDED|states: expected A > B, got A|error: expected Oops, got none" {
		t.Errorf("got %s", d)
	}
	two := &p.Executions[1]
	want := two.Output.Plain()
	if d := two.Compare(Outcome{Status: "SUCCEEDED", Output: `{"a":[2],"b":1}`}, want); d != nil {
		t.Errorf("got %q", d)
	}
	if d := two.Compare(Outcome{Status: "SUCCEEDED", Output: `{"a":[2,3],"b":1}`}, want); len(d) != 1 {
		t.Errorf("got %q", d)
	}
}

func TestCheck(t *testing.T) {
	p, err := Parse("demo.yaml", []byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		check  int
		answer string
		differ string
	}{
		{0, `{"Messages":[{"Body":"a"},{"Body":"b"}]}`, ""},
		{0, `{"Messages":[{"Body":"a"},{"Body":"b"},{"Body":"b"}]}`, `expected ["a","b"], got ["a","b","b"]`},
		{0, `{}`, `expected ["a","b"], got []`},
		{1, `{"x":1.0}`, ""},
		{1, `{"x":2}`, `expected {"x":1.0}, got {"x":2}`},
	} {
		answer, err := value.Parse([]byte(c.answer))
		if err != nil {
			t.Fatal(err)
		}
		check := &p.Checks[c.check]
		want := check.Items
		if want == nil {
			want = check.Equals
		}
		if got := check.Compare(answer, want.Plain()); got != c.differ {
			t.Errorf("%s: got %s", c.answer, got)
		}
	}
}

func TestPlanProblems(t *testing.T) {
	_, err := Parse("demo.yaml", []byte(`
colour: red
executions:
  - input: 1
    expect: {status: GOOD}
checks:
  - {call: "sqs:Nothing", items: [], equals: 1}
  - {call: "sqs:ListQueues", select: "$[", items: []}
`))
	for _, want := range []string{
		`demo.yaml:2:1: "colour" is not known here`, `demo.yaml:4:5: an execution needs a name`, `status must be one of`,
		`demo.yaml:7:5: call must name an operation`, `demo.yaml:7:5: a check needs one of equals and items`, `demo.yaml:8:38: select: `,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}
