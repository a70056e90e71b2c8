package serverless

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// separator stands between a serverless.yml and what it becomes.
const separator = "\n======\n"

// files are those that the tests' variables read.
var files = map[string]string{
	"vars.yml":     "dev: {table: books-dev, size: 512}\nlist: [a, b]\nloop: ${self:custom.loop}\n",
	"machine.json": `{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}`,
	"note.txt":     "a note\n",
	"code.js":      "module.exports = {}",
}

func testInput() Input {
	return Input{
		File: "serverless.yml", Account: "123456789012",
		Options: map[string]string{"colour": "red"},
		Params:  map[string]string{"given": "g"},
		Env: func(name string) (string, bool) {
			v, ok := map[string]string{"HOME_TOWN": "Turku", "EMPTY": ""}[name]
			return v, ok
		},
		Read: func(name string) ([]byte, error) {
			if text, ok := files[strings.TrimPrefix(name, "./")]; ok {
				return []byte(text), nil
			}
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		},
	}
}

// codeOf says that each package lies in one bucket, with the name as its hash.
func codeOf(s *Service) map[string]Code {
	out := map[string]Code{}
	for _, p := range s.Packages {
		for _, f := range p.Functions {
			out[f] = Code{Bucket: "packages", Key: s.Name + "/" + p.Name, SHA256: "hash-of-" + p.Name}
		}
	}
	return out
}

func transformText(text string) string {
	s, err := Load([]byte(text), testInput())
	var root *cfn.Node
	if err == nil {
		root, err = s.Template(codeOf(s))
	}
	if err != nil {
		return err.Error() + "\n"
	}
	var out bytes.Buffer
	if err := json.Indent(&out, value.Append(nil, root.Plain()), "", "  "); err != nil {
		return err.Error()
	}
	return out.String() + "\n"
}

func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			in, want, _ := strings.Cut(string(text), separator)
			got := transformText(in)
			if *rewrite {
				if err := os.WriteFile(name, []byte(in+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

// TestVariables evaluates one variable each, in custom.x.
func TestVariables(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`plain`, `"plain"`},
		{`${self:service}`, `"books"`},
		{`a-${self:service}-${sls:stage}`, `"a-books-dev"`},
		{`${self:custom.list}`, `["one","books"]`},
		{`${self:custom.list.1}`, `"books"`},
		{`${self:custom.nested.deep}`, `"books"`},
		{`${self:custom.number}`, `7`},
		{`n${self:custom.number}`, `"n7"`},
		{`${opt:colour}`, `"red"`},
		{`${opt:nothing, 'd'}`, `"d"`},
		{`${opt:nothing, "d"}`, `"d"`},
		{`${opt:nothing, self:custom.nothing, self:service}`, `"books"`},
		{`${opt:nothing, ${self:custom.nothing, 'x'}}`, `"x"`},
		{`${opt:nothing, 12}`, `12`},
		{`${opt:nothing, true}`, `true`},
		{`${opt:nothing, null}`, `null`},
		{`${env:HOME_TOWN}`, `"Turku"`},
		{`${env:NOTHING, ''}`, `""`},
		{`${param:given}`, `"g"`},
		{`${param:ofStage}`, `"s"`},
		{`${param:ofDefault}`, `"d"`},
		{`${aws:accountId}/${aws:region}`, `"123456789012/eu-north-1"`},
		{`${file(vars.yml):dev.table}`, `"books-dev"`},
		{`${file(./vars.yml):${sls:stage}.size}`, `512`},
		{`${file(vars.yml):list}`, `["a","b"]`},
		{`${file(machine.json):StartAt}`, `"P"`},
		{`${file(note.txt)}`, `"a note"`},
		{`${file(nothing.yml), 'none'}`, `"none"`},
		{`${file(vars.yml):nothing, 'none'}`, `"none"`},
		{`${strToBool(true)}`, `true`},
		{`${AWS::Region}`, `"${AWS::Region}"`},
		{`${Name} ${self:service}`, `"${Name} books"`},
		{`${self:custom.${opt:nothing, 'nested'}.deep}`, `"books"`},
		{`${cf:stack.output}`, `the variable source "cf" is not supported; supported: self, file`},
		{`${ssm:/a/b}`, `the variable source "ssm" is not supported`},
		{`${file(code.js):a}`, `variables computed by code are not supported`},
		{`${opt:nothing}`, `Value not found at "opt" source: nothing`},
		{`${self:custom.list}x`, `is not a string, and it is used within one`},
		{`${self:custom.x}`, `it refers to itself: ${self:custom.x} -> ${self:custom.x}`},
		{`${self:custom}`, `Cannot resolve variable in "${self:custom}": it refers to itself: ${self:custom}`},
		{`${self:}`, `it refers to itself`},
		{`${self:custom.cycle}`, `it refers to itself: ${self:custom.`},
		{`${file(vars.yml):loop}`, `it refers to itself`},
		{`${self:service`, `is not a valid variable: it is not closed`},
		{`${opt:a b c: d "}`, `Value not found`},
	} {
		text := "service: books\nprovider: {name: aws, region: eu-north-1}\nparams: {dev: {ofStage: s}, default: {ofDefault: d}}\n" +
			"custom:\n  list: [one, \"${self:service}\"]\n  nested: {deep: \"${self:custom.list.1}\"}\n  number: 7\n" +
			"  cycle: ${self:custom.cycle2}\n  cycle2: ${self:custom.cycle}\n  loop: ${file(vars.yml):loop}\n"
		if !strings.Contains(c.want, "refers to itself") {
			text = text[:strings.Index(text, "  cycle:")]
		}
		line, _ := json.Marshal(c.text)
		got := ""
		s, err := Load([]byte(text+"  x: "+string(line)+"\n"), testInput())
		if err != nil {
			got = err.Error()
			if !strings.HasPrefix(got, "serverless.yml:") {
				t.Errorf("%s: the message has no place: %s", c.text, got)
			}
		} else {
			got = string(value.Append(nil, s.root.Get("custom").Get("x").Plain()))
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}

// TestVariableBomb holds that variables that double forty times are refused.
func TestVariableBomb(t *testing.T) {
	text := "service: x\nprovider: {name: aws}\ncustom:\n  a0: [1, 2]\n"
	for i := range 40 {
		text += fmt.Sprintf("  a%d: ['${self:custom.a%d}', '${self:custom.a%d}']\n", i+1, i, i)
	}
	if _, err := Load([]byte(text), testInput()); err == nil || !strings.Contains(err.Error(), "the variables become too much") {
		t.Errorf("%v", err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"colour: red", `serverless.yml:3:9: serverless.yml: "colour" is not supported; supported: service`},
		{"plugins: [serverless-webpack]", `serverless.yml:3:11: the plugin "serverless-webpack" is not supported; supported: serverless-step-functions`},
		{"functions: {f: {runtime: nodejs20.x}}", `Either "handler" or "image" property needs to be set on function "f"`},
		{"functions: {f: {handler: h.a, events: [stream: x]}}", `function f: the event "stream" is not supported; supported: cloudwatchEvent, eventBridge, http, schedule, sns, sqs`},
		{"functions: {f: {handler: h.a, events: [httpApi: '*']}}", `the event "httpApi" is not supported`},
		{"functions: {f: {handler: h.a, image: x}}", `"image" is not supported`},
		{"functions: {f: {handler: h.a, events: [http: FETCH /x]}}", `an http event needs a path and one of the methods get, post`},
		{"functions: {f: {handler: h.a, events: [http: {path: x, method: get, authorizer: mine}]}}", `the authorizer "mine" is not supported`},
		{"stepFunctions: {stateMachines: {}}", `stepFunctions needs the plugin serverless-step-functions in plugins`},
		{"plugins: [serverless-step-functions]\nstepFunctions: {stateMachines: {m: {name: m}}}", `Missing "definition" for state machine m`},
		{"plugins: [serverless-step-functions]\nstepFunctions: {stateMachines: {m: {definition: {}, colour: red}}}", `state machine m: "colour" is not supported`},
		{"plugins: [serverless-step-functions]\nstepFunctions: {stateMachines: {m: {definition: {}, events: [stream: x]}}}", `the event "stream" is not supported; supported: http, schedule`},
		{"resources: {extensions: {Nothing: {Condition: x}}}", `Cannot extend "Nothing" resource, as it's not found in generated stack`},
	} {
		got := transformText("service: books\nprovider: {name: aws}\n" + c.text + "\n")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s\ngot  %swant %s", c.text, got, c.want)
		}
	}
	if got := transformText("service: x\nprovider: azure\n"); !strings.Contains(got, `only aws is supported, not "azure"`) {
		t.Error(got)
	}
}

func TestPackages(t *testing.T) {
	s, err := Load([]byte(`
service: books
provider: {name: aws}
package: {patterns: ["!docs/**", "docs/keep.md"], exclude: [secret/**]}
functions:
  a: {handler: h.a}
  b: {handler: h.b, package: {individually: true, patterns: ["!**", "src/**/*.{js,json}"]}}
  c: {handler: h.c, package: {artifact: built/c.zip}}
`), testInput())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Packages) != 3 || s.Packages[0].Name != "b.zip" || s.Packages[1].Artifact != "built/c.zip" || s.Packages[2].Name != "books.zip" {
		t.Fatalf("%+v", s.Packages)
	}
	for _, c := range []struct {
		p    int
		path string
		want bool
	}{
		{2, "handler.js", true}, {2, "node_modules/x/index.js", true}, {2, "docs/a.md", false}, {2, "docs/keep.md", true},
		{2, "secret/key", false}, {2, ".git/config", false}, {2, "serverless.yml", false}, {2, ".env", false}, {2, ".serverless/x.zip", false},
		{0, "handler.js", false}, {0, "src/a.js", true}, {0, "src/deep/a.json", true}, {0, "src/a.ts", false},
	} {
		if got := s.Packages[c.p].Includes()(c.path); got != c.want {
			t.Errorf("%s: %s: %v", s.Packages[c.p].Name, c.path, got)
		}
	}
}

// TestVersionFollowsCode holds that a version's id changes with the package and the settings, and not otherwise.
func TestVersionFollowsCode(t *testing.T) {
	id := func(memory, hash string) string {
		s, err := Load([]byte("service: b\nprovider: {name: aws}\nfunctions: {f: {handler: h.a, memorySize: "+memory+"}}\n"), testInput())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Template(map[string]Code{"f": {Bucket: "b", Key: hash, SHA256: hash}}); err != nil {
			t.Fatal(err)
		}
		return s.versions["FLambdaFunction"]
	}
	if id("128", "one") != id("128", "one") || id("128", "one") == id("128", "two") || id("128", "one") == id("256", "one") {
		t.Error("the id of the version does not follow its content")
	}
}

// FuzzLoad holds that no file makes this package panic, and that its errors name a place.
func FuzzLoad(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.txt")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		in, _, _ := strings.Cut(string(text), separator)
		f.Add(in)
	}
	f.Add("service: ${self:service}\nprovider: {name: aws}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Load([]byte(text), testInput())
		if err == nil {
			_, err = s.Template(codeOf(s))
		}
		var problems cfn.Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Fatalf("error without a place: %v", err)
		}
	})
}
