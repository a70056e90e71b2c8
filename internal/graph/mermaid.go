package graph

import (
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl"
)

// Mermaid writes a definition, and a run's outcomes, as a Mermaid flowchart. Mermaid lays it out itself.
func Mermaid(d *asl.Definition, o Options) string {
	m := &mermaid{run: o.Run, classes: map[Outcome][]string{}}
	if o.Title != "" {
		m.line(0, "---\ntitle: %s\n---", quoted(o.Title))
	}
	m.line(0, "flowchart TD")
	m.scope(d.Root, 1)
	for _, c := range []struct {
		outcome Outcome
		style   string
	}{
		{Succeeded, "fill:#dafbe1,stroke:#1a7f37,color:#1f2328"}, {Caught, "fill:#fff3d1,stroke:#9a6700,color:#1f2328"},
		{Failed, "fill:#ffebe9,stroke:#cf222e,color:#1f2328"}, {Running, "fill:#ddf4ff,stroke:#0969da,color:#1f2328"},
		{Aborted, "fill:#eaeef2,stroke:#57606a,color:#1f2328"}, {NotReached, "stroke-dasharray:4 3"},
	} {
		if ids := m.classes[c.outcome]; len(ids) > 0 {
			name := strings.ReplaceAll(string(c.outcome), " ", "")
			m.line(1, "classDef %s %s", name, c.style)
			m.line(1, "class %s %s", strings.Join(ids, ","), name)
		}
	}
	return m.String()
}

type mermaid struct {
	strings.Builder
	run     *Run
	classes map[Outcome][]string
}

func (m *mermaid) line(depth int, format string, args ...any) {
	m.WriteString(strings.Repeat("    ", depth))
	fmt.Fprintf(m, format, args...)
	m.WriteByte('\n')
}

func id(st *asl.State) string { return fmt.Sprintf("s%d", st.ID) }

// quoted is a text between quotation marks, with entities for what Mermaid would read as its own or as HTML.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;", `\`, "#92;").Replace(strings.Map(visible, s)) + `"`
}

func (m *mermaid) scope(sc *asl.Scope, depth int) {
	if sc.Owner == nil {
		m.line(depth, "start([Start]) --> %s", id(sc.Start))
	}
	for _, st := range sc.States {
		m.state(st, depth)
	}
	for _, st := range sc.States {
		for _, a := range joined(st) {
			label := ""
			if a.label != "" {
				label = "|" + quoted(strings.Join(labelLines(a.label), " ")) + "|"
			}
			link := "-->"
			if a.catch {
				link = "-.->"
			}
			m.line(depth, "%s %s%s %s", id(st), link, label, id(a.to))
		}
		if sc.Owner == nil && terminal(st) {
			m.line(depth, "%s --> finish([End])", id(st))
		}
	}
}

func (m *mermaid) state(st *asl.State, depth int) {
	if o := m.run.outcome(st); o != None {
		m.classes[o] = append(m.classes[o], id(st))
	}
	label := quoted(st.Name)
	if st.Type == asl.Task {
		label = strings.TrimSuffix(label, `"`) + "<br/>" + strings.TrimPrefix(quoted(detail(st)), `"`)
	}
	scopes := st.Branches
	if st.Map != nil && st.Map.Processor != nil {
		scopes = []*asl.Scope{st.Map.Processor}
	}
	switch {
	case len(scopes) > 0:
		m.line(depth, "subgraph %s [%s]", id(st), quoted(st.Name+" · "+detail(st)))
		for i, sc := range scopes {
			inner := depth + 1
			if len(scopes) > 1 {
				m.line(inner, `subgraph %sb%d [" "]`, id(st), i)
				inner++
			}
			m.scope(sc, inner)
			if len(scopes) > 1 {
				m.line(inner-1, "end")
			}
		}
		m.line(depth, "end")
	case st.Type == asl.Choice:
		m.line(depth, "%s{{%s}}", id(st), label)
	case st.Type == asl.Succeed, st.Type == asl.Fail:
		m.line(depth, "%s([%s])", id(st), label)
	default:
		m.line(depth, "%s[%s]", id(st), label)
	}
}
