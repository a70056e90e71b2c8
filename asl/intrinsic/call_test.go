package intrinsic

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

func path(text string) (Path, error) { return jsonpath.Parse(text) }

func env(doc *value.Doc) Env {
	return Env{
		Find: func(p Path) (value.Value, error) {
			v, err := p.(*jsonpath.Path).Get(doc.Value())
			if err != nil {
				err = errors.New("no such path: " + p.String())
			}
			return v, err
		},
		Random: func() uint64 { return 7 },
	}
}

// TestCalls evaluates testdata/calls.txt.
func TestCalls(t *testing.T) {
	file, err := os.Open("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var doc *value.Doc
	used := map[string]bool{}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if text, ok := strings.CutPrefix(line, "doc "); ok {
			doc = value.TextString(text)
			continue
		}
		text, mark, want := cutMark(line)
		call, err := Parse(text, path)
		if mark == "??" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("line %d: %s: got %v, want %s", n, text, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("line %d: %s: %v", n, text, err)
			continue
		}
		used[call.name] = true
		v, err := call.Eval(env(doc))
		switch {
		case mark == "!!" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "The function '"+text+"' had")):
			t.Errorf("line %d: %s: got %v, want %s", n, text, err, want)
		case mark == "=>" && (err != nil || string(value.Append(nil, v)) != want):
			t.Errorf("line %d: %s: got %s %v, want %s", n, text, value.Append(nil, v), err, want)
		}
	}
	for name := range functions {
		if !used[name] {
			t.Errorf("%s has no test", name)
		}
	}
}

func cutMark(line string) (call, mark, want string) {
	for _, mark := range []string{" => ", " !! ", " ?? "} {
		if call, want, ok := strings.Cut(line, mark); ok {
			return strings.TrimSpace(call), strings.TrimSpace(mark), want
		}
	}
	panic("no mark in " + line)
}

// TestSeed: a seed gives the same number whatever the source of randomness is; other seeds give others.
func TestSeed(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []string{"1", "2", "3", "4"} {
		call, err := Parse("States.MathRandom(0, 1000000, "+seed+")", path)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := call.Eval(Env{})
		b, _ := call.Eval(Env{Random: func() uint64 { return 1 }})
		if a != b {
			t.Errorf("seed %s: %v and %v", seed, a, b)
		}
		seen[string(a.(value.Number))] = true
	}
	if len(seen) != 4 {
		t.Errorf("seeds give %v", seen)
	}
}

// FuzzCall: nothing that parses panics when it runs.
func FuzzCall(f *testing.F) {
	for _, s := range []string{"States.Format('a {}', $.a)", "States.Array(1, null, 'x')", "States.MathAdd($.a, 1.5)", "States.StringSplit($.s, ',')", "States.ArrayRange(0,9,3)", "States.JsonMerge($, $, false)", "States.UUID()"} {
		f.Add(s, `{"a":1,"s":"x,y"}`)
	}
	f.Fuzz(func(t *testing.T, text, doc string) {
		call, err := Parse(text, path)
		if err != nil || value.Valid([]byte(doc)) != nil || len(doc) > 1000 {
			return
		}
		if v, err := call.Eval(env(value.TextString(doc))); err == nil {
			if err := value.Valid(value.Append(nil, v)); err != nil {
				t.Fatalf("%s gives %s", text, value.Append(nil, v))
			}
		}
	})
}
