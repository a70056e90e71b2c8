package pattern

import (
	"os"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
)

// paragraphs reads a table: its parts are separated by empty lines, its comments begin with #.
func paragraphs(t *testing.T, file string) (out [][]string) {
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "\n\n") {
		if lines := strings.Split(strings.Trim(part, "\n"), "\n"); lines[0] != "" && lines[0][0] != '#' {
			out = append(out, lines)
		}
	}
	return out
}

func TestMatch(t *testing.T) {
	for _, lines := range paragraphs(t, "match.txt") {
		p, err := Parse(lines[0])
		if err != nil {
			t.Errorf("%s: %v", lines[0], err)
			continue
		}
		for _, line := range lines[1:] {
			doc, err := value.Parse([]byte(line[2:]))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if want := line[0] == '+'; p.Match(doc) != want {
				t.Errorf("%s and %s: matches %v", lines[0], line[2:], !want)
			}
		}
	}
}

func TestInvalid(t *testing.T) {
	for _, lines := range paragraphs(t, "invalid.txt") {
		want := strings.Join(lines[1:], "\n")
		if _, err := Parse(lines[0]); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", lines[0], err, want)
		}
	}
	if _, err := Parse(`{"a": [}`); err == nil {
		t.Error("a text that is no JSON is a pattern")
	}
}

// TestMay checks that what is known of a document excludes none that matches.
func TestMay(t *testing.T) {
	known := map[string]value.Value{"source": "aws.states", "detail-type": "x"}
	for text, want := range map[string]bool{
		`{"source":["aws.states"]}`: true, `{"source":["aws.s3"]}`: false, `{"source":[{"prefix":"aws."}],"detail-type":["y"]}`: false,
		`{"detail":{"a":["b"]}}`: true, `{"$or":[{"source":["a"]},{"detail":{"a":["b"]}}]}`: true, `{"$or":[{"source":["a"]},{"detail-type":["b"]}]}`: false,
		`{"source":[{"exists":false}]}`: false, `{"source":[{"anything-but":"aws.s3"}]}`: true,
	} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.May(known); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"a":[{"anything-but":{"prefix":["x"]}},{"numeric":["=",1]}],"$or":[{"b":[1]},{"c":{"d":[null]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		p.Match(value.NewObject(value.Member{Name: "a", Value: value.Array{"x", value.Number("1")}}))
	})
}

func TestCache(t *testing.T) {
	var c Cache[int]
	p, err := Parse(`{"a":[1]}`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * cacheMost {
		if c.Get(i) != nil {
			t.Fatalf("%d is there before it was put", i)
		}
		c.Put(i, p)
		if c.Get(i) != p || len(c.known) > cacheMost {
			t.Fatalf("%d of %d", i, len(c.known))
		}
	}
}
