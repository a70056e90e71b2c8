package cfn

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/gateway/gatewaytest"
)

// TestCommandLine runs AWS's own command line against the service behind the real gateway: deploy (change sets and
// waiters), create-stack, update-stack, delete-stack and their waiters.
func TestCommandLine(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("SKIPPED: no aws command line on this machine, so CloudFormation was not tested with it")
	}
	if testing.Short() {
		t.Skip("SKIPPED: a dozen processes")
	}
	w := newWorld(t)
	everything := aws.CallerFunc(func(ctx context.Context, r *aws.Request) (*aws.Output, error) {
		if r.Service == "cloudformation" {
			return w.service.Call(ctx, r)
		}
		return w.Call(ctx, r)
	})
	url := gatewaytest.Serve(t, everything, "cloudformation", "sqs")
	dir := t.TempDir()
	file := filepath.Join(dir, "template.yaml")
	template := "Parameters: {D: {Type: Number, Default: 1}}\nResources: {Q: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: !Ref D}}}\nOutputs: {O: {Value: !GetAtt Q.QueueName}}\n"
	if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(fails bool, args ...string) string {
		t.Helper()
		c := exec.Command(cli, append([]string{"--endpoint-url", url, "cloudformation"}, args...)...)
		c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y", "AWS_DEFAULT_REGION="+region, "AWS_PAGER=", "AWS_CONFIG_FILE="+dir)
		out, err := c.CombinedOutput()
		if (err != nil) != fails {
			t.Fatalf("aws cloudformation %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run(false, "deploy", "--stack-name", "d", "--template-file", file)
	run(false, "deploy", "--stack-name", "d", "--template-file", file, "--parameter-overrides", "D=2")
	w.want(run(false, "describe-stacks", "--stack-name", "d", "--query", "Stacks[0].[StackStatus,Parameters[0].ParameterValue]", "--output", "text"), "UPDATE_COMPLETE\t2")
	w.want(run(false, "describe-stack-events", "--stack-name", "d", "--query", "StackEvents[-1].[ResourceStatus,Timestamp]", "--output", "text"), "REVIEW_IN_PROGRESS\t20")
	run(false, "create-stack", "--stack-name", "c", "--template-body", "file://"+file)
	w.rest("c") // a waiter that comes too early sleeps half a minute
	run(false, "wait", "stack-create-complete", "--stack-name", "c")
	w.want(run(true, "update-stack", "--stack-name", "c", "--use-previous-template"), "No updates are to be performed.")
	run(false, "update-stack", "--stack-name", "c", "--use-previous-template", "--parameters", "ParameterKey=D,ParameterValue=9")
	w.rest("c")
	run(false, "wait", "stack-update-complete", "--stack-name", "c")
	for _, name := range []string{"c", "d"} {
		id := w.rest(name).ID
		run(false, "delete-stack", "--stack-name", name)
		w.rest(id)
		run(false, "wait", "stack-delete-complete", "--stack-name", name)
	}
	w.want(run(false, "list-stacks", "--query", "StackSummaries[].StackStatus", "--output", "text"), "DELETE_COMPLETE\tDELETE_COMPLETE")
}
