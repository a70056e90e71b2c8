package graph

import (
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/cli/tree"
)

// Outcome is how a state ended in an execution.
type Outcome string

// The outcomes; None is a drawing's without a run.
const (
	None       Outcome = ""
	Succeeded  Outcome = "succeeded"
	Caught     Outcome = "caught"
	Failed     Outcome = "failed"
	Running    Outcome = "running"
	Aborted    Outcome = "aborted"
	NotReached Outcome = "not reached"
)

// Run is what an execution did, by the states' names.
type Run struct {
	Status Outcome
	states map[string]*visits
	edges  map[hop]bool
	tree   *tree.Tree
}

// visits are all visits of a state.
type visits struct {
	count, retries int
	by             map[Outcome]int
	error          string
}

// hop is a transition taken; "" stands for the start and the end.
type hop struct {
	from, to string
	catch    bool
}

// Trace reads what an execution did from the tree of its history.
func Trace(t *tree.Tree) *Run {
	r := &Run{Status: outcomeOf(t.Status), states: map[string]*visits{}, edges: map[hop]bool{}, tree: t}
	r.thread(t.Root, true)
	return r
}

func outcomeOf(s tree.Status) Outcome {
	return map[tree.Status]Outcome{
		tree.Running: Running, tree.Succeeded: Succeeded, tree.Caught: Caught, tree.Failed: Failed, tree.TimedOut: Failed, tree.Aborted: Aborted,
	}[s]
}

func (r *Run) thread(th *tree.Thread, outer bool) {
	from, caught := "", false
	for _, s := range th.States {
		v := r.states[s.Name]
		if v == nil {
			v = &visits{by: map[Outcome]int{}}
			r.states[s.Name] = v
		}
		v.count++
		v.retries += len(s.Attempts)
		v.by[outcomeOf(s.Status)]++
		if s.Error != "" {
			v.error = s.Error
		}
		r.edges[hop{from, s.Name, caught}] = true
		from, caught = s.Name, s.Status == tree.Caught
		for _, sub := range s.Threads {
			r.thread(sub, false)
		}
	}
	if n := len(th.States); outer && n > 0 {
		last := th.States[n-1]
		ended := th.Status == tree.Succeeded || last.Type == "Fail"
		r.edges[hop{last.Name, "", false}] = ended
	}
}

func (r *Run) took(from, to *asl.State, catch bool) bool {
	if r == nil {
		return false
	}
	h := hop{catch: catch}
	if from != nil {
		h.from = from.Name
	}
	if to != nil {
		h.to = to.Name
	}
	return r.edges[h]
}

// outcome is a state's worst: what needs looking at comes first.
func (r *Run) outcome(st *asl.State) Outcome {
	if r == nil {
		return None
	}
	v := r.states[st.Name]
	if v == nil {
		for owner := st.Scope.Owner; owner != nil; owner = owner.Scope.Owner {
			if owner.Map != nil && owner.Map.Distributed && r.states[owner.Name] != nil {
				return None // its children are executions of their own
			}
		}
		return NotReached
	}
	for _, o := range []Outcome{Running, Failed, Aborted, Caught} {
		if v.by[o] > 0 {
			return o
		}
	}
	return Succeeded
}

func (r *Run) started() Outcome {
	if r == nil {
		return None
	}
	return Succeeded
}

func (r *Run) ended() Outcome {
	if r == nil {
		return None
	}
	if r.Status == Running {
		return NotReached
	}
	return r.Status
}

// note says what else people want to know of a state's visits: the error, how often.
func (r *Run) note(st *asl.State) string {
	if r == nil || r.states[st.Name] == nil {
		return ""
	}
	v := r.states[st.Name]
	var parts []string
	bad := v.by[Failed] + v.by[Caught]
	switch {
	case v.count > 1 && bad > 0:
		parts = append(parts, fmt.Sprintf("%d of %d failed", bad, v.count))
	case v.count > 1:
		parts = append(parts, fmt.Sprintf("%d times", v.count))
	}
	if v.error != "" {
		parts = append(parts, v.error)
	}
	if v.retries > 0 {
		parts = append(parts, fmt.Sprintf("retried %d×", v.retries))
	}
	return cutTo(strings.Join(parts, " · "), 300, detailSize)
}
