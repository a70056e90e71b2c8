package asl_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl"
)

// TestDefinitions compiles testdata/definitions.txt and compares the diagnostics with those at the lines.
func TestDefinitions(t *testing.T) {
	text, err := os.ReadFile("testdata/definitions.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := 0
	for i, chunk := range strings.Split(string(text), "\n---") {
		start := line + 1 // the chunk's title is the rest of its first line
		line += strings.Count(chunk, "\n") + 1
		if i == 0 {
			continue
		}
		title, body, _ := strings.Cut(chunk, "\n")
		title = strings.TrimSpace(title)
		t.Run(fmt.Sprintf("line %d %s", start, title), func(t *testing.T) { checkDefinition(t, title, body) })
	}
}

func checkDefinition(t *testing.T, title, body string) {
	var want []string
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		parts := strings.Split(line, " ###")
		lines[i] = parts[0]
		for _, d := range parts[1:] {
			want = append(want, fmt.Sprintf("%d: %s", i+1, strings.TrimPrefix(d, " ")))
		}
	}
	o := asl.Options{Express: title == "express", YAML: title == "yaml", Resource: func(i asl.Integration, _ string) string {
		if i.Service == "glue" {
			return "Supported here: lambda."
		}
		return ""
	}}
	d, ds := asl.Compile([]byte(strings.Join(lines, "\n")), o)
	if (d == nil) != (len(want) > 0) {
		t.Errorf("compiled: %t", d != nil)
	}
	var got []string
	for _, d := range ds {
		line := d.Line
		if d.Location == "" && d.Line == 0 || d.Code == asl.CodeJSON && !o.YAML {
			line = 1
		}
		got = append(got, fmt.Sprintf("%d: %s", line, strings.ReplaceAll(asl.InvalidDefinition([]asl.Diagnostic{d}), "\n", `\n`)))
	}
	slices.Sort(got)
	slices.Sort(want)
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("unexpected %s", g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missing    %s", w)
		}
	}
}
