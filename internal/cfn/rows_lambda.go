package cfn

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// PackedCode begins the ZipFile of a function whose code is not inline text but a package made from a local folder
// (package pack): base64 of a zip follows. No source text begins like this.
const PackedCode = "data:application/zip;base64,"

var function = &Type{
	Name: "AWS::Lambda::Function",
	Properties: []Property{
		{Name: "FunctionName", Replace: true},
		{Name: "Code", Required: true}, {Name: "Role", Required: true}, {Name: "Handler"}, {Name: "Runtime"},
		{Name: "Description"}, {Name: "Timeout"}, {Name: "MemorySize"}, {Name: "Environment"}, {Name: "Architectures"}, {Name: "Tags"},
	},
	NameProperty: "FunctionName", NameMax: 64,
	Attributes: []string{"Arn"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		code, err := functionCode(i)
		if err != nil {
			return nil, err
		}
		in := i.input("Role", "Handler", "Runtime", "Description", "Timeout", "MemorySize", "Environment", "Architectures")
		in.Set("FunctionName", i.Name)
		in.Set("Code", value.NewObject(value.Member{Name: "ZipFile", Value: code}))
		if t := i.get("Tags"); t != nil {
			in.Set("Tags", tagMap(t))
		}
		return []Call{{Service: "lambda", Operation: "CreateFunction", Input: in}}, nil
	},
	Read: func(i *Instance) Call { return call("lambda", "GetFunction", "FunctionName", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Arn": member(answer, "Configuration", "FunctionArn")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "Code", "Architectures") {
			code, err := functionCode(i)
			if err != nil {
				return nil, err
			}
			c := call("lambda", "UpdateFunctionCode", "FunctionName", i.Name, "ZipFile", code)
			if a := i.get("Architectures"); a != nil {
				c.Input.Set("Architectures", a)
			}
			calls = append(calls, c)
		}
		settings := []string{"Role", "Handler", "Runtime", "Description", "Timeout", "MemorySize", "Environment"}
		if changed(i, old, settings...) {
			in := functionDefaults(i.input(settings...))
			in.Set("FunctionName", i.Name)
			calls = append(calls, Call{Service: "lambda", Operation: "UpdateFunctionConfiguration", Input: in})
		}
		arn := aws.ARN{Service: "lambda", Region: i.Region, Account: i.Account, Resource: "function:" + i.Name}.String()
		return append(calls, retag(i, old, "lambda", "TagResource", "UntagResource", "Resource", arn, tagMap)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("lambda", "DeleteFunction", "FunctionName", i.Ref)} },
}

// functionDefaults are what settings go back to when a template no longer has them.
func functionDefaults(in *value.Object) *value.Object {
	for _, d := range []value.Member{
		{Name: "Description", Value: ""}, {Name: "Timeout", Value: value.Int(3)}, {Name: "MemorySize", Value: value.Int(128)},
		{Name: "Environment", Value: value.NewObject(value.Member{Name: "Variables", Value: value.NewObject()})},
	} {
		if _, ok := in.Get(d.Name); !ok {
			in.Set(d.Name, d.Value)
		}
	}
	return in
}

// functionCode is the function's package in base64: made of the inline text, or as it was packed.
func functionCode(i *Instance) (string, error) {
	o, ok := i.get("Code").(*value.Object)
	if !ok {
		return "", errors.New("Code must be an object with ZipFile; a local folder (Code: ./dir) is packed by newel up")
	}
	for name := range o.All() {
		if name != "ZipFile" {
			return "", fmt.Errorf("Code.%s is not supported; supported: ZipFile, or a local folder with newel up", name)
		}
	}
	text := member(o, "ZipFile")
	if packed, ok := strings.CutPrefix(text, PackedCode); ok {
		return packed, nil
	}
	name := "index.js"
	switch runtime := textOf(i.get("Runtime")); {
	case strings.HasPrefix(runtime, "python"):
		name = "index.py"
	case !strings.HasPrefix(runtime, "nodejs"):
		return "", fmt.Errorf("inline code (Code.ZipFile) needs a python or nodejs runtime, not %q", runtime)
	}
	b, err := inlinePackage(name, text)
	return base64.StdEncoding.EncodeToString(b), err
}

func inlinePackage(name, text string) ([]byte, error) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
