package machine

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/asl/value"
)

var rewrite = flag.Bool("rewrite", false, "write the golden conversations anew; review the difference")

// TestConversations plays testdata/*.txt. A file is a list of blocks: the input up to "----", then what came of it up to
// an empty line. Inputs:
//
//	definition                   the next lines are the definition
//	limits NAME=N ...            Limits
//	start|express JSON           JSON may be long:N, a string of N bytes; express: an Express execution
//	submitted|succeeded F/N JSON the attempt N of frame F; F/N may be "-" if there is only one task
//	failed F/N "ERROR" "CAUSE"   each may be null; "callback" at the end: through SendTaskFailure
//	heartbeat F/N
//	claimed F/N WORKER
//	fire                         the earliest timer fires; the clock goes there
//	refire                       the timer that fired last fires again
//	clock +DURATION              the clock goes on
//	gone ARN                     from here on there is no such activity
//	stop "ERROR" "CAUSE"
//	redrive
//	continue
//
// Output: the answer of a no-op, new history events, commands, and the pieces of state that changed.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &conversation{t: t, w: newWorld(t, nil)}
			got := c.play(string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s: %s", file, firstDifference(string(text), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			have := "nothing"
			if i < len(g) {
				have = strings.Join(g[i:min(i+8, len(g))], "\n")
			}
			return fmt.Sprintf("line %d: want\n%s\ngot\n%s", i+1, w[i], have)
		}
	}
	return "there is more at the end"
}

type conversation struct {
	t     *testing.T
	w     *world
	fired Timer
}

// play runs a conversation and renders it with what came of it.
func (c *conversation) play(text string) string {
	var out strings.Builder
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, 1<<20)
	var input []string
	inOutput := false
	for sc.Scan() {
		line := sc.Text()
		switch {
		case inOutput:
			inOutput = line != ""
		case line == "----":
			out.WriteString(strings.Join(input, "\n"))
			out.WriteString("\n----\n")
			out.WriteString(c.block(input))
			out.WriteString("\n")
			input, inOutput = nil, true
		case line == "" && len(input) == 0:
		default:
			input = append(input, line)
		}
	}
	return out.String()
}

func (c *conversation) block(lines []string) string {
	for strings.HasPrefix(lines[0], "#") {
		lines = lines[1:]
	}
	verb, rest, _ := strings.Cut(lines[0], " ")
	switch verb {
	case "definition":
		c.w = newWorld(c.t, compile(c.t, strings.Join(lines[1:], "\n")))
		return ""
	case "limits":
		c.limits(rest)
		return ""
	case "gone":
		c.w.gone = func(arn string) bool { return arn == rest }
		return ""
	case "clock":
		d, err := time.ParseDuration(rest)
		c.must(err)
		c.w.now = c.w.now.Add(d)
		return ""
	}
	ev := c.event(verb, rest)
	ev.Gone = c.w.gone
	return c.show(c.w.step(ev))
}

func (c *conversation) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *conversation) limits(text string) {
	for _, f := range strings.Fields(text) {
		name, n, _ := strings.Cut(f, "=")
		v, err := strconv.Atoi(n)
		c.must(err)
		switch name {
		case "HistoryEvents":
			c.w.lim.HistoryEvents = v
		case "PayloadBytes":
			c.w.lim.PayloadBytes = v
		case "InlineIterations":
			c.w.lim.InlineIterations = v
		case "StepTransitions":
			c.w.lim.StepTransitions = v
		case "StepBytes":
			c.w.lim.StepBytes = v
		default:
			c.t.Fatal("unknown limit ", name)
		}
	}
}

func (c *conversation) event(verb, rest string) Event {
	ev := Event{Now: c.w.now}
	switch verb {
	case "start", "express":
		fresh := newWorld(c.t, c.w.def)
		fresh.lim, fresh.now, fresh.gone = c.w.lim, c.w.now, c.w.gone
		c.w = fresh
		ev = startEvent(c.w.now, big(rest))
		ev.Start.Express = verb == "express"
		return ev
	case "continue":
		ev.Kind = Continue
		return ev
	case "redrive":
		ev.Kind = RedriveRequested
		return ev
	case "stop":
		ev.Kind = StopRequested
		ev.Error, ev.Cause, _ = c.texts(rest)
		return ev
	case "fire":
		t, ok := c.w.earliest()
		if !ok {
			c.t.Fatal("no timer is set")
		}
		c.fired, c.w.now = t, t.At
		return Event{Kind: TimerFired, Now: t.At, Timer: t}
	case "refire":
		return Event{Kind: TimerFired, Now: c.w.now, Timer: c.fired}
	}
	who, rest, _ := strings.Cut(rest, " ")
	ev.Attempt = c.attempt(who)
	switch verb {
	case "submitted":
		ev.Kind, ev.Output = TaskSubmitted, value.TextString(rest)
	case "succeeded":
		ev.Kind, ev.Output = TaskSucceeded, value.TextString(big(rest))
	case "failed":
		ev.Kind = TaskFailed
		var tail string
		ev.Error, ev.Cause, tail = c.texts(rest)
		ev.Callback = tail == "callback"
	case "heartbeat":
		ev.Kind = TaskHeartbeat
	case "claimed":
		ev.Kind, ev.Worker = ActivityClaimed, rest
	default:
		c.t.Fatalf("unknown input %q", verb)
	}
	return ev
}

// big lets a conversation write a long document as "LENGTH".
func big(s string) string {
	if n, ok := strings.CutPrefix(s, "long:"); ok {
		size, _ := strconv.Atoi(n)
		return `"` + strings.Repeat("x", size-2) + `"`
	}
	return s
}

func (c *conversation) attempt(who string) Attempt {
	if who == "-" {
		for a := range c.w.tasks {
			if len(c.w.tasks) == 1 {
				return a
			}
		}
		c.t.Fatalf("%d tasks", len(c.w.tasks))
	}
	var a Attempt
	if _, err := fmt.Sscanf(who, "%d/%d", &a.Frame, &a.N); err != nil {
		c.t.Fatalf("attempt %q: %v", who, err)
	}
	return a
}

// texts reads two JSON strings or nulls.
func (c *conversation) texts(s string) (first, second *string, tail string) {
	d := json.NewDecoder(strings.NewReader(s))
	if err := d.Decode(&first); err == nil {
		c.must(d.Decode(&second))
	}
	return first, second, strings.TrimSpace(s[d.InputOffset():])
}

func (c *conversation) show(r Result) string {
	var b strings.Builder
	if r.NoOp {
		fmt.Fprintf(&b, "no-op: %s\n", [...]string{"Taken", "TooLate", "Unknown"}[r.Answer])
	}
	for _, e := range r.History {
		fmt.Fprintln(&b, c.anonymous(historyLine(e)))
	}
	for _, cmd := range r.Commands {
		fmt.Fprintln(&b, c.anonymous(c.command(cmd)))
	}
	for _, ch := range r.Changes {
		fmt.Fprintln(&b, c.anonymous(c.piece(ch)))
	}
	if r.More {
		fmt.Fprintln(&b, "more")
	}
	return b.String()
}

// anonymous replaces task tokens.
func (c *conversation) anonymous(s string) string {
	for f := uint32(1); f <= c.w.root().frames; f++ {
		for n := uint32(1); n <= c.w.root().attempts; n++ {
			s = strings.ReplaceAll(s, TokenFor(c.w.root(), Attempt{f, n}), fmt.Sprintf("<token %d/%d>", f, n))
		}
	}
	return s
}

var timerNames = [...]string{
	WaitTimer: "wait", RetryTimer: "retry", TaskTimer: "task", HeartbeatTimer: "heartbeat", ExecutionTimer: "execution",
}

func (c *conversation) command(cmd Command) string {
	who := fmt.Sprintf("%d/%d", cmd.Attempt.Frame, cmd.Attempt.N)
	switch cmd.Kind {
	case RunTask:
		s := fmt.Sprintf("> run %s %s %s", who, cmd.Task.Resource, shorten(cmd.Task.Arguments.String()))
		if m := cmd.Task.MapRun; m != nil {
			text, err := json.Marshal(m)
			c.must(err)
			return fmt.Sprintf("> map %s %s %s", who, shorten(cmd.Task.Arguments.String()), text)
		}
		if cmd.Task.Timeout > 0 {
			s += fmt.Sprintf(" timeout=%d", cmd.Task.Timeout)
		}
		if cmd.Task.Heartbeat > 0 {
			s += fmt.Sprintf(" heartbeat=%d", cmd.Task.Heartbeat)
		}
		if cmd.Task.Role != "" {
			s += " role=" + cmd.Task.Role
		}
		return s
	case CancelTask:
		return "> cancel " + who
	case SetTimer:
		return fmt.Sprintf("> set %s timer %s +%v", timerNames[cmd.Timer.Kind], who, cmd.Timer.At.Sub(epoch))
	case CancelTimer:
		return fmt.Sprintf("> cancel %s timer %s +%v", timerNames[cmd.Timer.Kind], who, cmd.Timer.At.Sub(epoch))
	}
	panic("unknown command")
}

func (c *conversation) piece(ch Change) string {
	switch p := ch.Piece.(type) {
	case nil:
		return fmt.Sprintf("  %c%d gone", ch.Key.Kind, ch.Key.N)
	case *Root:
		s := fmt.Sprintf("  root %s events=%d live=%d", statusNames[p.status], p.lastEvent, p.live)
		if len(p.ready) > 0 {
			s += fmt.Sprint(" ready=", p.ready)
		}
		if !p.output.empty() {
			s += " output=" + slotText(&p.output)
		}
		if p.failure.name != nil {
			s += fmt.Sprintf(" error=%q", *p.failure.name)
		}
		return s
	case *Frame:
		s := fmt.Sprintf("  f%d %s %v raw=%s last=%d", p.id, c.w.def.States[p.state].Name, p.phase, slotText(&p.raw), p.last)
		if p.attempt != 0 {
			s += fmt.Sprintf(" attempt=%d", p.attempt)
		}
		if p.retryCount != 0 {
			s += fmt.Sprint(" retries=", p.retries)
		}
		for i := range p.vars {
			s += " $" + p.vars[i].name + "=" + slotText(&p.vars[i].value)
		}
		if p.answered != nil {
			s += " answer held"
		}
		if f := p.fan; f != nil {
			s += fmt.Sprintf(" running=%d next=%d of %d", f.running, f.next, f.length)
		}
		return s
	case *Payload:
		return fmt.Sprintf("  p%d %s", ch.Key.N, shorten(p.Doc.String()))
	}
	panic("unknown piece")
}

func slotText(s *slot) string {
	switch {
	case s.n != 0 && s.owned:
		return fmt.Sprintf("p%d", s.n)
	case s.n != 0:
		return fmt.Sprintf("p%d(borrowed)", s.n)
	case s.doc == nil:
		return "none"
	}
	return shorten(s.doc.String())
}

// TestConversationsAreOrdered keeps the outputs reviewable: what they list has one order.
func TestConversationsAreOrdered(t *testing.T) {
	w := newWorld(t, compile(t, parallelOfTasks))
	res := w.step(startEvent(epoch, `{}`))
	if !slices.IsSortedFunc(res.Changes[1:], func(a, b Change) int { return int(a.Key.N) - int(b.Key.N) }) {
		t.Error("frames are not in order")
	}
	for i, c := range res.Commands {
		if c.Attempt.Frame != uint32(i+2) {
			t.Errorf("command %d is for frame %d", i, c.Attempt.Frame)
		}
	}
}

const parallelOfTasks = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
 {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{},"End":true}}},
 {"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{},"End":true}}},
 {"StartAt":"C","States":{"C":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{},"End":true}}}]}}}`
