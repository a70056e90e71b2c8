// Package gatewaytest puts services behind a real gateway, for tests with the clients that people use.
package gatewaytest

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/gateway"
)

// Serve serves services on a loopback port until the test ends, and returns the URL.
func Serve(t *testing.T, caller aws.Caller, services ...string) string {
	t.Helper()
	g, err := gateway.New(gateway.Config{Services: services}, caller)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// Boto runs testdata/smoke.py of the calling package, which drives services with boto3 and prints "ok". It skips where there
// is no boto3.
func Boto(t *testing.T, caller aws.Caller, services ...string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import boto3").Run() != nil {
		t.Skip("SKIPPED: no python3 with boto3 on this machine, so the service was not tested with a real client")
	}
	out, err := exec.Command(python, "testdata/smoke.py", Serve(t, caller, services...)).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%v\n%s", err, out)
	}
}
