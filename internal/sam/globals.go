package sam

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// globalTypes are the sections of Globals.
var globalTypes = []string{"Function", "Api", "HttpApi", "SimpleTable", "StateMachine", "LayerVersion"}

// globals merges the Globals section into the resources: objects member by member, lists one after the other with the
// global one first, of everything else the resource's own value counts.
func (t *transformer) globals() {
	g := t.root.Get("Globals")
	if g == nil {
		return
	}
	if g.Kind != cfn.Map {
		t.fail(g, "'Globals' must be an object")
		return
	}
	for _, section := range g.Fields {
		if !slices.Contains(globalTypes, section.Name) {
			t.fail(section.Value, "'Globals' section is invalid. '%s' is not supported. Must be one of the following values - %s",
				section.Name, strings.Join(globalTypes, ", "))
			continue
		}
		for _, f := range t.resources.Fields {
			if kind, _ := f.Value.Get("Type").Text(); kind != "AWS::Serverless::"+section.Name {
				continue
			}
			own := f.Value.Get("Properties")
			if own == nil {
				own = build.OfField(f).Object()
			}
			build.Set(f.Value, "Properties", merged(section.Value, own, t.ignored(f.Value)))
			build.Delete(f.Value, "IgnoreGlobals")
		}
	}
}

// ignored are the properties for which a resource does not want global values; "*" are all.
func (t *transformer) ignored(resource *cfn.Node) []string {
	n := resource.Get("IgnoreGlobals")
	if n == nil {
		return nil
	}
	if s, ok := n.Text(); ok && s == "*" {
		return []string{"*"}
	}
	names := []string{}
	for _, i := range n.Items {
		s, ok := i.Text()
		if !ok {
			t.fail(i, "IgnoreGlobals must be \"*\" or a list of property names")
		}
		names = append(names, s)
	}
	return names
}

func merged(global, own *cfn.Node, ignored []string) *cfn.Node {
	switch {
	case slices.Contains(ignored, "*") || global.Kind != own.Kind:
		return own
	case own.Kind == cfn.List:
		all := build.Clone(global)
		all.Items = append(all.Items, own.Items...)
		return all
	case own.Kind != cfn.Map:
		return own
	}
	out := *own
	out.Fields = nil
	for _, f := range global.Fields {
		if !slices.Contains(ignored, f.Name) {
			f.Value = build.Clone(f.Value)
			out.Fields = append(out.Fields, f)
		}
	}
	for _, f := range own.Fields {
		if g := out.Get(f.Name); g != nil {
			f.Value = merged(g, f.Value, nil)
		}
		build.Set(&out, f.Name, f.Value)
	}
	return &out
}
