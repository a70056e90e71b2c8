package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/cli/tree"
)

// stackEvent is one row of a stack's history.
type stackEvent struct {
	EventID              string `json:"EventId"`
	StackID              string `json:"StackId"`
	LogicalResourceID    string `json:"LogicalResourceId"`
	PhysicalResourceID   string `json:"PhysicalResourceId"`
	ResourceType         string
	ResourceStatus       string
	ResourceStatusReason string
}

// firstLook and longestWait bound how often a stack that is being changed is looked at.
const (
	firstLook   = 20 * time.Millisecond
	longestWait = 500 * time.Millisecond
)

// settle waits until a stack is at rest, by its id: a deleted stack keeps that. Its new events, and those of the stacks
// nested in it, go to p in order.
func (c *client) settle(ctx context.Context, id string, after map[string]bool, p *progress) (*stackInfo, error) {
	stacks := []string{id}
	defer p.end()
	for wait := firstLook; ; wait = min(2*wait, longestWait) {
		info, err := c.describeStack(ctx, id)
		if err != nil || info == nil {
			return info, err
		}
		for i := 0; i < len(stacks); i++ { // an event may bring a further stack
			events, err := c.stackEvents(ctx, stacks[i])
			if err != nil {
				return nil, err
			}
			for _, e := range slices.Backward(events) {
				if e.nested() && !slices.Contains(stacks, e.PhysicalResourceID) {
					stacks = append(stacks, e.PhysicalResourceID)
				}
				if !after[e.EventID] {
					after[e.EventID] = true
					p.note(e)
				}
			}
		}
		p.draw()
		if !strings.HasSuffix(info.StackStatus, "_IN_PROGRESS") {
			return info, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// stackEvents are a stack's latest events, the newest first.
func (c *client) stackEvents(ctx context.Context, id string) ([]stackEvent, error) {
	var out struct{ StackEvents []stackEvent }
	err := c.call(ctx, "cloudformation", "DescribeStackEvents", map[string]string{"StackName": id}, &out)
	return out.StackEvents, err
}

// seenEvents are the events that a stack has already, so that only new ones are shown.
func (c *client) seenEvents(ctx context.Context, id string) (map[string]bool, error) {
	seen := map[string]bool{}
	if id == "" {
		return seen, nil
	}
	events, err := c.stackEvents(ctx, id)
	for _, e := range events {
		seen[e.EventID] = true
	}
	return seen, err
}

// nested reports whether the event is about a stack within the one that it belongs to, which has a name by now.
func (e *stackEvent) nested() bool {
	return e.ResourceType == stackType && e.PhysicalResourceID != e.StackID && strings.HasPrefix(e.PhysicalResourceID, "arn:")
}

const stackType = "AWS::CloudFormation::Stack"

// progress shows a deployment on a terminal as a tree that is redrawn in place: each resource with its state, the
// resources of nested stacks below theirs. It collects what has failed.
type progress struct {
	*app
	failures []stackEvent
	stacks   map[string][]*resourceRow // by stack id, in the order in which they came
	root     string
	frame    int
	drawn    int // lines that the last frame took
}

// resourceRow is the latest about one resource.
type resourceRow struct{ id, kind, physical, status, reason string }

// note takes an event in.
func (p *progress) note(e stackEvent) {
	if strings.HasSuffix(e.ResourceStatus, "_FAILED") && e.ResourceType != stackType {
		p.failures = append(p.failures, e)
	}
	if p.stacks == nil {
		p.stacks, p.root = map[string][]*resourceRow{}, e.StackID
	}
	if e.PhysicalResourceID == e.StackID {
		return // about the stack itself
	}
	rows := p.stacks[e.StackID]
	i := slices.IndexFunc(rows, func(r *resourceRow) bool { return r.id == e.LogicalResourceID })
	if i < 0 {
		i = len(rows)
		rows = append(rows, &resourceRow{id: e.LogicalResourceID, kind: strings.TrimPrefix(e.ResourceType, "AWS::")})
		p.stacks[e.StackID] = rows
	}
	rows[i].physical, rows[i].status, rows[i].reason = e.PhysicalResourceID, e.ResourceStatus, ""
	if strings.HasSuffix(e.ResourceStatus, "_FAILED") {
		rows[i].reason = e.ResourceStatusReason
	}
}

// draw redraws the tree.
func (p *progress) draw() {
	width, height, terminal := p.terminal()
	if p.json || !terminal || p.root == "" {
		return
	}
	p.frame++
	lines := p.lines(nil, p.root, "  ")
	if room := height - 1; len(lines) > room && room > 1 {
		lines = lines[len(lines)-room:]
	}
	var b strings.Builder
	b.WriteString("\x1b[?25l")
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", p.drawn)
	}
	for _, l := range lines {
		b.WriteString(l.Render(width-1, p.color()) + "\n")
	}
	p.drawn = len(lines)
	io.WriteString(p.out, b.String()) //nolint:errcheck // nobody is left to tell
}

// end leaves the last frame as it is.
func (p *progress) end() {
	if p.drawn > 0 {
		io.WriteString(p.out, "\x1b[?25h") //nolint:errcheck // nobody is left to tell
	}
}

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

func (p *progress) lines(out []tree.Line, stack, indent string) []tree.Line {
	for _, r := range p.stacks[stack] {
		mark, style := spinner[p.frame%len(spinner)], tree.Dim
		switch {
		case r.reason != "":
			mark, style = "✗", tree.Bad
		case strings.HasPrefix(r.status, "DELETE_") && !strings.HasSuffix(r.status, "_IN_PROGRESS"):
			mark = "–"
		case strings.HasSuffix(r.status, "_COMPLETE"):
			mark, style = "✓", tree.Good
		}
		line := tree.Line{{Text: indent + mark + " ", Style: style}, {Text: tree.Clean(r.id) + "  "}, {Text: r.kind, Style: tree.Dim}}
		if r.reason != "" {
			line = append(line, tree.Span{Text: "  " + tree.Clean(r.reason), Style: tree.Bad})
		}
		out = append(out, line)
		if r.kind == "CloudFormation::Stack" {
			out = p.lines(out, r.physical, indent+"  ")
		}
	}
	return out
}
