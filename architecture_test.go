// Package newel_test holds the test of the architecture: who may import whom and why, how deep and how wide, and how
// long files and functions may grow.
package newel_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

const module = "github.com/newel-run/newel/"

// allowed says which packages of this module a package may import. A prefix ending in "/..." stands for the packages
// under it. A package that is not listed may import nothing of the module.
var allowed = map[string]struct {
	imports []string
	reason  string
}{
	"cmd/newel":            {[]string{"internal/cli"}, "main is tiny"},
	"asl":                  {[]string{"asl/..."}, "the language, pure"},
	"asl/jsonpath":         {[]string{"asl/value"}, "an expression language over values"},
	"asl/intrinsic":        {[]string{"asl/value"}, "an expression language over values; it is given a path language"},
	"asl/jsonata":          {[]string{"asl/value"}, "an expression language over values"},
	"machine":              {[]string{"asl", "asl/value"}, "the pure core knows only the language"},
	"machine/machinetest":  {[]string{"asl/value"}, "random definitions, for the simulations"},
	"internal/aws/gen":     {[]string{"internal/aws"}, "writes the tables that internal/aws reads"},
	"internal/aws":         {[]string{"internal/aws/rawjson"}, "the seam; validation walks JSON text"},
	"internal/aws/wire":    {[]string{"internal/aws", "internal/aws/rawjson", "internal/http1/header"}, "codecs are driven by the models"},
	"internal/aws/naming":  {[]string{"internal/aws", "internal/aws/rawjson", "internal/aws/wire"}, "spelling is driven by the models"},
	"internal/aws/client":  {[]string{"internal/aws", "internal/aws/sigv4", "internal/aws/wire", "internal/http1/header"}, "the seam over HTTP"},
	"internal/aws/foreign": {[]string{"internal/aws", "internal/aws/rawjson"}, "middleware at the seam"},
	"internal/outbox":      {[]string{"internal/aws", "internal/service", "internal/store"}, "calls that services owe to others"},
	"internal/service":     {[]string{"internal/aws", "internal/aws/rawjson", "internal/store"}, "what services have in common"},
	"internal/tally":       {[]string{}, "counts, in memory"},
	"internal/limits":      {[]string{"internal/aws"}, "middleware at the seam"},
	"internal/observe":     {[]string{"machine", "internal/aws", "internal/engine", "internal/lambda/runtime", "internal/sqs", "internal/store", "internal/tally"}, "reads what others count"},
	"internal/store":       {[]string{"internal/tally"}, "the contract, with what stores count"},
	"internal/engine":      {[]string{"asl", "asl/value", "machine", "internal/aws", "internal/store", "internal/tally"}, "the machine over the store; aws for idempotency tokens only"},
	"internal/states":      {[]string{"asl", "asl/value", "machine", "internal/aws", "internal/engine", "internal/maprun", "internal/service", "internal/store"}, "the API over the engine"},
	"internal/maprun":      {[]string{"asl", "asl/value", "machine", "internal/aws", "internal/service", "internal/store"}, "distributed Maps; executions are an interface of its own"},
	"internal/mocks":       {[]string{"asl", "asl/value", "internal/engine"}, "answers tasks in the place of services"},
	"internal/suite":       {[]string{"asl", "asl/value", "machine", "internal/cfn", "internal/cli/tree", "internal/mocks"}, "tests of state machines, pure; positions and trees of others"},
	"internal/task":        {[]string{"asl", "asl/value", "internal/aws", "internal/aws/naming", "internal/aws/rawjson", "internal/engine", "internal/httpcall", "internal/service"}, "tasks become calls, or requests to HTTP APIs"},
	"internal/collector":   {[]string{}, "the runtime's garbage collector"},
	"internal/http1":       {[]string{"internal/http1/header"}, "HTTP/1.1, and nothing of what is served"},
	"internal/gateway":     {[]string{"internal/aws", "internal/aws/sigv4", "internal/aws/wire", "internal/http1", "internal/http1/header"}, "HTTP to calls and back; it knows no service"},

	"internal/service/servicetest": {[]string{"internal/aws", "internal/service", "internal/store/memory"}, "a client and an environment, for tests of services"},
	"internal/gateway/gatewaytest": {[]string{"internal/aws", "internal/gateway"}, "a gateway before a service, for tests"},

	"internal/sim":             {[]string{"asl", "asl/value", "machine", "machine/machinetest", "internal/aws", "internal/engine", "internal/store"}, "a world for the engine, for tests"},
	"internal/store/memory":    {[]string{"internal/store"}, "a backend"},
	"internal/store/postgres":  {[]string{"internal/store", "internal/tally"}, "a backend"},
	"internal/store/pebble":    {[]string{"internal/store", "internal/tally"}, "a backend"},
	"internal/store/storetest": {[]string{"internal/store"}, "the suite every backend passes"},

	"internal/sqs":                 {[]string{"internal/aws", "internal/aws/rawjson", "internal/service", "internal/store"}, "a service"},
	"internal/sns":                 {[]string{"asl/value", "internal/aws", "internal/events/pattern", "internal/outbox", "internal/service", "internal/store"}, "a service; filter policies are event patterns"},
	"internal/mail":                {[]string{"internal/aws", "internal/outbox", "internal/service", "internal/store"}, "the sink of mails"},
	"internal/statuschange":        {[]string{"asl/value", "machine", "internal/aws", "internal/engine", "internal/outbox", "internal/service", "internal/store"}, "executions' events; the engine knows nothing of them"},
	"internal/tracing":             {[]string{"machine", "internal/aws", "internal/cli/tree", "internal/engine", "internal/outbox", "internal/service", "internal/store"}, "executions' traces; the engine knows them as an interface"},
	"internal/events":              {[]string{"asl/jsonpath", "asl/value", "internal/aws", "internal/events/...", "internal/outbox", "internal/service", "internal/store"}, "a service"},
	"internal/events/connection":   {[]string{"asl/value", "internal/aws", "internal/httpcall", "internal/service", "internal/store"}, "a part of a service; secrets are calls"},
	"internal/events/pattern":      {[]string{"asl/value"}, "a pure language"},
	"internal/s3":                  {[]string{"internal/aws", "internal/outbox", "internal/service", "internal/store", "internal/s3/..."}, "a service"},
	"internal/cloudwatch":          {[]string{"internal/aws", "internal/outbox", "internal/service", "internal/store"}, "a service"},
	"internal/kms":                 {[]string{"internal/aws", "internal/service", "internal/store"}, "a service"},
	"internal/kms/envelope":        {[]string{"internal/aws", "internal/service", "internal/store"}, "encrypts what services keep; it knows KMS as a caller"},
	"internal/secretsmanager":      {[]string{"asl/value", "internal/aws", "internal/service", "internal/store"}, "a service; templates of values are JSON"},
	"internal/ssm":                 {[]string{"internal/aws", "internal/service", "internal/store"}, "a service"},
	"internal/httpcall":            {[]string{"asl/value"}, "requests of HTTP tasks and API destinations; the building is pure"},
	"internal/ecr":                 {[]string{"internal/aws", "internal/service"}, "a service that has nothing"},
	"internal/iam":                 {[]string{"internal/aws", "internal/service", "internal/store"}, "a service"},
	"internal/sts":                 {[]string{"internal/aws", "internal/service", "internal/store"}, "a service"},
	"internal/logs":                {[]string{"internal/aws", "internal/service", "internal/store"}, "a service"},
	"internal/dynamodb":            {[]string{"internal/aws", "internal/service", "internal/store", "internal/dynamodb/..."}, "a service"},
	"internal/dynamodb/attr":       {[]string{"asl/value"}, "attribute values; strings are written as everywhere"},
	"internal/dynamodb/expr":       {[]string{"internal/dynamodb/attr"}, "expressions over attribute values"},
	"internal/apigateway":          {[]string{"asl/jsonpath", "asl/value", "internal/aws", "internal/aws/wire", "internal/http1/header", "internal/service", "internal/store", "internal/apigateway/velocity"}, "a service; integrations speak the wire protocols of others"},
	"internal/apigateway/velocity": {[]string{"asl/value"}, "mapping templates over JSON values, pure"},
	"internal/lambda":              {[]string{"internal/aws", "internal/service", "internal/store", "internal/lambda/..."}, "a service and its process pool"},
	"internal/lambda/source":       {[]string{"asl/value", "internal/aws", "internal/service", "internal/events/pattern"}, "events of queues and filters over them, pure"},
	"internal/lambda/runtime":      {[]string{"internal/lambda/shim", "internal/tally"}, "starts the bootstraps that are embedded"},
	"internal/cfn":                 {[]string{"asl/value", "internal/aws", "internal/service", "internal/store"}, "templates become calls"},
	"internal/cfn/pack":            {[]string{"asl/value", "internal/cfn"}, "the template's local files"},
	"internal/cfn/build":           {[]string{"asl/value", "internal/cfn"}, "template trees for transforms"},
	"internal/sam":                 {[]string{"asl/value", "internal/cfn", "internal/cfn/build"}, "a transform of templates, pure"},
	"internal/serverless":          {[]string{"asl/value", "internal/cfn", "internal/cfn/build"}, "serverless.yml to templates, pure"},
	"internal/project":             {[]string{"asl", "asl/value", "internal/cfn", "internal/cfn/build", "internal/cfn/pack", "internal/sam", "internal/serverless"}, "what a folder deploys: files become a plan"},
	"internal/cli/demo":            {[]string{"asl/jsonpath", "asl/value", "internal/aws", "internal/cfn"}, "a demo's plan: templates' notation, paths into answers"},
	"internal/node":                {[]string{"..."}, "the composition root: the only package that knows all others"},
	"internal/cli":                 {[]string{"..."}, "the command line: everything that it drives"},
	"internal/cli/tree":            {[]string{}, "a pure model of the live tree"},
	"internal/graph":               {[]string{"asl", "internal/cli/tree"}, "draws a definition and, from the tree of its history, an execution"},
	"bench":                        {[]string{"internal/node"}, "drives a whole server"},
}

const (
	maxChain    = 8   // imports one below the other, from the top of the module to its bottom
	maxFanOut   = 8   // packages of the module that one package imports
	maxFile     = 600 // lines
	maxFunction = 70  // lines
)

// wide may import more packages than maxFanOut: they join the others.
var wide = []string{"internal/node", "internal/cli"}

// testOnly are packages that only tests and each other import.
var testOnly = []string{"internal/store/storetest", "machine/machinetest", "internal/sim", "internal/service/servicetest", "internal/gateway/gatewaytest"}

// long are the files and functions that may be longer, with the reason.
var long = map[string]string{}

type source struct {
	imports    map[string]bool // packages of the module
	documented bool
	files      map[string]int // lines
	functions  map[string]int // lines
}

func TestArchitecture(t *testing.T) {
	packages := load(t)
	for name, p := range packages {
		if !p.documented {
			t.Errorf("%s: no package comment", name)
		}
		rule, listed := allowed[name]
		for imported := range p.imports {
			if !permits(rule.imports, imported) {
				t.Errorf("%s imports %s, which architecture_test.go does not allow (listed: %v, reason: %s)", name, imported, listed, rule.reason)
			}
		}
		for _, test := range testOnly {
			if p.imports[test] && !slices.Contains(testOnly, name) {
				t.Errorf("%s imports %s, which is for tests only", name, test)
			}
		}
		if len(p.imports) > maxFanOut && !slices.Contains(wide, name) {
			t.Errorf("%s imports %d packages of the module, at most %d", name, len(p.imports), maxFanOut)
		}
		if n := depth(packages, name, nil) - 1; n > maxChain {
			t.Errorf("%s: the chain of imports below it is %d long, at most %d", name, n, maxChain)
		}
		for file, lines := range p.files {
			if lines > maxFile && long[file] == "" {
				t.Errorf("%s has %d lines, at most %d", file, lines, maxFile)
			}
		}
		for function, lines := range p.functions {
			if lines > maxFunction && long[function] == "" {
				t.Errorf("%s has %d lines, at most %d", function, lines, maxFunction)
			}
		}
	}
	for name := range allowed {
		if packages[name] == nil {
			t.Errorf("%s is in the table and not in the tree", name)
		}
	}
}

// TestPureCore keeps time, I/O and randomness out of the language and the machine.
func TestPureCore(t *testing.T) {
	forbidden := []string{"os", "net", "net/http", "context", "math/rand", "crypto/rand", "log", "log/slog", "sync", "os/exec"}
	for _, dir := range []string{"asl", "asl/jsonpath", "asl/intrinsic", "asl/jsonata", "asl/value", "machine"} {
		files, err := filepath.Glob(filepath.FromSlash(dir) + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				if slices.Contains(forbidden, strings.Trim(i.Path.Value, `"`)) {
					t.Errorf("%s imports %s", file, i.Path.Value)
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Sleep", "After", "AfterFunc"}, s.Sel.Name) {
						t.Errorf("%s calls time.%s", file, s.Sel.Name)
					}
				}
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "rand" && !strings.HasPrefix(s.Sel.Name, "New") && s.Sel.Name != "ChaCha8" && s.Sel.Name != "PCG" {
						t.Errorf("%s draws from the process's random source: rand.%s", file, s.Sel.Name)
					}
				}
				if _, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s starts a goroutine", file)
				}
				return true
			})
		}
	}
}

func permits(rules []string, imported string) bool {
	for _, r := range rules {
		if r == "..." || r == imported {
			return true
		}
		if under, ok := strings.CutSuffix(r, "/..."); ok && strings.HasPrefix(imported, under+"/") {
			return true
		}
	}
	return false
}

func depth(packages map[string]*source, name string, path []string) int {
	if slices.Contains(path, name) {
		return len(path) // the compiler refuses cycles
	}
	deepest := 0
	if p := packages[name]; p != nil {
		for imported := range p.imports {
			deepest = max(deepest, depth(packages, imported, append(path, name)))
		}
	}
	return deepest + 1
}

// load reads the non-test sources of the module.
func load(t *testing.T) map[string]*source {
	packages := map[string]*source{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && name != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		return read(packages, filepath.ToSlash(file))
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func read(packages map[string]*source, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, file, text, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(file)
	p := packages[dir]
	if p == nil {
		p = &source{imports: map[string]bool{}, files: map[string]int{}, functions: map[string]int{}}
		packages[dir] = p
	}
	p.documented = p.documented || f.Doc != nil
	p.files[file] = strings.Count(string(text), "\n")
	for _, i := range f.Imports {
		if imported, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ok {
			p.imports[imported] = true
		}
	}
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			p.functions[file+":"+fn.Name.Name] = files.Position(fn.End()).Line - files.Position(fn.Pos()).Line + 1
		}
	}
	return nil
}

// TestDependencies keeps docs/dependencies.md and go.mod together.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, line := range strings.Split(string(mod), "\n") {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "\t") && len(fields) >= 2 && !strings.Contains(line, "// indirect") {
			direct = append(direct, fields[0])
		}
	}
	sort.Strings(direct)
	for _, d := range direct {
		if !strings.Contains(string(doc), "`"+d+"`") {
			t.Errorf("go.mod requires %s, which docs/dependencies.md does not justify", d)
		}
	}
	if len(direct) > 12 {
		t.Errorf("%d direct dependencies: count them on fingers", len(direct))
	}
}
