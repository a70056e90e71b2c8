package s3_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/gateway"
)

// serve runs the service behind the real gateway until the test ends.
func (w *world) serve(cfg gateway.Config) string {
	w.Helper()
	cfg.Services = []string{"s3"}
	g, err := gateway.New(cfg, w.s)
	if err != nil {
		w.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l) }()
	w.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			w.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// TestBoto runs testdata/smoke.py, once with signatures that nobody checks and once with ones that are checked.
func TestBoto(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 on this machine, so S3 was not tested with a real client")
	}
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("SKIPPED: python3 has no boto3, so S3 was not tested with a real client")
	}
	keys := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(keys, []byte("[test]\naws_access_key_id=123456789012\naws_secret_access_key=secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]gateway.Config{"trusted": {}, "verified": {Credentials: keys}} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(python, "testdata/smoke.py", newWorld(t).serve(cfg), name).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "ok" {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// TestCLI runs testdata/cli.sh: aws s3 mb, cp, sync, ls, mv, rm, rb.
func TestCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("SKIPPED: no aws on this machine, so S3 was not tested with the AWS CLI")
	}
	want, err := os.ReadFile("testdata/cli.want")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "testdata/cli.sh", newWorld(t).serve(gateway.Config{}))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if out, err := cmd.Output(); err != nil || string(out) != string(want) {
		t.Errorf("%v\n%s\n%s", err, out, stderr.String())
	}
}
