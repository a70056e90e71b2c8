package toolchain

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// Module finds a package that AWS's runtime carries and returns the folder to search: a folder of Python modules, or a
// folder that has node_modules. The machine is asked first; what it lacks is installed once into the cache.
func (t *Toolchain) Module(ctx context.Context, runtime, name string) (dir string, err error) {
	family, _ := FamilyOf(runtime)
	switch {
	case family == Python && name == "boto3":
		return t.boto3(ctx, runtime)
	case family == Node && nodePackage.MatchString(name):
		return t.nodeModule(ctx, runtime, name)
	}
	return "", fmt.Errorf("AWS's %s runtime does not carry %q: package it with the function", runtime, name)
}

var nodePackage = regexp.MustCompile(`^(aws-sdk|@(aws-sdk|smithy)/[a-z0-9][a-z0-9._-]*)$`)

func (t *Toolchain) nodeModule(ctx context.Context, runtime, name string) (string, error) {
	for _, dir := range t.globalNode(ctx, runtime) {
		if isDir(filepath.Join(dir, "node_modules", filepath.FromSlash(name))) {
			return dir, nil
		}
	}
	spec := name + "@3"
	switch {
	case name == "aws-sdk":
		spec = "aws-sdk@2"
	case strings.HasPrefix(name, "@smithy/"):
		spec = name
	}
	return t.install(ctx, &installation{
		what: spec, folder: filepath.Join(t.o.Cache, "node", strings.ReplaceAll(spec, "/", "+")),
		tool: "npm", args: []string{"install", "--prefix", ".", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error", spec},
		hint: "npm install -g " + spec + ", or put it into the function's package",
	})
}

// globalNode lists the folders whose node_modules Node.js or npm use for the whole machine.
func (t *Toolchain) globalNode(ctx context.Context, runtime string) []string {
	var dirs []string
	for _, p := range filepath.SplitList(os.Getenv("NODE_PATH")) {
		if filepath.Base(p) == "node_modules" {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	if i, err := t.Interpreter(ctx, runtime); err == nil {
		dirs = append(dirs, filepath.Join(filepath.Dir(filepath.Dir(i.Path)), "lib"))
	}
	return append(dirs, "/usr/local/lib", "/usr/lib")
}

func (t *Toolchain) boto3(ctx context.Context, runtime string) (string, error) {
	i, err := t.Interpreter(ctx, runtime)
	if err != nil {
		return "", err
	}
	// Another Python of this machine may have it: it is pure Python, any version does.
	for _, other := range []string{"python3", "/usr/bin/python3"} {
		o := t.probe(ctx, Python, other)
		if o == nil || o.Path == i.Path {
			continue
		}
		out, err := t.o.Run(ctx, "/", o.Path, "-c", "import boto3, os; print(os.path.dirname(os.path.dirname(boto3.__file__)))")
		if dir := strings.TrimSpace(string(out)); err == nil && isDir(dir) {
			return dir, nil
		}
	}
	minor := i.Version[:strings.LastIndexByte(i.Version, '.')]
	return t.install(ctx, &installation{
		what: "boto3", folder: filepath.Join(t.o.Cache, "python"+minor, "boto3"),
		tool: i.Path, args: []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--target", ".", "boto3"},
		hint: i.Path + " -m pip install boto3, or put it into the function's package",
	})
}

type installation struct {
	what   string // "aws-sdk@2"
	folder string // its place in the cache; it appears complete or not at all
	tool   string
	args   []string // run in a new folder that becomes the folder
	hint   string   // what the user can do instead
}

// install returns the folder of an installation, making it if it is not there: once in this process, and harmlessly
// twice in two, because the finished folder is put in its place by a rename.
func (t *Toolchain) install(ctx context.Context, n *installation) (string, error) {
	lock := t.lockOf(n.folder)
	lock.Lock()
	defer lock.Unlock()
	if isDir(n.folder) {
		return n.folder, nil
	}
	if t.o.NoInstall {
		return "", fmt.Errorf("%s is not on this machine and installing is forbidden (--no-install): %s", n.what, n.hint)
	}
	t.o.Announce(fmt.Sprintf("installing %s once into %s: AWS's runtime carries it and neither the function nor this machine has it", n.what, n.folder))
	if err := os.MkdirAll(filepath.Dir(n.folder), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(n.folder), "tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if out, err := t.o.Run(ctx, tmp, n.tool, n.args...); err != nil {
		return "", fmt.Errorf("%s could not be installed (%w: %s): install it with %s", n.what, err, lastLines(out), n.hint)
	}
	if err := os.Rename(tmp, n.folder); err != nil && !isDir(n.folder) {
		return "", err
	}
	return n.folder, nil
}

func (t *Toolchain) lockOf(folder string) *sync.Mutex {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.locks[folder] == nil {
		t.locks[folder] = new(sync.Mutex)
	}
	return t.locks[folder]
}

// lastLines is the end of a tool's output, on one line.
func lastLines(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-3):], []byte(" | ")))
}

func isDir(p string) bool {
	s, err := os.Stat(p)
	return err == nil && s.IsDir()
}
