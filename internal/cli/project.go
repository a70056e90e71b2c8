package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/project"
)

// deployable is a project as the commands handle it: its stack may have been renamed, its text is there once everything
// that it needs is uploaded.
type deployable struct {
	*project.Project
	stack    string // name of its stack
	file     string // as messages name it
	template *cfn.Template
	text     []byte
}

// projectAt reads a path of the file system. data is the data directory, which is never packed.
func (a *app) projectAt(name, data string) (*deployable, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, usage("%s", err)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	dir, file := abs, ""
	if !info.IsDir() {
		dir, file = filepath.Dir(abs), filepath.Base(abs)
	}
	shown := filepath.ToSlash(filepath.Dir(filepath.Join(name, "x")))
	if file != "" {
		shown = filepath.ToSlash(filepath.Dir(name))
	}
	return a.findProject(os.DirFS(dir), project.Options{
		File: file, Stack: stackNameOf(abs, info.IsDir()), Shown: shown, Exclude: excluded(dir, data),
	})
}

// findProject reads a project of a folder.
func (a *app) findProject(dir fs.FS, o project.Options) (*deployable, error) {
	o.Env = func(name string) (string, bool) {
		v := a.getenv(name)
		return v, v != ""
	}
	p, err := project.Find(dir, o)
	var none project.NotFound
	if errors.As(err, &none) {
		return nil, usage("%s", err)
	}
	if err != nil {
		return nil, err
	}
	return &deployable{Project: p, stack: p.Stack, file: p.File, template: p.Template}, nil
}

// excluded is the data directory as a path below a folder, if it is there.
func excluded(dir, data string) []string {
	abs, err := filepath.Abs(data)
	if err != nil {
		return nil
	}
	rel, err := filepath.Rel(dir, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return nil
	}
	return []string{filepath.ToSlash(rel)}
}

var (
	notAlphanumeric = regexp.MustCompile(`[^A-Za-z0-9]+`)
	stackNames      = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9]*$`)
)

// stackNameOf makes a stack's name of a folder's name, or of a state machine file's.
func stackNameOf(abs string, dir bool) string {
	base := machineName(abs)
	if !dir && strings.HasPrefix(base, "template") {
		base = filepath.Base(filepath.Dir(abs))
	}
	name := strings.Trim(notAlphanumeric.ReplaceAllString(base, "-"), "-")
	if !stackNames.MatchString(name) {
		name = "stack-" + name
	}
	return name[:min(len(name), 128)]
}
