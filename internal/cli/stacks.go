package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
)

// stackRow is a stack in a list; times are seconds.
type stackRow struct {
	StackName, StackStatus, StackStatusReason, Description string
	CreationTime, LastUpdatedTime                          float64
	Outputs                                                []struct{ OutputKey, OutputValue, Description, ExportName string }
}

// stackMoment is an event of a stack with its time.
type stackMoment struct {
	stackEvent
	Timestamp float64
}

func (a *app) stacksCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use: "stacks [NAME]", Short: "List stacks, or show one: resources, outputs, events", Args: cobra.MaximumNArgs(1),
		Long: `List the stacks, or show what is in one, given by its name, its id or a unique prefix. On a pipe the first column says what
a row is: resource, output or event.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			all, stacks, err := c.stacks(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listStacks(all, stacks)
			}
			names := make([]string, len(stacks))
			for i, s := range stacks {
				names[i] = s.StackName
				if id := (struct{ StackID string }{}); json.Unmarshal(all[i], &id) == nil && id.StackID == args[0] {
					args[0] = s.StackName
				}
			}
			i, err := pick("stack", args[0], names)
			if err != nil {
				return err
			}
			return a.showStack(cmd, c, all[i], &stacks[i], most)
		},
	}
	cmd.Flags().IntVar(&most, "events", 20, "at most so many events, the latest")
	return cmd
}

// stacks are all stacks that are there, as answered and decoded.
func (c *client) stacks(cmd *cobra.Command) ([]json.RawMessage, []stackRow, error) {
	raw, err := c.pages(cmd.Context(), "cloudformation", "DescribeStacks", nil, "Stacks")
	if err != nil {
		return nil, nil, err
	}
	rows := make([]stackRow, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &rows[i]); err != nil {
			return nil, nil, err
		}
	}
	return raw, rows, nil
}

func (a *app) listStacks(all []json.RawMessage, stacks []stackRow) error {
	if a.json {
		return a.writeJSON(all)
	}
	rows := [][]string{}
	for _, s := range stacks {
		changed := max(s.LastUpdatedTime, s.CreationTime)
		rows = append(rows, []string{s.StackName, s.StackStatus, stamp(changed), s.Description})
	}
	a.table([]string{"STACK", "STATUS", "CHANGED", "DESCRIPTION"}, rows)
	return nil
}

func (a *app) showStack(cmd *cobra.Command, c *client, raw json.RawMessage, s *stackRow, most int) error {
	in := map[string]any{"StackName": s.StackName}
	var found struct{ StackResources []resourceInfo }
	if err := c.call(cmd.Context(), "cloudformation", "DescribeStackResources", in, &found); err != nil {
		return err
	}
	answered, err := c.pages(cmd.Context(), "cloudformation", "DescribeStackEvents", in, "StackEvents")
	if err != nil {
		return err
	}
	answered = answered[:min(max(most, 0), len(answered))] // the newest come first
	if a.json {
		return a.writeJSON(map[string]any{"stack": raw, "resources": found.StackResources, "events": answered})
	}
	_, _, terminal := a.terminal()
	if terminal {
		a.line(tree.Span{Text: s.StackName, Style: tree.Bold}, tree.Span{Text: "  " + s.StackStatus + "  "}, tree.Span{Text: tree.Clean(s.StackStatusReason), Style: tree.Dim})
	}
	rows := [][]string{}
	for _, r := range found.StackResources {
		rows = append(rows, []string{"resource", r.LogicalResourceID, shortType(r.ResourceType), r.ResourceStatus, r.PhysicalResourceID})
	}
	a.section(terminal, []string{"", "RESOURCE", "TYPE", "STATUS", "ID"}, rows)
	rows = nil
	for _, o := range s.Outputs {
		rows = append(rows, []string{"output", o.OutputKey, o.OutputValue, o.Description})
	}
	a.section(terminal, []string{"", "OUTPUT", "VALUE", "DESCRIPTION"}, rows)
	rows = nil
	for i := len(answered) - 1; i >= 0; i-- {
		var e stackMoment
		if err := json.Unmarshal(answered[i], &e); err != nil {
			return err
		}
		rows = append(rows, []string{"event", stamp(e.Timestamp), e.LogicalResourceID, e.ResourceStatus, e.ResourceStatusReason})
	}
	a.section(terminal, []string{"", "EVENT", "RESOURCE", "STATUS", "REASON"}, rows)
	return nil
}

// section is one of several tables; an empty one is left out.
func (a *app) section(terminal bool, heading []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	if terminal {
		fmt.Fprintln(a.out)
	}
	a.table(heading, rows)
}

func shortType(t string) string { return strings.TrimPrefix(t, "AWS::") }
