package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/lambda"
	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/states"
	fsm "github.com/newel-run/newel/machine"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "why EXECUTION", Short: "Say what an execution waits for, since when and until when", Args: cobra.ExactArgs(1),
		Long: `Say what an execution waits for, since when and until when: a time, a retry, a worker of an activity, a function, a callback
under a task token, a nested execution, the children of a Map. Of one that has ended, how it ended.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, arn, err := a.execution(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			w := &why{c: c, arn: arn}
			if err := w.read(cmd.Context()); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(w.waiting)
			}
			a.explainWaits(cmd.Context(), w)
			return nil
		},
	}
}

// why is what is known of an execution's waiting.
type why struct {
	c       *client
	arn     string
	waiting states.Waiting
	now     time.Time
	events  []tree.HistoryEvent
	tree    *tree.Tree
	load    map[string]runtime.Load
}

func (w *why) read(ctx context.Context) error {
	if err := w.c.hook(ctx, http.MethodGet, states.WaitsPath+"?execution="+url.QueryEscape(w.arn), &w.waiting); err != nil {
		return err
	}
	var clock states.Clock
	if err := w.c.hook(ctx, http.MethodGet, states.ClockPath, &clock); err != nil {
		return err
	}
	if err := w.c.hook(ctx, http.MethodGet, lambda.LoadPath, &w.load); err != nil {
		return err
	}
	w.now = clock.Now
	var err error
	w.events, err = w.c.eventsAfter(ctx, w.arn, 0)
	if err != nil {
		return err
	}
	w.tree = tree.New("")
	for i := range w.events {
		w.tree.Add(w.events[i].Event())
	}
	return nil
}

func (a *app) explainWaits(ctx context.Context, w *why) {
	status := w.waiting.Status
	if status != "RUNNING" {
		text := fmt.Sprintf("It waits for nothing: it is %s since %s.", status, w.tree.End.Local().Format(time.DateTime))
		fmt.Fprintln(a.out, text)
		if w.tree.Error != "" || w.tree.Cause != "" {
			fmt.Fprintln(a.out, "  "+tree.Clean(strings.Trim(w.tree.Error+": "+w.tree.Cause, ": ")))
		}
		return
	}
	fmt.Fprintf(a.out, "RUNNING since %s (%s)%s\n", w.tree.Start.Local().Format(time.DateTime), ago(w.now.Sub(w.tree.Start)), w.until(w.waiting.TimesOut, ", times out "))
	for i := range w.waiting.Waits {
		wait := &w.waiting.Waits[i]
		if wait.For == fsm.ForThreads && len(w.waiting.Waits) > 1 && wait.Type == "Parallel" {
			continue // its branches say more
		}
		a.line(tree.Span{Text: tree.Clean(place(wait)), Style: tree.Bold}, tree.Span{Text: " " + tree.Clean(w.what(ctx, wait))})
		for _, l := range w.details(ctx, wait) {
			fmt.Fprintln(a.out, "    "+tree.Clean(l))
		}
	}
}

// place is a state with what is around it.
func place(wait *fsm.Wait) string {
	text := ""
	for _, p := range wait.Within {
		text += fmt.Sprintf("%s[%d] › ", p.State, p.Index)
	}
	return text + wait.State
}

// what says in one sentence what a state waits for.
func (w *why) what(ctx context.Context, wait *fsm.Wait) string {
	since := ", since " + w.clockTime(wait.Entered)
	switch wait.For {
	case fsm.ForTime:
		return "is a Wait" + w.until(wait.Due, " until ") + since
	case fsm.ForRetry:
		return fmt.Sprintf("is tried again (retry %d)%s", wait.Retries, w.until(wait.Due, " "))
	case fsm.ForWorker:
		return "waits for a worker to poll " + topicName(wait.Resource) + since
	case fsm.ForRequest:
		return "waits for the answer of " + w.target(wait) + since
	case fsm.ForCallback:
		switch {
		case wait.Type == "Map":
			return "waits for its map run" + since
		case strings.Contains(wait.Resource, ":activity:"):
			return "is being worked on by a worker of " + topicName(wait.Resource) + since
		case strings.HasSuffix(wait.Resource, ".waitForTaskToken"):
			return "waits for its task token to be answered" + since
		}
		return "waits for the end of what " + w.target(wait) + " has started" + since
	case fsm.ForThreads:
		done := wait.Threads - wait.Running - wait.Unstarted
		return fmt.Sprintf("has %d of %d done, %d running, %d not begun%s", done, wait.Threads, wait.Running, wait.Unstarted, since)
	}
	return "goes on at once"
}

// details are what can be done, or looked at.
func (w *why) details(ctx context.Context, wait *fsm.Wait) (lines []string) {
	if !wait.TimesOut.IsZero() {
		lines = append(lines, "the task times out"+w.until(wait.TimesOut, " "))
	}
	if !wait.Heartbeat.IsZero() {
		lines = append(lines, "a heartbeat is due"+w.until(wait.Heartbeat, " "))
	}
	if s := w.state(wait); s != nil && s.Error+s.Cause != "" {
		lines = append(lines, "the last attempt failed: "+strings.Trim(s.Error+": "+s.Cause, ": "))
	}
	switch wait.For {
	case fsm.ForCallback:
		if wait.Type == "Map" {
			return append(lines, w.mapRuns(ctx)...)
		}
		if nested := w.nested(wait); nested != "" {
			return append(lines, "execution "+nested, "newel why "+nested)
		}
		if wait.Token != "" && !strings.Contains(wait.Resource, ".sync") {
			lines = append(lines, "newel send-task success "+wait.Token+" --output JSON")
		}
	case fsm.ForRequest:
		for arn, l := range w.load {
			if s := w.state(wait); s != nil && strings.HasSuffix(s.Resource, topicName(arn)) && l.Running+l.Waiting > 0 {
				lines = append(lines, fmt.Sprintf("function %s: %d running, %d waiting for a worker", topicName(arn), l.Running, l.Waiting))
			}
		}
	}
	return lines
}

// state is the state's latest visit in the history, which has no place for the iteration.
func (w *why) state(wait *fsm.Wait) (found *tree.State) {
	var look func(th *tree.Thread)
	look = func(th *tree.Thread) {
		if th == nil {
			return
		}
		for _, s := range th.States {
			if s.Name == wait.State && s.Status == tree.Running {
				found = s
			}
			for _, inner := range s.Threads {
				look(inner)
			}
		}
	}
	look(w.tree.Root)
	return found
}

func (w *why) target(wait *fsm.Wait) string {
	if s := w.state(wait); s != nil && s.Resource != "" {
		return s.Resource
	}
	return wait.Resource
}

// nested is the execution that a .sync task has started.
func (w *why) nested(wait *fsm.Wait) string {
	if !strings.Contains(wait.Resource, "states:startExecution.sync") {
		return ""
	}
	for _, e := range slices.Backward(w.events) {
		var out struct{ ExecutionArn string }
		if e.Type == "TaskSubmitted" && w.tree.Where(e.ID) == wait.State && json.Unmarshal([]byte(e.Event().Output), &out) == nil {
			return out.ExecutionArn
		}
	}
	return ""
}

// mapRuns are the execution's map runs that run, with their progress.
func (w *why) mapRuns(ctx context.Context) (lines []string) {
	raw, err := w.c.pages(ctx, "states", "ListMapRuns", map[string]any{"executionArn": w.arn, "maxResults": 1000}, "mapRuns")
	if err != nil {
		return []string{err.Error()}
	}
	for _, b := range raw {
		var run struct {
			MapRunArn  string
			StopDate   float64
			Status     string
			ItemCounts struct{ Total, Pending, Running, Succeeded, Failed, Aborted, TimedOut int }
		}
		if json.Unmarshal(b, &run) != nil || run.StopDate != 0 {
			continue
		}
		if err := w.c.call(ctx, "states", "DescribeMapRun", map[string]string{"mapRunArn": run.MapRunArn}, &run); err != nil {
			return append(lines, err.Error())
		}
		n := run.ItemCounts
		lines = append(lines, fmt.Sprintf("map run %s: %d items, %d succeeded, %d failed, %d running, %d pending",
			topicName(run.MapRunArn), n.Total, n.Succeeded, n.Failed+n.Aborted+n.TimedOut, n.Running, n.Pending))
	}
	return lines
}

// until says when something ends, and how far away that is; "" for never.
func (w *why) until(t time.Time, before string) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s%s (in %s)", before, w.clockTime(t), tree.Duration(t.Sub(w.now)))
}

// clockTime is a moment as briefly as it is clear.
func (w *why) clockTime(t time.Time) string {
	if d := t.Sub(w.now); d > 12*time.Hour || d < -12*time.Hour {
		return t.Local().Format(time.DateTime)
	}
	return t.Local().Format("15:04:05")
}

func ago(d time.Duration) string { return tree.Duration(d) + " ago" }
