package project

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
	"github.com/newel-run/newel/internal/sam"
)

// template is a project that is a CloudFormation or SAM template.
func (p *Project) template(name string, root *cfn.Node) error {
	c, err := readSamConfig(p.dir, path.Join(p.opt.Shown, samConfigName))
	if err != nil {
		return err
	}
	if c != nil {
		p.Parameters = c.parameters
		if c.stack != "" {
			p.Stack = c.stack
		}
	}
	if err := p.check(p.File, root); err != nil {
		return err
	}
	p.make = func(plan *Plan, to Target) error {
		t, err := p.packaged(plan, to, name, root, 0)
		if err != nil {
			return err
		}
		plan.Template = t
		given := map[string]value.Value{}
		for _, values := range []map[string]string{p.Parameters, to.Parameters} {
			for k, v := range values {
				given[k] = v
			}
		}
		p.expect(plan, to, root, given, 0)
		return nil
	}
	return nil
}

// check transforms and checks a copy, so that what is wrong is said before anything is deployed. Objects of no bucket
// stand for what is local. What includes do can be seen only where they are carried out.
func (p *Project) check(file string, root *cfn.Node) error {
	probe := build.Clone(root)
	err := eachReference(file, probe, func(r reference) error {
		r.set("probe", "probe")
		return nil
	})
	if err != nil {
		return err
	}
	if sam.Applies(root) {
		if probe, err = sam.Transform(probe, sam.Input{File: file, Parameters: p.Parameters}); err != nil {
			return err
		}
	}
	if probe.Get("Transform") != nil {
		return nil
	}
	p.Template, err = cfn.ParseTree(file, probe)
	return err
}

// maxNesting bounds how deep templates may name local templates.
const maxNesting = 20

// packaged is a template's text with everything local replaced by objects of the deployment bucket.
func (p *Project) packaged(plan *Plan, to Target, name string, root *cfn.Node, depth int) ([]byte, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("%s: templates are nested more than %d deep", name, maxNesting)
	}
	root = build.Clone(root)
	file := path.Join(p.opt.Shown, name)
	err := eachReference(file, root, func(r reference) error {
		local, err := below(path.Dir(name), r.local)
		if err != nil {
			return err
		}
		body, err := p.content(plan, to, r.kind, local, depth)
		if err != nil {
			return err
		}
		base := local
		if r.kind == zipped {
			base = "code.zip"
		}
		a := plan.Add(to, p.Stack, base, body)
		if r.kind == nested {
			*r.node = *build.Of(r.node).Node(URL(to, a))
			return nil
		}
		r.set(a.Bucket, a.Key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return value.Append(nil, root.Plain()), nil
}

// content is what a local path stands for.
func (p *Project) content(plan *Plan, to Target, kind kind, local string, depth int) ([]byte, error) {
	switch kind {
	case zipped:
		return p.zip(local, nil)
	case nested:
		root, err := p.parse(local)
		if err != nil {
			return nil, err
		}
		return p.packaged(plan, to, local, root, depth+1)
	}
	return fs.ReadFile(p.dir, local)
}

// kind is what a local path becomes.
type kind int

const (
	zipped kind = iota + 1 // a zip of a folder or file
	plain                  // the file as it is
	nested                 // a template, packaged itself
)

// reference is a property of a template that names something local.
type reference struct {
	local string
	kind  kind
	node  *cfn.Node
	names [2]string // of bucket and key where the property becomes an object; "" where it becomes s3://bucket/key
}

func (r reference) set(bucket, key string) {
	at := build.Of(r.node)
	switch {
	case r.kind == nested:
		*r.node = *at.Node("https://s3.amazonaws.com/" + bucket + "/" + key)
	case r.names[0] == "":
		*r.node = *at.Node("s3://" + bucket + "/" + key)
	default:
		*r.node = *at.Object(r.names[0], bucket, r.names[1], key)
	}
}

// localProperties are the properties that may name something local, by resource type.
var localProperties = map[string]struct {
	property string
	kind     kind
	names    [2]string
}{
	"AWS::Serverless::Function":        {"CodeUri", zipped, [2]string{}},
	"AWS::Serverless::StateMachine":    {"DefinitionUri", plain, [2]string{}},
	"AWS::Lambda::Function":            {"Code", zipped, [2]string{"S3Bucket", "S3Key"}},
	"AWS::StepFunctions::StateMachine": {"DefinitionS3Location", plain, [2]string{"Bucket", "Key"}},
	"AWS::CloudFormation::Stack":       {"TemplateURL", nested, [2]string{}},
}

// eachReference visits what is local in a template. A function of SAM without code means the template's own folder.
func eachReference(file string, root *cfn.Node, visit func(reference) error) error {
	resources := root.Get("Resources")
	if resources == nil {
		return nil
	}
	var problems cfn.Problems
	try := func(id string, r reference) {
		err := visit(r)
		var inner cfn.Problems
		switch {
		case errors.As(err, &inner):
			problems = append(problems, inner...)
		case err != nil:
			problems = append(problems, cfn.Problem{File: file, Line: r.node.Line, Column: r.node.Column, Message: fmt.Sprintf("resource %s: %s", id, err)})
		}
	}
	if n := root.Get("Globals").Get("Function").Get("CodeUri"); n != nil {
		if local, ok := localPath(n); ok {
			try("Globals", reference{local, zipped, n, [2]string{}})
		}
	}
	for _, f := range resources.Fields {
		name, _ := f.Value.Get("Type").Text()
		row, ok := localProperties[name]
		if !ok {
			continue
		}
		n := f.Value.Get("Properties").Get(row.property)
		if n == nil && name == "AWS::Serverless::Function" {
			n = ownFolder(root, f.Value)
		}
		if local, ok := localPath(n); ok {
			try(f.Name, reference{local, row.kind, n, row.names})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// ownFolder gives a function that says nothing of its code the template's folder.
func ownFolder(root, function *cfn.Node) *cfn.Node {
	props := function.Get("Properties")
	for _, name := range []string{"InlineCode", "ImageUri", "PackageType"} {
		if props.Get(name) != nil {
			return nil
		}
	}
	if props == nil || root.Get("Globals").Get("Function").Get("CodeUri") != nil {
		return nil
	}
	build.Set(props, "CodeUri", build.Of(function).Node("."))
	return props.Get("CodeUri")
}

// localPath is a property's text if it names something local.
func localPath(n *cfn.Node) (string, bool) {
	s, ok := n.Text()
	if !ok || s == "" || strings.HasPrefix(s, "s3://") || strings.Contains(s, "://") || strings.Contains(s, "${") {
		return "", false
	}
	return s, true
}

// below turns ./x, relative to a folder of the project, into a path of the project.
func below(dir, local string) (string, error) {
	name := path.Join(dir, strings.ReplaceAll(local, `\`, "/"))
	if !fs.ValidPath(name) {
		return "", fmt.Errorf("%q must be a path below the project's folder", local)
	}
	return name, nil
}

// folders are those in which a project keeps its templates, besides its own.
var folders = []string{".", "cft", "cfn", "cloudformation", "infrastructure", "infra", "templates"}

// rootTemplate finds a CloudFormation template of any name: the only one, or the only one that no other nests. "" means
// that there is none.
func (p *Project) rootTemplate() (string, error) {
	for _, dir := range folders {
		entries, err := fs.ReadDir(p.dir, dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		var all, roots []string
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			root := p.asTemplate(name, e)
			if root == nil {
				continue
			}
			all = append(all, name)
			if hasStacks(root) {
				roots = append(roots, name)
			}
		}
		if len(roots) > 0 {
			all = roots
		}
		switch {
		case len(all) == 1:
			return all[0], nil
		case len(all) > 1:
			return "", fmt.Errorf("%s has several templates: name one of %s", path.Join(p.opt.Shown, dir), strings.Join(all, ", "))
		}
	}
	return "", nil
}

// asTemplate reads a file if it is a CloudFormation template.
func (p *Project) asTemplate(name string, e fs.DirEntry) *cfn.Node {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json", ".template":
	default:
		return nil
	}
	if e.IsDir() || isMachine(name) {
		return nil
	}
	root, err := p.parse(name)
	if err != nil {
		return nil
	}
	resources := root.Get("Resources")
	if resources == nil || len(resources.Fields) == 0 {
		return nil
	}
	kind, _ := resources.Fields[0].Value.Get("Type").Text()
	if !strings.Contains(kind, "::") {
		return nil
	}
	return root
}

func hasStacks(root *cfn.Node) bool {
	for _, f := range root.Get("Resources").Fields {
		if kind, _ := f.Value.Get("Type").Text(); kind == "AWS::CloudFormation::Stack" {
			return true
		}
	}
	return false
}
