package cfn

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// PackedCode begins the ZipFile of a function whose code is not inline text but a package made from a local folder
// (package pack): base64 of a zip follows. No source text begins like this.
const PackedCode = "data:application/zip;base64,"

// functionSettings are the properties that UpdateFunctionConfiguration takes under the same name.
var functionSettings = []string{"Role", "Handler", "Runtime", "Description", "Timeout", "MemorySize", "Environment", "KmsKeyArn",
	"TracingConfig", "DeadLetterConfig", "Layers", "EphemeralStorage", "LoggingConfig", "VpcConfig"}

var function = &Type{
	Name: "AWS::Lambda::Function",
	Properties: rows(
		properties("lambda:CreateFunction", "FunctionName~", "Role!", "Handler", "Runtime", "Description", "Timeout", "MemorySize", "Environment",
			"KmsKeyArn", "TracingConfig", "DeadLetterConfig", "Layers", "EphemeralStorage", "LoggingConfig", "VpcConfig", "Architectures", "PackageType~"),
		properties("", "Code!", "ReservedConcurrentExecutions", "Tags"),
		without("functions start from their process pool, and on the runtimes that this machine has", "SnapStart", "RuntimeManagementConfig", "RecursiveLoop"),
	),
	NameProperty: "FunctionName", NameMax: 64, Named: true,
	Attributes: []string{"Arn"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		code, err := functionCode(i)
		if err != nil {
			return nil, err
		}
		in := settingsOf(i, append([]string{"Architectures", "PackageType"}, functionSettings...)...)
		in.Set("FunctionName", i.Name)
		in.Set("Code", code)
		if t := i.get("Tags"); t != nil {
			in.Set("Tags", tagMap(t))
		}
		return append([]Call{{Service: "lambda", Operation: "CreateFunction", Input: in}}, concurrency(i, &Instance{Properties: value.NewObject()})...), nil
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
			code.Set("FunctionName", i.Name)
			c := Call{Service: "lambda", Operation: "UpdateFunctionCode", Input: code}
			calls = append(calls, c.with("Architectures", i.get("Architectures")))
		}
		if changed(i, old, functionSettings...) {
			in := functionDefaults(settingsOf(i, functionSettings...))
			in.Set("FunctionName", i.Name)
			calls = append(calls, Call{Service: "lambda", Operation: "UpdateFunctionConfiguration", Input: in})
		}
		calls = append(calls, concurrency(i, old)...)
		return append(calls, retag(i, old, "lambda", "TagResource", "UntagResource", "Resource", functionARN(i), tagMap)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("lambda", "DeleteFunction", "FunctionName", i.Ref)} },
}

// settingsOf are settings under the API's names.
func settingsOf(i *Instance, names ...string) *value.Object {
	return renamed(i.input(names...), map[string]string{"KmsKeyArn": "KMSKeyArn"}).(*value.Object)
}

func functionARN(i *Instance) string { return i.arn("lambda", "function:"+i.Name) }

func concurrency(i, old *Instance) []Call {
	switch n := i.get("ReservedConcurrentExecutions"); {
	case !changed(i, old, "ReservedConcurrentExecutions"):
		return nil
	case n == nil:
		return []Call{call("lambda", "DeleteFunctionConcurrency", "FunctionName", i.Name)}
	default:
		return []Call{call("lambda", "PutFunctionConcurrency", "FunctionName", i.Name).with("ReservedConcurrentExecutions", n)}
	}
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

// functionCode says where the function's package is: in S3, or in the call itself, made of the inline text or as it was
// packed.
func functionCode(i *Instance) (*value.Object, error) {
	o, ok := i.get("Code").(*value.Object)
	if !ok {
		return nil, errors.New("Code must be an object with ZipFile, or S3Bucket and S3Key; a local folder (Code: ./dir) is packed by newel up")
	}
	if _, inline := o.Get("ZipFile"); !inline {
		for name := range o.All() {
			if !slices.Contains([]string{"S3Bucket", "S3Key", "S3ObjectVersion"}, name) {
				return nil, fmt.Errorf("Code.%s is not supported; supported: ZipFile, S3Bucket, S3Key, S3ObjectVersion", name)
			}
		}
		if member(o, "S3Bucket") == "" || member(o, "S3Key") == "" {
			return nil, errors.New("Code needs ZipFile, or S3Bucket and S3Key")
		}
		return o.Clone(), nil
	}
	if o.Len() > 1 {
		return nil, errors.New("Code has ZipFile and something else; only one is possible")
	}
	text, err := inlineCode(i, member(o, "ZipFile"))
	return object("ZipFile", text), err
}

func inlineCode(i *Instance, text string) (string, error) {
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
