package pack

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/newel-run/newel/internal/cfn"
)

func folder() fstest.MapFS {
	return fstest.MapFS{
		"app/index.py":            {Data: []byte("x = 1\n"), Mode: 0o600, ModTime: time.Now()},
		"app/lib/tool.sh":         {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"app/.git/config":         {Data: []byte("no")},
		"app/.newel/store":        {Data: []byte("no")},
		"app/__pycache__/x.pyc":   {Data: []byte("no")},
		"app/mydata/store":        {Data: []byte("no")},
		"app/lib/.newel/x":        {Data: []byte("no")},
		"machine.asl.yaml":        {Data: []byte("StartAt: A\nStates:\n  A: {Type: Wait, Timestamp: 2024-01-01T00:00:00Z, End: true}\n")},
		"machine.asl.json":        {Data: []byte("{ \"StartAt\": \"A\" }")},
		"ready.zip":               {Data: []byte("PK")},
		"only-skipped/.git/refs":  {Data: []byte("no")},
		"empty/.newel/.gitignore": {Data: []byte("*")},
	}
}

func TestZip(t *testing.T) {
	o := Options{Exclude: []string{"app/mydata"}}
	b, err := Zip(folder(), "app", o)
	if err != nil {
		t.Fatal(err)
	}
	later := folder()
	later["app/index.py"].ModTime = time.Now().Add(time.Hour)
	if again, err := Zip(later, "app", o); err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same files give another package (%v)", err)
	}
	if got, want := contents(t, b), "index.py -rw-r--r-- \"x = 1\\n\"|lib/tool.sh -rwxr-xr-x \"#!/bin/sh\\n\""; got != strings.ReplaceAll(want, `\n`, "\n") {
		t.Errorf("got %s", got)
	}
	if b, err = Zip(folder(), "app/index.py", o); err != nil || !strings.HasPrefix(contents(t, b), "index.py ") {
		t.Errorf("one file: %v", err)
	}
	if b, err = Zip(folder(), "ready.zip", o); err != nil || string(b) != "PK" {
		t.Errorf("a zip is not taken as it is: %v", err)
	}
	for _, name := range []string{"nothing", "only-skipped"} {
		if _, err := Zip(folder(), name, o); err == nil {
			t.Errorf("%s is packed", name)
		}
	}
}

func contents(t *testing.T, b []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f.Name+" "+f.Mode().String()+" \""+string(text)+"\"")
	}
	return strings.Join(out, "|")
}

func TestTemplate(t *testing.T) {
	root := parse(t, `
Resources:
  F: {Type: AWS::Lambda::Function, Properties: {Code: ./app, Role: r}}
  Inline: {Type: AWS::Lambda::Function, Properties: {Code: {ZipFile: "x"}, Role: r}}
  Y: {Type: AWS::StepFunctions::StateMachine, Properties: {DefinitionS3Location: machine.asl.yaml, RoleArn: r}}
  J: {Type: AWS::StepFunctions::StateMachine, Properties: {DefinitionS3Location: ./machine.asl.json, RoleArn: r}}
`)
	if err := Template(folder(), "t.yaml", root, Options{}); err != nil {
		t.Fatal(err)
	}
	props := func(id string) *cfn.Node { return root.Get("Resources").Get(id).Get("Properties") }
	code, _ := props("F").Get("Code").Get("ZipFile").Text()
	packed, ok := strings.CutPrefix(code, cfn.PackedCode)
	b, err := base64.StdEncoding.DecodeString(packed)
	if !ok || err != nil || !strings.Contains(contents(t, b), "index.py") {
		t.Errorf("code %.60s, %v", code, err)
	}
	if s, _ := props("Inline").Get("Code").Get("ZipFile").Text(); s != "x" {
		t.Errorf("inline code became %s", s)
	}
	if s, _ := props("Y").Get("DefinitionString").Text(); s != `{"StartAt":"A","States":{"A":{"Type":"Wait","Timestamp":"2024-01-01T00:00:00Z","End":true}}}` {
		t.Errorf("got %s", s)
	}
	if s, _ := props("J").Get("DefinitionString").Text(); s != `{ "StartAt": "A" }` {
		t.Errorf("got %s", s)
	}
	if _, err := cfn.ParseTree("t.yaml", root); err != nil {
		t.Error(err)
	}
}

func TestOutside(t *testing.T) {
	for _, path := range []string{"../secret", "/etc", "no-such-folder"} {
		root := parse(t, "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: "+path+", Role: r}}\n")
		err := Template(fs.FS(folder()), "t.yaml", root, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "t.yaml:2:") || !strings.Contains(err.Error(), "resource F: ") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func parse(t *testing.T, text string) *cfn.Node {
	t.Helper()
	n, err := cfn.ParseNode("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
