package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/newel-run/newel/internal/node"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"newel": func() { os.Exit(Main(os.Args[1:])) }})
}

// TestScripts runs the command line as its users do. "server [DIR] [mocks=FILE] [clock]" starts a server, which keeps its data
// in DIR if that is given, and sends the commands that follow to it; "stop" stops it; "status N COMMAND..." expects an exit status.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") // nobody listens there
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".cache"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"server": startServer, "stop": stopServer, "status": wantStatus},
	})
}

func startServer(ts *testscript.TestScript, _ bool, args []string) {
	cfg := node.Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: ts.MkAbs(".cache")}
	for _, arg := range args {
		if file, ok := strings.CutPrefix(arg, "mocks="); ok {
			cfg.MockConfig = ts.MkAbs(file)
		} else if arg == "clock" {
			cfg.TestClock = true
		} else {
			cfg.Memory, cfg.Data = false, ts.MkAbs(arg)
		}
	}
	n, err := node.Start(context.Background(), cfg)
	ts.Check(err)
	ts.Defer(func() { ts.Check(n.Close(context.Background())) })
	ts.Setenv("AWS_ENDPOINT_URL", n.URL())
	running.Store(ts.Getenv("WORK"), n)
}

// running are the servers of the scripts by their working directories.
var running sync.Map

func stopServer(ts *testscript.TestScript, _ bool, _ []string) {
	n, _ := running.Load(ts.Getenv("WORK"))
	ts.Check(n.(*node.Node).Close(context.Background()))
}

func wantStatus(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// TestUpServes: where no server answers, up is one, until it is interrupted.
func TestUpServes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "one.asl.json")
	if err := os.WriteFile(file, []byte(`{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	said, says := io.Pipe()
	var out bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: says, getenv: func(string) string { return "" }}
	ctx, interrupt := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		status <- a.run(ctx, []string{"up", file, "--memory", "--endpoint", endpoint})
		says.Close() //nolint:errcheck // a pipe
	}()
	ready := false
	for s := bufio.NewScanner(said); s.Scan(); {
		if strings.Contains(s.Text(), "is ready at "+endpoint) {
			ready = true
			b := &app{in: a.in, out: &bytes.Buffer{}, err: io.Discard, getenv: a.getenv}
			if code := b.run(t.Context(), []string{"start", "one", "--follow", "--endpoint", endpoint}); code != 0 {
				t.Errorf("start: exit status %d", code)
			}
			interrupt()
		}
	}
	interrupt()
	if code := <-status; code != 0 || !ready || !strings.Contains(out.String(), "CREATE_COMPLETE") {
		t.Errorf("exit status %d, ready %v, output:\n%s", code, ready, &out)
	}
}
