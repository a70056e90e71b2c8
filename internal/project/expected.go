package project

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
)

// A template may name objects of its author's bucket: nested templates, definitions, packages. Where the project's folder
// has the file that such an object was uploaded from, found by the longest common end of key and path, it becomes an
// artifact of that bucket. Values are those of the parameters, as far as they are known before the stack is made.

// expect adds what a template and those that it nests look for in other buckets.
func (p *Project) expect(plan *Plan, to Target, root *cfn.Node, given map[string]value.Value, depth int) {
	resources := root.Get("Resources")
	if resources == nil || depth > maxNesting {
		return
	}
	scope := &cfn.Scope{Account: to.Account, Region: to.Region, StackName: p.Stack, Parameters: parametersOf(root, given),
		Resource: func(string) (string, map[string]string, bool) { return "", nil, false }}
	for _, f := range resources.Fields {
		kind, _ := f.Value.Get("Type").Text()
		props := f.Value.Get("Properties")
		switch kind {
		case "AWS::CloudFormation::Stack":
			bucket, key := objectOf(text(scope, props.Get("TemplateURL")))
			local := p.provide(plan, bucket, key)
			if local == "" {
				continue
			}
			if nested, err := p.parse(local); err == nil {
				p.expect(plan, to, nested, known(scope, props.Get("Parameters")), depth+1)
			}
		case "AWS::StepFunctions::StateMachine":
			l := props.Get("DefinitionS3Location")
			p.provide(plan, text(scope, l.Get("Bucket")), text(scope, l.Get("Key")))
		case "AWS::Lambda::Function":
			c := props.Get("Code")
			p.provide(plan, text(scope, c.Get("S3Bucket")), text(scope, c.Get("S3Key")))
		}
	}
}

// parametersOf are a template's parameters: given, or their defaults.
func parametersOf(root *cfn.Node, given map[string]value.Value) map[string]value.Value {
	out := map[string]value.Value{}
	if ps := root.Get("Parameters"); ps != nil {
		for _, f := range ps.Fields {
			if d := f.Value.Get("Default"); d != nil && d.Kind == cfn.Scalar {
				out[f.Name] = d.Value
			}
			if v, ok := given[f.Name]; ok {
				out[f.Name] = v
			}
		}
	}
	return out
}

// known are the values of a map that do not depend on a resource.
func known(scope *cfn.Scope, n *cfn.Node) map[string]value.Value {
	out := map[string]value.Value{}
	if n == nil {
		return out
	}
	for _, f := range n.Fields {
		if v, err := scope.Resolve(f.Value); err == nil {
			out[f.Name] = v
		}
	}
	return out
}

// text is a node's value if it is known and a string.
func text(scope *cfn.Scope, n *cfn.Node) string {
	if n == nil {
		return ""
	}
	v, err := scope.Resolve(n)
	s, _ := v.(string)
	if err != nil {
		return ""
	}
	return s
}

var (
	hostedURL = regexp.MustCompile(`^https?://([^/]+)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?/(.+)$`)
	pathURL   = regexp.MustCompile(`^https?://s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?/([^/]+)/(.+)$`)
)

// objectOf is the object that an S3 URL, virtual-hosted or by path, names.
func objectOf(url string) (bucket, key string) {
	for _, form := range []*regexp.Regexp{pathURL, hostedURL} {
		if m := form.FindStringSubmatch(url); m != nil {
			return m[1], m[2]
		}
	}
	return "", ""
}

// provide adds an object if the folder has its file, and returns that file's path; a package is made of the source file
// or folder of its name.
func (p *Project) provide(plan *Plan, bucket, key string) string {
	if bucket == "" || key == "" {
		return ""
	}
	local := p.counterpart(key)
	var body []byte
	var err error
	switch {
	case local == "":
		return ""
	case path.Ext(key) == ".zip" && path.Ext(local) != ".zip":
		body, err = p.zip(local, nil)
	default:
		body, err = fs.ReadFile(p.dir, local)
	}
	if err != nil {
		return ""
	}
	if !slices.ContainsFunc(plan.Artifacts, func(a Artifact) bool { return a.Bucket == bucket && a.Key == key }) {
		plan.Artifacts = append(plan.Artifacts, Artifact{Bucket: bucket, Key: key, Body: body, Named: true})
	}
	return local
}

// counterpart is the file of the project whose path has the longest end in common with a key: at least its name. For a
// .zip it may be a source file or folder of the same name.
func (p *Project) counterpart(key string) string {
	best, most := "", 0
	_ = fs.WalkDir(p.dir, ".", func(name string, d fs.DirEntry, err error) error { // what cannot be read is not there
		if err != nil || name == "." {
			return nil
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		like := key
		if base, ok := strings.CutSuffix(key, ".zip"); ok && path.Ext(name) != ".zip" {
			like = base
			if !d.IsDir() {
				like += path.Ext(name)
			}
		} else if d.IsDir() {
			return nil
		}
		if n := commonEnd(like, name); n > most {
			best, most = name, n
		}
		return nil
	})
	return best
}

// commonEnd counts the path elements that two paths have in common at their ends.
func commonEnd(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(as) && n < len(bs) && as[len(as)-1-n] == bs[len(bs)-1-n] {
		n++
	}
	return n
}
