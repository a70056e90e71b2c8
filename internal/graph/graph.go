// Package graph draws a state machine, and an execution of it: a definition becomes a laid-out drawing, the drawing
// SVG; or the definition becomes Mermaid text. It is pure: the same definition and run give the same bytes.
//
// A scope (the machine's own states, a Parallel's branch, a Map's processor) is laid out by itself, innermost first,
// and becomes one box of the scope around it, since transitions never leave a scope. Within a scope the layout is layered,
// the classical way: arcs that close a cycle are turned round (cycle.go), vertices get ranks and long arcs a vertex for every
// rank they pass (rank.go), an order within the ranks with few crossings (order.go), and positions that keep chains
// straight (align.go). Labels are vertices of the ranks between states, so that nothing can lie on top of anything else: every arc
// spans at least two ranks. Edges run through the rooms that their vertices reserve (route.go).
package graph

import (
	"strings"

	"github.com/newel-run/newel/asl"
)

// Options say how to draw.
type Options struct {
	Title string
	Run   *Run // what an execution did; nil draws the definition alone
}

// Drawing is a laid-out state machine. Lengths are in pixels, y grows downwards.
type Drawing struct {
	Title, Comment string
	Width, Height  float64
	Run            *Run
	Boxes          []Box  // outer boxes before what is in them
	Edges          []Edge // one for each pair of states and kind of transition
}

// Box is a state, the frame of a branch, or the start or end of the machine.
type Box struct {
	Kind       BoxKind
	State      *asl.State // nil for Start, End
	Scope      *asl.Scope // of a frame
	Depth      int        // how many states it is in
	X, Y, W, H float64    // top left corner, size
	Name       []string   // lines
	Detail     string     // what a task calls, how a Map runs
	Note       string     // from the run
	Outcome    Outcome
}

// BoxKind is the kind of a box.
type BoxKind uint8

// The kinds of box.
const (
	StateBox BoxKind = iota
	ContainerBox
	FrameBox
	StartBox
	EndBox
)

// Edge is one or several transitions between two states.
type Edge struct {
	From, To *asl.State // From is nil at the start, To at the end
	Scope    *asl.Scope
	Catch    bool
	Label    []string // lines, cut; Full is the whole text
	Full     string
	LabelAt  Point // centre
	Path     []Point
	Taken    bool // by the run
}

// Point is a position. A path is a start and then three points for each cubic curve.
type Point struct{ X, Y float64 }

const (
	margin        = 24.0
	titleHeight   = 34.0
	commentHeight = 18.0
	legendHeight  = 34.0
)

// Layout lays a definition out.
func Layout(d *asl.Definition, o Options) *Drawing {
	p := &plan{run: o.Run}
	s := p.scope(d.Root, 0)
	out := &Drawing{Title: o.Title, Comment: strings.Join(strings.Fields(d.Comment), " "), Run: o.Run}
	if out.Title == "" {
		out.Title = "State machine"
	}
	top := margin + titleHeight
	if out.Comment != "" {
		top += commentHeight
	}
	out.Comment = cutTo(out.Comment, max(s.w, 360), detailSize)
	bottom := margin
	if o.Run != nil {
		bottom += legendHeight
	}
	least := max(boldWidth(out.Title, titleSize), textWidth(out.Comment, detailSize))
	if o.Run != nil {
		least = max(least, legendWidth(o.Run, d))
	}
	width := max(s.w, least)
	out.Width, out.Height = width+2*margin, s.h+top+bottom
	s.emit(out, margin+(width-s.w)/2, top)
	return out
}

// plan collects the sheets of a definition's scopes.
type plan struct{ run *Run }

// scope lays one scope out.
func (p *plan) scope(sc *asl.Scope, depth int) *sheet {
	s := &sheet{scope: sc, depth: depth}
	index := map[*asl.State]int{}
	start, end := -1, -1
	if sc.Owner == nil {
		start = s.add(&vertex{w: 64, h: 28, box: &Box{Kind: StartBox, Name: []string{"Start"}, Outcome: p.run.started()}})
	}
	for _, st := range sc.States {
		index[st] = s.add(p.state(st, depth))
	}
	if sc.Owner == nil {
		end = s.add(&vertex{w: 64, h: 28, box: &Box{Kind: EndBox, Name: []string{"End"}, Outcome: p.run.ended()}})
		s.connect(start, index[sc.Start], &Edge{To: sc.Start, Taken: p.run.took(nil, sc.Start, false)}, weightNext)
	}
	for _, st := range sc.States {
		for _, a := range joined(st) {
			e := &Edge{From: st, To: a.to, Catch: a.catch, Full: a.label, Taken: p.run.took(st, a.to, a.catch)}
			e.Label = labelLines(a.label)
			s.connect(index[st], index[a.to], e, a.weight)
		}
		if end >= 0 && terminal(st) {
			s.connect(index[st], end, &Edge{From: st, Taken: p.run.took(st, nil, false)}, weightNext)
		}
	}
	s.layout()
	return s
}

func terminal(st *asl.State) bool { return st.End || st.Type == asl.Succeed || st.Type == asl.Fail }

// The weights of arcs: the heavier, the straighter.
const (
	weightCatch  = 1
	weightChoice = 2
	weightNext   = 3
)

// arrow is the transitions of one kind from a state to another as one edge.
type arrow struct {
	to     *asl.State
	catch  bool
	label  string
	weight int
}

func joined(st *asl.State) []arrow {
	var all []arrow
	for _, t := range st.Transitions() {
		catch, found := t.Kind == asl.ByCatch, false
		for i := range all {
			if all[i].to == t.To && all[i].catch == catch {
				all[i].label += " or " + t.Label
				found = true
			}
		}
		if found {
			continue
		}
		weight := weightNext
		switch t.Kind {
		case asl.ByCatch:
			weight = weightCatch
		case asl.ByRule, asl.ByDefault:
			weight = weightChoice
		}
		all = append(all, arrow{t.To, catch, t.Label, weight})
	}
	return all
}

// state is a state as a vertex: a box, or a container with the sheets of its scopes.
func (p *plan) state(st *asl.State, depth int) *vertex {
	b := &Box{State: st, Depth: depth, Name: nameLines(st.Name), Detail: detail(st), Note: p.run.note(st), Outcome: p.run.outcome(st)}
	v := &vertex{box: b}
	scopes := st.Branches
	if st.Map != nil && st.Map.Processor != nil {
		scopes = []*asl.Scope{st.Map.Processor}
	}
	v.w = max(boxLeast, 1.09*linesWidth(b.Name, nameSize), textWidth(b.Detail, detailSize), boldWidth(b.Note, detailSize)) + 2*boxPadding
	v.h = header(b) + 2*boxPaddingY
	if st.Type == asl.Choice {
		v.w += 2 * choiceCut
	}
	if len(scopes) == 0 {
		return v
	}
	b.Kind = ContainerBox
	for _, sc := range scopes {
		v.inner = append(v.inner, frame{sheet: p.scope(sc, depth+1)})
	}
	v.pack(header(b) + 2*boxPaddingY)
	return v
}

// header is the height of a box's text.
func header(b *Box) float64 {
	h := float64(len(b.Name)) * nameLine
	if b.Detail != "" {
		h += detailLine
	}
	if b.Note != "" {
		h += detailLine
	}
	return h
}

const (
	frameGap     = 14.0
	framePadding = 16.0
	rowMost      = 1500.0 // width after which a Parallel's branches begin another row
)

// pack places the frames of a container below its header, in rows.
func (v *vertex) pack(top float64) {
	x, y, row := frameGap, top, 0.0
	width := v.w
	var line []int
	center := func() {
		for _, i := range line {
			v.inner[i].h = row
		}
		line = nil
	}
	for i := range v.inner {
		f := &v.inner[i]
		f.w, f.h = f.sheet.w+2*framePadding, f.sheet.h+2*framePadding
		if x > frameGap && x+f.w > rowMost {
			center()
			x, y, row = frameGap, y+row+frameGap, 0
		}
		f.x, f.y = x, y
		x += f.w + frameGap
		row = max(row, f.h)
		width = max(width, x)
		line = append(line, i)
	}
	center()
	used := 0.0
	for i := range v.inner {
		used = max(used, v.inner[i].x+v.inner[i].w+frameGap)
	}
	for i := range v.inner {
		v.inner[i].x += (width - used) / 2
	}
	v.w, v.h = width, y+row+frameGap
}

// emit writes a laid-out scope to the drawing with its top left corner at a point.
func (s *sheet) emit(d *Drawing, x, y float64) {
	for _, v := range s.vertices {
		if v.box == nil {
			continue
		}
		b := *v.box
		b.X, b.Y, b.W, b.H = x+v.x-v.w/2+v.side/2, y+v.y-v.h/2, v.w-v.side, v.h
		d.Boxes = append(d.Boxes, b)
		for _, f := range v.inner {
			fx, fy := x+v.x-v.w/2+v.side/2+f.x, y+v.y-v.h/2+f.y
			d.Boxes = append(d.Boxes, Box{Kind: FrameBox, Scope: f.sheet.scope, Depth: s.depth + 1, X: fx, Y: fy, W: f.w, H: f.h})
			f.sheet.emit(d, fx+(f.w-f.sheet.w)/2, fy+framePadding)
		}
	}
	for _, a := range s.arcs {
		e := *a.edge
		e.Scope = s.scope
		e.Path = make([]Point, len(a.path))
		for i, p := range a.path {
			e.Path[i] = Point{x + p.X, y + p.Y}
		}
		e.LabelAt = Point{x + a.labelAt.X, y + a.labelAt.Y}
		d.Edges = append(d.Edges, e)
	}
}
