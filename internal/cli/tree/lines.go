package tree

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// View says how a tree is written.
type View struct {
	Now     time.Time // end of what still runs
	Data    bool      // show inputs and outputs
	Frame   int       // of the animation of running states
	Threads int       // most iterations or branches shown of one state, 0 for 12
	Name    int       // most columns of the name column, 0 for 44
}

var (
	marks = map[Status]Span{
		Succeeded: {"✓", Good}, Caught: {"!", Warn}, Failed: {"✗", Bad}, Aborted: {"-", Dim}, TimedOut: {"✗", Bad},
	}
	words = map[Status]Span{
		Running: {"running", Active}, Succeeded: {"succeeded", Good}, Failed: {"failed", Bad}, Aborted: {"aborted", Warn}, TimedOut: {"timed out", Bad},
	}
	spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
)

// row is a line of the tree before its columns are aligned.
type row struct {
	gutter []Span // indentation, branch numbers, mark
	state  *State
	note   Line // instead of columns, when state is nil
}

// Lines writes the tree: a headline, the states, and how it ended.
func (t *Tree) Lines(v View) []Line {
	if v.Threads == 0 {
		v.Threads = 12
	}
	if v.Name == 0 {
		v.Name = 44
	}
	rows := v.thread(nil, t.Root, Span{"  ", Plain})
	column := 0
	for _, r := range rows {
		if r.state != nil {
			column = max(column, min(v.Name, Line(r.gutter).Width()+textWidth(Clean(r.state.Name))))
		}
	}
	resource := 0
	for _, r := range rows {
		if r.state != nil {
			resource = max(resource, min(36, textWidth(v.about(r.state))))
		}
	}
	lines := []Line{t.headline(v)}
	for _, r := range rows {
		lines = append(lines, v.line(r, column, resource))
	}
	return append(lines, t.ending(v)...)
}

func (t *Tree) headline(v View) Line {
	l := Line{{Clean(t.Name), Bold}, {"  ", Plain}, words[t.Status]}
	if !t.Start.IsZero() {
		l = append(l, Span{"  " + Duration(v.since(t.Start, t.End)), Dim})
	}
	if v.Data && t.Input != "" {
		l = append(l, Span{"  in " + Clean(t.Input), Dim})
	}
	return l
}

func (t *Tree) ending(v View) []Line {
	if n := len(t.Root.States); n > 0 && len(t.Root.States[n-1].Threads) == 0 && t.Error != "" && t.Root.States[n-1].Error == t.Error {
		return nil // the last state shows it
	}
	if (t.Status == Failed || t.Status == Aborted || t.Status == TimedOut) && t.Error+t.Cause != "" {
		return []Line{{{"  ", Plain}, {failure(t.Error, t.Cause), Bad}}}
	}
	if v.Data && t.Status == Succeeded {
		return []Line{{{"  out ", Dim}, {Clean(t.Output), Plain}}}
	}
	return nil
}

func (v View) since(start, end time.Time) time.Duration {
	if end.IsZero() {
		end = v.Now
	}
	return end.Sub(start)
}

// thread writes a thread's states; first is the gutter of the first line, later lines have blanks of the same width.
func (v View) thread(gutter []Span, th *Thread, first Span) []row {
	var rows []row
	for _, s := range th.States {
		g := append(append([]Span(nil), gutter...), first)
		first = Span{strings.Repeat(" ", textWidth(first.Text)), Plain}
		rest := append(append([]Span(nil), gutter...), first)
		rows = append(rows, row{gutter: append(g, v.mark(s), Span{" ", Plain}), state: s})
		rows = append(rows, v.notes(rest, s)...)
		rows = append(rows, v.threads(rest, s)...)
	}
	return rows
}

func (v View) mark(s *State) Span {
	if s.Status == Running {
		return Span{spinner[v.Frame%len(spinner)], Active}
	}
	return marks[s.Status]
}

// notes are the lines below a state: attempts, the error, data.
func (v View) notes(gutter []Span, s *State) []row {
	note := func(spans ...Span) row {
		return row{note: append(append(Line(nil), gutter...), append(Line{{"  ", Plain}}, spans...)...)}
	}
	var rows []row
	for i, a := range s.Attempts {
		if len(s.Attempts) > 4 && i >= 1 && i < len(s.Attempts)-2 {
			if i == 1 {
				rows = append(rows, note(Span{fmt.Sprintf("↻ %d more attempts", len(s.Attempts)-3), Warn}))
			}
			continue
		}
		rows = append(rows, note(Span{"↻ attempt " + strconv.Itoa(i+1) + "  ", Warn}, Span{failure(a.Error, a.Cause), Dim}))
	}
	if s.Error != "" && len(s.Threads) == 0 {
		style := Bad
		if s.Status == Caught || s.Status == Running {
			style = Warn
		}
		rows = append(rows, note(Span{failure(s.Error, s.Cause), style}))
	}
	if v.Data {
		if s.Input != "" {
			rows = append(rows, note(Span{"in  " + Clean(s.Input), Dim}))
		}
		if s.Output != "" {
			rows = append(rows, note(Span{"out " + Clean(s.Output), Dim}))
		}
	}
	return rows
}

// threads writes branches or iterations: all of a few, else those that are not finished well and a summary of the rest.
func (v View) threads(gutter []Span, s *State) []row {
	shown := s.Threads
	hidden := 0
	if len(shown) > v.Threads {
		shown = nil
		for _, wanted := range []bool{false, true} {
			for _, th := range s.Threads {
				if len(shown) < v.Threads && (th.Status == Succeeded) == wanted {
					shown = append(shown, th)
				}
			}
		}
		hidden = len(s.Threads) - len(shown)
	}
	digits := 1
	for _, th := range shown {
		digits = max(digits, len(strconv.Itoa(th.Index)))
	}
	var rows []row
	for _, th := range shown {
		label := fmt.Sprintf("%*d ", digits, th.Index)
		rows = append(rows, v.thread(append(append([]Span(nil), gutter...), Span{"│ ", Dim}), th, Span{label, Dim})...)
	}
	if hidden > 0 {
		count := map[Status]int{}
		for _, th := range s.Threads {
			count[th.Status]++
		}
		text := fmt.Sprintf("… %d more (%d succeeded, %d running, %d failed)", hidden, count[Succeeded], count[Running], count[Failed])
		rows = append(rows, row{note: append(append(Line(nil), gutter...), Span{"│ ", Dim}, Span{text, Dim})})
	}
	return rows
}

// about is the last column but one: what the state does.
func (v View) about(s *State) string {
	switch {
	case s.Type == "Map":
		done := 0
		for _, th := range s.Threads {
			if th.Status == Succeeded {
				done++
			}
		}
		return fmt.Sprintf("%d of %d", done, max(s.Length, len(s.Threads)))
	case s.Type == "Parallel":
		return fmt.Sprintf("%d branches", len(s.Threads))
	case s.Next != "":
		return "→ " + Clean(s.Next)
	}
	return Clean(s.Resource)
}

func (v View) line(r row, column, resource int) Line {
	if r.state == nil {
		return r.note
	}
	s := r.state
	room := column - Line(r.gutter).Width()
	l := append(Line(nil), r.gutter...)
	l = append(l, Span{pad(cut(Clean(s.Name), max(room, 1)), room), Plain}, Span{"  ", Plain}, Span{pad(s.Type, 8), Dim}, Span{"  ", Plain})
	l = append(l, Span{pad(cut(v.about(s), 36), resource), Dim}, Span{"  ", Plain})
	return append(l, Span{fmt.Sprintf("%7s", Duration(v.since(s.Start, s.End))), Plain})
}

func failure(name, cause string) string {
	cause = Clean(causeMessage(cause))
	switch {
	case name == "":
		return cause
	case cause == "":
		return Clean(name)
	}
	return Clean(name) + ": " + cause
}

// causeMessage is the message inside the cause of a failed function, or the cause itself.
func causeMessage(cause string) string {
	if !strings.HasPrefix(cause, "{") {
		return cause
	}
	return errorMessage(cause)
}
