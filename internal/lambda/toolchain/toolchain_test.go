package toolchain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestEveryNameHasAFamily(t *testing.T) {
	for _, n := range Names() {
		f, ok := FamilyOf(n)
		if !ok || !strings.HasPrefix(n, string(f)) {
			t.Error(n, f)
		}
	}
	if _, ok := FamilyOf("python4"); ok {
		t.Error("python4")
	}
}

func TestAgeOfRuntimes(t *testing.T) {
	for n, legacy := range map[string]bool{"python2.7": true, "python3.8": true, "python3.9": false, "python3.14": false, "nodejs16.x": true,
		"nodejs18.x": false, "nodejs": true, "go1.x": true, "provided": true, "provided.al2": false} {
		if LegacyTimeout(n) != legacy {
			t.Error(n)
		}
	}
}

// npm is a stand-in that makes what npm would make.
type npm struct {
	mu   sync.Mutex
	runs int
	fail bool
}

func (n *npm) run(_ context.Context, dir, name string, args ...string) ([]byte, error) {
	if name != "npm" {
		return nil, errors.New("not npm")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.runs++
	if n.fail {
		return []byte("first\nnpm error network unreachable\n"), errors.New("exit status 1")
	}
	module, _, _ := strings.Cut(args[len(args)-1][1:], "@")
	return nil, os.MkdirAll(filepath.Join(dir, "node_modules", args[len(args)-1][:1]+module), 0o755)
}

func TestInstalledOnce(t *testing.T) {
	t.Setenv("NODE_PATH", "")
	n := new(npm)
	var announced []string
	tc := New(Options{Cache: t.TempDir(), Run: n.run, Announce: func(s string) { announced = append(announced, s) }})
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			dir, err := tc.Module(context.Background(), "nodejs20.x", "@aws-sdk/client-no-such")
			if err != nil || !isDir(filepath.Join(dir, "node_modules", "@aws-sdk", "client-no-such")) {
				t.Error(dir, err)
			}
		}()
	}
	wg.Wait()
	if n.runs != 1 || len(announced) != 1 || !strings.Contains(announced[0], "installing @aws-sdk/client-no-such@3 once") {
		t.Fatal(n.runs, announced)
	}
}

func TestCannotInstall(t *testing.T) {
	t.Setenv("NODE_PATH", "")
	cache := t.TempDir()
	n := &npm{fail: true}
	_, err := New(Options{Cache: cache, Run: n.run}).Module(context.Background(), "nodejs20.x", "@aws-sdk/client-no-such")
	if err == nil || !strings.Contains(err.Error(), "npm error network unreachable") || !strings.Contains(err.Error(), "install it with npm install -g @aws-sdk/client-no-such@3") {
		t.Fatal(err)
	}
	_, err = New(Options{Cache: cache, Run: n.run, NoInstall: true}).Module(context.Background(), "nodejs20.x", "@aws-sdk/client-no-such")
	if err == nil || !strings.Contains(err.Error(), "--no-install") || n.runs != 1 {
		t.Fatal(err)
	}
	for _, name := range []string{"left-pad", "@aws-sdk/../x", "@aws-sdk/a b"} {
		if _, err = New(Options{Cache: cache, Run: n.run}).Module(context.Background(), "nodejs20.x", name); err == nil || n.runs != 1 {
			t.Fatal(name, err)
		}
	}
}

func TestTheMachineIsAskedFirst(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "node_modules", "aws-sdk"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NODE_PATH", filepath.Join(dir, "node_modules"))
	n := new(npm)
	got, err := New(Options{Cache: t.TempDir(), Run: n.run}).Module(context.Background(), "nodejs14.x", "aws-sdk")
	if err != nil || got != dir || n.runs != 0 {
		t.Fatal(got, err)
	}
}

func TestStandInsOfVersionManagersAreSkipped(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{
		"python3.12": "#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n",
		"python3":    "#!/bin/sh\necho /opt/real/python3\necho 3.11.2\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	i, err := New(Options{}).Interpreter(context.Background(), "python3.12")
	if err != nil || i.Path != "/opt/real/python3" || i.Version != "3.11.2" {
		t.Fatal(i, err)
	}
	t.Setenv("PATH", t.TempDir())
	_, err = New(Options{}).Interpreter(context.Background(), "python3.12")
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "needs Python 3") {
		t.Fatal(err)
	}
}
