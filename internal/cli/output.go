package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/newel-run/newel/internal/cli/tree"
)

// writeJSON writes one JSON document.
func (a *app) writeJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes rows in columns: aligned with a heading on a terminal, tab-separated without one on a pipe. Nothing is cut,
// since names and addresses are there to be copied. Columns without a heading are for programs and left out on a terminal.
func (a *app) table(heading []string, rows [][]string) {
	if _, _, ok := a.terminal(); !ok {
		for _, r := range rows {
			for i := range r {
				r[i] = tree.Clean(r[i])
			}
			fmt.Fprintln(a.out, strings.Join(r, "\t"))
		}
		return
	}
	columns := make([]int, len(heading))
	for _, r := range append([][]string{heading}, rows...) {
		for i, c := range r {
			columns[i] = max(columns[i], tree.Line{{Text: tree.Clean(c)}}.Width())
		}
	}
	write := func(r []string, style tree.Style) {
		var l tree.Line
		for i, c := range r {
			if heading[i] == "" {
				continue
			}
			c = tree.Clean(c)
			gap := columns[i] - tree.Line{{Text: c}}.Width() + 2
			l = append(l, tree.Span{Text: c, Style: style}, tree.Span{Text: strings.Repeat(" ", gap)})
		}
		fmt.Fprintln(a.out, l.Render(0, a.color()))
	}
	write(heading, tree.Dim)
	for _, r := range rows {
		write(r, tree.Plain)
	}
}

// line writes spans as one line, coloured on a terminal.
func (a *app) line(spans ...tree.Span) {
	width, _, _ := a.terminal()
	fmt.Fprintln(a.out, tree.Line(spans).Render(width, a.color()))
}

// argument is a JSON argument: the text itself, or @file, or @- for standard input.
func (a *app) argument(name, text string) ([]byte, error) {
	b := []byte(text)
	if file, ok := strings.CutPrefix(text, "@"); ok {
		var err error
		if file == "-" {
			var buf bytes.Buffer
			_, err = buf.ReadFrom(a.in)
			b = buf.Bytes()
		} else {
			b, err = os.ReadFile(file)
		}
		if err != nil {
			return nil, usage("--%s: %s", name, err)
		}
	}
	if !json.Valid(b) {
		return nil, usage("--%s is not valid JSON: %s", name, jsonProblem(b))
	}
	return bytes.TrimSpace(b), nil
}

func jsonProblem(b []byte) string {
	var v any
	err := json.Unmarshal(b, &v)
	if err == nil {
		return ""
	}
	return err.Error()
}
