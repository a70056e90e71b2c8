package kms

import (
	"context"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/gateway"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store/memory"
)

// TestBoto runs testdata/smoke.py, which drives the service through the real gateway with boto3.
func TestBoto(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import boto3").Run() != nil {
		t.Skip("SKIPPED: no python3 with boto3 on this machine, so the service was not tested with a real client")
	}
	env := &service.Env{Store: memory.New(memory.Options{Partitions: 4}), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Caller: aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) { return service.Answer(nil), nil })}
	s := New(env, Config{Master: NewMaster()})
	g, err := gateway.New(gateway.Config{Services: []string{s.ServiceName()}}, s)
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
	out, err := exec.Command(python, "testdata/smoke.py", "http://"+l.Addr().String()).CombinedOutput()
	stop()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%v\n%s", err, out)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
