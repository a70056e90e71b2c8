package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/pack"
)

// project is something that can be deployed: a template, or state machine files for which a template is made.
type project struct {
	stack    string // name of its stack
	file     string // as messages name it
	template *cfn.Template
	text     []byte // the template with everything local in it
}

var templateNames = []string{"template.yaml", "template.yml", "template.json"}

// projectAt reads a path of the file system. data is the data directory, which is never packed.
func projectAt(name, data string) (*project, error) {
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
	return loadProject(os.DirFS(dir), file, stackNameOf(abs, info.IsDir()), filepath.Dir(filepath.Join(name, "x")), excluded(dir, data))
}

// excluded is the data directory as a path below a folder, if it is there.
func excluded(dir, data string) pack.Options {
	abs, err := filepath.Abs(data)
	if err != nil {
		return pack.Options{}
	}
	rel, err := filepath.Rel(dir, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return pack.Options{}
	}
	return pack.Options{Exclude: []string{filepath.ToSlash(rel)}}
}

// loadProject reads a project of a folder: one file of it, or, if file is "", its template or all its state machines.
func loadProject(dir fs.FS, file, stack, shown string, o pack.Options) (*project, error) {
	if file == "" {
		for _, name := range templateNames {
			if _, err := fs.Stat(dir, name); err == nil {
				return loadTemplate(dir, name, stack, path.Join(shown, name), o)
			}
		}
		files, err := machineFiles(dir)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, usage("%s has neither %s nor a file *.asl.json or *.asl.yaml", shown, strings.Join(templateNames, ", "))
		}
		return loadMachines(dir, files, stack, shown)
	}
	text, err := fs.ReadFile(dir, file)
	if err != nil {
		return nil, err
	}
	shown = path.Join(path.Dir(shown), file)
	root, err := cfn.ParseNode(shown, text)
	if err != nil {
		return nil, err
	}
	if root.Get("StartAt") != nil {
		return loadMachines(dir, []string{file}, stack, path.Dir(shown))
	}
	return loadTemplate(dir, file, stack, shown, o)
}

func machineFiles(dir fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		for _, ext := range []string{".asl.json", ".asl.yaml", ".asl.yml"} {
			if strings.HasSuffix(e.Name(), ext) && !e.IsDir() {
				files = append(files, e.Name())
			}
		}
	}
	return files, nil
}

func loadTemplate(dir fs.FS, file, stack, shown string, o pack.Options) (*project, error) {
	text, err := fs.ReadFile(dir, file)
	if err != nil {
		return nil, err
	}
	root, err := cfn.ParseNode(shown, text)
	if err != nil {
		return nil, err
	}
	sub, err := fs.Sub(dir, path.Dir(file))
	if err != nil {
		return nil, err
	}
	if err := pack.Template(sub, shown, root, o); err != nil {
		return nil, err
	}
	t, err := cfn.ParseTree(shown, root)
	if err != nil {
		return nil, err
	}
	return &project{stack, shown, t, t.Text()}, nil
}

// loadMachines makes a template of state machine files: each a state machine with the name of its file.
func loadMachines(dir fs.FS, files []string, stack, shown string) (*project, error) {
	resources, outputs := value.NewObject(), value.NewObject()
	var bad []error
	for _, file := range files {
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		at := path.Join(shown, file)
		d, ds := asl.Compile(text, asl.Options{YAML: true})
		for _, diagnostic := range ds {
			if d == nil {
				bad = append(bad, errors.New(diagnosticLine(at, diagnostic)))
			}
		}
		if text, err = pack.Definition(file, text); err != nil {
			return nil, err
		}
		name := machineName(file)
		id := notAlphanumeric.ReplaceAllString(name, "")
		if _, taken := resources.Get(id); taken {
			return nil, fmt.Errorf("%s: another file makes the same name %q", at, id)
		}
		resources.Set(id, object("Type", "AWS::StepFunctions::StateMachine", "Properties", object(
			"StateMachineName", name, "DefinitionString", string(text),
			"RoleArn", object("Fn::Sub", "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/newel"))))
		outputs.Set(id, object("Value", object("Ref", id)))
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	text := value.Append(nil, object("Resources", resources, "Outputs", outputs))
	t, err := cfn.Parse(shown, text)
	if err != nil {
		return nil, err
	}
	return &project{stack, shown, t, text}, nil
}

func object(members ...any) *value.Object {
	o := value.NewObject()
	for i := 0; i+1 < len(members); i += 2 {
		o.Set(members[i].(string), members[i+1])
	}
	return o
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
