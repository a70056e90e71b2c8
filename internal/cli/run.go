package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/cfn/pack"
	"github.com/newel-run/newel/internal/project"
)

func (a *app) runCommand() *cobra.Command {
	var input, name string
	var data, verbose bool
	cmd := &cobra.Command{
		Use: "run FILE", Short: "Run a state machine without a server", Args: cobra.ExactArgs(1),
		Long: `Run one state machine (JSON or YAML) on a private server in this process, show what happens and print the output.
The exit status is 0 succeeded, 1 failed, 2 timed out or aborted, 64 bad usage.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.argument("input", input)
			if err != nil {
				return err
			}
			definition, err := a.definition(args[0])
			if err != nil {
				return err
			}
			n, c, err := a.private(cmd.Context(), verbose)
			if err != nil {
				return err
			}
			return errors.Join(a.runOn(cmd.Context(), c, machineName(args[0]), name, definition, text, data),
				n.Close(context.WithoutCancel(cmd.Context())))
		},
	}
	cmd.Flags().StringVar(&input, "input", "{}", "input: JSON, @FILE or @- for standard input")
	cmd.Flags().StringVar(&name, "name", "", "name of the execution; one is made if it is not given")
	cmd.Flags().BoolVar(&data, "show-data", false, "show the states' inputs and outputs")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "show the server's log")
	return cmd
}

func (a *app) runOn(ctx context.Context, c *client, machine, name string, definition, input []byte, data bool) error {
	var created struct {
		StateMachineArn string `json:"stateMachineArn"`
	}
	in := map[string]string{"name": machine, "definition": string(definition), "roleArn": "arn:aws:iam::" + c.account + ":role/newel-run"}
	if err := c.call(ctx, "states", "CreateStateMachine", in, &created); err != nil {
		return err
	}
	start := map[string]string{"stateMachineArn": created.StateMachineArn, "input": string(input)}
	if name != "" {
		start["name"] = name
	}
	var started struct {
		ExecutionArn string `json:"executionArn"`
	}
	if err := c.call(ctx, "states", "StartExecution", start, &started); err != nil {
		return err
	}
	t, err := a.follow(ctx, c, started.ExecutionArn, machine, data)
	if errors.Is(err, context.Canceled) {
		return &exit{exitStopped, err}
	}
	if err != nil {
		return err
	}
	return a.conclude(t, started.ExecutionArn)
}

// definition reads and checks a state machine's file; its diagnostics go to standard error.
func (a *app) definition(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usage("%s", err)
	}
	d, ds := asl.Compile(text, asl.Options{YAML: true})
	for _, diagnostic := range ds {
		fmt.Fprintln(a.err, diagnosticLine(file, diagnostic))
	}
	if d == nil {
		return nil, &exit{code: exitFailed}
	}
	return pack.Definition(file, text)
}

// machineName makes a state machine's name of a file's.
func machineName(file string) string { return project.MachineName(filepath.ToSlash(file)) }
