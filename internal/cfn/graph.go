package cfn

import "strings"

// dependencies lists the resources that a resource must follow.
func (t *Template) dependencies(r *Resource) []*Resource {
	var out []*Resource
	seen := map[string]bool{}
	for _, name := range append(append([]string(nil), r.DependsOn...), references(r.Properties)...) {
		if d := t.Resource(name); d != nil && !seen[name] {
			seen[name] = true
			out = append(out, d)
		}
	}
	return out
}

// order sorts the resources so that each follows what it refers to, and otherwise keeps the order of the text. A circle
// is an error that names it.
func order(t *Template) ([]*Resource, error) {
	const (
		open = 1
		done = 2
	)
	state := map[*Resource]int{}
	var out, path []*Resource
	var visit func(r *Resource) Problems
	visit = func(r *Resource) Problems {
		switch state[r] {
		case done:
			return nil
		case open:
			return Problems{{t.File, r.Line, r.Column, "circular dependency between resources: " + circle(path, r)}}
		}
		state[r] = open
		path = append(path, r)
		for _, d := range t.dependencies(r) {
			if p := visit(d); p != nil {
				return p
			}
		}
		path = path[:len(path)-1]
		state[r] = done
		out = append(out, r)
		return nil
	}
	for _, r := range t.Resources {
		if p := visit(r); p != nil {
			return nil, p
		}
	}
	return out, nil
}

func circle(path []*Resource, back *Resource) string {
	var names []string
	for _, r := range path {
		if r == back || names != nil {
			names = append(names, r.ID)
		}
	}
	return strings.Join(append(names, back.ID), " -> ")
}
