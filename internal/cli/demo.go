package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/examples"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cli/demo"
	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/project"
)

const planName = "demo.yaml"

func (a *app) demoCommand() *cobra.Command {
	var keep, data, verbose bool
	cmd := &cobra.Command{
		Use: "demo NAME|PATH", Short: "Deploy an example, run it and check what it leads to", Args: cobra.ExactArgs(1),
		Long: `Start a private server on a free port, deploy the folder, start the executions that its demo.yaml lists, show them, check
what they have led to, and stop. The exit status is 0 if everything is as expected, else 1. NAME is an example of this
binary or a folder of ./examples: ` + strings.Join(exampleNames(), ", ") + ".",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, name, err := findDemo(args[0])
			if err != nil {
				return err
			}
			text, err := fs.ReadFile(dir, planName)
			if err != nil {
				return usage("%s: %s", args[0], err)
			}
			plan, err := demo.Parse(filepath.ToSlash(filepath.Join(name, planName)), text)
			if err != nil {
				return err
			}
			p, err := a.findProject(dir, project.Options{Stack: stackNameOf(name, true), Shown: name})
			if err != nil {
				return err
			}
			return a.demo(cmd.Context(), plan, p, keep, data, verbose)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "go on serving afterwards, until interrupted")
	cmd.Flags().BoolVar(&data, "show-data", false, "show the states' inputs and outputs")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "show the server's log")
	return cmd
}

// findDemo finds a demo's folder: a path, a folder of ./examples, or one inside the binary.
func findDemo(arg string) (dir fs.FS, name string, err error) {
	for _, path := range []string{arg, filepath.Join("examples", arg)} {
		if _, err := os.Stat(filepath.Join(path, planName)); err == nil {
			return os.DirFS(path), filepath.ToSlash(filepath.Clean(path)), nil
		}
	}
	if fs.ValidPath(arg) {
		if _, err := fs.Stat(examples.FS, arg+"/"+planName); err == nil {
			dir, err := fs.Sub(examples.FS, arg)
			return dir, arg, err
		}
	}
	return nil, "", usage("no demo %q: it is no folder with a %s, and the examples are %s", arg, planName, strings.Join(exampleNames(), ", "))
}

func exampleNames() []string {
	plans, err := fs.Glob(examples.FS, "*/"+planName)
	if err != nil {
		return nil
	}
	for i := range plans {
		plans[i] = strings.TrimSuffix(plans[i], "/"+planName)
	}
	return plans
}

// verdict is how one execution or check of a demo went.
type verdict struct {
	What     string   `json:"what"`
	Expected bool     `json:"asExpected"`
	Differs  []string `json:"differs,omitempty"`
}

// demonstration is one run of a demo.
type demonstration struct {
	*app
	*client
	local    aws.Caller // the server, in this process
	scope    *cfn.Scope
	machines map[string]string // ARN by logical id
	data     bool
	verdicts []verdict
}

func (a *app) demo(ctx context.Context, plan *demo.Plan, p *deployable, keep, data, verbose bool) error {
	began := time.Now()
	n, c, err := a.private(ctx, verbose)
	if err != nil {
		return err
	}
	d := &demonstration{app: a, client: c.in(p.Region), local: n.Caller(), data: data, machines: map[string]string{}}
	err = d.perform(ctx, plan, p)
	if err == nil {
		err = d.summary(len(plan.Executions), len(plan.Checks), time.Since(began))
	}
	if keep && ctx.Err() == nil {
		fmt.Fprintf(a.err, "\nstill serving at %s; in another shell:\n  eval \"$(newel env --endpoint %s)\"\n", n.URL(), n.URL())
		return errors.Join(err, a.wait(ctx, n))
	}
	return errors.Join(err, n.Close(context.WithoutCancel(ctx)))
}

func (d *demonstration) perform(ctx context.Context, plan *demo.Plan, p *deployable) error {
	if !d.json {
		d.line(tree.Span{Text: p.stack, Style: tree.Bold}, tree.Span{Text: "  " + tree.Clean(plan.About)})
	}
	if err := d.deploy(ctx, p); err != nil {
		return err
	}
	for i := range plan.Executions {
		if err := d.execute(ctx, &plan.Executions[i]); err != nil {
			return err
		}
	}
	if len(plan.Checks) > 0 && !d.json {
		d.line(tree.Span{Text: "\nWhat is there now", Style: tree.Bold})
	}
	for i := range plan.Checks {
		if err := d.check(ctx, &plan.Checks[i]); err != nil {
			return err
		}
	}
	return nil
}

// deploy deploys the project quietly and remembers its resources.
func (d *demonstration) deploy(ctx context.Context, p *deployable) error {
	quiet := *d.app
	quiet.out, quiet.json = discard{}, false
	began := time.Now()
	info, err := quiet.deploy(ctx, d.client, p, nil)
	if err != nil {
		return err
	}
	resources, err := d.stackResources(ctx, p.stack)
	if err != nil {
		return err
	}
	refs := map[string]string{}
	for _, r := range resources {
		refs[r.LogicalResourceID] = r.PhysicalResourceID
		if r.ResourceType == "AWS::StepFunctions::StateMachine" {
			d.machines[r.LogicalResourceID] = r.PhysicalResourceID
		}
	}
	outputs := map[string]value.Value{}
	for _, o := range info.Outputs {
		outputs[o.OutputKey] = o.OutputValue
	}
	d.scope = &cfn.Scope{Parameters: outputs, Account: d.account, Region: d.client.region, StackID: info.StackID, StackName: info.StackName,
		Resource: func(id string) (string, map[string]string, bool) { ref, ok := refs[id]; return ref, nil, ok }}
	if !d.json {
		d.line(tree.Span{Text: fmt.Sprintf("deployed %d resources in %s", len(resources), tree.Duration(time.Since(began))), Style: tree.Dim})
	}
	return nil
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func (d *demonstration) machine(name string) (string, error) {
	if name == "" && len(d.machines) == 1 {
		for _, arn := range d.machines {
			return arn, nil
		}
	}
	arn, ok := d.machines[name]
	if !ok {
		return "", fmt.Errorf("%s: machine %q is no state machine of the stack", planName, name)
	}
	return arn, nil
}

func (d *demonstration) execute(ctx context.Context, e *demo.Execution) error {
	arn, err := d.machine(e.Machine)
	if err != nil {
		return err
	}
	input, err := d.scope.Resolve(e.Input)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", planName, e.Name, err)
	}
	var want value.Value
	if e.Output != nil {
		if want, err = d.scope.Resolve(e.Output); err != nil {
			return fmt.Errorf("%s: %s: %w", planName, e.Name, err)
		}
	}
	if !d.json {
		d.line(tree.Span{Text: ""})
		d.line(tree.Span{Text: tree.Clean(e.About), Style: tree.Dim})
	}
	if err := d.calls(ctx, e.Name, e.Before); err != nil {
		return err
	}
	in := map[string]string{"stateMachineArn": arn, "name": e.Name, "input": string(value.Append(nil, input))}
	var started struct {
		ExecutionArn string `json:"executionArn"`
	}
	if err := d.call(ctx, "states", "StartExecution", in, &started); err != nil {
		return err
	}
	if err := d.calls(ctx, e.Name, e.Meanwhile); err != nil {
		return err
	}
	t, err := d.follow(ctx, d.client, started.ExecutionArn, e.Name, d.data)
	if err != nil {
		return err
	}
	got := demo.Outcome{Status: statusName(t.Status), Error: t.Error, Output: t.Output}
	for _, s := range t.Root.States {
		got.States = append(got.States, s.Name)
	}
	d.judge("execution "+e.Name, "ends as expected: "+e.Status, e.Compare(got, want))
	return nil
}

// calls makes an execution's calls, one after the other, and remembers what they name.
func (d *demonstration) calls(ctx context.Context, of string, list []demo.Call) error {
	for _, c := range list {
		about := firstOf(c.About, of+": "+c.Service+":"+c.Operation)
		answer, err := d.ask(ctx, about, c.Service, c.Operation, c.Input, c.Body)
		if err != nil {
			return err
		}
		if !d.json && c.About != "" {
			d.line(tree.Span{Text: "  · " + tree.Clean(c.About), Style: tree.Dim})
		}
		if c.As == "" {
			continue
		}
		if c.Select != nil {
			if answer, err = c.Select.Get(answer); err != nil {
				return fmt.Errorf("%s: %w", about, err)
			}
		}
		d.scope.Parameters[c.As] = answer
	}
	return nil
}

// ask makes one call, with the references in its input resolved.
func (d *demonstration) ask(ctx context.Context, about, service, operation string, in *cfn.Node, body []byte) (value.Value, error) {
	input := []byte("{}")
	if in != nil {
		v, err := d.scope.Resolve(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", planName, about, err)
		}
		input = value.Append(nil, v)
	}
	out, err := d.local.Call(ctx, &aws.Request{Service: service, Operation: operation, Account: d.account, Region: d.client.region, Input: input, Body: body})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", about, err)
	}
	b, err := wire.Canonical(out.Value)
	if err != nil {
		return nil, err
	}
	return value.Parse(b)
}

func (d *demonstration) check(ctx context.Context, c *demo.Check) error {
	expected := c.Equals
	if expected == nil {
		expected = c.Items
	}
	want, err := d.scope.Resolve(expected)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", planName, c.About, err)
	}
	differs := []string{}
	for end := time.Now().Add(settleTime); ; {
		answer, err := d.ask(ctx, c.About, c.Service, c.Operation, c.Input, nil)
		if err != nil {
			return err
		}
		text := c.Compare(answer, want)
		if text != "" && time.Now().Before(end) && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if text != "" {
			differs = append(differs, text)
		}
		d.judge(c.About, c.About, differs)
		return nil
	}
}

// settleTime is how long a check waits for what goes on after an execution's end: deliveries, mails.
const settleTime = 5 * time.Second

// judge keeps a verdict and shows it.
func (d *demonstration) judge(what, good string, differs []string) {
	d.verdicts = append(d.verdicts, verdict{what, len(differs) == 0, differs})
	if d.json {
		return
	}
	if len(differs) == 0 {
		d.line(tree.Span{Text: "  ✓ ", Style: tree.Good}, tree.Span{Text: good})
		return
	}
	d.line(tree.Span{Text: "  ✗ ", Style: tree.Bad}, tree.Span{Text: what})
	for _, text := range differs {
		fmt.Fprintln(d.out, "    "+text)
	}
}

func (d *demonstration) summary(executions, checks int, took time.Duration) error {
	wrong := 0
	for _, v := range d.verdicts {
		if !v.Expected {
			wrong++
		}
	}
	if d.json {
		if err := d.writeJSON(map[string]any{"asExpected": wrong == 0, "verdicts": d.verdicts}); err != nil {
			return err
		}
	} else {
		text, style := "everything is as expected", tree.Good
		if wrong > 0 {
			text, style = fmt.Sprintf("%d not as expected", wrong), tree.Bad
		}
		d.line(tree.Span{Text: ""})
		d.line(tree.Span{Text: fmt.Sprintf("%d executions, %d checks: ", executions, checks)}, tree.Span{Text: text, Style: style},
			tree.Span{Text: "  " + tree.Duration(took), Style: tree.Dim})
	}
	if wrong > 0 {
		return &exit{code: exitFailed}
	}
	return nil
}
