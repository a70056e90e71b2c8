package jsonpath

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
)

// TestPaths evaluates testdata/paths.txt, each path in the document's value and in its text.
func TestPaths(t *testing.T) {
	file, err := os.Open("testdata/paths.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var doc string
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if text, ok := strings.CutPrefix(line, "doc "); ok {
			doc = text
			continue
		}
		text, mark, want := cutMark(line)
		if got := outcome(doc, text, mark); got != want && !(mark == "??" && strings.Contains(got, want)) {
			t.Errorf("line %d: %s\ngot  %s\nwant %s", n, text, got, want)
		}
	}
}

func cutMark(line string) (path, mark, want string) {
	for _, mark := range []string{" => ", " =* ", " !! ", " ?? "} {
		if path, want, ok := strings.Cut(line, mark); ok {
			return strings.TrimSpace(path), strings.TrimSpace(mark), want
		}
	}
	panic("no mark in " + line)
}

func outcome(doc, text, mark string) string {
	p, err := Parse(text)
	if err != nil {
		return err.Error()
	}
	if mark == "=*" && p.Definite() || mark == "=>" && !p.Definite() {
		return fmt.Sprintf("definite is %t", p.Definite())
	}
	inValue, err := p.Find(value.Of(value.TextString(doc).Value()))
	inText, err2 := p.Find(value.TextString(doc))
	if (err == nil) != (err2 == nil) {
		return "value and text differ"
	}
	if err != nil {
		return err.(*NotFound).Reason
	}
	if !value.Equal(inValue.Value(), inText.Value()) {
		return "value and text differ: " + inValue.String() + " and " + inText.String()
	}
	return inValue.String()
}

func TestPut(t *testing.T) {
	for _, c := range []struct{ doc, path, v, want string }{
		{`{"a":1}`, `$`, `2`, `2`},
		{`{"a":1}`, `$.b`, `2`, `{"a":1,"b":2}`},
		{`{"a":1,"b":0}`, `$.a`, `{}`, `{"a":{},"b":0}`},
		{`{}`, `$.a.b.c`, `1`, `{"a":{"b":{"c":1}}}`},
		{`{"a":{"x":1}}`, `$['a']['y']`, `2`, `{"a":{"x":1,"y":2}}`},
		{`{"a":[1,2]}`, `$.a[1]`, `3`, `{"a":[1,3]}`},
		{`{"a":[1,2]}`, `$.a[2]`, `3`, `! Unable to apply step "[2]" to input [1,2]`},
		{`{"a":1}`, `$.a.b`, `2`, `! Unable to apply step "b" to input 1`},
		{`[1]`, `$.a`, `2`, `! Unable to apply step "a" to input [1]`},
		{`null`, `$.a`, `2`, `! Unable to apply step "a" to input null`},
	} {
		p, err := Parse(c.path)
		if err != nil || !p.IsReference() {
			t.Fatal(c.path, err)
		}
		before := value.TextString(c.doc).Value()
		v, err := p.Put(before, value.TextString(c.v).Value())
		got := string(value.Append(nil, v))
		if err != nil {
			got = "! " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.doc, c.path, got, c.want)
		}
		if after := string(value.Append(nil, before)); after != c.doc {
			t.Errorf("%s %s: the input has become %s", c.doc, c.path, after)
		}
	}
}

func TestRoots(t *testing.T) {
	for text, want := range map[string]Path{
		"$":            {Root: Input},
		"$$":           {Root: Context},
		"$$.Map.Item":  {Root: Context},
		"$order":       {Root: Variable, Name: "order"},
		"$order_2.a":   {Root: Variable, Name: "order_2"},
		"$über[0]":     {Root: Variable, Name: "über"},
		"$['a']['b']":  {Root: Input},
		"$states.x[*]": {Root: Variable, Name: "states"},
	} {
		p, err := Parse(text)
		if err != nil || p.Root != want.Root || p.Name != want.Name || p.String() != text {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
}

// TestBudget: a path whose work explodes ends with an error.
func TestBudget(t *testing.T) {
	deep := value.TextString(strings.Repeat(`{"a":`, 900) + "1" + strings.Repeat("}", 900))
	for _, text := range []string{"$..*..*..*..*", "$..[?(@..[?(@..*)])]", "$..[?($..[?($..*)])]"} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Get(deep.Value()); err == nil || !strings.Contains(err.Error(), "too many") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzPath: a path that is accepted gives the same in text and in value, and never panics.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"$", "$.a.b[0]", "$..a", "$.a[?(@.b > 1 && @.c =~ /x/i)]", "$['a','b']", "$.a[1:2]", "$$.x", "$v.x", "$.a.length()", "$..[?(@.a)].b"} {
		f.Add(s, `{"a":{"b":[1,{"c":"x"}]}}`)
	}
	f.Fuzz(func(t *testing.T, path, doc string) {
		p, err := Parse(path)
		if err != nil || value.Valid([]byte(doc)) != nil || len(doc) > 1000 || len(path) > 200 {
			return
		}
		inText, err := p.Find(value.TextString(doc))
		inValue, err2 := p.Find(value.Of(value.TextString(doc).Value()))
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%s in %s: %v in text, %v in value", path, doc, err, err2)
		}
		if err == nil && !value.Equal(inText.Value(), inValue.Value()) {
			t.Fatalf("%s in %s: %s in text, %s in value", path, doc, inText, inValue)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	doc := value.TextString(`{"order":{"id":"o-1","items":[{"sku":"a"},{"sku":"b"}]},"note":"` + strings.Repeat("x", 500) + `"}`)
	p, _ := Parse("$.order.items[1].sku")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Find(doc); err != nil {
			b.Fatal(err)
		}
	}
}
