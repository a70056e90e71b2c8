package serverless

import (
	"slices"
	"sort"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// Input is what a service depends on besides its file.
type Input struct {
	File          string                            // the file's name in messages
	Stage, Region string                            // --stage and --region; "" if they are not given
	DefaultRegion string                            // where to go if nobody says
	Account       string                            // ${aws:accountId}
	Options       map[string]string                 // ${opt:NAME}
	Params        map[string]string                 // ${param:NAME}
	Env           func(name string) (string, bool)  // ${env:NAME}
	Read          func(name string) ([]byte, error) // ${file(NAME)}, relative to the service's folder
}

// Service is a serverless.yml whose variables are resolved.
type Service struct {
	reader
	Name, Stage, Region string
	Stack               string    // name of the stack
	Packages            []Package // the code to be packed and uploaded before Template
	DeploymentBucket    string    // provider.deploymentBucket, "" if there is none

	account  string
	version3 bool
	machines bool // the plugin is there
	root     *cfn.Node
	provider *cfn.Node
	out      *cfn.Node         // the template
	code     map[string]Code   // by function
	versions map[string]string // logical id of the Lambda version, by that of the function
	rest     *restAPI
	role     *cfn.Node // statements of the functions' role; nil if there is none
}

// Package is a zip of the service's folder.
type Package struct {
	Name      string   // file name of the zip: service.zip, function.zip
	Functions []string // whose code it is
	Patterns  []string // globs in order, "!" excludes; the last that matches a file decides, a file that none matches is in
	Artifact  string   // a zip that is there already, "" if it is to be made
}

// Code is where a package lies.
type Code struct {
	Bucket, Key string
	SHA256      string // of the zip, in base64
}

var topLevel = []string{
	"service", "frameworkVersion", "provider", "functions", "package", "custom", "resources", "plugins", "stepFunctions", "params",
	"configValidationMode", "variablesResolutionMode", "unresolvedVariablesNotificationMode", "deprecationNotificationMode",
	"disabledDeprecations", "app", "org", "tenant",
}

// Load reads a serverless.yml and resolves its variables. The error is of type cfn.Problems.
func Load(text []byte, in Input) (*Service, error) {
	root, err := cfn.ParseNode(in.File, text)
	if err != nil {
		return nil, err
	}
	mergeKeys(root)
	if in.Env == nil {
		in.Env = func(string) (string, bool) { return "", false }
	}
	r := &resolver{reader: reader{file: in.File}, in: in, root: root, state: map[*cfn.Node]int{}, files: map[string]*cfn.Node{}, room: maxNodes}
	if err := r.all(root); err != nil {
		r.fail(root, "Cannot resolve variable: %s", err)
	}
	s := &Service{reader: reader{file: in.File}, Stage: r.stage(), Region: r.region(), account: in.Account, root: root}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	s.head()
	if len(s.problems) == 0 {
		s.packages()
	}
	if len(s.problems) > 0 {
		return nil, s.problems
	}
	return s, nil
}

func (s *Service) head() {
	if !s.members(s.root, "serverless.yml", topLevel...) {
		return
	}
	if n := s.root.Get("service"); n != nil && n.Kind == cfn.Map {
		s.members(n, "service", "name")
		s.Name = s.text(n, "name")
	} else {
		s.Name = s.text(s.root, "service")
	}
	if s.Name == "" {
		s.fail(s.root, "service: a name is needed")
	}
	s.provider = s.root.Get("provider")
	if t, ok := s.provider.Text(); ok {
		s.provider = build.Of(s.provider).Object("name", t)
	}
	if s.members(s.provider, "provider", providerNames...) && s.text(s.provider, "name") != "aws" {
		s.fail(s.provider, "provider: only aws is supported, not %q", s.text(s.provider, "name"))
	}
	version := s.text(s.root, "frameworkVersion")
	s.version3 = strings.HasPrefix(strings.TrimLeft(version, "^~>=v "), "3")
	s.Stack = firstText(s.text(s.provider, "stackName"), s.Name+"-"+s.Stage)
	if b := s.provider.Get("deploymentBucket"); b != nil && b.Kind == cfn.Map {
		s.DeploymentBucket = s.text(b, "name")
	} else {
		s.DeploymentBucket = s.text(s.provider, "deploymentBucket")
	}
	s.plugins()
}

var providerNames = []string{
	"name", "runtime", "stage", "region", "environment", "iamRoleStatements", "iamManagedPolicies", "iam", "role",
	"rolePermissionsBoundary", "lambdaHashingVersion", "memorySize", "timeout", "tags", "stackTags", "stackName", "deploymentBucket",
	"deploymentMethod", "deploymentPrefix", "versionFunctions", "logRetentionInDays", "tracing", "architecture", "apiName",
	"apiGateway", "endpointType", "profile", "disableDefaultOutputExportNames", "disableRollback", "vpc", "kmsKeyArn", "layers", "eventBridge",
	"rollbackConfiguration", "maxPreviousDeploymentArtifacts",
}

// functions are the service's functions in the order of the file.
func (s *Service) functions() []cfn.Field {
	n := s.root.Get("functions")
	if absent(n) {
		return nil
	}
	if n.Kind == cfn.List {
		all := build.Of(n).Object()
		for _, part := range n.Items {
			mergeDeep(all, part)
		}
		n = all
	}
	if n.Kind != cfn.Map {
		s.fail(n, "functions must be an object")
		return nil
	}
	var out []cfn.Field
	for _, f := range n.Fields {
		if absent(f.Value) {
			continue
		}
		if f.Value.Kind != cfn.Map {
			s.fail(f.Value, "function %s must be an object", f.Name)
			continue
		}
		out = append(out, f)
	}
	return out
}

// defaultPatterns leave out what no package of the framework has. node_modules stay: functions need them.
var defaultPatterns = []string{
	"!.git/**", "!.gitignore", "!.DS_Store", "!npm-debug.log", "!yarn-*.log", "!.serverless/**", "!.serverless_plugins/**",
	"!serverless.yml", "!serverless.yaml", "!serverless.json", "!serverless.js", "!serverless.ts", "!.env*", "!.newel/**",
}

var packageNames = []string{"include", "exclude", "patterns", "individually", "artifact", "excludeDevDependencies", "path"}

// packages says which zips there are: one for the service, one for each function that wants its own.
func (s *Service) packages() {
	whole := s.root.Get("package")
	if !absent(whole) {
		s.members(whole, "package", packageNames...)
	}
	shared := Package{Name: s.Name + ".zip", Patterns: slices.Concat(defaultPatterns, s.patterns(whole)), Artifact: s.text(whole, "artifact")}
	for _, f := range s.functions() {
		own := f.Value.Get("package")
		if !absent(own) && !s.members(own, "package of "+f.Name, packageNames...) {
			continue
		}
		artifact := s.text(own, "artifact")
		if artifact == "" && !s.yes(own, "individually", s.yes(whole, "individually", false)) {
			shared.Functions = append(shared.Functions, f.Name)
			continue
		}
		s.Packages = append(s.Packages, Package{Name: f.Name + ".zip", Functions: []string{f.Name},
			Patterns: slices.Concat(defaultPatterns, s.patterns(whole), s.patterns(own)), Artifact: artifact})
	}
	if len(shared.Functions) > 0 {
		s.Packages = append(s.Packages, shared)
	}
}

// patterns are exclude, include and patterns as one list.
func (s *Service) patterns(n *cfn.Node) []string {
	if absent(n) {
		return nil
	}
	var out []string
	for _, p := range s.texts(n, "exclude") {
		if after, negated := strings.CutPrefix(p, "!"); negated {
			out = append(out, after)
		} else {
			out = append(out, "!"+p)
		}
	}
	return append(append(out, s.texts(n, "include")...), s.texts(n, "patterns")...)
}

func sortedKeys[V any](m map[string]V) []string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	sort.Strings(names)
	return names
}
