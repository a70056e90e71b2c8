package expr_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/dynamodb/expr"
)

var rewrite = flag.Bool("rewrite", false, "write the results into testdata")

// session is what the lines of a file have set up.
type session struct {
	item   attr.Item
	names  map[string]string
	values attr.Item
}

// TestExpressions plays testdata/*.txt. Lines "item", "names" and "values" set the scene; a line "condition", "update",
// "projection" or "key" holds an expression, and the line after it, which begins with an arrow, what comes out.
func TestExpressions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no expressions", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { play(t, f) })
	}
}

func play(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s session
	var out bytes.Buffer
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "  -> ") {
			continue
		}
		fmt.Fprintln(&out, line)
		verb, rest, _ := strings.Cut(line, " ")
		got, ok, err := s.run(verb, rest)
		if err != nil {
			t.Fatalf("%s:%d: %v", file, i+1, err)
		}
		if !ok {
			continue
		}
		got = "  -> " + got
		fmt.Fprintln(&out, got)
		if want := strings.Join(lines[i+1:min(i+2, len(lines))], ""); want != got && !*rewrite {
			t.Errorf("%s:%d: %s\ngot  %s\nwant %s", file, i+1, line, got, want)
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *session) run(verb, rest string) (result string, ok bool, err error) {
	switch verb {
	case "item":
		s.item = attr.Item{}
		return "", false, json.Unmarshal([]byte(rest), &s.item)
	case "names":
		s.names = nil
		return "", false, json.Unmarshal([]byte(rest), &s.names)
	case "values":
		s.values = attr.Item{}
		return "", false, json.Unmarshal([]byte(rest), &s.values)
	case "condition", "update", "projection", "key":
		p, err := expr.NewParams(s.names, &s.values)
		if err != nil {
			return "", false, err
		}
		return s.evaluate(p, verb, rest), true, nil
	}
	return "", false, nil
}

func (s *session) evaluate(p *expr.Params, verb, text string) string {
	switch verb {
	case "condition":
		n, err := p.Condition("ConditionExpression", text)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(n.Holds(s.item.Map))
	case "update":
		u, err := p.Update(text)
		if err != nil {
			return err.Error()
		}
		m, err := u.Apply(s.item.Map)
		if err != nil {
			return err.Error()
		}
		return string(m.AppendJSON(nil))
	case "projection":
		pr, err := p.Projection(text)
		if err != nil {
			return err.Error()
		}
		return string(pr.Of(s.item.Map).AppendJSON(nil))
	}
	keys, err := p.KeyConditions(text)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.Name)
	}
	return "keys " + strings.Join(names, ", ")
}

// FuzzParse: no text makes a parser panic or hang, whatever the placeholders; what parses can be evaluated.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a = :v AND NOT (b <> :v OR size(#n) IN (:v, c))", "SET a.b[1] = if_not_exists(c, :v) + :v REMOVE d[0] ADD e :v DELETE f :s",
		"a, b.c[2], #n", "((((", "a BETWEEN :v AND :v", "SET SET", "\x00é", "[", ":", "#"} {
		f.Add(seed)
	}
	var item, values attr.Item
	if err := json.Unmarshal([]byte(`{"a":{"M":{"b":{"L":[{"N":"1"},{"S":"x"}]}}},"c":{"N":"2"},"d":{"L":[]},"e":{"N":"1"},"f":{"SS":["x"]}}`), &item); err != nil {
		f.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{":v":{"N":"1"},":s":{"SS":["x"]}}`), &values); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := expr.NewParams(map[string]string{"#n": "a"}, &values)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := p.Condition("ConditionExpression", text); err == nil {
			n.Holds(item.Map)
			n.Holds(nil)
		}
		before := string(item.AppendJSON(nil))
		if u, err := p.Update(text); err == nil {
			_, _ = u.Apply(item.Map)
		}
		if after := string(item.AppendJSON(nil)); after != before {
			t.Fatalf("Apply changed the item: %s", after)
		}
		if pr, err := p.Projection(text); err == nil {
			pr.Of(item.Map)
		}
		_, _ = p.KeyConditions(text)
	})
}
