package tree

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Style is how a span looks on a terminal.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Bold
	Dim
	Good
	Bad
	Warn
	Active
)

var sgr = [...]string{Plain: "", Bold: "\x1b[1m", Dim: "\x1b[2m", Good: "\x1b[32m", Bad: "\x1b[31m", Warn: "\x1b[33m", Active: "\x1b[36m"}

// Span is a piece of a line in one style.
type Span struct {
	Text  string
	Style Style
}

// Line is one line of output.
type Line []Span

// Width is the number of columns that a line takes.
func (l Line) Width() int {
	n := 0
	for _, s := range l {
		n += textWidth(s.Text)
	}
	return n
}

// Render writes the line, cut to a width (0: not cut), with or without colour.
func (l Line) Render(width int, color bool) string {
	var b strings.Builder
	room := width
	for _, s := range l {
		text := s.Text
		if width > 0 {
			text = cut(text, room)
			room -= textWidth(text)
		}
		if color && s.Style != Plain && text != "" {
			b.WriteString(sgr[s.Style] + text + "\x1b[0m")
		} else {
			b.WriteString(text)
		}
		if width > 0 && room <= 0 {
			break
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// cut shortens a text to at most n columns, with an ellipsis where it was cut.
func cut(s string, n int) string {
	if textWidth(s) <= n {
		return s
	}
	var b strings.Builder
	room := n - 1
	for _, r := range s {
		if room -= runeWidth(r); room < 0 {
			break
		}
		b.WriteRune(r)
	}
	if n > 0 {
		b.WriteString("…")
	}
	return b.String()
}

func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is the number of columns of a character: none for combining marks, two for East Asian wide ones and emoji.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x1100:
		return 1
	case r <= 0x115f, 0x2e80 <= r && r <= 0xa4cf, 0xac00 <= r && r <= 0xd7a3, 0xf900 <= r && r <= 0xfaff,
		0xfe30 <= r && r <= 0xfe6f, 0xff00 <= r && r <= 0xff60, 0xffe0 <= r && r <= 0xffe6,
		0x1f300 <= r && r <= 0x1f64f, 0x1f900 <= r && r <= 0x1f9ff, 0x20000 <= r && r <= 0x3fffd:
		return 2
	}
	return 1
}

func pad(s string, n int) string {
	if w := textWidth(s); w < n {
		return s + strings.Repeat(" ", n-w)
	}
	return s
}

// Clean makes a text that came from elsewhere safe to show in one line: no control characters, no runs of white space.
func Clean(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// Duration writes a duration for people, in at most seven characters.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}
