package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// providers is a folder with Terraform's AWS provider in the layout of a local mirror (HOST/NAMESPACE/NAME/...), or "":
// NEWEL_TERRAFORM_PLUGINS, else where people and images put one. Nothing is downloaded.
func providers() string {
	if dir := os.Getenv("NEWEL_TERRAFORM_PLUGINS"); dir != "" {
		return dir
	}
	for _, root := range []string{"/opt/*", "/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins", os.ExpandEnv("$HOME/.terraform.d/plugins")} {
		found, _ := filepath.Glob(filepath.Join(root, "*", "hashicorp", "aws")) // the pattern is well formed
		if len(found) > 0 {
			return filepath.Dir(filepath.Dir(filepath.Dir(found[0])))
		}
	}
	return ""
}

// terraform is a working folder with a configuration.
type terraform struct {
	t    *testing.T
	dir  string
	env  []string
	exit int
}

func (f *terraform) run(args ...string) string {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "terraform", args...)
	cmd.Dir, cmd.Env = f.dir, f.env
	cmd.WaitDelay = time.Minute
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	f.exit = cmd.ProcessState.ExitCode()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		f.t.Fatal(err)
	}
	return out.String()
}

func (f *terraform) must(args ...string) string {
	f.t.Helper()
	out := f.run(args...)
	if f.exit != 0 {
		f.t.Fatalf("terraform %s: exit status %d\n%s", strings.Join(args, " "), f.exit, out)
	}
	return out
}

// clean asserts that a plan finds nothing to change: every attribute reads back as it was set.
func (f *terraform) clean(args ...string) {
	f.t.Helper()
	if out := f.run(append([]string{"plan", "-no-color", "-detailed-exitcode"}, args...)...); f.exit != 0 {
		f.t.Errorf("the plan is not empty (exit status %d)\n%s", f.exit, out)
	}
}

// TestTerraform lets Terraform's AWS provider, unmodified, make one of each, find nothing to change, change something, and
// remove everything.
func TestTerraform(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute: the provider waits for queues to settle as it does at AWS")
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("NOT TESTED: terraform is not installed")
	}
	mirror := providers()
	if mirror == "" {
		t.Skip("NOT TESTED: no mirror of Terraform's AWS provider; name one with NEWEL_TERRAFORM_PLUGINS")
	}
	t.Parallel()
	s := newServer(t)
	s.start()
	f := &terraform{t: t, dir: t.TempDir()}
	f.env = append(os.Environ(), "AWS_ENDPOINT_URL=http://"+s.listen, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_EC2_METADATA_DISABLED=true", "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE=")
	writeConfiguration(t, f.dir)

	f.must("init", "-no-color", "-plugin-dir="+mirror)
	f.must("apply", "-no-color", "-auto-approve")
	f.clean()
	if got := runMachine(t, s, strings.TrimSpace(f.must("output", "-raw", "machine"))); got != `{"n":21,"price":{"price":42,"revision":"1"}}` {
		t.Errorf("the machine that Terraform made answers %s", got)
	}

	f.must("apply", "-no-color", "-auto-approve", "-var=revision=2")
	f.clean("-var=revision=2")
	if got := runMachine(t, s, strings.TrimSpace(f.must("output", "-raw", "machine"))); !strings.Contains(got, `"revision":"2"`) {
		t.Errorf("after the change it answers %s", got)
	}

	f.must("destroy", "-no-color", "-auto-approve", "-var=revision=2")
	var left struct {
		StateMachines, Activities []json.RawMessage
	}
	for _, list := range []string{"ListStateMachines", "ListActivities"} {
		if err := s.states(list, map[string]any{}, &left); err != nil {
			t.Fatal(err)
		}
	}
	if len(left.StateMachines)+len(left.Activities) > 0 {
		t.Errorf("left behind: %s %s", left.StateMachines, left.Activities)
	}
}

func writeConfiguration(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile("testdata/terraform/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("index.py")
	if err == nil {
		_, err = w.Write([]byte("import os\n\ndef handler(event, context):\n    return {'price': 2 * event['n'], 'revision': os.environ['REVISION']}\n"))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"main.tf": text, "function.zip": b.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func runMachine(t *testing.T, s *server, arn string) string {
	t.Helper()
	var started struct{ ExecutionArn string }
	if err := s.states("StartExecution", map[string]string{"stateMachineArn": arn, "input": `{"n":21}`}, &started); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var e struct{ Status, Output, Cause string }
		if err := s.states("DescribeExecution", map[string]string{"executionArn": started.ExecutionArn}, &e); err != nil {
			t.Fatal(err)
		}
		if e.Status == "SUCCEEDED" {
			return strings.ReplaceAll(e.Output, " ", "") // Python writes some, which stay
		}
		if e.Status != "RUNNING" || time.Now().After(deadline) {
			t.Fatalf("the execution is %s: %s", e.Status, e.Cause)
		}
	}
}
