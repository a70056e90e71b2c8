package toolchain

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Toolchain is what this machine has. Its methods are safe for concurrent use.
type Toolchain struct {
	o     Options
	mu    sync.Mutex
	found map[string]*Interpreter // by runtime name; only what was found
	locks map[string]*sync.Mutex  // by module folder
}

// Options are the settings of a Toolchain.
type Options struct {
	Cache     string            // folder for what is installed
	NoInstall bool              // never install anything
	Paths     map[string]string // runtime or family name -> interpreter, instead of a search in PATH
	Announce  func(what string) // told before something is installed
	Run       Runner            // nil: the real one
}

// Runner runs a command in a folder and returns its output, stdout and stderr together.
type Runner func(ctx context.Context, dir, name string, args ...string) ([]byte, error)

// New makes a Toolchain.
func New(o Options) *Toolchain {
	if o.Announce == nil {
		o.Announce = func(string) {}
	}
	if o.Run == nil {
		o.Run = run
	}
	return &Toolchain{o: o, found: map[string]*Interpreter{}, locks: map[string]*sync.Mutex{}}
}

func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	return cmd.CombinedOutput()
}

// Interpreter is a program that runs a language.
type Interpreter struct {
	Path    string // the real program, not a version manager's stand-in
	Version string // "3.11.7"
}

// MissingError says that nothing on this machine can run a runtime.
type MissingError struct {
	Runtime string
	Tried   []string
}

func (e *MissingError) Error() string {
	what := "Python 3 (3.7 or newer)"
	if f, _ := FamilyOf(e.Runtime); f == Node {
		what = "Node.js (14 or newer)"
	}
	return fmt.Sprintf("runtime %s needs %s, and none was found (tried %s): install it and put it on the server's PATH",
		e.Runtime, what, strings.Join(e.Tried, ", "))
}

// Interpreter finds the program for a Python or Node.js runtime. What is missing is looked for again the next time.
func (t *Toolchain) Interpreter(ctx context.Context, name string) (*Interpreter, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.found[name]; i != nil {
		return i, nil
	}
	family, _ := FamilyOf(name)
	tried := t.candidates(name, family)
	for _, c := range tried {
		if i := t.probe(ctx, family, c); i != nil {
			t.found[name] = i
			return i, nil
		}
	}
	return nil, &MissingError{name, tried}
}

func (t *Toolchain) candidates(name string, family Family) []string {
	for _, key := range []string{name, string(family)} {
		if p := t.o.Paths[key]; p != "" {
			return []string{p}
		}
	}
	if family == Node {
		return []string{"node", "nodejs"}
	}
	exact := []string{name}
	if strings.HasPrefix(name, "python2") {
		exact = nil // the shim is Python 3, and so is nearly all code that still says python2.7
	}
	return append(exact, "python3", "python")
}

var probes = map[Family]string{
	Python: `import sys; assert sys.version_info >= (3, 7); print(sys.executable); print("%d.%d.%d" % sys.version_info[:3])`,
	Node:   `console.log(process.execPath); console.log(process.versions.node)`,
}

// probe runs a candidate: a name on the PATH may be a version manager's stand-in for nothing.
func (t *Toolchain) probe(ctx context.Context, family Family, candidate string) *Interpreter {
	path, err := exec.LookPath(candidate)
	if err != nil {
		return nil
	}
	flag := "-c"
	if family == Node {
		flag = "-e"
	}
	out, err := t.o.Run(ctx, "/", path, flag, probes[family])
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 2 || !filepath.IsAbs(lines[0]) {
		return nil
	}
	return &Interpreter{Path: lines[0], Version: lines[1]}
}
