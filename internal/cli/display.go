package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/cli/tree"
)

// display shows an execution while it runs.
type display interface {
	show(news []tree.HistoryEvent)
	close()
}

// display is a live tree on a terminal, plain lines on a pipe, nothing with --json.
func (a *app) display(t *tree.Tree, data bool) display {
	if a.json {
		return silent{}
	}
	if _, _, ok := a.terminal(); ok {
		return &live{app: a, tree: t, data: data}
	}
	return &plain{out: a.out, data: data, tree: t}
}

type silent struct{}

func (silent) show([]tree.HistoryEvent) {}
func (silent) close()                   {}

// plain writes one line an event.
type plain struct {
	out   io.Writer
	data  bool
	start time.Time
	tree  *tree.Tree
}

func (p *plain) show(news []tree.HistoryEvent) {
	for i := range news {
		e := &news[i]
		if p.start.IsZero() {
			p.start = e.Time()
		}
		l := eventLine(e, p.start, p.tree.Where(e.ID))
		if !p.data {
			l = l[:len(l)-1]
			if e.Details.Error != "" {
				l = append(l, tree.Span{Text: tree.Clean(e.Details.Error)})
			}
		}
		fmt.Fprintln(p.out, l.Render(0, false))
	}
}

func (p *plain) close() {}

// eventLine is one event: id, time since the start, type, the state it belongs to, and its data as the last span.
func eventLine(e *tree.HistoryEvent, start time.Time, name string) tree.Line {
	if strings.HasPrefix(e.Type, "MapIteration") {
		name = fmt.Sprintf("%s[%d]", e.Details.Name, e.Details.Index)
	}
	style := tree.Plain
	switch {
	case strings.HasSuffix(e.Type, "Failed"), strings.HasSuffix(e.Type, "TimedOut"), strings.HasSuffix(e.Type, "Aborted"):
		style = tree.Bad
	case strings.HasPrefix(e.Type, "Execution"):
		style = tree.Bold
	}
	return tree.Line{
		{Text: fmt.Sprintf("%5d  ", e.ID), Style: tree.Dim},
		{Text: fmt.Sprintf("%9.3fs  ", e.Time().Sub(start).Seconds()), Style: tree.Dim},
		{Text: fmt.Sprintf("%-24s  ", e.Type), Style: style},
		{Text: fmt.Sprintf("%-20s  ", tree.Clean(name))},
		{Text: tree.Clean(eventData(&e.Details)), Style: tree.Dim},
	}
}

// eventData is what people look for first in an event.
func eventData(d *tree.Details) string {
	switch {
	case d.Error != "" || d.Cause != "":
		return strings.TrimSuffix(d.Error+": "+d.Cause, ": ")
	case d.Output != "":
		return d.Output
	case d.Input != "":
		return d.Input
	}
	return d.Parameters
}

// live redraws the tree in place. One write a frame; the cursor is hidden while it runs.
type live struct {
	app   *app
	tree  *tree.Tree
	data  bool
	frame int
	drawn int // lines that the last frame took
	done  bool
}

func (l *live) show([]tree.HistoryEvent) {
	width, height, ok := l.app.terminal()
	if !ok || l.done {
		return
	}
	l.frame++
	ended := l.tree.Status != tree.Running
	now := time.Now()
	if ended {
		now = l.tree.Last()
	}
	view := tree.View{Now: now, Data: l.data, Frame: l.frame}
	lines := l.tree.Lines(view)
	room := height - 1
	for view.Threads = 8; !ended && len(lines) > room && view.Threads > 0; view.Threads /= 2 {
		lines = l.tree.Lines(view)
	}
	if !ended && len(lines) > room && room > 3 {
		hidden := len(lines) - room + 1
		lines = append([]tree.Line{lines[0], {{Text: fmt.Sprintf("  … %d lines above", hidden), Style: tree.Dim}}}, lines[hidden+1:]...)
	}
	var b strings.Builder
	b.WriteString("\x1b[?25l")
	l.erase(&b)
	for _, line := range lines {
		b.WriteString(line.Render(width-1, l.app.color()) + "\n")
	}
	l.drawn = len(lines)
	if ended {
		b.WriteString("\x1b[?25h")
		l.done = true
	}
	io.WriteString(l.app.out, b.String()) //nolint:errcheck // nobody is left to tell
}

func (l *live) erase(b *strings.Builder) {
	if l.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", l.drawn)
	}
}

func (l *live) close() {
	if !l.done && l.drawn > 0 {
		io.WriteString(l.app.out, "\x1b[?25h") //nolint:errcheck // nobody is left to tell
	}
}
