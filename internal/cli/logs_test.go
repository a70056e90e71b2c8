package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/node"
)

// TestFollowLogs: events that are there, then those that come, each once; an interrupt is the ordinary end.
func TestFollowLogs(t *testing.T) {
	n, err := node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close(context.Background()) }) //nolint:errcheck // its own tests
	env := func(string) string { return "" }
	a := &app{err: io.Discard, getenv: env, endpoint: n.URL(), region: "us-east-1"}
	c, err := a.client()
	if err != nil {
		t.Fatal(err)
	}
	do := func(operation string, in map[string]any) {
		t.Helper()
		in["logGroupName"] = "/aws/lambda/say"
		if err := c.call(t.Context(), "logs", operation, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	put := func(message string, at int64) {
		t.Helper()
		do("PutLogEvents", map[string]any{"logStreamName": "s", "logEvents": []map[string]any{{"timestamp": at, "message": message}}})
	}
	do("CreateLogGroup", map[string]any{})
	do("CreateLogStream", map[string]any{"logStreamName": "s"})
	now := time.Now().UnixMilli()
	put("one\n", now)

	said, says := io.Pipe()
	ctx, interrupt := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		b := &app{in: strings.NewReader(""), out: says, err: io.Discard, getenv: env}
		status <- b.run(ctx, []string{"logs", "say", "-f", "--endpoint", n.URL()})
		says.Close() //nolint:errcheck // a pipe
	}()
	var lines []string
	for s := bufio.NewScanner(said); s.Scan(); {
		lines = append(lines, s.Text())
		switch len(lines) {
		case 1:
			put("two", now+1)
		case 2:
			put("earlier", now-1000) // comes late
		case 3:
			interrupt()
		}
	}
	interrupt()
	if code := <-status; code != 0 {
		t.Errorf("exit status %d", code)
	}
	if len(lines) != 3 || !strings.HasSuffix(lines[0], "\ts\tone") || !strings.HasSuffix(lines[1], "\ttwo") || !strings.HasSuffix(lines[2], "\tearlier") {
		t.Errorf("%q", lines)
	}

	for arg, want := range map[string]string{"nothing": `"nothing"; there are /aws/lambda/say`, "/aws/lambda/say": ""} {
		var out, problem bytes.Buffer
		b := &app{in: strings.NewReader(""), out: &out, err: &problem, getenv: env}
		code := b.run(t.Context(), []string{"logs", arg, "--filter", "earl", "--since", "1h", "--endpoint", n.URL()})
		if want == "" && (code != 0 || strings.Count(out.String(), "\n") != 1) || want != "" && (code != 1 || !strings.Contains(problem.String(), want)) {
			t.Errorf("%s: %d\n%s%s", arg, code, &out, &problem)
		}
	}
}
