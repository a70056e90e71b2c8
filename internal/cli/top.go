package cli

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/observe"
)

// topEvery is how often `newel top` looks, topWindow over how many looks it calculates rates and latencies.
const (
	topEvery  = time.Second
	topWindow = 5
)

func (a *app) topCommand() *cobra.Command {
	return &cobra.Command{
		Use: "top", Short: "Show what the server does, live", Args: cobra.NoArgs,
		Long: `Show what the server does, each second: operations with their rates and latencies over the last five seconds, executions, commits,
Lambda workers, queues, and the busiest state machines. Ends with Ctrl-C. On a pipe and with --json it looks for one second and ends.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if _, _, live := a.terminal(); !live {
				return a.topOnce(cmd.Context(), c)
			}
			return a.topLive(cmd.Context(), c)
		},
	}
}

func (c *client) snapshot(ctx context.Context) (s *observe.Snapshot, err error) {
	s = &observe.Snapshot{}
	return s, c.hook(ctx, http.MethodGet, observe.SnapshotPath, s)
}

func (a *app) topOnce(ctx context.Context, c *client) error {
	first, err := c.snapshot(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(topEvery):
	}
	second, err := c.snapshot(ctx)
	if err != nil {
		return err
	}
	p := pulseBetween(first, second)
	if a.json {
		return a.writeJSON(p)
	}
	for _, l := range p.lines(c.at, len(p.Operations), len(p.Machines)) {
		if _, err := io.WriteString(a.out, strings.TrimRight(l.Render(0, false), " ")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// topLive draws on the terminal's other screen, so that what was there comes back. A server that is gone may come back.
func (a *app) topLive(ctx context.Context, c *client) error {
	_, _ = io.WriteString(a.out, "\x1b[?1049h\x1b[?25l")
	defer func() { _, _ = io.WriteString(a.out, "\x1b[?25h\x1b[?1049l") }()
	tick := time.NewTicker(topEvery)
	defer tick.Stop()
	var seen []*observe.Snapshot
	for {
		s, err := c.snapshot(ctx)
		var lines []tree.Line
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			if len(seen) > 0 && !s.Start.Equal(seen[0].Start) {
				seen = nil // it was restarted
			}
			if seen = append(seen, s); len(seen) > topWindow+1 {
				seen = seen[1:]
			}
			lines = a.topFrame(c, pulseBetween(seen[0], s))
		case len(seen) > 0 && lost(err):
			lines = []tree.Line{{{Text: "The server at " + c.at + " does not answer; waiting for it.", Style: tree.Warn}}}
		default:
			return err
		}
		a.paint(lines)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// topFrame gives the tables the room that there is: half of it to machines at most.
func (a *app) topFrame(c *client, p *pulse) []tree.Line {
	_, height, _ := a.terminal()
	room := max(height-topFixed, 2)
	machines := min(len(p.Machines), room/2)
	operations := min(len(p.Operations), room-machines)
	machines = min(len(p.Machines), room-operations)
	return p.lines(c.at, operations, machines)
}

// paint overwrites the screen line by line, which does not flicker.
func (a *app) paint(lines []tree.Line) {
	width, height, _ := a.terminal()
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, l := range lines {
		if i == height-1 {
			break
		}
		b.WriteString(l.Render(width, a.color()) + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(a.out, b.String()) // nobody is left to tell
}
