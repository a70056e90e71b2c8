package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
)

// logEvent is one event of a log group.
type logEvent struct {
	EventID       string `json:"eventId"`
	Timestamp     int64  `json:"timestamp"` // epoch milliseconds
	LogStreamName string `json:"logStreamName"`
	Message       string `json:"message"`
}

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	var since time.Duration
	var filter string
	cmd := &cobra.Command{
		Use: "logs GROUP|FUNCTION|MACHINE", Short: "Show a log group, a function's or a state machine's", Args: cobra.ExactArgs(1),
		Long: `Show the events of a log group, given by its name or a unique beginning of its last part, of a function's (/aws/lambda/NAME)
or of the one that a state machine logs to. On a pipe: time, stream and message, separated by tabs. With --json and
--follow: one JSON document a line.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			group, err := c.logGroup(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			in := map[string]any{"logGroupName": group}
			if since > 0 {
				in["startTime"] = time.Now().Add(-since).UnixMilli()
			}
			if filter != "" {
				in["filterPattern"] = filter
			}
			if follow {
				return a.followLogs(cmd.Context(), c, in)
			}
			raw, err := c.pages(cmd.Context(), "logs", "FilterLogEvents", in, "events")
			if is(err, "ResourceNotFoundException") {
				return fmt.Errorf("nothing is logged yet: there is no log group %s", group)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(raw)
			}
			for _, b := range raw {
				if _, err := a.logLine(b); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new events until interrupted")
	cmd.Flags().DurationVar(&since, "since", 0, "only events of the last 10m, 1h (default: all)")
	cmd.Flags().StringVar(&filter, "filter", "", "only events that match a CloudWatch Logs filter pattern")
	return cmd
}

// followLogs shows the events there are and new ones as they come. Events come late as well as early: those of the last
// seconds are read again and shown once.
func (a *app) followLogs(ctx context.Context, c *client, in map[string]any) error {
	const overlap = 10_000 // milliseconds
	seen := map[string]int64{}
	latest := int64(0)
	tick := time.NewTicker(5 * pollEvery)
	defer tick.Stop()
	answered := time.Now()
	for {
		raw, err := c.pages(ctx, "logs", "FilterLogEvents", in, "events")
		switch {
		case err == nil, is(err, "ResourceNotFoundException"): // a function's group is made when it first logs
			answered = time.Now()
		case ctx.Err() != nil:
			return nil // interrupted: that is how following ends
		case !lost(err) || time.Since(answered) > patience:
			return err
		}
		for _, b := range raw {
			var e logEvent
			if err := json.Unmarshal(b, &e); err != nil {
				return err
			}
			if _, shown := seen[e.EventID]; shown {
				continue
			}
			seen[e.EventID] = e.Timestamp
			latest = max(latest, e.Timestamp)
			if a.json {
				fmt.Fprintln(a.out, string(b))
			} else if _, err := a.logLine(b); err != nil {
				return err
			}
		}
		if start := latest - overlap; latest > 0 {
			if from, ok := in["startTime"].(int64); !ok || start > from {
				in["startTime"] = start
			}
			for id, at := range seen {
				if at < start {
					delete(seen, id)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *app) logLine(b json.RawMessage) (logEvent, error) {
	var e logEvent
	if err := json.Unmarshal(b, &e); err != nil {
		return e, err
	}
	message := strings.TrimRight(e.Message, "\n")
	at := time.UnixMilli(e.Timestamp)
	if _, _, ok := a.terminal(); !ok {
		fmt.Fprintln(a.out, at.UTC().Format("2006-01-02T15:04:05.000Z")+"\t"+tree.Clean(e.LogStreamName)+"\t"+tree.Clean(message))
		return e, nil
	}
	for i, line := range strings.Split(message, "\n") {
		when := at.Local().Format("15:04:05.000  ")
		if i > 0 {
			when = strings.Repeat(" ", len(when))
		}
		l := tree.Line{{Text: when, Style: tree.Dim}, {Text: tree.Clean(line)}}
		fmt.Fprintln(a.out, l.Render(0, a.color()))
	}
	return e, nil
}

// logGroup finds a log group by its name, by what comes after the last slash of it or a prefix of that which no other has,
// or by the function or state machine that logs to it.
func (c *client) logGroup(ctx context.Context, arg string) (string, error) {
	raw, err := c.pages(ctx, "logs", "DescribeLogGroups", nil, "logGroups")
	if err != nil {
		return "", err
	}
	groups, names := make([]string, len(raw)), make([]string, len(raw))
	for i, b := range raw {
		var g struct{ LogGroupName string }
		if err := json.Unmarshal(b, &g); err != nil {
			return "", err
		}
		if g.LogGroupName == arg {
			return arg, nil
		}
		groups[i], names[i] = g.LogGroupName, g.LogGroupName[strings.LastIndexByte(g.LogGroupName, '/')+1:]
	}
	if _, function, ok := strings.Cut(arg, ":function:"); ok {
		arg, _, _ = strings.Cut(function, ":")
	}
	if !strings.HasPrefix(arg, "arn:") {
		i, err := pick("log group", arg, names)
		if err == nil {
			return groups[i], nil
		}
		if strings.Contains(err.Error(), "not unique") {
			return "", err
		}
	}
	if !strings.HasPrefix(arg, "arn:") {
		if function, err := c.function(ctx, arg); err == nil {
			return "/aws/lambda/" + function, nil
		}
	}
	machine, err := c.machineARN(ctx, arg)
	switch {
	case err == nil:
		return c.machineLogGroup(ctx, machine)
	case len(groups) == 0:
		return "", fmt.Errorf("no log group, function or state machine %q; there is no log group at all", arg)
	}
	return "", fmt.Errorf("no log group, function or state machine %q; there are %s", arg, some(groups))
}

func (c *client) machineLogGroup(ctx context.Context, arn string) (string, error) {
	var m struct {
		Name                 string
		LoggingConfiguration struct {
			Level        string
			Destinations []struct{ CloudWatchLogsLogGroup struct{ LogGroupArn string } }
		}
	}
	if err := c.call(ctx, "states", "DescribeStateMachine", map[string]string{"stateMachineArn": arn}, &m); err != nil {
		return "", err
	}
	l := m.LoggingConfiguration
	if len(l.Destinations) == 0 || l.Level == "OFF" {
		return "", fmt.Errorf("state machine %s logs nothing: its loggingConfiguration is off; 'newel history' and 'newel tail' show its executions", m.Name)
	}
	_, group, _ := strings.Cut(l.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn, ":log-group:")
	return strings.TrimSuffix(group, ":*"), nil
}
