package s3_test

import (
	"context"
	"net"
	"os/exec"
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

// TestBoto runs testdata/smoke.py.
func TestBoto(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 on this machine, so S3 was not tested with a real client")
	}
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("SKIPPED: python3 has no boto3, so S3 was not tested with a real client")
	}
	w := newWorld(t)
	out, err := exec.Command(python, "testdata/smoke.py", w.serve(gateway.Config{})).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%v\n%s", err, out)
	}
}
