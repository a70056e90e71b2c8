package jsonata_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/jsonata"
	"github.com/newel-run/newel/asl/value"
)

// sharedDir is where data lies that is not part of the repository.
func sharedDir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("NEWEL_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("THE LANGUAGE'S SUITE IS ABSENT: no %s; set NEWEL_SHARED", dir)
	}
	return dir
}

// excluded are the cases that AWS's language does not have, by prefix of their names, with the reason
// (testdata/excluded.txt).
func excluded(t *testing.T) map[string]string {
	text, err := os.ReadFile(filepath.Join("testdata", "excluded.txt"))
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if name, reason, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "#") {
			list[name] = reason
		}
	}
	return list
}

// TestSuite passes every case of the language's own suite apart from the excluded ones.
func TestSuite(t *testing.T) {
	dir := sharedDir(t, "jsonata-suite")
	files, err := filepath.Glob(filepath.Join(dir, "groups", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := excluded(t)
	datasets := map[string]value.Value{}
	ran, left := 0, 0
	for _, file := range files {
		group := filepath.Base(filepath.Dir(file))
		for i, c := range cases(t, file) {
			name := fmt.Sprintf("%s/%s#%d", group, filepath.Base(file), i)
			if out[name] != "" || out[group] != "" {
				left++
				continue
			}
			ran++
			if err := runCase(t, dir, filepath.Dir(file), c, datasets); err != nil {
				text, _ := c.Get("expr")
				t.Errorf("%s: %v: %v", name, text, err)
			}
		}
	}
	t.Logf("%d cases passed or failed above, %d excluded", ran, left)
}

func cases(t *testing.T, file string) []*value.Object {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(`'\uD800'`), []byte(`'\\uD800'`)) // half a pair does not survive a decoder of JSON
	v, err := value.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if one, ok := v.(*value.Object); ok {
		return []*value.Object{one}
	}
	var all []*value.Object
	for _, c := range v.(value.Array) {
		all = append(all, c.(*value.Object))
	}
	return all
}

func runCase(t *testing.T, dir, group string, c *value.Object, datasets map[string]value.Value) error {
	text, _ := c.Get("expr")
	if file, ok := c.Get("expr-file"); ok {
		b, err := os.ReadFile(filepath.Join(group, file.(string)))
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	env := jsonata.Env{Now: 1700000000000, Random: func() uint64 { return 1 << 40 }, Limits: jsonata.Limits{Bytes: 2 << 30, Value: 1 << 30, Depth: 10_000}}
	env.Input, env.Absent = input(t, dir, c, datasets)
	if bindings, ok := c.Get("bindings"); ok && bindings != nil {
		env.Bindings = bindings.(*value.Object).Get
	}
	if depth, ok := c.Get("depth"); ok {
		n, _ := depth.(value.Number).Int64()
		env.Limits.Depth = int(n)
	}
	want, _ := c.Get("code")
	if e, ok := c.Get("error"); ok {
		want, _ = e.(*value.Object).Get("code")
	}
	x, err := jsonata.Compile(text.(string))
	var got value.Value
	defined := false
	if err == nil {
		got, defined, err = x.Eval(env)
	}
	if want != nil {
		return sameError(want.(string), err, c)
	}
	if err != nil {
		return err
	}
	result, _ := c.Get("result")
	if undef, _ := c.Get("undefinedResult"); undef == true {
		if defined {
			return fmt.Errorf("got %s, want undefined", value.Append(nil, got))
		}
		return nil
	}
	unordered, _ := c.Get("unordered")
	if !defined || !near(got, result, unordered == true) {
		return fmt.Errorf("got %s (%v), want %s", brief(got), defined, brief(result))
	}
	return nil
}

func input(t *testing.T, dir string, c *value.Object, datasets map[string]value.Value) (v value.Value, absent bool) {
	if data, ok := c.Get("data"); ok {
		return data, false
	}
	name, _ := c.Get("dataset")
	if name == nil {
		return nil, true
	}
	if v, ok := datasets[name.(string)]; ok {
		return v, false
	}
	text, err := os.ReadFile(filepath.Join(dir, "datasets", name.(string)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	v, err = value.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	datasets[name.(string)] = v
	return v, false
}

func sameError(code string, err error, c *value.Object) error {
	var e *jsonata.Error
	if !errors.As(err, &e) || e.Code != code {
		return fmt.Errorf("got error %v, want %s", err, code)
	}
	token, ok := c.Get("token")
	if expected, has := c.Get("error"); has {
		if message, has := expected.(*value.Object).Get("message"); has && message != e.Message {
			return fmt.Errorf("got message %s, want %s", e.Message, message)
		}
		if !ok {
			token, ok = expected.(*value.Object).Get("token")
		}
	}
	if ok && token != e.Token && e.Code[0] != 'S' {
		return fmt.Errorf("got token %q, want %q", e.Token, token)
	}
	return nil
}

func brief(v value.Value) string {
	s := string(value.Append(nil, v))
	return s[:min(len(s), 300)]
}

// near compares numbers as doubles; the suite's decimals may have fewer digits than a result.
func near(a, b value.Value, unordered bool) bool {
	switch a := a.(type) {
	case value.Number:
		b, ok := b.(value.Number)
		return ok && a.Float64() == b.Float64()
	case value.Array:
		b, ok := b.(value.Array)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			found := near(a[i], b[i], unordered)
			for j := 0; unordered && !found && j < len(b); j++ {
				found = near(a[i], b[j], unordered)
			}
			if !found {
				return false
			}
		}
		return true
	case *value.Object:
		b, ok := b.(*value.Object)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for name, v := range a.All() {
			w, ok := b.Get(name)
			if !ok || !near(v, w, unordered) {
				return false
			}
		}
		return true
	}
	return value.Equal(a, b)
}
