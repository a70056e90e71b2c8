package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/cli/tree"
)

// topFixed is how many lines there are beside the rows of the two tables.
const topFixed = 13

// lines writes a pulse: the server as a whole, then tables of so many operations and machines.
func (a *pulse) lines(at string, operations, machines int) []tree.Line {
	lines := []tree.Line{
		{
			{Text: "newel " + a.Version, Style: tree.Bold}, {Text: "  " + at + "  up " + tree.Duration(time.Duration(a.Up)*time.Second), Style: tree.Dim},
			{Text: "  "}, figure(number(a.Requests), a.Requests > 0), {Text: " requests/s  cpu "}, figure(fmt.Sprintf("%.0f %%", a.CPU*100), a.CPU > 0),
			{Text: "  memory "}, figure(sizeOf(float64(a.Memory)), true),
		},
		{},
		a.executions("Standard", &a.Standard),
		a.executions("Express", &a.Express),
		heading("Tasks", []pair{{number(float64(a.TasksRunning)), "running"}, {number(float64(a.TasksWaiting)), "in line"},
			{number(float64(a.Outbox)), "unanswered" + oldest(a.OutboxAge)}, {millis(a.TimerLag.P99), "timer lag p99"}, {number(a.Transitions), "transitions/s"},
			{number(a.Events), "events/s"}}),
	}
	if s := a.Store; s != nil {
		lines = append(lines, heading("Store", []pair{{number(s.Commits), "commits/s"}, {number(s.PerFsync), "an fsync"}, {sizeOf(s.Size), "each"},
			{millis(s.Fsync.P50), "fsync p50"}, {millis(s.Fsync.P99), "p99"}, {sizeOf(float64(s.Disk)), "on disk"}}))
	}
	l := &a.Lambda
	lines = append(lines,
		heading("Lambda", []pair{{fmt.Sprintf("%d/%d", l.Busy, l.Most), "workers busy"}, {number(float64(l.Workers - l.Busy - l.Starting)), "idle"}, {number(float64(l.Starting)), "starting"},
			{number(float64(l.Waiting)), "in line"}, {number(l.Invocations), "invocations/s"}, {millis(l.Took.P50), "p50"}, {millis(l.Took.P99), "p99"},
			{number(float64(l.Colds)), "cold starts"}}),
		heading("Queues", []pair{{number(float64(a.Visible)), "visible"}, {number(float64(a.InFlight)), "in flight"}, {number(float64(a.Delayed)), "delayed"},
			{number(float64(a.DeliveriesOwed)), "deliveries owed"}}),
		tree.Line{})
	lines = append(lines, a.operationTable(operations)...)
	if machines > 0 {
		lines = append(append(lines, tree.Line{}), a.machineTable(machines)...)
	}
	return lines
}

func (a *pulse) executions(name string, k *kindActivity) tree.Line {
	l := heading(name, []pair{{number(float64(k.Open)), "open"}, {number(k.Started), "started/s"}, {number(k.Ended), "ended/s"}})
	if k.Failed > 0 {
		return append(l, tree.Span{Text: "   " + number(k.Failed) + " failed/s", Style: tree.Bad})
	}
	return append(l, tree.Span{Text: "   0 failed/s", Style: tree.Dim})
}

func oldest(seconds float64) string {
	if seconds < 1 {
		return ""
	}
	return " (oldest " + tree.Duration(time.Duration(seconds*float64(time.Second))) + ")"
}

// pair is a figure and what it is.
type pair struct{ value, unit string }

func heading(name string, pairs []pair) tree.Line {
	l := tree.Line{{Text: fmt.Sprintf("%-9s", name), Style: tree.Bold}}
	for i, p := range pairs {
		if i > 0 {
			l = append(l, tree.Span{Text: "   "})
		}
		idle := p.value == "0" || p.value == "-" || strings.HasPrefix(p.value, "0/")
		l = append(l, figure(p.value, !idle), tree.Span{Text: " " + p.unit, Style: tree.Dim})
	}
	return l
}

func figure(text string, lively bool) tree.Span {
	if lively {
		return tree.Span{Text: text, Style: tree.Active}
	}
	return tree.Span{Text: text, Style: tree.Dim}
}

func (a *pulse) operationTable(n int) []tree.Line {
	lines := []tree.Line{{{Text: fmt.Sprintf("%-44s %10s %10s %10s %10s %10s", "OPERATION", "PER S", "ERRORS/S", "P50", "P99", "TOTAL"), Style: tree.Dim}}}
	for _, o := range a.Operations[:n] {
		name, style := o.Name, tree.Plain
		if o.Inside {
			name += " (by the server)"
		}
		if o.Rate == 0 {
			style = tree.Dim
		}
		errors := tree.Span{Text: fmt.Sprintf(" %10s", number(o.Errors)), Style: style}
		if o.Errors > 0 {
			errors.Style = tree.Bad
		}
		lines = append(lines, tree.Line{{Text: fmt.Sprintf("%-44s %10s", tree.Clean(name), number(o.Rate)), Style: style}, errors,
			{Text: fmt.Sprintf(" %10s %10s %10s", millis(o.Took.P50), millis(o.Took.P99), number(float64(o.Total))), Style: style}})
	}
	return lines
}

func (a *pulse) machineTable(n int) []tree.Line {
	lines := []tree.Line{{{Text: fmt.Sprintf("%-44s %10s %10s %10s %10s %10s", "STATE MACHINE", "STARTED/S", "FAILED/S", "TRANS./S", "TASKS", "IN LINE"), Style: tree.Dim}}}
	for _, m := range a.Machines[:n] {
		style := tree.Plain
		if m.Started+m.Transitions == 0 && m.Running+m.Waiting == 0 {
			style = tree.Dim
		}
		failed := tree.Span{Text: fmt.Sprintf(" %10s", number(m.Failed)), Style: style}
		if m.Failed > 0 {
			failed.Style = tree.Bad
		}
		name := m.ARN[strings.LastIndexByte(m.ARN, ':')+1:]
		if name == "" {
			name = "(all others)"
		}
		lines = append(lines, tree.Line{{Text: fmt.Sprintf("%-44s %10s", tree.Clean(name), number(m.Started)), Style: style}, failed,
			{Text: fmt.Sprintf(" %10s %10s %10s", number(m.Transitions), number(float64(m.Running)), number(float64(m.Waiting))), Style: style}})
	}
	return lines
}

// number writes a figure in five columns or so: 0.25, 7, 812, 9.2k, 1.2M.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 999_500:
		return strconv.FormatFloat(v/1e6, 'f', 1, 64) + "M"
	case v >= 9_950:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + "k"
	case v >= 10 || v == math.Trunc(v):
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// sizeOf writes bytes.
func sizeOf(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < 1024 {
			return number(math.Round(v*10)/10) + " " + unit
		}
		v /= 1024
	}
	return number(math.Round(v*10)/10) + " TiB"
}

// millis writes a duration given in milliseconds; "-" for none.
func millis(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64) + " ms"
	case v < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64) + " ms"
	}
	return strconv.FormatFloat(v/1000, 'f', 1, 64) + " s"
}
