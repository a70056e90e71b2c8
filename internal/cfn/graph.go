package cfn

import (
	"slices"
	"strings"
)

// dependencies lists the logical ids of the resources among all that a resource must follow, each once.
func dependencies(all []*Resource, r *Resource) []string {
	var out []string
	for _, name := range append(slices.Clone(r.DependsOn), references(r.Properties)...) {
		if find(all, name) != nil && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func find(all []*Resource, id string) *Resource {
	for _, r := range all {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// order sorts resources so that each follows what it refers to, and otherwise keeps the order of the text. A circle is
// an error that names it.
func order(file string, all []*Resource) ([]*Resource, error) {
	const (
		open = 1
		done = 2
	)
	byID := make(map[string]*Resource, len(all))
	for _, r := range all {
		byID[r.ID] = r
	}
	state := map[*Resource]int{}
	var out, path []*Resource
	var visit func(r *Resource) Problems
	visit = func(r *Resource) Problems {
		switch state[r] {
		case done:
			return nil
		case open:
			return Problems{{file, r.Line, r.Column, "Circular dependency between resources: [" + circle(path, r) + "]"}}
		}
		state[r] = open
		path = append(path, r)
		for _, name := range append(slices.Clone(r.DependsOn), references(r.Properties)...) {
			if d := byID[name]; d != nil {
				if p := visit(d); p != nil {
					return p
				}
			}
		}
		path = path[:len(path)-1]
		state[r] = done
		out = append(out, r)
		return nil
	}
	for _, r := range all {
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
