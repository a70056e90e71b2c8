package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
)

func (a *app) startCommand() *cobra.Command {
	var input, name string
	var follow, data bool
	cmd := &cobra.Command{
		Use: "start MACHINE", Short: "Start an execution", Args: cobra.ExactArgs(1),
		Long: "Start an execution of a state machine given by its ARN, its name or a unique prefix, and print its ARN.\nMACHINE#CASE answers its tasks as a test case of the server's --mock-config says.",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.argument("input", input)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			machine, test, hasTest := strings.Cut(args[0], "#")
			arn, err := c.machineARN(cmd.Context(), machine)
			if err != nil {
				return err
			}
			if hasTest {
				arn += "#" + test
			}
			in := map[string]any{"stateMachineArn": arn, "input": string(text)}
			if name != "" {
				in["name"] = name
			}
			var out struct {
				ExecutionArn string  `json:"executionArn"`
				StartDate    float64 `json:"startDate"`
			}
			if err := c.call(cmd.Context(), "states", "StartExecution", in, &out); err != nil {
				return err
			}
			switch {
			case follow:
				return a.followTo(cmd.Context(), c, out.ExecutionArn, data)
			case a.json:
				return a.writeJSON(out)
			}
			fmt.Fprintln(a.out, out.ExecutionArn)
			return nil
		},
	}
	cmd.Flags().StringVar(&input, "input", "{}", "input: JSON, @FILE or @- for standard input")
	cmd.Flags().StringVar(&name, "name", "", "name of the execution; one is made if it is not given")
	cmd.Flags().BoolVar(&follow, "follow", false, "follow the execution as 'newel tail' does")
	cmd.Flags().BoolVar(&data, "show-data", false, "with --follow: show the states' inputs and outputs")
	return cmd
}

func (a *app) describeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "describe EXECUTION|MACHINE", Short: "Show an execution or a state machine", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, arg := cmd.Context(), args[0]
			operation, member := "DescribeExecution", "executionArn"
			arn, err := c.executionARN(ctx, arg)
			if err != nil || isARN(arg, "stateMachine:") {
				m, machineErr := c.machineARN(ctx, arg)
				if machineErr != nil {
					return err
				}
				operation, member, arn = "DescribeStateMachine", "stateMachineArn", m
			}
			var out json.RawMessage
			if err := c.call(ctx, "states", operation, map[string]string{member: arn}, &out); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(out)
			}
			return a.members(out)
		},
	}
}

// members writes an answer's members as lines, name and value.
func (a *app) members(raw json.RawMessage) error {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return err
		}
		text := ""
		switch v := v.(type) {
		case string:
			text = v
		case float64:
			text = fmt.Sprint(v)
			if strings.HasSuffix(fmt.Sprint(name), "Date") {
				text = stamp(v)
			}
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return err
			}
			text = string(b)
		}
		fmt.Fprintf(a.out, "%-26s %s\n", name, strings.Map(printable, text))
	}
	return nil
}

// printable drops the control characters that would act on a terminal; texts keep their lines.
func printable(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

func (a *app) historyCommand() *cobra.Command {
	var reverse, all bool
	cmd := &cobra.Command{
		Use: "history EXECUTION", Short: "Show an execution's history", Args: cobra.ExactArgs(1),
		Long: "Show an execution's history: event id, time since the start, type, state, data. EXECUTION is an ARN, MACHINE/NAME, a name, a unique prefix, or @last.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, arn, err := a.execution(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			raw, err := c.history(cmd.Context(), arn, reverse)
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]any{"events": raw})
			}
			return a.events(raw, all)
		},
	}
	cmd.Flags().BoolVar(&reverse, "reverse", false, "latest event first")
	cmd.Flags().BoolVar(&all, "full", false, "do not cut the data to the terminal's width")
	return cmd
}

func (a *app) events(raw []json.RawMessage, full bool) error {
	events := make([]tree.HistoryEvent, len(raw))
	var start time.Time
	for i, b := range raw {
		if err := json.Unmarshal(b, &events[i]); err != nil {
			return err
		}
		if t := events[i].Time(); start.IsZero() || t.Before(start) {
			start = t
		}
	}
	width, _, _ := a.terminal()
	if full {
		width = 0
	}
	t := tree.New("")
	inOrder := slices.Clone(events)
	slices.SortFunc(inOrder, func(a, b tree.HistoryEvent) int { return int(a.ID - b.ID) })
	for i := range inOrder {
		t.Add(inOrder[i].Event())
	}
	for i := range events {
		l := eventLine(&events[i], start, t.Where(events[i].ID))
		fmt.Fprintln(a.out, l.Render(width, a.color()))
	}
	return nil
}

func (a *app) listCommand() *cobra.Command {
	var status string
	var limit int
	cmd := &cobra.Command{
		Use: "list [MACHINE]", Short: "List state machines and activities, or a machine's executions", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listMachines(cmd, c)
			}
			arn, err := c.machineARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			es, err := c.executions(cmd.Context(), arn, status, max(limit, 1))
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(es)
			}
			rows := [][]string{}
			for _, e := range es {
				took := ""
				if e.StopDate != 0 {
					took = tree.Duration(moment(e.StopDate).Sub(moment(e.StartDate)))
				}
				rows = append(rows, []string{e.Name, e.Status, stamp(e.StartDate), took})
			}
			a.table([]string{"EXECUTION", "STATUS", "STARTED", "TOOK"}, rows)
			return nil
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only executions that are RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many executions, the latest")
	return cmd
}

// listMachines lists the state machines, then the activities.
func (a *app) listMachines(cmd *cobra.Command, c *client) error {
	ms, err := c.machines(cmd.Context())
	if err != nil {
		return err
	}
	raw, err := c.pages(cmd.Context(), "states", "ListActivities", map[string]any{"maxResults": 1000}, "activities")
	if err != nil {
		return err
	}
	all, rows := []any{}, [][]string{}
	for _, m := range ms {
		all = append(all, m)
		rows = append(rows, []string{m.Name, m.Type, stamp(m.CreationDate), m.StateMachineArn})
	}
	for _, b := range raw {
		x := activity{Type: "ACTIVITY"}
		if err := json.Unmarshal(b, &x); err != nil {
			return err
		}
		all = append(all, x)
		rows = append(rows, []string{x.Name, x.Type, stamp(x.CreationDate), x.ActivityArn})
	}
	if a.json {
		return a.writeJSON(all)
	}
	a.table([]string{"NAME", "TYPE", "CREATED", ""}, rows)
	return nil
}

func (a *app) stopCommand() *cobra.Command {
	var name, cause string
	cmd := &cobra.Command{
		Use: "stop EXECUTION", Short: "Stop an execution", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, arn, err := a.execution(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			in := map[string]string{"executionArn": arn}
			if name != "" {
				in["error"] = name
			}
			if cause != "" {
				in["cause"] = cause
			}
			var out struct {
				StopDate float64 `json:"stopDate"`
			}
			if err := c.call(cmd.Context(), "states", "StopExecution", in, &out); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]any{"executionArn": arn, "stopDate": out.StopDate})
			}
			fmt.Fprintln(a.out, "stopped "+arn)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "error", "", "error name to record")
	cmd.Flags().StringVar(&cause, "cause", "", "cause to record")
	return cmd
}
