package expr

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

const (
	errOperandType attr.Invalid = "An operand in the update expression has an incorrect data type"
	errNoAttribute attr.Invalid = "The provided expression refers to an attribute that does not exist in the item"
	errUpdatePath  attr.Invalid = "The document path provided in the update expression is invalid for update"
	errLegacyType  attr.Invalid = "Type mismatch for attribute to update"
)

func count(n int) *attr.Value { return attr.NumberText(strconv.Itoa(n)) }

// Apply gives the item that an update makes of an item, which is not changed. Every operand is evaluated on the item as
// it was. Elements are set in the order of their indexes and removed from the last to the first, so that the indexes of
// one expression all mean the list as it was.
func (u *Update) Apply(item *attr.Map) (*attr.Map, error) {
	changes := make([]change, 0, len(u.Actions))
	for _, a := range u.Actions {
		v, err := u.evaluate(a, item)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change{a.Path, v, v == nil})
	}
	slices.SortStableFunc(changes, compareChanges)
	out := item.Clone()
	for _, c := range changes {
		if err := c.apply(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// change puts a value at a path or removes what is there.
type change struct {
	path   Path
	value  *attr.Value
	remove bool
}

func (c change) inList() bool { return c.path[len(c.path)-1].isIndex() }

// compareChanges: first members of maps in the order given, then elements by index, then removals from the last on.
func compareChanges(a, b change) int {
	if r := cmp.Compare(a.rank(), b.rank()); r != 0 || a.rank() == 0 {
		return r
	}
	r := slices.CompareFunc(a.path, b.path, func(x, y Step) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Index, y.Index))
	})
	if a.remove {
		return -r
	}
	return r
}

func (c change) rank() int {
	switch {
	case c.remove:
		return 2
	case c.inList():
		return 1
	}
	return 0
}

// apply changes an item whose top level is our own; what lies below is copied on the way.
func (c change) apply(item *attr.Map) error {
	name := c.path[0].Name
	if len(c.path) == 1 {
		if c.remove {
			item.Delete(name)
		} else {
			item.Set(name, c.value)
		}
		return nil
	}
	v, err := c.below(item.Get(name), c.path[1:])
	if err == nil {
		item.Set(name, v)
	}
	return err
}

// below gives a copy of v with the change made at the path's rest.
func (c change) below(v *attr.Value, rest Path) (*attr.Value, error) {
	s := rest[0]
	if v == nil || s.isIndex() && v.Kind != attr.L || !s.isIndex() && v.Kind != attr.M {
		return nil, errUpdatePath
	}
	if s.isIndex() {
		list, err := c.inElements(v.List, rest)
		return &attr.Value{Kind: attr.L, List: list}, err
	}
	m := v.Map.Clone()
	out := &attr.Value{Kind: attr.M, Map: m}
	switch {
	case len(rest) > 1:
		e, err := c.below(m.Get(s.Name), rest[1:])
		if err != nil {
			return nil, err
		}
		m.Set(s.Name, e)
	case c.remove:
		m.Delete(s.Name)
	default:
		m.Set(s.Name, c.value)
	}
	return out, nil
}

func (c change) inElements(list []*attr.Value, rest Path) ([]*attr.Value, error) {
	i := rest[0].Index
	list = slices.Clone(list)
	switch {
	case len(rest) > 1:
		if i >= len(list) {
			return nil, errUpdatePath
		}
		e, err := c.below(list[i], rest[1:])
		if err != nil {
			return nil, err
		}
		list[i] = e
	case i >= len(list):
		if !c.remove {
			list = append(list, c.value)
		}
	case c.remove:
		list = slices.Delete(list, i, i+1)
	default:
		list[i] = c.value
	}
	return list, nil
}

// evaluate is the new value at an action's path, nil if it is to be removed.
func (u *Update) evaluate(a Action, item *attr.Map) (*attr.Value, error) {
	switch a.Verb {
	case Set:
		v, err := a.Value.evaluate(item)
		if err == nil && v == nil {
			err = errNoAttribute
		}
		return v, err
	case Remove:
		return nil, nil
	}
	old, arg := a.Path.Find(item), a.Value.Value
	wrong := errOperandType
	if u.Legacy {
		wrong = errLegacyType
	}
	if a.Verb == Delete {
		return subtract(old, arg, wrong)
	}
	switch {
	case old == nil:
		return arg, nil
	case old.Kind != arg.Kind:
		return nil, wrong
	case arg.Kind == attr.N:
		sum, err := attr.AddNumbers(old.Str, arg.Str, false)
		return attr.NumberText(sum), err
	case arg.Kind.IsSet():
		return union(old, arg), nil
	case arg.Kind == attr.L && u.Legacy:
		return &attr.Value{Kind: attr.L, List: slices.Concat(old.List, arg.List)}, nil
	}
	return nil, wrong
}

func union(old, more *attr.Value) *attr.Value {
	have := make(map[string]bool, len(old.Set)+len(more.Set))
	out := &attr.Value{Kind: old.Kind, Set: slices.Clone(old.Set)}
	for _, e := range old.Set {
		have[e] = true
	}
	for _, e := range more.Set {
		if !have[e] {
			out.Set = append(out.Set, e)
		}
	}
	return out
}

// subtract takes elements out of a set; nil if none is left.
func subtract(old, less *attr.Value, wrong attr.Invalid) (*attr.Value, error) {
	if old == nil {
		return nil, nil
	}
	if old.Kind != less.Kind || !old.Kind.IsSet() {
		return nil, wrong
	}
	gone := make(map[string]bool, len(less.Set))
	for _, e := range less.Set {
		gone[e] = true
	}
	out := &attr.Value{Kind: old.Kind}
	for _, e := range old.Set {
		if !gone[e] {
			out.Set = append(out.Set, e)
		}
	}
	if len(out.Set) == 0 {
		return nil, nil
	}
	return out, nil
}

// evaluate is the value of the right side of a SET; nil if a path leads nowhere, which if_not_exists makes good.
func (n *Node) evaluate(item *attr.Map) (*attr.Value, error) {
	switch n.Op {
	case OpValue:
		return n.Value, nil
	case OpPath:
		return n.Path.Find(item), nil
	}
	if n.Op == OpCall && n.Call == "if_not_exists" {
		if v := n.Args[0].Path.Find(item); v != nil {
			return v, nil
		}
		return n.Args[1].evaluate(item)
	}
	l, err := n.Args[0].evaluate(item)
	if err != nil {
		return nil, err
	}
	r, err := n.Args[1].evaluate(item)
	if err != nil {
		return nil, err
	}
	switch {
	case l == nil || r == nil:
		return nil, errNoAttribute
	case n.Op == OpCall && l.Kind == attr.L && r.Kind == attr.L:
		return &attr.Value{Kind: attr.L, List: slices.Concat(l.List, r.List)}, nil
	case n.Op != OpCall && l.Kind == attr.N && r.Kind == attr.N:
		sum, err := attr.AddNumbers(l.Str, r.Str, n.Op == OpMinus)
		return attr.NumberText(sum), err
	}
	return nil, errOperandType
}
