package suite

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/machine"
)

func TestExpectations(t *testing.T) {
	name := "Boom"
	succeeded := Outcome{Status: "SUCCEEDED", Output: value.TextString(`{"a":1.0,"b":[1,{"c":"x"}]}`), Path: []string{"A", "B"}}
	failed := Outcome{Status: "FAILED", Error: "Boom", Cause: "it was loud"}
	for _, x := range []struct {
		name    string
		expect  Expect
		outcome Outcome
		want    []string
	}{
		{"numbers by value", Expect{Status: "SUCCEEDED", Output: value.TextString(`{"b":[1,{"c":"x"}],"a":1}`), Path: []string{"A", "B"}}, succeeded, nil},
		{"a part", Expect{Status: "SUCCEEDED", OutputHas: value.TextString(`{"b":[1,{}]}`)}, succeeded, nil},
		{"a list is not a part", Expect{Status: "SUCCEEDED", OutputHas: value.TextString(`{"b":[1]}`)}, succeeded, []string{`output.b: expected [1], got [1,{"c":"x"}]`}},
		{"more and less", Expect{Status: "SUCCEEDED", Output: value.TextString(`{"a":1,"d":null}`)}, succeeded,
			[]string{"output.d: expected null, got nothing", `output.b: expected nothing, got [1,{"c":"x"}]`}},
		{"another path", Expect{Status: "SUCCEEDED", Path: []string{"A"}}, succeeded, []string{"path: expected A", "path: it went A → B"}},
		{"another status", Expect{Status: "SUCCEEDED", Output: value.TextString("1")}, failed, []string{"status: expected SUCCEEDED, got FAILED with Boom: it was loud"}},
		{"an error", Expect{Status: "FAILED", Error: &name, Cause: "loud"}, failed, nil},
		{"another cause", Expect{Status: "FAILED", Error: &name, Cause: "quiet"}, failed, []string{`cause: expected something with "quiet", got "it was loud"`}},
	} {
		if got := x.expect.Check(&x.outcome); !slices.Equal(got, x.want) {
			t.Errorf("%s\n got %q\nwant %q", x.name, got, x.want)
		}
	}
}

const choices = `{"StartAt":"T","States":{
	"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"C",
		"Retry":[{"ErrorEquals":["X"]},{"ErrorEquals":["Y"]}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"E"}]},
	"C":{"Type":"Choice","Choices":[{"Variable":"$.a","NumericEquals":1,"Next":"E"},{"Variable":"$.a","NumericEquals":2,"Next":"E"}],"Default":"E"},
	"E":{"Type":"Succeed"}}}`

// TestCoverageTellsRulesApart: two rules and Default lead to the same state.
func TestCoverageTellsRulesApart(t *testing.T) {
	d, problems := asl.Compile([]byte(choices), asl.Options{})
	if d == nil {
		t.Fatal(problems)
	}
	c := NewCoverage("m", d)
	c.Entered("T")
	c.Entered("unknown")
	for _, x := range []machine.Decision{{State: "C", Kind: machine.ChoseRule, Index: 1}, {State: "C", Kind: machine.ChoseRule, Index: 1},
		{State: "T", Kind: machine.Retried, Index: 0}, {State: "T", Kind: machine.Caught, Index: 0}} {
		c.Decided(x)
	}
	var got []string
	for k := range Kinds {
		hit, all := c.Count(k)
		got = append(got, fmt.Sprintf("%s %d/%d %v", k, hit, all, c.Missed(k)))
	}
	want := []string{"states 1/3 [C E]", "branches 1/3 [C: a = 1 → E C: Default → E]", "retriers 1/2 [T: Retry [Y]]", "catchers 1/1 []"}
	if !slices.Equal(got, want) {
		t.Errorf("covered\n got %q\nwant %q", got, want)
	}
	if p := Percent([]*Coverage{c}); p != 100*4.0/9 {
		t.Errorf("percent %v", p)
	}
	c.Decided(machine.Decision{State: "C", Kind: machine.ChoseDefault})
	if hit, _ := c.Count(Branch); hit != 2 {
		t.Errorf("Default was not counted: %d", hit)
	}
}

func TestProblemsHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"cases: []":                                                            "1:1: there are no cases",
		"type: FAST\ncases: [{name: a}]":                                       "1:7: type must be STANDARD or EXPRESS",
		"cases:\n- {name: a}\n- {name: a}":                                     `3:3: there are two cases "a"`,
		"cases: [{name: a, mocks: {S: {return: 1, throw: E}}}]":                "return, throw or never is needed",
		"cases: [{name: a, mocks: {S: [{return: 1}, {when: {}, return: 2}]}}]": "either all responses have when, or none",
		"cases: [{name: a, mocks: {S: [{return: 1, times: 0}]}}]":              "times must be a whole number from 1",
		"cases: [{name: a, mocks: {S: [{when: 1, then: []}]}}]":                "a response is needed",
		"cases: [{name: a, mocks: {S: {throw: {cause: c}}}}]":                  "the name of an error is needed",
		"cases: [{name: a, real: maybe}]":                                      "real must be true, false or a list of states",
		"cases: [{name: a, expect: {status: GOOD}}]":                           "status must be one of",
		"cases: [{name: a, expect: {output: 1, outputHas: 1}}]":                "one of them is needed",
		"cases: [{name: a, expects: {}}]":                                      `"expects" is not known here`,
		"cases: [":                                                             "m.test.yaml:2:1",
	} {
		if _, err := Parse("m.test.yaml", []byte(text), []string{"m.asl.json"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n  error %v\n  want  %s", text, err, want)
		}
	}
}

func TestJUnit(t *testing.T) {
	s := &Suite{File: "a.test.yaml", Machine: "a.asl.json"}
	b, err := JUnit([]*Run{{s, []*Result{{Case: &Case{Name: `<"1">`, Line: 3}}, {Case: &Case{Name: "2"}, Wrong: []string{"x & y", "z"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<testsuites tests="2" failures="1" time="0.000">`, `name="&lt;&#34;1&#34;&gt;"`, `<failure message="x &amp; y" type="assertion">x &amp; y&#xA;z</failure>`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
}
