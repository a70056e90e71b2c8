package suite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
)

// Check lists how an outcome differs from what is expected.
func (e *Expect) Check(o *Outcome) (wrong []string) {
	differ := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if o.Status != e.Status {
		text := ""
		if o.Error != "" || o.Cause != "" {
			text = " with " + strings.Trim(o.Error+": "+o.Cause, ": ")
		}
		differ("status: expected %s, got %s%s", e.Status, o.Status, text)
	}
	if e.Error != nil && *e.Error != o.Error && o.Status == e.Status {
		differ("error: expected %s, got %s (%s)", *e.Error, or(o.Error, "none"), o.Cause)
	}
	if e.Cause != "" && !strings.Contains(o.Cause, e.Cause) && o.Status == e.Status {
		differ("cause: expected something with %q, got %q", e.Cause, o.Cause)
	}
	if o.Output != nil {
		switch {
		case e.Output != nil:
			wrong = append(wrong, compare("output", e.Output.Value(), o.Output.Value(), false)...)
		case e.OutputHas != nil:
			wrong = append(wrong, compare("output", e.OutputHas.Value(), o.Output.Value(), true)...)
		}
	}
	if e.Path != nil && !slices.Equal(e.Path, o.Path) {
		differ("path: expected %s", strings.Join(e.Path, " → "))
		differ("path: it went %s", strings.Join(o.Path, " → "))
	}
	return wrong
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// compare lists where a value differs; of a part, objects may have more members.
func compare(at string, want, have value.Value, part bool) (wrong []string) {
	switch w := want.(type) {
	case *value.Object:
		h, ok := have.(*value.Object)
		if !ok {
			break
		}
		for name, v := range w.All() {
			if x, ok := h.Get(name); ok {
				wrong = append(wrong, compare(at+"."+name, v, x, part)...)
			} else {
				wrong = append(wrong, fmt.Sprintf("%s.%s: expected %s, got nothing", at, name, brief(v)))
			}
		}
		for name, v := range h.All() {
			if _, ok := w.Get(name); !ok && !part {
				wrong = append(wrong, fmt.Sprintf("%s.%s: expected nothing, got %s", at, name, brief(v)))
			}
		}
		return wrong
	case value.Array:
		h, ok := have.(value.Array)
		if !ok || len(h) != len(w) {
			break
		}
		for i, v := range w {
			wrong = append(wrong, compare(fmt.Sprintf("%s[%d]", at, i), v, h[i], part)...)
		}
		return wrong
	default:
		if value.Equal(want, have) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: expected %s, got %s", at, brief(want), brief(have))}
}

const briefBytes = 200

// brief is a value's text, cut if it is long.
func brief(v value.Value) string {
	text := string(value.Append(nil, v))
	if len(text) <= briefBytes {
		return text
	}
	return strings.ToValidUTF8(text[:briefBytes], "") + "…"
}
