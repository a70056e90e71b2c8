package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cli/tree"
)

func (a *app) upCommand() *cobra.Command {
	var s serverFlags
	var stack string
	var parameters []string
	cmd := &cobra.Command{
		Use: "up PATH", Short: "Deploy a template or state machines", Args: cobra.ExactArgs(1),
		Long: `Deploy PATH: a folder with a template of CloudFormation or SAM (template.yaml), with a serverless.yml, with another CloudFormation
template and those that it nests, or with *.asl.json and *.asl.yaml files; or one such file. Local code, definitions and nested
templates go to a bucket that is made for them. samconfig.toml gives the stack's name and parameters; a serverless.yml its region.
It goes to the server that answers at the endpoint; where none answers, this command serves too, until it is interrupted.
Deploying again updates what has changed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.projectAt(args[0], s.Data)
			if err != nil {
				return err
			}
			p.stack = firstOf(stack, p.stack)
			given, err := parameterFlags(parameters)
			if err != nil {
				return err
			}
			return a.up(cmd.Context(), p, given, &s)
		},
	}
	s.addStorage(cmd)
	s.addBehaviour(cmd)
	cmd.Flags().StringVar(&stack, "stack", "", "name of the stack (default: made of the path)")
	cmd.Flags().StringArrayVar(&parameters, "parameter", nil, "NAME=VALUE of a template's parameter (repeatable)")
	return cmd
}

func parameterFlags(list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range list {
		name, v, ok := strings.Cut(p, "=")
		if !ok {
			return nil, usage("--parameter %s: NAME=VALUE is needed", p)
		}
		out[name] = v
	}
	return out, nil
}

// up deploys to the server at the endpoint, or to one of its own that it then keeps running.
func (a *app) up(ctx context.Context, p *deployable, given map[string]string, s *serverFlags) error {
	there, err := a.health(ctx)
	if err != nil {
		return err
	}
	if there {
		c, err := a.client()
		if err != nil {
			return err
		}
		_, err = a.deploy(ctx, c, p, given)
		return err
	}
	u, err := url.Parse(a.endpoint)
	if err != nil || u.Scheme != "http" {
		return fmt.Errorf("no server answers at %s", a.endpoint)
	}
	s.Listen = u.Host
	cfg, err := s.settings(a)
	if err != nil {
		return err
	}
	n, err := start(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := a.deploy(ctx, a.local(n, cfg.Account), p, given); err != nil {
		return errors.Join(err, n.Close(context.WithoutCancel(ctx)))
	}
	a.announce(n, cfg)
	return a.wait(ctx, n)
}

// stackInfo is what DescribeStacks says of a stack.
type stackInfo struct {
	StackID           string `json:"StackId"`
	StackName         string
	StackStatus       string
	StackStatusReason string
	Outputs           []cfn.OutputValue
}

type resourceInfo struct {
	LogicalResourceID    string `json:"LogicalResourceId"`
	PhysicalResourceID   string `json:"PhysicalResourceId"`
	ResourceType         string
	ResourceStatus       string
	ResourceStatusReason string
}

// describeStack asks for a stack; nil if it does not exist.
func (c *client) describeStack(ctx context.Context, name string) (*stackInfo, error) {
	var out struct{ Stacks []stackInfo }
	err := c.call(ctx, "cloudformation", "DescribeStacks", map[string]string{"StackName": name}, &out)
	if is(err, "ValidationError") && strings.Contains(err.Error(), "does not exist") || err == nil && len(out.Stacks) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &out.Stacks[0], nil
}

func (c *client) stackResources(ctx context.Context, name string) ([]resourceInfo, error) {
	var out struct{ StackResources []resourceInfo }
	err := c.call(ctx, "cloudformation", "DescribeStackResources", map[string]string{"StackName": name}, &out)
	return out.StackResources, err
}

// deploy creates or updates a project's stack, waits for the end and says what there is now.
func (a *app) deploy(ctx context.Context, c *client, p *deployable, given map[string]string) (*stackInfo, error) {
	c = c.in(p.Region)
	in, err := c.prepare(ctx, p, given)
	if err != nil {
		return nil, err
	}
	before, err := c.describeStack(ctx, p.stack)
	if err != nil {
		return nil, err
	}
	if before != nil && slices.Contains([]string{"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"}, before.StackStatus) {
		if err := a.remove(ctx, c, before); err != nil { // nothing of it was ever complete
			return nil, err
		}
		before = nil
	}
	operation, id := "CreateStack", ""
	if before != nil {
		operation, id = "UpdateStack", before.StackID
	}
	seen, err := c.seenEvents(ctx, id)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(p.Parameters)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, given)
	values := []cfn.ParameterValue{}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		values = append(values, cfn.ParameterValue{ParameterKey: k, ParameterValue: all[k]})
	}
	in["StackName"], in["Parameters"], in["Capabilities"] = p.stack, values, []string{"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}
	var out struct {
		StackID string `json:"StackId"`
	}
	err = c.call(ctx, "cloudformation", operation, in, &out)
	if is(err, "ValidationError") && strings.Contains(err.Error(), "No updates are to be performed.") {
		out.StackID, err = id, nil
	}
	if err != nil {
		return nil, err
	}
	shown := &progress{app: a}
	info, err := c.settle(ctx, out.StackID, seen, shown)
	if err != nil {
		return nil, err
	}
	if info == nil {
		return nil, fmt.Errorf("stack %s is not there after it was deployed", p.stack)
	}
	resources, err := c.stackResources(ctx, out.StackID)
	if err != nil {
		return nil, err
	}
	return info, a.deployed(p, info, resources, shown.failures)
}

// deployed writes what a deployment has led to.
func (a *app) deployed(p *deployable, info *stackInfo, resources []resourceInfo, failures []stackEvent) error {
	failed := !strings.HasSuffix(info.StackStatus, "_COMPLETE") || strings.Contains(info.StackStatus, "ROLLBACK")
	if a.json {
		if err := a.writeJSON(map[string]any{"stack": info, "resources": resources}); err != nil {
			return err
		}
	} else {
		a.report(info, resources)
	}
	if !failed {
		if !a.json {
			a.nextCommand(resources, p.Region)
		}
		return nil
	}
	var lines []string
	for _, f := range failures {
		place := p.file
		if p.template == nil {
		} else if r := p.template.Resource(f.LogicalResourceID); r != nil {
			place = fmt.Sprintf("%s:%d:%d", p.file, r.Line, r.Column)
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s", place, f.LogicalResourceID, f.ResourceStatusReason))
	}
	if len(lines) == 0 {
		lines = []string{p.file + ": " + info.StackStatusReason}
	}
	return fmt.Errorf("%s\nstack %s is in %s", strings.Join(lines, "\n"), info.StackName, info.StackStatus)
}

func (a *app) report(info *stackInfo, resources []resourceInfo) {
	style := tree.Good
	if strings.HasSuffix(info.StackStatus, "FAILED") || strings.Contains(info.StackStatus, "ROLLBACK") {
		style = tree.Bad
	}
	a.line(tree.Span{Text: info.StackName, Style: tree.Bold}, tree.Span{Text: "  " + info.StackStatus, Style: style})
	_, _, people := a.terminal()
	rows := [][]string{}
	for _, r := range resources {
		id := r.PhysicalResourceID
		if people {
			id = id[strings.LastIndexAny(id, "/:")+1:]
		}
		rows = append(rows, []string{r.LogicalResourceID, strings.TrimPrefix(r.ResourceType, "AWS::"), r.ResourceStatus, id})
	}
	a.table([]string{"RESOURCE", "TYPE", "STATUS", "NAME"}, rows)
	if len(info.Outputs) == 0 {
		return
	}
	if people {
		fmt.Fprintln(a.out)
	}
	rows = rows[:0]
	for _, o := range info.Outputs {
		rows = append(rows, []string{o.OutputKey, o.OutputValue, o.Description})
	}
	a.table([]string{"OUTPUT", "VALUE", ""}, rows)
}

// nextCommand says what people do next, on a terminal.
func (a *app) nextCommand(resources []resourceInfo, region string) {
	if _, _, ok := a.terminal(); !ok {
		return
	}
	i := slices.IndexFunc(resources, func(r resourceInfo) bool { return r.ResourceType == "AWS::StepFunctions::StateMachine" })
	if i < 0 {
		return
	}
	arn := resources[i].PhysicalResourceID
	endpoint := ""
	if a.endpoint != defaultEndpoint && a.getenv("AWS_ENDPOINT_URL") != a.endpoint {
		endpoint = " --endpoint " + a.endpoint
	}
	if region != "" && region != a.region {
		endpoint += " --region " + region
	}
	fmt.Fprintf(a.out, "\nnext: newel start %s --input '{}' --follow%s\n", arn[strings.LastIndexByte(arn, ':')+1:], endpoint)
}

func (a *app) destroyCommand() *cobra.Command {
	var stack string
	cmd := &cobra.Command{
		Use: "destroy PATH|STACK", Short: "Delete what 'newel up' has deployed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if info, err := os.Stat(name); err == nil {
				abs, err := filepath.Abs(name)
				if err != nil {
					return err
				}
				region := ""
				name = stackNameOf(abs, info.IsDir())
				if p, err := a.projectAt(args[0], ""); err == nil { // else what is there now cannot be deployed, only deleted
					name, region = p.stack, p.Region
				}
				return a.destroyIn(cmd.Context(), region, firstOf(stack, name))
			}
			return a.destroyIn(cmd.Context(), "", firstOf(stack, name))
		},
	}
	cmd.Flags().StringVar(&stack, "stack", "", "name of the stack (default: made of the path)")
	return cmd
}

// destroyIn deletes a stack of a region, or of the one that the command works with.
func (a *app) destroyIn(ctx context.Context, region, name string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	return a.destroy(ctx, c.in(region), name)
}

func (a *app) destroy(ctx context.Context, c *client, name string) error {
	before, err := c.describeStack(ctx, name)
	if err != nil {
		return err
	}
	if before == nil {
		return fmt.Errorf("there is no stack %s", name)
	}
	if err := a.remove(ctx, c, before); err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(map[string]string{"deleted": before.StackID})
	}
	fmt.Fprintln(a.out, "deleted "+name)
	return nil
}

// remove deletes a stack and waits for the end.
func (a *app) remove(ctx context.Context, c *client, before *stackInfo) error {
	seen, err := c.seenEvents(ctx, before.StackID)
	if err != nil {
		return err
	}
	if err := c.call(ctx, "cloudformation", "DeleteStack", map[string]string{"StackName": before.StackID}, nil); err != nil {
		return err
	}
	shown := &progress{app: a}
	after, err := c.settle(ctx, before.StackID, seen, shown)
	if err != nil || after == nil || after.StackStatus == "DELETE_COMPLETE" {
		return err
	}
	reasons := after.StackStatusReason
	for _, f := range shown.failures {
		reasons += "\n" + f.LogicalResourceID + ": " + f.ResourceStatusReason
	}
	return fmt.Errorf("stack %s is in %s: %s", before.StackName, after.StackStatus, reasons)
}
