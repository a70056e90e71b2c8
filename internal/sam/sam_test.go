package sam

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// separator stands between a template and what it becomes.
const separator = "\n======\n"

func transformText(file, text string) string {
	root, err := cfn.ParseNode(file, []byte(text))
	if err == nil {
		root, err = Transform(root, Input{File: file})
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
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, want, _ := strings.Cut(string(text), separator)
			got := transformText("template.yaml", in)
			if *rewrite {
				if err := os.WriteFile(file, []byte(in+separator+got), 0o644); err != nil {
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

// TestErrors has one template per message, and the line that it must name.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ resource, want string }{
		{"Type: AWS::Serverless::HttpApi", `template.yaml:4:5: resource R: type AWS::Serverless::HttpApi is not supported`},
		{"Type: AWS::Serverless::Nothing", `template.yaml:4:5: resource R: type AWS::Serverless::Nothing is not known`},
		{"Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.12, Handler: a.b}", `Missing required property 'CodeUri' or 'InlineCode'`},
		{"Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: s3://b/k\n      Colour: red", `template.yaml:7:15: resource R: property "Colour" of AWS::Serverless::Function is not supported`},
		{"Type: AWS::Serverless::Function\n    Properties: {CodeUri: ./src}", `'CodeUri' is not a valid S3 Uri of the form 's3://bucket/key'`},
		{"Type: AWS::Serverless::Function\n    Properties: {CodeUri: s3://b/k, Policies: [{MyOwnPolicy: {}}]}", `Policy at index 0 in the 'Policies' property is not valid: there is no policy template "MyOwnPolicy"`},
		{"Type: AWS::Serverless::Function\n    Properties: {CodeUri: s3://b/k, Policies: [{S3ReadPolicy: {}}]}", `Following required parameters of policy template 'S3ReadPolicy' don't have values: BucketName`},
		{"Type: AWS::Serverless::Function\n    Properties: {CodeUri: s3://b/k, Events: {E: {Type: Kinesis, Properties: {}}}}", `event E: type "Kinesis" is not supported; supported: Api, CloudWatchEvent`},
		{"Type: AWS::Serverless::Function\n    Properties: {CodeUri: s3://b/k, Events: {E: {Type: S3, Properties: {Bucket: !Ref Nowhere, Events: x}}}}", `S3 events must reference an S3 bucket in the same template.`},
		{"Type: AWS::Serverless::Function\n    Properties: {CodeUri: s3://b/k, Events: {E: {Type: SQS, Properties: {}}}}", `event E: property Queue is required`},
		{"Type: AWS::Serverless::StateMachine\n    Properties: {}", `Either 'Definition' or 'DefinitionUri' property must be specified.`},
		{"Type: AWS::Serverless::StateMachine\n    Properties: {DefinitionUri: s3://b/k, Role: r, Policies: [p]}", `Specify either 'Role' or 'Policies' property and not both.`},
		{"Type: AWS::Serverless::Connector\n    Properties: {Source: {Id: Nobody}, Destination: {Id: Nobody}, Permissions: [Read]}", `Unable to find resource with logical ID 'Nobody'.`},
		{"Type: AWS::Serverless::Api", `Missing required property 'StageName'.`},
	} {
		got := transformText("template.yaml", "Transform: AWS::Serverless-2016-10-31\nResources:\n  R:\n    "+c.resource+"\n")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s\ngot  %swant %s", c.resource, got, c.want)
		}
	}
}

func TestApplies(t *testing.T) {
	for text, want := range map[string]bool{
		"Transform: AWS::Serverless-2016-10-31\nResources: {}":                            true,
		"Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\nResources: {}": true,
		"Transform: AWS::LanguageExtensions\nResources: {}":                               false,
		"AWSTemplateFormatVersion: 2010-09-09\nResources: {A: {Type: AWS::SQS::Queue}}":   false,
	} {
		n, err := cfn.ParseNode("t", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if Applies(n) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

// TestInputStays holds that the template that comes in is not changed.
func TestInputStays(t *testing.T) {
	text, err := os.ReadFile("testdata/everything.txt")
	if err != nil {
		t.Fatal(err)
	}
	in, _, _ := strings.Cut(string(text), separator)
	n, err := cfn.ParseNode("t", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	before := string(value.Append(nil, n.Plain()))
	if _, err := Transform(n, Input{}); err != nil {
		t.Fatal(err)
	}
	if string(value.Append(nil, n.Plain())) != before {
		t.Error("the template was changed")
	}
}

// TestPolicyTable checks the rows: every ${Name} of a resource is a pseudo parameter or one of the row's parameters,
// and every parameter is used.
func TestPolicyTable(t *testing.T) {
	placeholder := regexp.MustCompile(`\$\{([^}]*)\}`)
	for name, p := range policyTemplates {
		used := map[string]bool{}
		for _, s := range p.statements {
			if len(s.actions) == 0 || len(s.resources) == 0 {
				t.Errorf("%s: a statement has no actions or no resources", name)
			}
			for _, m := range placeholder.FindAllStringSubmatch(strings.Join(s.resources, " ")+s.test, -1) {
				used[m[1]] = true
			}
		}
		for _, parameter := range p.parameters {
			if !used[parameter] {
				t.Errorf("%s: %s is not used", name, parameter)
			}
			delete(used, parameter)
		}
		for n := range used {
			if !strings.HasPrefix(n, "AWS::") {
				t.Errorf("%s: %s is no parameter", name, n)
			}
		}
	}
	if len(policyTemplates) < 80 || len(profiles) < 25 {
		t.Errorf("%d policy templates, %d connectors", len(policyTemplates), len(profiles))
	}
}

// FuzzTransform holds that no template makes the transform panic, and that its errors name a place.
func FuzzTransform(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		in, _, _ := strings.Cut(string(text), separator)
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := cfn.ParseNode("t", []byte(text))
		if err != nil {
			return
		}
		_, err = Transform(root, Input{File: "t"})
		problems, ok := err.(cfn.Problems)
		if err != nil && (!ok || len(problems) == 0 || problems[0].Line < 1) {
			t.Fatalf("error without a place: %v", err)
		}
	})
}
