package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

const tiny = `{"metadata":{"serviceId":"ID","endpointPrefix":"PREFIX","apiVersion":"VERSION","protocol":"json","targetPrefix":"T"},
	"operations":{"Op":{"name":"Op","http":{"method":"POST","requestUri":"/"},"input":{"shape":"In"}}},
	"shapes":{"In":{"type":"structure","members":{"z":{"shape":"S"},"a":{"shape":"S"}}},"S":{"type":"string","max":5},"Unused":{"type":"string"}}}`

func write(t *testing.T, dir, path, id, prefix, version string) {
	t.Helper()
	b := []byte(tiny)
	for from, to := range map[string]string{"ID": id, "PREFIX": prefix, "VERSION": version} {
		b = bytes.ReplaceAll(b, []byte(`"`+from+`"`), []byte(`"`+to+`"`))
	}
	if filepath.Ext(path) == ".gz" {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(b)
		_ = w.Close()
		b = z.Bytes()
	}
	file := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The newest version of a service counts, in any of the file forms; a second folder only adds what is missing.
func TestRead(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	write(t, first, "one/2014-01-01/api-2.json", "One", "one", "2014-01-01")
	write(t, first, "one/2016-01-01/service-2.json.gz", "One", "one", "2016-01-01")
	write(t, first, "two/2015-01-01/service-2.json", "Two", "shared", "2015-01-01")
	write(t, second, "uno/2020-01-01/api-2.json", "One", "one", "2020-01-01")
	write(t, second, "three/2020-01-01/api-2.json", "Three Service", "shared", "2020-01-01")
	sources, err := readAll([]string{first, second})
	if err != nil {
		t.Fatal(err)
	}
	assignKeys(sources)
	got := ""
	for _, s := range sources {
		got += s.Folder + " " + s.Key + " " + s.SDK + " " + s.Model.Metadata.APIVersion + "; "
	}
	if want := "one one one 2016-01-01; three three three 2020-01-01; two two two 2015-01-01; "; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if names := sources[0].Model.Shapes.By["In"].Members.Names; len(names) != 2 || names[0] != "z" {
		t.Errorf("the order of members is lost: %v", names)
	}
	if shapes := used(sources[0]); len(shapes) != 2 {
		t.Errorf("shapes that are used: %v", shapes)
	}
	if _, err := readAll([]string{t.TempDir()}); err == nil {
		t.Error("a folder without models was taken")
	}
}

// TestFresh regenerates the committed file where the models are at hand (AWS_MODELS names their folder).
func TestFresh(t *testing.T) {
	dir := os.Getenv("AWS_MODELS")
	if dir == "" {
		t.Skip("AWS_MODELS does not name a folder of models")
	}
	out := filepath.Join(t.TempDir(), "models.bin")
	if err := run([]string{dir}, out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../models.bin")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, committed) {
		t.Errorf("models.bin is not what the generator makes of %s: run go generate", dir)
	}
}
