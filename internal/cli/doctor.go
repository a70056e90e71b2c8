package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/internal/cli/tree"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/pebble"
)

// finding is what doctor says about one thing.
type finding struct {
	What   string `json:"what"`
	Status string `json:"status"` // ok, note: something does not work that not everybody needs, problem
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	var s serverFlags
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check what this machine has and what is in the way", Args: cobra.NoArgs,
		Long: "Check interpreters, the AWS SDKs that functions expect, the server's address, the data directory and the environment, with a remedy for each problem. The exit status is 1 if there are problems.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
			defer cancel()
			running, server := a.checkServer(ctx)
			all := append(checkTools(ctx), checkAWS(ctx), server, checkData(s.Data, running))
			all = append(all, a.checkEnvironment()...)
			return a.findings(all)
		},
	}
	s.addStorage(cmd)
	return cmd
}

func (a *app) findings(all []finding) error {
	problems := 0
	for _, f := range all {
		if f.Status == "problem" {
			problems++
		}
		if a.json {
			continue
		}
		mark := map[string]tree.Span{"ok": {Text: "✓", Style: tree.Good}, "note": {Text: "!", Style: tree.Warn}, "problem": {Text: "✗", Style: tree.Bad}}[f.Status]
		a.line(mark, tree.Span{Text: fmt.Sprintf(" %-17s ", f.What), Style: tree.Bold}, tree.Span{Text: tree.Clean(f.Says)})
		if f.Remedy != "" {
			fmt.Fprintln(a.out, "  "+strings.Repeat(" ", 18)+"-> "+f.Remedy)
		}
	}
	if a.json {
		if err := a.writeJSON(all); err != nil {
			return err
		}
	}
	if problems > 0 {
		return &exit{code: exitFailed}
	}
	return nil
}

// checkTools looks for the interpreters and SDKs that functions run with.
func checkTools(ctx context.Context) []finding {
	return []finding{
		probe(ctx, "python3", "install Python 3 to run functions of python runtimes", "python3", "--version"),
		probe(ctx, "boto3", "functions that import boto3 need it: python3 -m pip install boto3", "python3", "-c", "import boto3; print('boto3', boto3.__version__)"),
		probe(ctx, "node", "install Node.js to run functions of nodejs runtimes", "node", "--version"),
		probe(ctx, "npm", "install npm: the AWS SDK for functions of nodejs runtimes comes through it", "npm", "--version"),
	}
}

// checkAWS says whether the AWS CLI can be sent here by the environment alone.
func checkAWS(ctx context.Context) finding {
	version := awsVersion(ctx)
	switch {
	case version == "":
		return finding{"aws", "note", "the AWS CLI is not installed", "install it to use aws commands with Newel; Newel does not need it"}
	case strings.HasPrefix(version, "1."):
		return finding{"aws", "note", "is version " + version + ": 'aws sqs' does not use AWS_ENDPOINT_URL in some regions, us-east-1 among them, and calls AWS itself",
			`eval "$(newel env)" defines a function that adds --endpoint-url; or install version 2`}
	}
	return finding{"aws", "ok", "aws-cli " + version, ""}
}

func probe(ctx context.Context, what, remedy, program string, args ...string) finding {
	path, err := exec.LookPath(program)
	if err != nil {
		return finding{what, "note", program + " is not installed", remedy}
	}
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return finding{what, "note", "does not work: " + lines[len(lines)-1], remedy}
	}
	return finding{what, "ok", strings.TrimSpace(string(out)) + " (" + path + ")", ""}
}

// checkServer says whether a server answers, or whether its address is free.
func (a *app) checkServer(ctx context.Context) (running bool, f finding) {
	there, err := a.health(ctx)
	switch {
	case err != nil:
		return false, finding{"server", "problem", err.Error(), "stop what is there, or choose another address: newel serve --listen, newel --endpoint"}
	case there:
		return true, finding{"server", "ok", "Newel answers at " + a.endpoint, ""}
	}
	u, err := url.Parse(a.endpoint)
	if err != nil {
		return false, finding{"server", "problem", err.Error(), "give a URL with --endpoint"}
	}
	l, err := net.Listen("tcp", u.Host)
	if err != nil {
		return false, finding{"server", "problem", "no server answers at " + a.endpoint + " and its address cannot be used: " + err.Error(), "choose another address: newel serve --listen"}
	}
	err = l.Close()
	return false, finding{"server", "ok", "no server answers at " + a.endpoint + "; the address is free for 'newel serve'" + suffix(err), ""}
}

func suffix(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// checkData says whether the data directory can be written and read by this version.
func checkData(dir string, running bool) finding {
	_, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		parent, err := filepath.Abs(filepath.Dir(dir))
		if err == nil {
			err = writable(parent)
		}
		if err != nil {
			return finding{"data directory", "problem", fmt.Sprintf("%s cannot be made: %s", dir, err), "choose another with --data, or run with --memory"}
		}
		return finding{"data directory", "ok", dir + " does not exist yet; 'newel serve' makes it", ""}
	}
	if err == nil {
		err = writable(dir)
	}
	if err != nil {
		return finding{"data directory", "problem", err.Error(), "choose another with --data, or correct its owner and mode"}
	}
	if running {
		return finding{"data directory", "ok", dir + " is there and can be written (a server is running: not opened)", ""}
	}
	return openData(dir)
}

// openData opens a data directory that is there already; one without a store is left as it is.
func openData(dir string) finding {
	if manifests, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*")); err != nil || len(manifests) == 0 {
		return finding{"data directory", "ok", dir + " can be written and has no data yet", ""}
	}
	s, err := pebble.Open(dir, pebble.Options{})
	switch {
	case errors.Is(err, store.ErrLocked):
		return finding{"data directory", "note", dir + " is in use by another server", "stop it, or choose another directory with --data"}
	case errors.Is(err, store.ErrFormat):
		return finding{"data directory", "problem", err.Error(), "use the newer version of Newel that wrote it"}
	case err != nil:
		return finding{"data directory", "problem", err.Error(), "move it away, or choose another with --data"}
	}
	if err := s.Close(); err != nil {
		return finding{"data directory", "problem", err.Error(), "look at the disk's health"}
	}
	return finding{"data directory", "ok", dir + " can be opened and written", ""}
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".newel-doctor-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkEnvironment looks for variables that send AWS clients elsewhere than to the endpoint.
func (a *app) checkEnvironment() []finding {
	var all []finding
	endpoint := a.getenv("AWS_ENDPOINT_URL")
	switch {
	case endpoint == "":
		all = append(all, finding{"AWS_ENDPOINT_URL", "note", "is not set: aws and SDKs in this shell call real AWS", `eval "$(newel env)"`})
	case endpoint != a.endpoint:
		all = append(all, finding{"AWS_ENDPOINT_URL", "note", "is " + endpoint + ", not " + a.endpoint, `eval "$(newel env)"`})
	}
	for _, kv := range os.Environ() {
		name, v, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL_") && v != "" {
			all = append(all, finding{name, "problem", "sends one service's calls to " + v, "unset " + name})
		}
	}
	if a.getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == "true" {
		all = append(all, finding{"AWS_IGNORE_...", "problem", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS makes clients ignore AWS_ENDPOINT_URL", "unset AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"})
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		if v := a.getenv(name); v != "" && !strings.Contains(a.getenv("NO_PROXY")+a.getenv("no_proxy"), "127.0.0.1") {
			all = append(all, finding{name, "note", "sends clients' calls through " + v, "export NO_PROXY=127.0.0.1,localhost"})
		}
	}
	if a.getenv("AWS_ACCESS_KEY_ID") == "" && a.getenv("AWS_PROFILE") == "" {
		all = append(all, finding{"credentials", "note", "no AWS credentials in the environment: aws and SDKs refuse to sign", `eval "$(newel env)"`})
	}
	if len(all) == 0 {
		all = append(all, finding{"environment", "ok", "nothing sends AWS calls elsewhere", ""})
	}
	return all
}
