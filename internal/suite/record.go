package suite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/machine"
)

// Recording is an execution that has ended, to be made a test of.
type Recording struct {
	Name       string // of the case
	ARN        string
	Machine    string // file of the definition, relative to the test's
	Definition *asl.Definition
	Status     string
	Input      string
	Output     *string // nil unless it has succeeded
	Error      string
	Events     []tree.HistoryEvent
	Children   [][]tree.HistoryEvent // of the executions of its distributed Maps
}

// attempt is one attempt at a task in a history.
type attempt struct {
	arguments value.Value
	retry     bool // it follows a failed attempt of the same visit
	response  *value.Object
}

// Record writes a suite with one case, whose mocks answer as the recorded tasks were answered. States of Maps are mocked by
// their arguments, for the order of iterations is not always the same; the others by attempt.
func Record(r *Recording) ([]byte, error) {
	if r.Status == "ABORTED" || r.Status == "RUNNING" {
		return nil, fmt.Errorf("the execution is %s: only one that has ended by itself can be made a test of", r.Status)
	}
	input, err := value.Parse([]byte(r.Input))
	if err != nil {
		return nil, err
	}
	attempts := map[string][]*attempt{}
	path, err := r.collect(r.Events, attempts)
	if err != nil {
		return nil, err
	}
	for _, events := range r.Children {
		if _, err := r.collect(events, attempts); err != nil {
			return nil, err
		}
	}
	b := []byte("machine: ")
	b = append(value.AppendString(b, r.Machine), "\ncases:\n  - name: "...)
	b = append(value.AppendString(b, r.Name), "\n    input: "...)
	b = append(value.Append(b, input), '\n')
	b = r.appendMocks(b, attempts)
	b = append(append(b, "    expect:\n      status: "...), r.Status...)
	if r.Error != "" {
		b = value.AppendString(append(b, "\n      error: "...), r.Error)
	}
	if r.Output != nil {
		output, err := value.Parse([]byte(*r.Output))
		if err != nil {
			return nil, err
		}
		b = value.Append(append(b, "\n      output: "...), output)
	}
	list := value.Array{}
	for _, state := range path {
		list = append(list, state)
	}
	return append(value.Append(append(b, "\n      path: "...), list), '\n'), nil
}

// collect finds the attempts at each state's tasks in the order in which they began, and the path of the own thread.
func (r *Recording) collect(events []tree.HistoryEvent, attempts map[string][]*attempt) (path []string, err error) {
	t := tree.New("")
	of := map[int64]*attempt{} // by the id of an event of the attempt
	last := map[string]*attempt{}
	for i := range events {
		e := &events[i]
		t.Add(e.Event())
		state := t.Where(e.ID)
		switch a := of[e.PreviousEventID]; {
		case strings.HasSuffix(e.Type, "StateEntered"):
			if st := r.state(e.Details.Name); st != nil && st.Scope.Owner == nil && len(r.Events) > 0 && &events[0] == &r.Events[0] {
				path = append(path, e.Details.Name)
			}
		case strings.HasSuffix(e.Type, "Scheduled"):
			text := or(e.Details.Parameters, or(e.Details.Input, "null"))
			arguments, err := value.Parse([]byte(text))
			if err != nil {
				return nil, fmt.Errorf("event %d: %w", e.ID, err)
			}
			next := &attempt{arguments: r.steady(arguments), retry: a != nil}
			of[e.ID], last[state] = next, next
			attempts[state] = append(attempts[state], next)
		case a != nil && taskEvent(e.Type):
			of[e.ID] = a
			if err := a.answer(e); err != nil {
				return nil, err
			}
		case e.Type == "ExecutionFailed" && e.Details.Error == "States.Runtime":
			for _, a := range last { // a task that could not be started has no event of its own
				if a.response == nil {
					_, cause, _ := strings.Cut(e.Details.Cause, "). ")
					a.response = throw("States.Runtime", cause)
				}
			}
		}
	}
	return path, nil
}

// taskEvent reports whether an event is one of a task under way.
func taskEvent(t string) bool {
	return !strings.Contains(t, "State") && (strings.HasPrefix(t, "Task") || strings.HasPrefix(t, "LambdaFunction") || strings.HasPrefix(t, "Activity"))
}

// answer takes the event that ends an attempt.
func (a *attempt) answer(e *tree.HistoryEvent) error {
	switch {
	case strings.HasSuffix(e.Type, "TimedOut"):
		a.response = value.NewObject(value.Member{Name: "never", Value: true})
	case strings.HasSuffix(e.Type, "Failed"):
		a.response = throw(e.Details.Error, e.Details.Cause)
	case strings.HasSuffix(e.Type, "Succeeded"):
		result, err := value.Parse([]byte(or(e.Details.Output, "null")))
		if err != nil {
			return fmt.Errorf("event %d: %w", e.ID, err)
		}
		a.response = value.NewObject(value.Member{Name: "return", Value: result})
	}
	return nil
}

func throw(name, cause string) *value.Object {
	t := value.NewObject(value.Member{Name: "error", Value: or(name, "States.TaskFailed")})
	if cause != "" {
		t.Set("cause", cause)
	}
	return value.NewObject(value.Member{Name: "throw", Value: t})
}

// steady is what of some arguments is the same in another execution: without task tokens and its own names.
func (r *Recording) steady(v value.Value) value.Value {
	o, ok := v.(*value.Object)
	if !ok {
		return v
	}
	kept := value.NewObject()
	for name, m := range o.All() {
		if s, ok := m.(string); ok && (isToken(s) || strings.Contains(s, r.ARN)) {
			continue
		}
		kept.Set(name, r.steady(m))
	}
	return kept
}

func isToken(s string) bool {
	_, err := machine.ParseToken(s)
	return !errors.Is(err, machine.ErrToken)
}

func (r *Recording) state(name string) *asl.State {
	for _, st := range r.Definition.States {
		if st.Name == name {
			return st
		}
	}
	return nil
}

// inMap reports whether a state belongs to a Map.
func inMap(st *asl.State) bool {
	for st != nil && st.Scope.Owner != nil {
		if st = st.Scope.Owner; st.Type == asl.Map {
			return true
		}
	}
	return false
}

// appendMocks writes the mocks of the states in the order of the definition.
func (r *Recording) appendMocks(b []byte, attempts map[string][]*attempt) []byte {
	if len(attempts) == 0 {
		return b
	}
	b = append(b, "    mocks:\n"...)
	for _, st := range r.Definition.States {
		list := attempts[st.Name]
		if len(list) == 0 {
			continue
		}
		b = append(value.AppendString(append(b, "      "...), st.Name), ":\n"...)
		arms, ok := byArguments(list)
		if ok && inMap(st) {
			for _, arm := range arms {
				b = append(value.Append(append(b, "        - "...), arm), '\n')
			}
			continue
		}
		for _, a := range list {
			b = append(value.Append(append(b, "        - "...), a.responseOrNever()), '\n')
		}
	}
	return b
}

// responseOrNever is what an attempt was answered; one that was given up has no answer.
func (a *attempt) responseOrNever() *value.Object {
	if a.response == nil {
		return value.NewObject(value.Member{Name: "never", Value: true})
	}
	return a.response
}

// byArguments groups attempts by their arguments, the more particular ones first; not ok if the same arguments were answered
// differently in two visits.
func byArguments(list []*attempt) (arms []*value.Object, ok bool) {
	type group struct {
		when value.Value
		then value.Array
	}
	var groups []*group
	for _, a := range list {
		i := slices.IndexFunc(groups, func(g *group) bool { return value.Equal(g.when, a.arguments) })
		if i < 0 {
			groups = append(groups, &group{when: a.arguments, then: value.Array{a.responseOrNever()}})
			continue
		}
		g := groups[i]
		switch last := g.then[len(g.then)-1]; {
		case a.retry:
			g.then = append(g.then, a.responseOrNever())
		case len(g.then) > 1 || !value.Equal(last, a.responseOrNever()):
			return nil, false
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return members(b.when) - members(a.when) })
	for _, g := range groups {
		arm := value.NewObject(value.Member{Name: "when", Value: g.when})
		if len(g.then) > 1 {
			arm.Set("then", g.then)
		} else {
			for name, v := range g.then[0].(*value.Object).All() {
				arm.Set(name, v)
			}
		}
		arms = append(arms, arm)
	}
	return arms, true
}

// members counts the members of a value's objects.
func members(v value.Value) (n int) {
	switch v := v.(type) {
	case *value.Object:
		for _, m := range v.All() {
			n += 1 + members(m)
		}
	case value.Array:
		for _, m := range v {
			n += members(m)
		}
	}
	return n
}
