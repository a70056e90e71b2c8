package cfn

import (
	"context"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// change is what an update does to one resource, as far as it can be known before it is carried out.
type change struct {
	Action      string // Add, Modify, Remove
	ID, Type    string
	Ref         string   `json:",omitempty"`
	Replacement string   `json:",omitempty"` // True, False, Conditional
	Properties  []detail `json:",omitempty"`
}

type detail struct {
	Name       string
	Recreation string // Never, Always
}

// changeList are the changes of an update, and whether something beside resources changes.
type changeList struct {
	Changes []change
	Outputs bool
}

func (l *changeList) any() bool { return len(l.Changes) > 0 || l.Outputs }

// changes compares a prepared template with the stack's. old is nil for a new stack.
func (s *Service) changes(ctx context.Context, old *Stack, p *prepared) (*changeList, error) {
	out := &changeList{}
	if old == nil || old.Status == reviewing {
		for _, r := range p.plan.Resources {
			out.Changes = append(out.Changes, change{Action: "Add", ID: r.ID, Type: r.TypeName})
		}
		return out, nil
	}
	r := &run{s: s, stack: old}
	before, err := r.plan(ctx, "current")
	if err != nil {
		return nil, err
	}
	if err := out.compare(old, before, p.plan); err != nil {
		return nil, err
	}
	for _, was := range before.Resources {
		if find(p.plan.Resources, was.ID) == nil {
			c := change{Action: "Remove", ID: was.ID, Type: was.TypeName}
			if rec := old.Find(was.ID); rec != nil {
				c.Ref = rec.Ref
			}
			out.Changes = append(out.Changes, c)
		}
	}
	a, err := outputText(before)
	if err != nil {
		return nil, err
	}
	b, err := outputText(p.plan)
	out.Outputs = a != b
	return out, err
}

func (l *changeList) compare(old *Stack, before, after *Plan) error {
	for _, r := range after.Resources {
		was := find(before.Resources, r.ID)
		if was == nil {
			l.Changes = append(l.Changes, change{Action: "Add", ID: r.ID, Type: r.TypeName})
			continue
		}
		a, err := before.symbolic(was.Properties)
		if err != nil {
			return err
		}
		b, err := after.symbolic(r.Properties)
		if err != nil {
			return err
		}
		c := difference(was, r, &Instance{Properties: a.(*value.Object)}, &Instance{Properties: b.(*value.Object)})
		if c == nil {
			continue
		}
		if rec := old.Find(r.ID); rec != nil {
			c.Ref = rec.Ref
		}
		l.Changes = append(l.Changes, *c)
	}
	return nil
}

// difference is the change from one state of a resource to another, nil for none.
func difference(was, r *Resource, a, b *Instance) *change {
	c := &change{Action: "Modify", ID: r.ID, Type: r.TypeName, Replacement: "False"}
	if was.TypeName != r.TypeName {
		c.Replacement = "True"
		return c
	}
	for _, q := range r.Type.propertiesOf(a, b) {
		if digestText(a.get(q.Name)) == digestText(b.get(q.Name)) {
			continue
		}
		d := detail{q.Name, "Never"}
		if q.Replace || r.Type.Update == nil && r.Type.Drive == nil {
			d.Recreation, c.Replacement = "Always", "True"
		}
		c.Properties = append(c.Properties, d)
	}
	policies := was.DeletionPolicy != r.DeletionPolicy || was.ReplacePolicy != r.ReplacePolicy
	nested := r.Type.Drive != nil && r.Type.Drive.always()
	if len(c.Properties) == 0 && !policies && !nested {
		return nil
	}
	return c
}

// outputText is a text that changes with the outputs of a plan.
func outputText(p *Plan) (string, error) {
	var b strings.Builder
	for _, o := range p.Outputs {
		v, err := p.symbolic(&Node{Kind: List, Items: slices.DeleteFunc([]*Node{o.Value, o.Export}, func(n *Node) bool { return n == nil })})
		if err != nil {
			return "", err
		}
		b.WriteString(o.Name + "\x00" + o.Description + "\x00" + digestText(v) + "\n")
	}
	return b.String(), nil
}
