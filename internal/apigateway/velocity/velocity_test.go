package velocity

import (
	"os"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
)

func variables() map[string]any {
	doc, err := value.Parse([]byte(`{"a":"one","b":{"c":"deep"},"c":null}`))
	if err != nil {
		panic(err)
	}
	return map[string]any{"name": "Ann", "yes": true, "no": false, "null": nil, "zero": int64(0), "n": value.Number("7"),
		"doc": FromJSON(doc), "list": &List{Items: []any{int64(1), "two", 3.5}}}
}

func render(source string) string {
	t, err := Parse(source)
	if err != nil {
		return "error: " + err.Error()
	}
	out, err := t.Render(variables(), Limits{})
	if err != nil {
		return "error: " + err.Error()
	}
	return out
}

func TestTemplates(t *testing.T) {
	b, err := os.ReadFile("testdata/templates.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, cases, _ := strings.Cut(string(b), "\n\n")
	for c := range strings.SplitSeq(cases, "\n----\n") {
		source, want, ok := strings.Cut(c, "\n=>\n")
		if !ok {
			continue
		}
		if got := render(source); got != want {
			t.Errorf("%s\ngot:  %q\nwant: %q", source, got, want)
		}
	}
}

func FuzzRender(f *testing.F) {
	b, err := os.ReadFile("testdata/templates.txt")
	if err != nil {
		f.Fatal(err)
	}
	for c := range strings.SplitSeq(string(b), "\n----\n") {
		source, _, _ := strings.Cut(c, "\n=>\n")
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Parse(source)
		if err != nil {
			return
		}
		_, _ = p.Render(variables(), Limits{Steps: 20_000, Bytes: 1 << 20})
	})
}
