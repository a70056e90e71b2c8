package project

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/pack"
)

var machineEndings = []string{".asl.json", ".asl.yaml", ".asl.yml"}

func isMachine(name string) bool {
	for _, ending := range machineEndings {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

func machineFiles(dir fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if isMachine(e.Name()) && !e.IsDir() {
			files = append(files, e.Name())
		}
	}
	return files, nil
}

var notAlphanumeric = regexp.MustCompile(`[^A-Za-z0-9]+`)

var notInNames = regexp.MustCompile(`[^-_A-Za-z0-9]+`)

// MachineName is the name of a state machine file's machine: the file's name without .asl.json and the like.
func MachineName(file string) string {
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	for _, ext := range []string{".json", ".yaml", ".yml", ".asl"} {
		base = strings.TrimSuffix(base, ext)
	}
	name := strings.Trim(notInNames.ReplaceAllString(base, "-"), "-")
	if name = name[:min(len(name), 80)]; name == "" {
		return "machine"
	}
	return name
}

// DiagnosticLine is what a compiler of state machines says of a file, on one line that begins with the place.
func DiagnosticLine(file string, d asl.Diagnostic) string {
	at := ""
	if d.Location != "" {
		at = " at " + d.Location
	}
	return fmt.Sprintf("%s:%d:%d: %s %s %s%s", file, max(d.Line, 1), max(d.Column, 1), d.Severity, d.Code, d.Message, at)
}

// machines makes a template of state machine files: each a state machine with the name of its file.
func (p *Project) machines(files []string) error {
	p.File = p.opt.Shown
	resources, outputs := value.NewObject(), value.NewObject()
	var bad []error
	for _, file := range files {
		text, err := fs.ReadFile(p.dir, file)
		if err != nil {
			return err
		}
		at := path.Join(p.opt.Shown, file)
		d, ds := asl.Compile(text, asl.Options{YAML: true})
		for _, diagnostic := range ds {
			if d == nil {
				bad = append(bad, errors.New(DiagnosticLine(at, diagnostic)))
			}
		}
		if text, err = pack.Definition(file, text); err != nil {
			return err
		}
		name := MachineName(file)
		id := notAlphanumeric.ReplaceAllString(name, "")
		if _, taken := resources.Get(id); taken {
			return fmt.Errorf("%s: another file makes the same name %q", at, id)
		}
		resources.Set(id, object("Type", "AWS::StepFunctions::StateMachine", "Properties", object(
			"StateMachineName", name, "DefinitionString", string(text),
			"RoleArn", object("Fn::Sub", "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/newel"))))
		outputs.Set(id, object("Value", object("Ref", id)))
	}
	if len(bad) > 0 {
		return errors.Join(bad...)
	}
	text := value.Append(nil, object("Resources", resources, "Outputs", outputs))
	var err error
	if p.Template, err = cfn.Parse(p.File, text); err != nil {
		return err
	}
	p.make = func(plan *Plan, _ Target) error {
		plan.Template = text
		return nil
	}
	return nil
}

func object(members ...any) *value.Object {
	o := value.NewObject()
	for i := 0; i+1 < len(members); i += 2 {
		o.Set(members[i].(string), members[i+1])
	}
	return o
}
