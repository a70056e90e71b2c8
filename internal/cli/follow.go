package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
)

// history reads the whole history of an execution.
func (c *client) history(ctx context.Context, arn string, reverse bool) ([]json.RawMessage, error) {
	in := map[string]any{"executionArn": arn, "maxResults": 1000, "reverseOrder": reverse, "includeExecutionData": true}
	all := []json.RawMessage{}
	for {
		var out struct {
			Events    []json.RawMessage
			NextToken string
		}
		if err := c.call(ctx, "states", "GetExecutionHistory", in, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Events...)
		if out.NextToken == "" {
			return all, nil
		}
		in["nextToken"] = out.NextToken
	}
}

// eventsAfter reads the events with larger ids than one that was seen, in order. It reads backwards, so that following
// a long history costs what is new.
func (c *client) eventsAfter(ctx context.Context, arn string, seen int64) ([]tree.HistoryEvent, error) {
	in := map[string]any{"executionArn": arn, "maxResults": 1000, "reverseOrder": true, "includeExecutionData": true}
	if seen > 0 {
		in["maxResults"] = 50
	}
	var news []tree.HistoryEvent
	for {
		var out struct {
			Events    []tree.HistoryEvent
			NextToken string
		}
		if err := c.call(ctx, "states", "GetExecutionHistory", in, &out); err != nil {
			return nil, err
		}
		for _, e := range out.Events {
			if e.ID <= seen {
				slices.Reverse(news)
				return news, nil
			}
			news = append(news, e)
		}
		if out.NextToken == "" {
			slices.Reverse(news)
			return news, nil
		}
		in["nextToken"], in["maxResults"] = out.NextToken, 1000
	}
}

// pollEvery is how often a client that follows asks for news. The server itself polls nothing.
const pollEvery = 80 * time.Millisecond

// patience is how long a client that follows waits for a server that is restarting.
const patience = 30 * time.Second

// follow shows an execution until it has ended and returns its tree. It outlives a restart of the server, as the
// execution does.
func (a *app) follow(ctx context.Context, c *client, arn, title string, data bool) (*tree.Tree, error) {
	t := tree.New(title)
	d := a.display(t, data)
	defer d.close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var seen int64
	answered := time.Time{}
	for {
		events, err := c.eventsAfter(ctx, arn, seen)
		switch {
		case err == nil:
			answered = time.Now()
		case !lost(err) || time.Since(answered) > patience:
			return t, err
		}
		for i := range events {
			seen = events[i].ID
			t.Add(events[i].Event())
		}
		d.show(events)
		if t.Status != tree.Running {
			return t, nil
		}
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case <-tick.C:
		}
	}
}

// followTo follows an execution and ends as 'newel run' does: exit status and output.
func (a *app) followTo(ctx context.Context, c *client, arn string, data bool) error {
	t, err := a.follow(ctx, c, arn, arn[strings.LastIndexByte(arn, ':')+1:], data)
	if err != nil {
		return err
	}
	return a.conclude(t, arn)
}

// conclude writes an ended execution's output and gives its exit status.
func (a *app) conclude(t *tree.Tree, arn string) error {
	if a.json {
		doc := map[string]any{"executionArn": arn, "status": statusName(t.Status)}
		if t.Status == tree.Succeeded {
			doc["output"] = json.RawMessage(t.Output)
		} else {
			doc["error"], doc["cause"] = t.Error, t.Cause
		}
		if err := a.writeJSON(doc); err != nil {
			return err
		}
	} else if t.Status == tree.Succeeded {
		fmt.Fprintln(a.out, t.Output)
	}
	switch t.Status {
	case tree.Succeeded:
		return nil
	case tree.Failed:
		return &exit{code: exitFailed}
	}
	return &exit{code: exitStopped}
}

func statusName(s tree.Status) string {
	return map[tree.Status]string{
		tree.Running: "RUNNING", tree.Succeeded: "SUCCEEDED", tree.Failed: "FAILED", tree.Aborted: "ABORTED", tree.TimedOut: "TIMED_OUT",
	}[s]
}

func (a *app) tailCommand() *cobra.Command {
	var data bool
	cmd := &cobra.Command{
		Use: "tail EXECUTION", Short: "Follow an execution until it ends", Args: cobra.ExactArgs(1),
		Long: "Follow an execution until it ends: a live tree on a terminal, one line an event on a pipe. The exit status is the execution's: 0 succeeded, 1 failed, 2 timed out or aborted.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, arn, err := a.execution(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.followTo(cmd.Context(), c, arn, data)
		},
	}
	cmd.Flags().BoolVar(&data, "show-data", false, "show the states' inputs and outputs")
	return cmd
}
