package cfn

import (
	"fmt"
	"slices"
	"strings"
)

// Reference is the table of resource types as Markdown, one section a type: what docs/cloudformation.md says of them.
func Reference() string {
	list := slices.Clone(types())
	slices.SortFunc(list, func(a, b *Type) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("| type | properties (**required**, *new resource on change*) | attributes |\n|---|---|---|\n")
	for _, t := range list {
		var names []string
		for _, p := range t.Properties {
			if p.NoEffect == "" {
				names = append(names, p.markdown(t))
			}
		}
		if t.Open {
			names = append(names, "any other")
		}
		attributes := slices.Clone(t.Attributes)
		if t.AttributePrefix != "" {
			attributes = append(attributes, t.AttributePrefix+"NAME")
		}
		if t.Open {
			attributes = append(attributes, "what the function answers")
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.TrimPrefix(t.Name, "AWS::"), strings.Join(names, ", "), strings.Join(attributes, ", "))
	}
	b.WriteString("\nAccepted without effect:\n\n| type | properties | reason |\n|---|---|---|\n")
	for _, t := range list {
		for _, reason := range t.reasons() {
			var names []string
			for _, p := range t.Properties {
				if p.NoEffect == reason {
					names = append(names, p.Name)
				}
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.TrimPrefix(t.Name, "AWS::"), strings.Join(names, ", "), reason)
		}
	}
	return b.String()
}

func (p *Property) markdown(t *Type) string {
	name := p.Name
	if p.Replace || t.Update == nil && t.Drive == nil && t.Create != nil {
		name = "*" + name + "*"
	}
	if p.Required {
		name = "**" + name + "**"
	}
	return name
}

// reasons are why properties of a type have no effect, in the order of the row.
func (t *Type) reasons() []string {
	var out []string
	for _, p := range t.Properties {
		if p.NoEffect != "" && !slices.Contains(out, p.NoEffect) {
			out = append(out, p.NoEffect)
		}
	}
	return out
}
