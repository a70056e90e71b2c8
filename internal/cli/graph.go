package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/graph"
)

func (a *app) graphCommand() *cobra.Command {
	var format, file string
	cmd := &cobra.Command{
		Use: "graph FILE|MACHINE|EXECUTION", Short: "Draw a state machine, or the way an execution took", Args: cobra.ExactArgs(1),
		Long: `Draw a state machine as SVG or Mermaid text: of a definition file (JSON or YAML), of a state machine on the server, or of
an execution, whose states are coloured by outcome. MACHINE and EXECUTION are as everywhere: an ARN, a name, a unique
prefix, @last.

  newel graph order.asl.json -o order.svg
  newel graph @last -o last.svg
  newel graph Orders --format mermaid`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "svg" && format != "mermaid" {
				return usage("--format %q: svg or mermaid", format)
			}
			d, o, err := a.drawn(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			picture := []byte(graph.Mermaid(d, o))
			if format == "svg" {
				picture = graph.Layout(d, o).SVG()
			}
			switch {
			case file != "":
				return os.WriteFile(file, picture, 0o644)
			case a.json:
				return a.writeJSON(map[string]string{"title": o.Title, "format": format, "graph": string(picture)})
			}
			_, err = a.out.Write(picture)
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "svg", "svg or mermaid")
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; standard output if it is not given")
	return cmd
}

// drawn is what is to be drawn: a file if there is one of that name, else an execution, else a state machine.
func (a *app) drawn(ctx context.Context, arg string) (*asl.Definition, graph.Options, error) {
	if text, err := os.ReadFile(arg); err == nil {
		d, err := compiled(arg, fillPlaceholders(text))
		return d, graph.Options{Title: machineName(arg)}, err
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, graph.Options{}, usage("%s", err)
	}
	c, err := a.client()
	if err != nil {
		return nil, graph.Options{}, err
	}
	if !isARN(arg, "stateMachine:") {
		arn, err := c.executionARN(ctx, arg)
		if err == nil {
			return c.drawnExecution(ctx, arn)
		}
		if errors.Is(err, errNoServer) {
			return nil, graph.Options{}, fmt.Errorf("there is no file %s, and %w", arg, err)
		}
	}
	arn, err := c.machineARN(ctx, arg)
	if err != nil {
		return nil, graph.Options{}, fmt.Errorf("neither a file nor an execution nor a state machine: %w", err)
	}
	var m struct{ Name, Definition string }
	if err := c.call(ctx, "states", "DescribeStateMachine", map[string]string{"stateMachineArn": arn}, &m); err != nil {
		return nil, graph.Options{}, err
	}
	d, err := compiled(m.Name, []byte(m.Definition))
	return d, graph.Options{Title: m.Name}, err
}

func (c *client) drawnExecution(ctx context.Context, arn string) (*asl.Definition, graph.Options, error) {
	var m struct{ Name, Definition string }
	if err := c.call(ctx, "states", "DescribeStateMachineForExecution", map[string]string{"executionArn": arn}, &m); err != nil {
		return nil, graph.Options{}, err
	}
	var e struct{ Name string }
	if err := c.call(ctx, "states", "DescribeExecution", map[string]string{"executionArn": arn}, &e); err != nil {
		return nil, graph.Options{}, err
	}
	raw, err := c.history(ctx, arn, false)
	if err != nil {
		return nil, graph.Options{}, err
	}
	t := tree.New("")
	for _, b := range raw {
		var event tree.HistoryEvent
		if err := json.Unmarshal(b, &event); err != nil {
			return nil, graph.Options{}, err
		}
		t.Add(event.Event())
	}
	d, err := compiled(m.Name, []byte(m.Definition))
	return d, graph.Options{Title: m.Name + " / " + e.Name, Run: graph.Trace(t)}, err
}

// compiled compiles a definition that is to be drawn; what it calls need not exist here.
func compiled(name string, text []byte) (*asl.Definition, error) {
	d, ds := asl.Compile(text, asl.Options{YAML: true})
	var bad []error
	for _, diagnostic := range ds {
		if diagnostic.Severity == asl.SeverityError {
			bad = append(bad, errors.New(diagnosticLine(name, diagnostic)))
		}
	}
	if d == nil {
		return nil, errors.Join(bad...)
	}
	return d, nil
}

var (
	resourcePlaceholder = regexp.MustCompile(`("?Resource"?\s*:\s*["']?)\$\{([\w.:-]+)\}`)
	barePlaceholder     = regexp.MustCompile(`(:\s*)\$\{[\w.:-]+\}(\s*[,}\n])`)
)

// fillPlaceholders puts something valid where a template's DefinitionSubstitutions would: a function of the
// placeholder's name for a Resource, a number where JSON has no quotation marks.
func fillPlaceholders(text []byte) []byte {
	text = resourcePlaceholder.ReplaceAll(text, []byte("${1}arn:aws:lambda:us-east-1:000000000000:function:${2}"))
	return barePlaceholder.ReplaceAll(text, []byte("${1}1${2}"))
}
