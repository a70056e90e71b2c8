package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) redriveCommand() *cobra.Command {
	var follow, data bool
	cmd := &cobra.Command{
		Use: "redrive EXECUTION", Short: "Go on with an execution that did not succeed", Args: cobra.ExactArgs(1),
		Long: "Go on with an execution that failed, was stopped or timed out, from the states that did not succeed; what has succeeded is kept. EXECUTION is an ARN, MACHINE/NAME, a name, a unique prefix, or @last.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, arn, err := a.execution(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			var out struct {
				RedriveDate float64 `json:"redriveDate"`
			}
			if err := c.call(cmd.Context(), "states", "RedriveExecution", map[string]string{"executionArn": arn}, &out); err != nil {
				return err
			}
			switch {
			case follow:
				return a.followTo(cmd.Context(), c, arn, data)
			case a.json:
				return a.writeJSON(map[string]any{"executionArn": arn, "redriveDate": out.RedriveDate})
			}
			fmt.Fprintln(a.out, "redriven "+arn)
			return nil
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "follow the execution as 'newel tail' does")
	cmd.Flags().BoolVar(&data, "show-data", false, "with --follow: show the states' inputs and outputs")
	return cmd
}
