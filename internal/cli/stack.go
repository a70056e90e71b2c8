package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/cli/tree"
)

// stackEvent is one row of a stack's history.
type stackEvent struct {
	EventID              string `json:"EventId"`
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

// settle waits until a stack is at rest, by its id: a deleted stack keeps that. Each event goes to show, in order.
func (c *client) settle(ctx context.Context, id string, after map[string]bool, show func(stackEvent)) (*stackInfo, error) {
	for wait := firstLook; ; wait = min(2*wait, longestWait) {
		info, err := c.describeStack(ctx, id)
		if err != nil || info == nil {
			return info, err
		}
		events, err := c.stackEvents(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, e := range slices.Backward(events) {
			if !after[e.EventID] {
				after[e.EventID] = true
				show(e)
			}
		}
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

// progress shows a deployment's events as lines, on a terminal; it collects what has failed.
type progress struct {
	*app
	failures []stackEvent
}

func (p *progress) show(e stackEvent) {
	failed := strings.HasSuffix(e.ResourceStatus, "_FAILED")
	if failed && e.ResourceType != "AWS::CloudFormation::Stack" {
		p.failures = append(p.failures, e)
	}
	if _, _, terminal := p.terminal(); p.json || !terminal || e.ResourceStatusReason == "Resource creation Initiated" {
		return
	}
	style := tree.Dim
	switch {
	case failed:
		style = tree.Bad
	case strings.HasSuffix(e.ResourceStatus, "_COMPLETE"):
		style = tree.Good
	}
	reason := ""
	if failed {
		reason = "  " + tree.Clean(e.ResourceStatusReason)
	}
	p.line(tree.Span{Text: fmt.Sprintf("  %-20s", e.ResourceStatus), Style: style},
		tree.Span{Text: " " + tree.Clean(e.LogicalResourceID) + "  " + strings.TrimPrefix(e.ResourceType, "AWS::") + reason})
}
