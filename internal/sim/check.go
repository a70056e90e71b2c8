package sim

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// uuid: their values depend on when a state was entered.
var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

var statusNames = [...]string{machine.Running: "RUNNING", machine.Succeeded: "SUCCEEDED", machine.Failed: "FAILED",
	machine.TimedOut: "TIMED_OUT", machine.Aborted: "ABORTED"}

var lastEvents = [...]string{machine.Succeeded: "ExecutionSucceeded", machine.Failed: "ExecutionFailed",
	machine.TimedOut: "ExecutionTimedOut", machine.Aborted: "ExecutionAborted"}

// outcome is how an execution ended, but for what differs from run to run.
func outcome(status machine.Status, output *value.Doc, failure *string) string {
	s := statusNames[status]
	switch {
	case output != nil:
		s += " " + uuid.ReplaceAllString(output.String(), "U")
	case failure != nil:
		s += " " + *failure
	}
	return childNames.ReplaceAllString(s, "c")
}

// childNames differ with the numbers of the requests that started them.
var childNames = regexp.MustCompile(`c-engine-\d+-\d+`)

// reader is an engine that only reads what is durable, and needs no driver.
func (w *World) reader() *engine.Engine {
	return engine.New(engine.Config{Store: quiet{disk: w.disk}, Definitions: w, Clock: wallClock{&process{w: w}}})
}

func (w *World) describe(arn string) *engine.Description {
	d, err := w.reader().Describe(context.Background(), arn)
	if err != nil {
		w.violated("%s: %v", arn, err)
	}
	return d
}

func (w *World) statusOf(arn string) machine.Status { return w.describe(arn).Root.Status() }

// stored are the ARNs of the executions that there are.
func (w *World) stored() (arns []string) {
	for _, part := range w.disk.parts {
		part.durable.Ascend(string(store.K(store.TableExecution)), func(k string, _ []byte) bool {
			if k[0] != store.TableExecution {
				return false
			}
			if arn, rest, ok := store.CutStr([]byte(k[1:])); ok && string(rest) == "m" {
				arns = append(arns, arn)
			}
			return true
		})
	}
	return arns
}

// checkExecutions holds each execution against its history, its row in the list and what clients were told.
func (w *World) checkExecutions() {
	e := w.reader()
	rows := map[string]engine.Row{}
	for name := range w.definitions {
		list, _, err := e.List(context.Background(), engine.ListQuery{MachineARN: machineARN(name), Max: 100_000})
		if err != nil {
			w.violated("list: %v", err)
		}
		for i, r := range list {
			if _, twice := rows[r.ARN]; twice || i > 0 && list[i-1].Start < r.Start {
				w.violated("the list of %s has %s twice or out of order", name, r.ARN)
			}
			rows[r.ARN] = r
		}
	}
	arns := w.stored()
	for _, arn := range arns {
		d := w.describe(arn)
		root, row := d.Root, rows[arn]
		if row.Status != root.Status() || row.Start != d.Start || row.Redrives != root.Redrives() || row.Stop != root.StopTime().UnixMilli() {
			w.violated("the list says of %s: %+v; it has ended with %s at %s after %d redrives", arn, row, statusNames[root.Status()], root.StopTime(), root.Redrives())
		}
		w.checkHistory(e, d)
	}
	if len(arns) != len(rows) {
		w.violated("%d executions and %d rows in lists", len(arns), len(rows))
	}
	for _, x := range w.executions {
		d := w.describe(x.arn)
		if !x.started.IsZero() && d.StartMs() != x.started.UnixMilli() {
			w.violated("%s was acknowledged with start %s and has %d", x.name, x.started, d.StartMs())
		}
		events, _, _ := e.History(context.Background(), x.arn, engine.HistoryQuery{Max: 1_000_000})
		w.sawHistory(x, historyLines(events))
	}
	for arn, at := range w.children {
		if d := w.describe(arn); d.StartMs() != at.UnixMilli() {
			w.violated("%s was acknowledged with start %s and has %d", arn, at, d.StartMs())
		}
	}
	for _, x := range w.express {
		if !x.acknowledged || x.ended == 0 {
			w.violated("Express execution %s was acknowledged %v and has ended %d times", x.name, x.acknowledged, x.ended)
		}
	}
}

// checkHistory: numbered without a gap, each event follows from an earlier one, time does not go back, the end is that of
// the execution.
func (w *World) checkHistory(e *engine.Engine, d *engine.Description) {
	events, _, err := e.History(context.Background(), d.ARN, engine.HistoryQuery{Max: 1_000_000})
	if err != nil || len(events) == 0 {
		w.violated("history of %s: %d events, %v", d.ARN, len(events), err)
	}
	for i, ev := range events {
		if ev.ID != int64(i+1) || ev.Prev < 0 || ev.Prev >= ev.ID || i > 0 && ev.Time < events[i-1].Time {
			w.violated("event %d of %s has id %d, follows from %d, at %d", i+1, d.ARN, ev.ID, ev.Prev, ev.Time)
		}
	}
	last := events[len(events)-1]
	if last.Type.String() != lastEvents[d.Root.Status()] || d.Root.LastEventID() != last.ID {
		w.violated("%s has ended with %s, its history of %d with %s", d.ARN, statusNames[d.Root.Status()], d.Root.LastEventID(), last.Type)
	}
}

func historyLines(events []machine.HistoryEvent) (lines []string) {
	for _, ev := range events {
		lines = append(lines, fmt.Sprint(ev.ID, ev.Prev, ev.Time, ev.Type, ev.Name, ev.Index, ev.Output))
	}
	return lines
}

// checkLeftovers: what has ended has left its state for a redrive, the end of its retention, and nothing else.
func (w *World) checkLeftovers() {
	expiries, pieces := map[string]int{}, map[string]string{}
	for n, part := range w.disk.parts {
		part.durable.Scan(func(k string, v []byte) bool {
			switch k[0] {
			case store.TableOpen:
				w.checkOpen(n, v)
			case store.TableExecution:
				arn, rest, _ := store.CutStr([]byte(k[1:]))
				pieces[arn] += string(rest[0])
			case store.TableHistory, store.TableIndex:
			case store.TableTimer:
				arn, rest, _ := store.CutStr([]byte(k[9:]))
				if rest[0] != 0xff {
					w.violated("a timer is left over of %s: kind %d", arn, rest[0])
				}
				expiries[arn]++
			default:
				if !bytes.Equal([]byte(k), outboxNumbers) {
					w.violated("left over in partition %d: %q", n, k)
				}
			}
			return true
		})
	}
	for _, arn := range w.stored() {
		if expiries[arn] != 1 {
			w.violated("%s has %d ends of its retention", arn, expiries[arn])
		}
		if w.statusOf(arn) == machine.Succeeded && (strings.Contains(pieces[arn], "f") || strings.Count(pieces[arn], "p") > 2) {
			w.violated("%s has succeeded and left pieces %s", arn, pieces[arn])
		}
		delete(expiries, arn)
	}
	if len(expiries) > 0 {
		w.violated("retentions of no execution: %v", expiries)
	}
}

// checkOpen: no execution is counted as open.
func (w *World) checkOpen(partition int, n []byte) {
	if len(bytes.Trim(n, "\x00")) > 0 {
		w.violated("partition %d counts open executions: %x", partition, n)
	}
}

var outboxNumbers = store.K(store.TableOutbox, "")

// checkTokens: no token that anybody holds still counts.
func (w *World) checkTokens() {
	for i, token := range w.tokens {
		label := fmt.Sprint("late answer ", i)
		w.soon(label, func() {
			w.answerToken(label, token, machine.Event{Kind: machine.TaskSucceeded, Output: value.TextString(`"late"`)}, func(a machine.Answer, err error) {
				if err != nil || a == machine.Taken {
					w.violated("a token of an ended execution is answered with %d, %v", a, err)
				}
			})
		})
	}
	w.runUntil(w.now.Add(time.Minute))
	w.checkExecutions()
	w.checkLeftovers()
}

// checkRestart: a process that starts now has nothing to do.
func (w *World) checkRestart() {
	requests, commits := len(w.requests), w.commits
	w.crash(w.live)
	w.runUntil(w.now.Add(5 * time.Minute))
	if len(w.requests) != requests || w.commits != commits || w.live == nil || !w.live.up {
		w.violated("after a restart with nothing to do there were %d requests and %d commits", len(w.requests)-requests, w.commits-commits)
	}
}

// checkRetention: at the end of the retention everything goes.
func (w *World) checkRetention() {
	w.runUntil(w.now.Add(retention + 2*time.Hour))
	for n, part := range w.disk.parts {
		part.durable.Scan(func(k string, v []byte) bool {
			if k[0] == store.TableOpen {
				w.checkOpen(n, v)
			} else if !bytes.Equal([]byte(k), outboxNumbers) {
				w.violated("left over in partition %d after the retention: %q", n, k)
			}
			return true
		})
	}
}

// runUntil carries out what is to happen before a time.
func (w *World) runUntil(t time.Time) {
	for w.step(t) {
	}
	w.now = t
}
