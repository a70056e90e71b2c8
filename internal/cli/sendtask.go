package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) sendTaskCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "send-task success|failure|heartbeat", Short: "Answer a task that waits for its token", Args: cobra.NoArgs,
		Long: "Answer a task that waits for its token (.waitForTaskToken, activities) in the place of its worker.",
		RunE: func(*cobra.Command, []string) error {
			return usage("send-task: one of success, failure, heartbeat is needed")
		},
	}
	output := ""
	success := a.sendTask("success TOKEN", "The task succeeded", "SendTaskSuccess", func() (map[string]string, error) {
		text, err := a.argument("output", output)
		return map[string]string{"output": string(text)}, err
	})
	success.Flags().StringVar(&output, "output", "{}", "the task's result: JSON, @FILE or @- for standard input")
	name, cause := "", ""
	failure := a.sendTask("failure TOKEN", "The task failed", "SendTaskFailure", func() (map[string]string, error) {
		in := map[string]string{}
		if name != "" {
			in["error"] = name
		}
		if cause != "" {
			in["cause"] = cause
		}
		return in, nil
	})
	failure.Flags().StringVar(&name, "error", "", "error name, which Retry and Catch match")
	failure.Flags().StringVar(&cause, "cause", "", "cause")
	heartbeat := a.sendTask("heartbeat TOKEN", "The task is still worked on", "SendTaskHeartbeat", func() (map[string]string, error) {
		return map[string]string{}, nil
	})
	cmd.AddCommand(success, failure, heartbeat)
	return cmd
}

func (a *app) sendTask(use, short, operation string, members func() (map[string]string, error)) *cobra.Command {
	return failing(&cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := members()
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			in["taskToken"] = args[0]
			if err := c.call(cmd.Context(), "states", operation, in, nil); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]string{"sent": operation})
			}
			fmt.Fprintln(a.out, "sent "+operation)
			return nil
		},
	})
}
