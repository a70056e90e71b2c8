package project

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/pack"
)

// Options say what to look for and how to name it.
type Options struct {
	File    string                           // a file of the folder; "" for whatever is there
	Stack   string                           // name of the stack, unless the project has its own
	Shown   string                           // the folder, as messages name it
	Exclude []string                         // slash-separated paths below the folder that no package contains: the data directory
	Stage   string                           // of a serverless.yml; "" for its own
	Region  string                           // --region, if it was given
	Env     func(name string) (string, bool) // the environment, for ${env:NAME}
}

// Target is where a project goes.
type Target struct {
	Account, Region string
	Bucket          string            // the deployment bucket
	Parameters      map[string]string // values that were given for the template's parameters
}

// Bucket is the name of an account's deployment bucket in a region.
func Bucket(account, region string) string { return "newel-deployments-" + account + "-" + region }

// Project is something that can be deployed.
type Project struct {
	Stack      string            // name of its stack
	File       string            // as messages name it
	Region     string            // where it wants to go; "" for anywhere
	Parameters map[string]string // values that the project's own configuration gives (samconfig.toml)
	Template   *cfn.Template     // checked, with stand-ins for what is packed: where each resource stands

	dir  fs.FS
	opt  Options
	make func(*Plan, Target) error
}

// Plan is what a deployment consists of.
type Plan struct {
	Template  []byte
	Artifacts []Artifact
}

// Artifact is an object that must be there before the stack is made.
type Artifact struct {
	Bucket, Key string
	Body        []byte
	Named       bool // the template names it: its key says nothing of its content
}

// NotFound says that a folder has nothing to deploy.
type NotFound struct{ Folder string }

func (e NotFound) Error() string {
	return fmt.Sprintf("%s has neither %s nor serverless.yml, nor another CloudFormation template, nor a file *.asl.json or *.asl.yaml",
		e.Folder, strings.Join(templateNames, ", "))
}

var (
	templateNames   = []string{"template.yaml", "template.yml", "template.json"}
	serverlessNames = []string{"serverless.yml", "serverless.yaml"}
)

// Find reads a project. The error is NotFound, of type cfn.Problems, or about a file that cannot be read.
func Find(dir fs.FS, o Options) (*Project, error) {
	p := &Project{Stack: o.Stack, dir: dir, opt: o}
	if o.File != "" {
		return p, p.read(o.File)
	}
	for _, name := range slices.Concat(templateNames, serverlessNames) {
		if _, err := fs.Stat(dir, name); err == nil {
			return p, p.read(name)
		}
	}
	name, err := p.rootTemplate()
	if err != nil {
		return nil, err
	}
	if name != "" {
		return p, p.read(name)
	}
	files, err := machineFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, NotFound{o.Shown}
	}
	return p, p.machines(files)
}

// Plan makes the plan of a deployment.
func (p *Project) Plan(to Target) (*Plan, error) {
	plan := &Plan{}
	if err := p.make(plan, to); err != nil {
		return nil, err
	}
	return plan, nil
}

// read reads one file: a serverless.yml, a state machine or a template.
func (p *Project) read(name string) error {
	if slices.Contains(serverlessNames, path.Base(name)) {
		return p.serverless(name)
	}
	p.File = path.Join(p.opt.Shown, name)
	root, err := p.parse(name)
	if err != nil {
		return err
	}
	if root.Get("StartAt") != nil {
		return p.machines([]string{name})
	}
	return p.template(name, root)
}

func (p *Project) parse(name string) (*cfn.Node, error) {
	text, err := fs.ReadFile(p.dir, name)
	if err != nil {
		return nil, err
	}
	return cfn.ParseNode(path.Join(p.opt.Shown, name), text)
}

// URL is where CloudFormation finds an object.
func URL(to Target, a Artifact) string {
	return "https://s3." + to.Region + ".amazonaws.com/" + a.Bucket + "/" + a.Key
}

// Add puts content into the plan, under its hash; name gives the ending.
func (plan *Plan) Add(to Target, stack, name string, body []byte) Artifact {
	sum := sha256.Sum256(body)
	a := Artifact{Bucket: to.Bucket, Key: stack + "/" + hex.EncodeToString(sum[:16]) + path.Ext(name), Body: body}
	if !slices.ContainsFunc(plan.Artifacts, func(o Artifact) bool { return o.Bucket == a.Bucket && o.Key == a.Key }) {
		plan.Artifacts = append(plan.Artifacts, a)
	}
	return a
}

// zip packs a folder or file, given by its path below the project's folder.
func (p *Project) zip(name string, keep func(string) bool) ([]byte, error) {
	return pack.Zip(p.dir, name, pack.Options{Exclude: p.opt.Exclude, Keep: keep})
}
