package graph

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl"
)

// SVG writes the drawing as one self-contained file: the viewer's own sans-serif font, light or dark as the viewer
// prefers, the whole text of cut labels in tooltips.
func (d *Drawing) SVG() []byte {
	w := &svg{}
	w.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="title desc"`, d.Width, d.Height, d.Width, d.Height)
	if d.Run != nil {
		w.f(` class="run"`)
	}
	w.f(">\n<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n<style>%s</style>\n", text(d.Title), text(d.describe()), style)
	w.markers()
	w.f(`<rect class="page" width="100%%" height="100%%"/>` + "\n")
	w.f(`<text class="title" x="%.1f" y="%.1f">%s</text>`+"\n", margin, margin+titleSize-3, text(d.Title))
	if d.Comment != "" {
		w.f(`<text class="detail" x="%.1f" y="%.1f">%s</text>`+"\n", margin, margin+titleSize+15, text(d.Comment))
	}
	for i := range d.Boxes {
		if b := &d.Boxes[i]; b.Kind == ContainerBox || b.Kind == FrameBox {
			w.box(b)
		}
	}
	for _, taken := range []bool{false, true} {
		for i := range d.Edges {
			if d.Edges[i].Taken == taken {
				w.edge(&d.Edges[i])
			}
		}
	}
	for i := range d.Boxes {
		if b := &d.Boxes[i]; b.Kind != ContainerBox && b.Kind != FrameBox {
			w.box(b)
		}
	}
	for i := range d.Edges {
		w.label(&d.Edges[i])
	}
	if d.Run != nil {
		w.legend(d)
	}
	w.f("</svg>\n")
	return w.Bytes()
}

// describe is the drawing in one sentence, for those who do not see it.
func (d *Drawing) describe() string {
	states := 0
	for _, b := range d.Boxes {
		if b.State != nil {
			states++
		}
	}
	s := fmt.Sprintf("State machine with %d states", states)
	if d.Run != nil {
		s += "; the execution is " + string(d.Run.Status)
		if d.Run.Status != Running {
			s = strings.Replace(s, " is ", " has ", 1)
		}
	}
	return s
}

type svg struct{ bytes.Buffer }

func (w *svg) f(format string, args ...any) { fmt.Fprintf(w, format, args...) }

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func text(s string) string { return escapes.Replace(strings.Map(visible, s)) }

func (w *svg) markers() {
	w.f("<defs>")
	for _, m := range []string{"arrow", "arrow-taken", "arrow-catch", "arrow-catch-taken"} {
		w.f(`<marker id="%s" class="%s" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 1 L10 5 L0 9 Z"/></marker>`, m, m)
	}
	w.f("</defs>\n")
}

// class is a word for the style sheet.
func (o Outcome) class() string { return strings.ReplaceAll(string(o), " ", "-") }

// marks are the outcomes' signs, for those who do not tell the colours apart.
var marks = map[Outcome]string{Succeeded: "✓", Failed: "✗", Caught: "!", Running: "…", Aborted: "–"}

func (w *svg) box(b *Box) {
	switch b.Kind {
	case FrameBox:
		w.f(`<rect class="frame" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8"/>`+"\n", b.X, b.Y, b.W, b.H)
		return
	case StartBox, EndBox:
		w.f(`<g class="terminal %s"><rect class="shape" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f"/>`, b.Outcome.class(), b.X, b.Y, b.W, b.H, b.H/2)
		w.f(`<text class="name" x="%.1f" y="%.1f">%s</text></g>`+"\n", b.X+b.W/2, b.Y+b.H/2+4.5, b.Name[0])
		return
	}
	kind := "state"
	if b.Kind == ContainerBox {
		kind = "container"
	}
	w.f(`<g class="%s %s %s"><title>%s</title>`, kind, strings.ToLower(b.State.Type.String()), b.Outcome.class(), text(b.tooltip()))
	if b.State.Type == asl.Choice {
		c, mid := choiceCut, b.Y+b.H/2
		w.f(`<path class="shape" d="M%.1f %.1f H%.1f L%.1f %.1f L%.1f %.1f H%.1f L%.1f %.1f Z"/>`, b.X+c, b.Y, b.X+b.W-c, b.X+b.W, mid, b.X+b.W-c, b.Y+b.H, b.X+c, b.X, mid)
	} else {
		radius := 8.0
		if b.State.Type == asl.Succeed || b.State.Type == asl.Fail {
			radius = b.H / 2
		}
		w.f(`<rect class="shape" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f"/>`, b.X, b.Y, b.W, b.H, min(radius, 24))
	}
	y := b.Y + boxPaddingY - 4
	for _, line := range b.Name {
		y += nameLine
		w.f(`<text class="name" x="%.1f" y="%.1f">%s</text>`, b.X+b.W/2, y, text(line))
	}
	for _, t := range []struct{ class, text string }{{"detail", b.Detail}, {"note", b.Note}} {
		if t.text != "" {
			y += detailLine
			w.f(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, t.class, b.X+b.W/2, y, text(t.text))
		}
	}
	if mark := marks[b.Outcome]; mark != "" {
		x := b.X + b.W - 3
		if b.State.Type == asl.Choice {
			x -= choiceCut
		}
		w.badge(x, b.Y+3, b.Outcome, mark)
	}
	w.f("</g>\n")
}

func (w *svg) badge(x, y float64, o Outcome, mark string) {
	w.f(`<g class="badge %s"><circle cx="%.1f" cy="%.1f" r="8"/><text x="%.1f" y="%.1f">%s</text></g>`, o.class(), x, y, x, y+4, mark)
}

func (b *Box) tooltip() string {
	s := b.State.Name + " · " + b.Detail
	if b.State.Task != nil {
		s = b.State.Name + " · Task · " + b.State.Task.Resource
	}
	if b.State.Comment != "" {
		s += " · " + b.State.Comment
	}
	if b.Outcome != None {
		s += " · " + string(b.Outcome)
	}
	return s
}

func (w *svg) edge(e *Edge) {
	class, marker := "edge", "arrow"
	if e.Catch {
		class, marker = "edge catch", "arrow-catch"
	}
	if e.Taken {
		class, marker = class+" taken", marker+"-taken"
	}
	w.f(`<path class="%s" marker-end="url(#%s)" d="M%.1f %.1f`, class, marker, e.Path[0].X, e.Path[0].Y)
	for i := 1; i+2 < len(e.Path); i += 3 {
		a, b, c := e.Path[i], e.Path[i+1], e.Path[i+2]
		if from := e.Path[i-1]; from.X == c.X && a.X == c.X {
			w.f(" V%.1f", c.Y)
			continue
		}
		w.f(` C%.1f %.1f %.1f %.1f %.1f %.1f`, a.X, a.Y, b.X, b.Y, c.X, c.Y)
	}
	w.f("\">")
	if e.Full != "" {
		w.f("<title>%s</title>", text(e.Full))
	}
	w.f("</path>\n")
}

func (w *svg) label(e *Edge) {
	if len(e.Label) == 0 {
		return
	}
	class := "label"
	if e.Catch {
		class += " catch"
	}
	if e.Taken {
		class += " taken"
	}
	width, height := linesWidth(e.Label, labelSize)+6, float64(len(e.Label))*labelLine
	w.f(`<g class="%s"><title>%s</title><rect class="page" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3"/>`, class, text(e.Full), e.LabelAt.X-width/2, e.LabelAt.Y-height/2, width, height)
	for i, line := range e.Label {
		w.f(`<text x="%.1f" y="%.1f">%s</text>`, e.LabelAt.X, e.LabelAt.Y-height/2+float64(i+1)*labelLine-3.5, text(line))
	}
	w.f("</g>\n")
}

var legendOrder = []Outcome{Succeeded, Caught, Failed, Running, Aborted, NotReached}

// shown are the outcomes that the states of a run have.
func shown(has func(Outcome) bool) []Outcome {
	var out []Outcome
	for _, o := range legendOrder {
		if has(o) {
			out = append(out, o)
		}
	}
	return out
}

func legendStep(o Outcome) float64 { return 38 + textWidth(string(o), detailSize) }

func legendWidth(r *Run, d *asl.Definition) float64 {
	has := map[Outcome]bool{}
	for _, st := range d.States {
		has[r.outcome(st)] = true
	}
	width := 0.0
	for _, o := range shown(func(o Outcome) bool { return has[o] }) {
		width += legendStep(o)
	}
	return width
}

func (w *svg) legend(d *Drawing) {
	has := map[Outcome]bool{}
	for _, b := range d.Boxes {
		if b.State != nil {
			has[b.Outcome] = true
		}
	}
	x, y := margin, d.Height-margin
	w.f(`<g class="legend">`)
	for _, o := range shown(func(o Outcome) bool { return has[o] }) {
		w.f(`<g class="state %s"><rect class="shape" x="%.1f" y="%.1f" width="16" height="12" rx="3"/></g>`, o.class(), x, y-10)
		w.f(`<text class="detail" x="%.1f" y="%.1f">%s</text>`, x+22, y, string(o))
		x += legendStep(o)
	}
	w.f("</g>\n")
}
