// Package pack makes a template self-contained, as `aws cloudformation package` does: what refers to a local file is
// replaced by the file's content. It is the file-system edge of package cfn.
//
//   - AWS::Lambda::Function, Code: ./dir (or a file): the folder as a zip.
//   - AWS::StepFunctions::StateMachine, DefinitionS3Location: ./machine.asl.json (or .yaml): DefinitionString.
//
// Zips are deterministic: sorted names, a fixed date, modes reduced to 0644 or 0755; the same folder gives the same
// bytes, so that a deployment sees what has changed. They never contain a data directory, .newel or .git.
package pack

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
)

// Options say what a package must not contain.
type Options struct {
	// Exclude are slash-separated paths below the template's folder that are left out (the data directory).
	Exclude []string
	// Keep says which files, by the same paths, a package contains; nil for all.
	Keep func(path string) bool
}

// maxBytes bounds a package's uncompressed size, as AWS does.
const maxBytes = 250 << 20

// skipped are names that no package contains.
var skipped = []string{".newel", ".git", "__pycache__", ".DS_Store"}

// Template replaces the local references in a template's tree by their content. dir is the folder of the template.
func Template(dir fs.FS, file string, root *cfn.Node, o Options) error {
	resources := root.Get("Resources")
	if resources == nil {
		return nil
	}
	var problems cfn.Problems
	for _, r := range resources.Fields {
		kind, _ := r.Value.Get("Type").Text()
		props := r.Value.Get("Properties")
		if props == nil {
			continue
		}
		var err error
		var at *cfn.Node
		switch kind {
		case "AWS::Lambda::Function":
			at, err = packCode(dir, props, o)
		case "AWS::StepFunctions::StateMachine":
			at, err = packDefinition(dir, props)
		}
		if err != nil {
			problems = append(problems, cfn.Problem{File: file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf("resource %s: %s", r.Name, err)})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func packCode(dir fs.FS, props *cfn.Node, o Options) (*cfn.Node, error) {
	code := props.Get("Code")
	local, ok := code.Text()
	if !ok {
		return code, nil
	}
	name, err := below(local)
	if err != nil {
		return code, err
	}
	b, err := Zip(dir, name, o)
	if err != nil {
		return code, err
	}
	packed := cfn.PackedCode + base64.StdEncoding.EncodeToString(b)
	*code = cfn.Node{Kind: cfn.Map, Line: code.Line, Column: code.Column, Fields: []cfn.Field{
		{Name: "ZipFile", Value: &cfn.Node{Kind: cfn.Scalar, Value: packed, Line: code.Line, Column: code.Column}},
	}}
	return code, nil
}

func packDefinition(dir fs.FS, props *cfn.Node) (*cfn.Node, error) {
	for i := range props.Fields {
		f := &props.Fields[i]
		local, ok := f.Value.Text()
		if f.Name != "DefinitionS3Location" || !ok {
			continue
		}
		name, err := below(local)
		if err != nil {
			return f.Value, err
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return f.Value, err
		}
		if text, err = Definition(name, text); err != nil {
			return f.Value, err
		}
		f.Name = "DefinitionString"
		f.Value.Value = string(text)
	}
	return nil, nil
}

// Definition is a state machine's file as the API wants it: JSON as it is, YAML made JSON.
func Definition(name string, text []byte) ([]byte, error) {
	if ext := strings.ToLower(path.Ext(name)); ext != ".yaml" && ext != ".yml" || json.Valid(text) {
		return text, nil
	}
	n, err := cfn.ParseNode(name, text)
	if err != nil {
		return nil, err
	}
	return value.Append(nil, n.Plain()), nil
}

// below turns ./dir into a path of the template's folder.
func below(local string) (string, error) {
	name := path.Clean(strings.ReplaceAll(local, `\`, "/"))
	if !fs.ValidPath(name) {
		return "", fmt.Errorf("%q must be a path below the template's folder", local)
	}
	return name, nil
}

// Zip packs a folder, or one file. A file that is a zip already is taken as it is.
func Zip(dir fs.FS, name string, o Options) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && strings.HasSuffix(name, ".zip") {
		return fs.ReadFile(dir, name)
	}
	files, err := list(dir, name, o)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: the folder has no files", name)
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	room := int64(maxBytes)
	for _, f := range files {
		n, err := add(z, dir, f, strings.TrimPrefix(strings.TrimPrefix(f, base(name, info)), "/"), room)
		if err != nil {
			return nil, err
		}
		if room -= n; room < 0 {
			return nil, fmt.Errorf("%s: the package is larger than %d MiB", name, maxBytes>>20)
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// base is the part of the paths that the package does not have.
func base(name string, info fs.FileInfo) string {
	if !info.IsDir() {
		return path.Dir(name) + "/"
	}
	if name == "." {
		return ""
	}
	return name
}

func list(dir fs.FS, root string, o Options) ([]string, error) {
	var files []string
	err := fs.WalkDir(dir, root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != root && (slices.Contains(skipped, d.Name()) || slices.Contains(o.Exclude, p)):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || o.Keep != nil && !o.Keep(p):
			return nil
		}
		files = append(files, p)
		return nil
	})
	slices.Sort(files)
	return files, err
}

// epoch is the date of every file in a package: the first that a zip can write.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func add(z *zip.Writer, dir fs.FS, file, name string, room int64) (int64, error) {
	r, err := dir.Open(file)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is neither a file nor a folder", file)
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch}
	h.SetMode(0o644)
	if info.Mode()&0o100 != 0 {
		h.SetMode(0o755)
	}
	w, err := z.CreateHeader(h)
	if err != nil {
		return 0, err
	}
	return io.Copy(w, io.LimitReader(r, room+1))
}
