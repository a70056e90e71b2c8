package suite

import (
	"fmt"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/machine"
)

// Kind is a kind of thing that tests cover.
type Kind uint8

// The kinds, in the order of reports.
const (
	State Kind = iota
	Branch
	Retrier
	Catcher
	Kinds
)

func (k Kind) String() string { return [...]string{"states", "branches", "retriers", "catchers"}[k] }

// Coverage is what the executions of a machine have covered.
type Coverage struct {
	Machine string // file
	items   []item
	index   map[key]int
}

type item struct {
	kind  Kind
	label string
	hit   bool
}

// key identifies an item. A machine's state names are unique in all of it.
type key struct {
	kind  Kind
	state string
	index int // of a branch: of the rule, -1 for Default
}

// NewCoverage lists what there is to cover in a machine.
func NewCoverage(file string, d *asl.Definition) *Coverage {
	c := &Coverage{Machine: file, index: map[key]int{}}
	for _, st := range d.States {
		c.add(key{State, st.Name, 0}, st.Name)
		rules := 0
		for _, t := range st.Transitions() {
			switch t.Kind {
			case asl.ByRule:
				c.add(key{Branch, st.Name, rules}, fmt.Sprintf("%s: %s → %s", st.Name, or(t.Label, fmt.Sprintf("rule %d", rules)), t.To.Name))
				rules++
			case asl.ByDefault:
				c.add(key{Branch, st.Name, -1}, fmt.Sprintf("%s: Default → %s", st.Name, t.To.Name))
			}
		}
		for i, r := range st.Retry {
			c.add(key{Retrier, st.Name, i}, fmt.Sprintf("%s: Retry %v", st.Name, r.ErrorEquals))
		}
		for i, r := range st.Catch {
			c.add(key{Catcher, st.Name, i}, fmt.Sprintf("%s: Catch %v → %s", st.Name, r.ErrorEquals, r.Next.Name))
		}
	}
	return c
}

func (c *Coverage) add(k key, label string) {
	c.index[k] = len(c.items)
	c.items = append(c.items, item{kind: k.kind, label: label})
}

func (c *Coverage) hit(k key) {
	if i, ok := c.index[k]; ok {
		c.items[i].hit = true
	}
}

// Entered notes that an execution has entered a state.
func (c *Coverage) Entered(state string) { c.hit(key{State, state, 0}) }

// Decided notes what an execution has chosen.
func (c *Coverage) Decided(d machine.Decision) {
	switch d.Kind {
	case machine.ChoseRule:
		c.hit(key{Branch, d.State, d.Index})
	case machine.ChoseDefault:
		c.hit(key{Branch, d.State, -1})
	case machine.Retried:
		c.hit(key{Retrier, d.State, d.Index})
	case machine.Caught:
		c.hit(key{Catcher, d.State, d.Index})
	}
}

// Count is how many things of a kind there are and were covered.
func (c *Coverage) Count(k Kind) (hit, all int) {
	for _, i := range c.items {
		if i.kind == k {
			all++
			if i.hit {
				hit++
			}
		}
	}
	return hit, all
}

// Missed are the things of a kind that were not covered, as people know them.
func (c *Coverage) Missed(k Kind) (labels []string) {
	for _, i := range c.items {
		if i.kind == k && !i.hit {
			labels = append(labels, i.label)
		}
	}
	return labels
}

// Percent is how much of everything in some machines was covered; 100 if there is nothing.
func Percent(all []*Coverage) float64 {
	hit, total := 0, 0
	for _, c := range all {
		for k := range Kinds {
			h, n := c.Count(k)
			hit, total = hit+h, total+n
		}
	}
	if total == 0 {
		return 100
	}
	return 100 * float64(hit) / float64(total)
}
