package project

import (
	"archive/zip"
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/newel-run/newel/internal/cfn"
)

// folder makes a file system of names and texts in turn.
func folder(files ...string) fstest.MapFS {
	dir := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		dir[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return dir
}

var here = Target{Account: "123456789012", Region: "eu-west-1", Bucket: "deploy"}

func planOf(t *testing.T, dir fstest.MapFS, o Options) (*Project, *Plan) {
	t.Helper()
	o.Stack, o.Shown = "st", "app"
	p, err := Find(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan(here)
	if err != nil {
		t.Fatal(err)
	}
	return p, plan
}

const samTemplate = `
Transform: AWS::Serverless-2016-10-31
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: src/, Handler: a.b, Runtime: python3.12}}
  M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: m.asl.json}}
`

func TestPackagedTemplate(t *testing.T) {
	dir := folder("template.yaml", samTemplate, "src/a.py", "x = 1", "src/.git/config", "", "m.asl.json", "{}", "samconfig.toml",
		"version = 0.1\n[default.global.parameters]\nstack_name = \"shop\"\n[default.deploy.parameters]\nparameter_overrides = \"A=1 B=\\\"two words\\\"\"\nconfirm_changeset = true\n")
	p, plan := planOf(t, dir, Options{})
	if p.Stack != "shop" || p.Parameters["A"] != "1" || p.Parameters["B"] != "two words" {
		t.Errorf("stack %s, parameters %v", p.Stack, p.Parameters)
	}
	if len(plan.Artifacts) != 2 {
		t.Fatalf("%d artifacts", len(plan.Artifacts))
	}
	for _, a := range plan.Artifacts {
		if a.Bucket != "deploy" || !strings.HasPrefix(a.Key, "shop/") || !bytes.Contains(plan.Template, []byte(`"s3://deploy/`+a.Key+`"`)) {
			t.Errorf("%s is not in %s", a.Key, plan.Template)
		}
	}
	if got := names(t, plan.Artifacts[0].Body); !slices.Equal(got, []string{"a.py"}) {
		t.Errorf("the package has %v", got)
	}
	_, again := planOf(t, dir, Options{})
	if again.Artifacts[0].Key != plan.Artifacts[0].Key {
		t.Error("the same folder has another key")
	}
	dir["src/a.py"].Data = []byte("x = 2")
	if _, changed := planOf(t, dir, Options{}); changed.Artifacts[0].Key == plan.Artifacts[0].Key {
		t.Error("another content has the same key")
	}
}

func names(t *testing.T, b []byte) []string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range z.File {
		out = append(out, f.Name)
	}
	return out
}

func TestNestedTemplates(t *testing.T) {
	_, plan := planOf(t, folder(
		"root.yaml", "Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nested/a.yaml}}}",
		"nested/a.yaml", "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Code: ../code, Handler: a.b, Runtime: python3.12, Role: r}}}",
		"code/a.py", "x"), Options{})
	if len(plan.Artifacts) != 2 || !bytes.Contains(plan.Artifacts[1].Body, []byte(`"Code":{"S3Bucket":"deploy","S3Key":"`+plan.Artifacts[0].Key+`"}`)) {
		t.Fatalf("%+v", plan.Artifacts)
	}
	if !bytes.Contains(plan.Template, []byte(URL(here, plan.Artifacts[1]))) {
		t.Errorf("%s", plan.Template)
	}
}

func TestServerless(t *testing.T) {
	p, plan := planOf(t, folder(
		"serverless.yml", "service: shop\nprovider: {name: aws, runtime: nodejs20.x, region: eu-north-1}\nfunctions: {f: {handler: h.a}}\n",
		"h.js", "1", ".env", "SECRET=1", "node_modules/a/i.js", "1", "node_modules/b/i.js", "1", "node_modules/b/node_modules/c/i.js", "1",
		"node_modules/.package-lock.json", `{"packages": {"node_modules/a": {}, "node_modules/b": {"dev": true}}}`), Options{})
	if p.Stack != "shop-dev" || p.Region != "eu-north-1" {
		t.Errorf("%s in %s", p.Stack, p.Region)
	}
	if got := names(t, plan.Artifacts[0].Body); !slices.Equal(got, []string{"h.js", "node_modules/.package-lock.json", "node_modules/a/i.js"}) {
		t.Errorf("the package has %v", got)
	}
}

func TestMachines(t *testing.T) {
	_, plan := planOf(t, folder("a-b.asl.json", `{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}`), Options{})
	if !bytes.Contains(plan.Template, []byte(`"StateMachineName":"a-b"`)) {
		t.Errorf("%s", plan.Template)
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		dir  fstest.MapFS
		want string
	}{
		{folder("readme.md", ""), "app has neither template.yaml"},
		{folder("a.yaml", "Resources: {A: {Type: AWS::SQS::Queue}}", "b.yaml", "Resources: {A: {Type: AWS::SQS::Queue}}"), "app has several templates: name one of a.yaml, b.yaml"},
		{folder("template.yaml", "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: AWS::Serverless::HttpApi}\n"), "app/template.yaml:3:6: resource F: type AWS::Serverless::HttpApi is not supported"},
		{folder("template.yaml", samTemplate, "m.asl.json", "{}"), "app/template.yaml:4:62: resource F: "},
		{folder("template.yaml", strings.ReplaceAll(samTemplate, "src/", "../other"), "m.asl.json", "{}"), "must be a path below the project's folder"},
		{folder("serverless.yml", "service: ${self:nothing}\nprovider: aws\n"), "app/serverless.yml:1:10: Cannot resolve variable"},
		{folder("x.asl.json", `{"StartAt": "Nowhere", "States": {}}`), "app/x.asl.json:1:"},
	} {
		p, err := Find(c.dir, Options{Stack: "s", Shown: "app"})
		if err == nil {
			_, err = p.Plan(here)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		var none NotFound
		var problems cfn.Problems
		if err != nil && strings.Contains(c.want, ".yaml:") && !errors.As(err, &problems) || strings.Contains(c.want, "neither") && !errors.As(err, &none) {
			t.Errorf("%T", err)
		}
	}
}

func TestNestingEnds(t *testing.T) {
	p, err := Find(folder("template.yaml", "Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: template.yaml}}}"), Options{Stack: "s", Shown: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Plan(here); err == nil || !strings.Contains(err.Error(), "nested more than 20 deep") {
		t.Errorf("%v", err)
	}
}

// TestExpectedObjects has a template that names objects of its author's bucket, through a parameter that a nested
// template gets.
func TestExpectedObjects(t *testing.T) {
	_, plan := planOf(t, folder(
		"cft/root.yaml", `
Parameters: {B: {Type: String, Default: authors-bucket}, Key: {Type: String, Default: p/code/one.zip}}
Resources:
  S:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: !Sub "https://${B}.s3.eu-west-1.amazonaws.com/p/cft/nested/f.yaml", Parameters: {Code: !Ref Key, Bucket: !Ref B, Role: !GetAtt R.Arn}}
  M: {Type: AWS::StepFunctions::StateMachine, Properties: {RoleArn: r, DefinitionS3Location: {Bucket: !Ref B, Key: p/cft/m.asl.json}}}
  R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
`,
		"cft/nested/f.yaml", `
Parameters: {Code: {Type: String}, Bucket: {Type: String}, Role: {Type: String}}
Resources: {F: {Type: AWS::Lambda::Function, Properties: {Code: {S3Bucket: !Ref Bucket, S3Key: !Ref Code}, Handler: one.h, Runtime: python3.12, Role: !Ref Role}}}
`,
		"cft/m.asl.json", "{}", "other/m.asl.json", "[]", "code/one.py", "x"), Options{})
	got := map[string]string{}
	for _, a := range plan.Artifacts {
		got[a.Bucket+"/"+a.Key] = string(a.Body)
	}
	if len(got) != 3 || got["authors-bucket/p/cft/m.asl.json"] != "{}" || !strings.Contains(got["authors-bucket/p/cft/nested/f.yaml"], "AWS::Lambda::Function") {
		t.Fatalf("%v", got)
	}
	if n := names(t, []byte(got["authors-bucket/p/code/one.zip"])); !slices.Equal(n, []string{"one.py"}) {
		t.Errorf("the package has %v", n)
	}
}

func TestObjectOf(t *testing.T) {
	for url, want := range map[string]string{
		"https://b.s3.amazonaws.com/k/x.yaml":          "b k/x.yaml",
		"https://b.s3.eu-west-1.amazonaws.com/k":       "b k",
		"https://b.s3-eu-west-1.amazonaws.com/k":       "b k",
		"https://a.b.s3.us-east-1.amazonaws.com/k":     "a.b k",
		"https://s3.amazonaws.com/b/k":                 "b k",
		"https://s3.cn-north-1.amazonaws.com.cn/b/k/x": "b k/x",
		"https://s3-eu-west-1.amazonaws.com/b/k":       "b k",
		"https://example.com/b/k":                      " ",
	} {
		if b, k := objectOf(url); b+" "+k != want {
			t.Errorf("%s: %s %s", url, b, k)
		}
	}
}
