package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/suite"
)

func (a *app) recordCommand() *cobra.Command {
	var file string
	cmd := failing(&cobra.Command{
		Use: "record EXECUTION", Short: "Make a test of an execution that has ended", Args: cobra.ExactArgs(1),
		Long: `Make a test of an execution on the server: its input, what each attempt at its tasks was answered as mocks, and how it ended and
which way it took as what is expected. With -o the test is written to FILE, and the definition that it ran beside it as
MACHINE.asl.json, unless there is such a file.

  newel test record @last -o order.test.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" && !strings.HasSuffix(file, ".test.yaml") {
				return usage("-o %s: the name must end in .test.yaml", file)
			}
			if _, err := os.Stat(file); file != "" && !errors.Is(err, os.ErrNotExist) {
				return usage("-o %s: the file exists", file)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r, definition, err := c.recording(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			text, err := suite.Record(r)
			if err != nil || file == "" {
				_, printed := a.out.Write(text)
				return errors.Join(err, printed)
			}
			return a.writeRecording(file, text, r.Machine, definition)
		},
	})
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; standard output if it is not given")
	return cmd
}

// writeRecording writes a test, and its definition where there is none.
func (a *app) writeRecording(file string, text []byte, machine, definition string) error {
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "wrote "+file)
	beside := filepath.Join(filepath.Dir(file), machine)
	if have, err := os.ReadFile(beside); err == nil {
		if string(have) != definition {
			fmt.Fprintf(a.err, "newel: %s is not what the execution ran; it was left as it is\n", beside)
		}
		return nil
	}
	if err := os.WriteFile(beside, []byte(definition), 0o644); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "wrote "+beside)
	return nil
}

// recording reads all that is needed of an execution.
func (c *client) recording(ctx context.Context, arg string) (*suite.Recording, string, error) {
	arn, err := c.executionARN(ctx, arg)
	if err != nil {
		return nil, "", err
	}
	var e struct {
		Name, Status, Input, Error string
		Output                     *string
	}
	var m struct{ Name, Definition string }
	in := map[string]string{"executionArn": arn}
	if err := errors.Join(c.call(ctx, "states", "DescribeExecution", in, &e), c.call(ctx, "states", "DescribeStateMachineForExecution", in, &m)); err != nil {
		return nil, "", err
	}
	r := &suite.Recording{Name: e.Name, ARN: arn, Machine: machineName(m.Name) + ".asl.json", Status: e.Status, Input: e.Input, Output: e.Output, Error: e.Error}
	if r.Definition, err = compiled(m.Name, []byte(m.Definition)); err != nil {
		return nil, "", err
	}
	if r.Events, err = c.eventsAfter(ctx, arn, 0); err != nil {
		return nil, "", err
	}
	r.Children, err = c.childHistories(ctx, arn)
	return r, m.Definition, err
}

// childHistories are the histories of the children of an execution's map runs, and of theirs. Express children have none.
func (c *client) childHistories(ctx context.Context, arn string) (all [][]tree.HistoryEvent, err error) {
	runs, err := c.pages(ctx, "states", "ListMapRuns", map[string]any{"executionArn": arn, "maxResults": 1000}, "mapRuns")
	if err != nil {
		return nil, err
	}
	for _, raw := range runs {
		var run struct{ MapRunArn string }
		if err := json.Unmarshal(raw, &run); err != nil {
			return nil, err
		}
		children, err := c.pages(ctx, "states", "ListExecutions", map[string]any{"mapRunArn": run.MapRunArn, "maxResults": 1000}, "executions")
		if err != nil {
			return nil, err
		}
		for _, raw := range children {
			var child struct{ ExecutionArn string }
			if err := json.Unmarshal(raw, &child); err != nil {
				return nil, err
			}
			if strings.Contains(child.ExecutionArn, ":express:") {
				return nil, errors.New("the execution has Express children, which have no history to make a test of: mock the distributed Map itself")
			}
			events, err := c.eventsAfter(ctx, child.ExecutionArn, 0)
			if err != nil {
				return nil, err
			}
			more, err := c.childHistories(ctx, child.ExecutionArn)
			if err != nil {
				return nil, err
			}
			all = append(append(all, events), more...)
		}
	}
	return all, nil
}
