package graph

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/cli/tree"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func compile(t interface{ Fatalf(string, ...any) }, text string) *asl.Definition {
	d, ds := asl.Compile([]byte(text), asl.Options{})
	if d == nil {
		t.Fatalf("%v\n%s", ds, text)
	}
	return d
}

// TestGolden compares where boxes and labels are, and the Mermaid text, with what was reviewed.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.asl.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := compile(t, string(text))
		got := outline(Layout(d, Options{})) + "\n" + Mermaid(d, Options{Title: filepath.Base(file)})
		golden := strings.TrimSuffix(file, ".asl.json") + ".golden"
		if *rewrite {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: not as reviewed; look at the picture and use -rewrite\n%s", file, got)
		}
	}
}

func outline(d *Drawing) string {
	var b strings.Builder
	for _, x := range d.Boxes {
		name := strings.Join(x.Name, "/")
		if x.Kind == FrameBox {
			name = "(frame)"
		}
		fmt.Fprintf(&b, "%s%-28s %4.0f %4.0f  %4.0f x %4.0f\n", strings.Repeat("  ", x.Depth), name, x.X, x.Y, x.W, x.H)
	}
	for _, e := range d.Edges {
		fmt.Fprintf(&b, "%s -> %s catch=%v [%s] %d curves\n", nameOf(e.From, "Start"), nameOf(e.To, "End"), e.Catch, strings.Join(e.Label, "/"), len(e.Path)/3)
	}
	return b.String()
}

func nameOf(st *asl.State, none string) string {
	if st == nil {
		return none
	}
	return st.Name
}

// TestLayout draws random machines and looks for everything that would make a picture wrong.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{t: t}
		text := m.scope(0)
		d := compile(t, text)
		drawing := Layout(d, Options{Title: "a <b> & \"c\""})
		check(t, d, drawing)
		first := drawing.SVG()
		wellFormed(t, first)
		again := compile(t, text)
		if string(Layout(again, Options{Title: "a <b> & \"c\""}).SVG()) != string(first) || Mermaid(d, Options{}) != Mermaid(again, Options{}) {
			t.Fatalf("two drawings of one definition differ")
		}
	})
}

func wellFormed(t interface{ Fatalf(string, ...any) }, b []byte) {
	for dec := xml.NewDecoder(strings.NewReader(string(b))); ; {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, b)
		}
	}
}

// maker makes random definitions.
type maker struct {
	t *rapid.T
	n int
}

func (m *maker) pick(what string, n int) int { return rapid.IntRange(0, n-1).Draw(m.t, what) }

func (m *maker) scope(depth int) string {
	n := 1 + m.pick("states", 6)
	names := make([]string, n)
	for i := range names {
		m.n++
		names[i] = fmt.Sprintf("S%d%s", m.n, strings.Repeat(" longer name", m.pick("long", 4)))
	}
	states := make([]string, n)
	for i := range states {
		next := `"End":true`
		if i+1 < n {
			next = fmt.Sprintf(`"Next":%q`, names[i+1])
		}
		to := func() string { return names[m.pick("target", n)] }
		catch := fmt.Sprintf(`,"Catch":[{"ErrorEquals":["A%d","B"],"Next":%q},{"ErrorEquals":["States.ALL"],"Next":%q}]`, i, to(), to())
		if m.pick("catches", 3) > 0 {
			catch = ""
		}
		kind := m.pick("kind", 8)
		if depth > 2 {
			kind %= 5
		}
		switch kind {
		case 0, 1:
			states[i] = fmt.Sprintf(`%q:{"Type":"Pass",%s}`, names[i], next)
		case 2, 3:
			states[i] = fmt.Sprintf(`%q:{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f%d",%s%s}`, names[i], i, next, catch)
		case 4:
			if i+1 == n {
				states[i] = fmt.Sprintf(`%q:{"Type":"Succeed"}`, names[i])
				break
			}
			states[i] = fmt.Sprintf(`%q:{"Type":"Choice","Choices":[{"Variable":"$.x","NumericEquals":1,"Next":%q},{"Variable":"$.some.longer.path","StringEquals":"a text","Next":%q}],"Default":%q}`, names[i], to(), to(), names[i+1])
		case 5:
			states[i] = fmt.Sprintf(`%q:{"Type":"Map","ItemProcessor":%s,%s%s}`, names[i], m.scope(depth+1), next, catch)
		default:
			var branches []string
			for range 1 + m.pick("branches", 4) {
				branches = append(branches, m.scope(depth+1))
			}
			states[i] = fmt.Sprintf(`%q:{"Type":"Parallel","Branches":[%s],%s%s}`, names[i], strings.Join(branches, ","), next, catch)
		}
	}
	return fmt.Sprintf(`{"StartAt":%q,"States":{%s}}`, names[0], strings.Join(states, ","))
}

type rect struct {
	x, y, w, h float64
	what       string
}

func (r rect) meets(o rect) bool {
	const slack = 0.5
	return r.x+slack < o.x+o.w && o.x+slack < r.x+r.w && r.y+slack < o.y+o.h && o.y+slack < r.y+r.h
}

func (r rect) holds(o rect) bool {
	return r.x <= o.x+0.01 && r.y <= o.y+0.01 && r.x+r.w >= o.x+o.w-0.01 && r.y+r.h >= o.y+o.h-0.01
}

func check(t *rapid.T, d *asl.Definition, drawing *Drawing) {
	page := rect{0, 0, drawing.Width, drawing.Height, "page"}
	scopes := map[*asl.Scope][]rect{}
	boxes := map[*asl.State]rect{}
	drawn := 0
	for _, b := range drawing.Boxes {
		r := rect{b.X, b.Y, b.W, b.H, strings.Join(b.Name, " ")}
		if !page.holds(r) {
			t.Fatalf("%v is not on the page %v", r, page)
		}
		sc := d.Root
		switch {
		case b.State != nil:
			sc = b.State.Scope
			boxes[b.State] = r
			drawn++
			if owner := sc.Owner; owner != nil && !boxes[owner].holds(r) {
				t.Fatalf("%v is not inside %v", r, boxes[owner])
			}
		case b.Kind == FrameBox:
			continue
		}
		for _, o := range scopes[sc] {
			if r.meets(o) {
				t.Fatalf("boxes %v and %v overlap", r, o)
			}
		}
		scopes[sc] = append(scopes[sc], r)
	}
	if drawn != len(d.States) {
		t.Fatalf("%d of %d states are drawn", drawn, len(d.States))
	}
	checkEdges(t, d, drawing, scopes, boxes)
}

func checkEdges(t *rapid.T, d *asl.Definition, drawing *Drawing, scopes map[*asl.Scope][]rect, boxes map[*asl.State]rect) {
	found := map[string]int{}
	labels := map[*asl.Scope][]rect{}
	for _, e := range drawing.Edges {
		key := fmt.Sprint(nameOf(e.From, "Start"), "->", nameOf(e.To, "End"), e.Catch)
		found[key]++
		for _, b := range scopes[e.Scope] {
			if through(e.Path, b) {
				t.Fatalf("%s runs through %v: %v", key, b, e.Path)
			}
		}
		for end, st := range map[Point]*asl.State{e.Path[0]: e.From, e.Path[len(e.Path)-1]: e.To} {
			if b := boxes[st]; st != nil && !touches(b, end) {
				t.Fatalf("%s ends at %v, not at %v", key, end, b)
			}
		}
		if len(e.Label) == 0 {
			continue
		}
		w, h := linesWidth(e.Label, labelSize), float64(len(e.Label))*labelLine
		l := rect{e.LabelAt.X - w/2, e.LabelAt.Y - h/2, w, h, e.Full}
		for _, o := range append(scopes[e.Scope], labels[e.Scope]...) {
			if l.meets(o) {
				t.Fatalf("label %v overlaps %v", l, o)
			}
		}
		labels[e.Scope] = append(labels[e.Scope], l)
	}
	for _, st := range d.States {
		for _, tr := range st.Transitions() {
			if key := fmt.Sprint(st.Name, "->", tr.To.Name, tr.Kind == asl.ByCatch); found[key] != 1 {
				t.Fatalf("%s is drawn %d times", key, found[key])
			}
		}
	}
}

func touches(r rect, p Point) bool {
	const slack = 0.6
	inX, inY := p.X >= r.x-slack && p.X <= r.x+r.w+slack, p.Y >= r.y-slack && p.Y <= r.y+r.h+slack
	edge := math.Min(math.Min(math.Abs(p.X-r.x), math.Abs(p.X-r.x-r.w)), math.Min(math.Abs(p.Y-r.y), math.Abs(p.Y-r.y-r.h)))
	return inX && inY && edge <= slack
}

// through samples a path's curves for points well inside a box.
func through(path []Point, r rect) bool {
	for i := 0; i+3 < len(path); i += 3 {
		for k := range 17 {
			u := float64(k) / 16
			a, b, c, e := (1-u)*(1-u)*(1-u), 3*u*(1-u)*(1-u), 3*u*u*(1-u), u*u*u
			x := a*path[i].X + b*path[i+1].X + c*path[i+2].X + e*path[i+3].X
			y := a*path[i].Y + b*path[i+1].Y + c*path[i+2].Y + e*path[i+3].Y
			if x > r.x+1 && x < r.x+r.w-1 && y > r.y+1 && y < r.y+r.h-1 {
				return true
			}
		}
	}
	return false
}

// TestRun colours an execution: one attempt repeated, then caught; the other way is not reached.
func TestRun(t *testing.T) {
	d := compile(t, `{"StartAt":"Try","States":{
		"Try":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","Next":"Good","Catch":[{"ErrorEquals":["Boom"],"Next":"Mend"}]},
		"Good":{"Type":"Succeed"},"Mend":{"Type":"Pass","End":true}}}`)
	tr := tree.New("")
	for i, e := range []tree.Event{
		{Type: "ExecutionStarted"}, {Type: "TaskStateEntered", Name: "Try"}, {Type: "LambdaFunctionScheduled"}, {Type: "LambdaFunctionFailed", Error: "Boom"},
		{Type: "LambdaFunctionScheduled"}, {Type: "LambdaFunctionFailed", Error: "Boom"}, {Type: "TaskStateExited", Name: "Try"},
		{Type: "PassStateEntered", Name: "Mend"}, {Type: "PassStateExited", Name: "Mend"}, {Type: "ExecutionSucceeded"},
	} {
		e.ID, e.Previous = int64(i+1), int64(i)
		tr.Add(e)
	}
	drawing := Layout(d, Options{Run: Trace(tr)})
	got := map[string]Outcome{}
	for _, b := range drawing.Boxes {
		got[b.Name[0]] = b.Outcome
		if b.Name[0] == "Try" && b.Note != "Boom · retried 1×" {
			t.Errorf("note %q", b.Note)
		}
	}
	want := map[string]Outcome{"Start": Succeeded, "Try": Caught, "Good": NotReached, "Mend": Succeeded, "End": Succeeded}
	for name, o := range want {
		if got[name] != o {
			t.Errorf("%s: %q, want %q", name, got[name], o)
		}
	}
	var taken []string
	for _, e := range drawing.Edges {
		if e.Taken {
			taken = append(taken, nameOf(e.From, "Start")+">"+nameOf(e.To, "End"))
		}
	}
	if s := strings.Join(taken, " "); s != "Start>Try Try>Mend Mend>End" {
		t.Errorf("taken: %s", s)
	}
	svg := string(drawing.SVG())
	wellFormed(t, []byte(svg))
	for _, want := range []string{`class="state task caught"`, `class="edge catch taken"`, "not reached", "prefers-color-scheme:dark"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the SVG has no %s", want)
		}
	}
}

// FuzzSVG draws whatever compiles: names and conditions may hold anything that JSON can.
func FuzzSVG(f *testing.F) {
	files, err := filepath.Glob("testdata/*.asl.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("{\"StartAt\":\"<&\\u0000\\ud800\\\"]]>\",\"States\":{\"<&\\u0000\\ud800\\\"]]>\":{\"Type\":\"Pass\",\"End\":true}}}")
	f.Fuzz(func(t *testing.T, text string) {
		d, _ := asl.Compile([]byte(text), asl.Options{})
		if d == nil || len(d.States) > 200 {
			return
		}
		wellFormed(t, Layout(d, Options{Title: text}).SVG())
		Mermaid(d, Options{Title: text})
	})
}
