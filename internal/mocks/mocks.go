// Package mocks answers tasks in the place of the services that they call: those of the executions that were started on
// a test case, arn:...:stateMachine:NAME#CASE.
//
// What a case says is plain data, read at the start from a file of AWS's Step Functions Local (parse.go) or made by
// 'newel test'. Which attempt at a state a task is, the engine counts and keeps with the execution (engine.Test), so an
// answer is the same after a crash. A Runner stands in front of what really runs tasks and answers in its place;
// the machine knows nothing of it, and the history has the events that the real integration would have led to.
package mocks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Config holds the test cases of state machines: by the machine's name, then by the case's. It does not change once a
// Runner uses it.
type Config map[string]map[string]*Case

// Case says how the tasks of one execution are answered.
type Case struct {
	// States are the mocks by the names of the states. Of a distributed Map's processor too.
	States map[string]*Mock
	// Strict has a state without a mock fail, but for those in Real; otherwise it is run for real.
	Strict bool
	Real   map[string]bool
}

// Mock is what a state's task is answered.
type Mock struct {
	// Attempts count from 0 through the whole execution: retries, loops and Map iterations in the order in which they begin.
	Attempts []Response
	// Arms are asked before Attempts: the first whose When fits the task's arguments answers.
	Arms []Arm
}

// Arm answers the tasks that are called with certain arguments.
type Arm struct {
	// When is what the arguments must have: members of objects may be left out, everything else is equal.
	When value.Value
	// Retries answer by the number of retries of the state's present visit, which begins at 0; the last one answers all that
	// come after it.
	Retries []Response
}

// Response answers the attempts First to Last.
type Response struct {
	First, Last int
	Return      []byte // the result, JSON; nil: the task fails
	Payload     []byte // of a Return as lambda:invoke's, what a task whose Resource is the function's ARN gets; nil: Return
	Error       string
	Cause       *string
	Never       bool // no answer at all: the task waits until it times out, in skipped time
}

// Has reports whether a machine has a test case.
func (c Config) Has(machine, name string) bool { return c[machine][name] != nil }

// Add adds a machine's cases; a case that is there already is an error.
func (c Config) Add(machine string, cases map[string]*Case) error {
	if c[machine] == nil {
		c[machine] = map[string]*Case{}
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		if c.Has(machine, name) {
			return fmt.Errorf("state machine %s has two test cases %q", machine, name)
		}
		c[machine][name] = cases[name]
	}
	return nil
}

// answer is the response to a task; nil: it is run for real. The error's text says what is missing.
func (c *Case) answer(state string, attempt, retries int, arguments *value.Doc) (*Response, error) {
	m := c.States[state]
	if m == nil {
		if c.Strict && !c.Real[state] {
			return nil, fmt.Errorf("State '%s' has no mock in this test case, and real calls are not allowed", state)
		}
		return nil, nil
	}
	for i := range m.Arms {
		if arm := &m.Arms[i]; Fits(arm.When, arguments.Value()) {
			return &arm.Retries[min(retries, len(arm.Retries)-1)], nil
		}
	}
	for i := range m.Attempts {
		if r := &m.Attempts[i]; r.First <= attempt && attempt <= r.Last {
			return r, nil
		}
	}
	if len(m.Attempts) == 0 {
		return nil, fmt.Errorf("No mock of state '%s' fits the arguments %s", state, strings.TrimSpace(arguments.String()))
	}
	return nil, fmt.Errorf("No mocked response definition for state '%s' and attempt number '%d'", state, attempt)
}

// Fits reports whether a value has everything that a pattern has: an object may have more members, everything else is
// equal.
func Fits(pattern, v value.Value) bool {
	switch p := pattern.(type) {
	case *value.Object:
		o, ok := v.(*value.Object)
		if !ok {
			return false
		}
		for name, want := range p.All() {
			have, ok := o.Get(name)
			if !ok || !Fits(want, have) {
				return false
			}
		}
		return true
	case value.Array:
		a, ok := v.(value.Array)
		return ok && slices.EqualFunc(p, a, Fits)
	}
	return value.Equal(pattern, v)
}
