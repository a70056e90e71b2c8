package dynamodb_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/gateway"
)

// TestBoto runs testdata/smoke.py against the service behind the real gateway.
func TestBoto(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 on this machine, so DynamoDB was not tested with a real client")
	}
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("SKIPPED: python3 has no boto3, so DynamoDB was not tested with a real client")
	}
	w := newWorld(t)
	g, err := gateway.New(gateway.Config{Services: []string{"dynamodb"}}, w.s)
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
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	out, err := exec.Command(python, "testdata/smoke.py", "http://"+l.Addr().String()).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%v\n%s", err, out)
	}
}
