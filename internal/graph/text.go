package graph

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/newel-run/newel/asl"
)

// Font sizes and what boxes measure.
const (
	titleSize, nameSize, detailSize, labelSize = 17.0, 13.0, 11.0, 11.0
	nameLine, detailLine, labelLine            = 17.0, 15.0, 14.0

	boxLeast, boxPadding, boxPaddingY, choiceCut = 92.0, 16.0, 9.0, 10.0

	nameMost  = 26 // characters of a line of a state's name
	labelMost = 24 // characters of a line of an edge's label
)

// narrow and wide are characters that are not about half as wide as they are high in the usual sans-serif fonts.
const (
	narrow = "iIjlft.,:;'|!()[]{}` r-/\\\""
	wideCh = "mwMWOQGD@%—…≤≥"
)

// textWidth is about how wide a text is drawn: the drawing names no font file, so it leaves some room.
func textWidth(s string, size float64) float64 {
	em := 0.0
	for _, r := range s {
		switch {
		case r > unicode.MaxLatin1 && !strings.ContainsRune(wideCh, r) && r > 0x2e80:
			em += 1.05
		case strings.ContainsRune(narrow, r):
			em += 0.36
		case strings.ContainsRune(wideCh, r):
			em += 0.9
		case unicode.IsUpper(r):
			em += 0.70
		default:
			em += 0.585
		}
	}
	return em * size
}

// boldWidth is about how wide a bold text is.
func boldWidth(s string, size float64) float64 { return 1.09 * textWidth(s, size) }

func linesWidth(lines []string, size float64) float64 {
	widest := 0.0
	for _, l := range lines {
		widest = max(widest, textWidth(l, size))
	}
	return widest
}

// nameLines breaks a state's name into lines without losing any of it.
func nameLines(name string) []string { return wrap(strings.Map(visible, name), nameMost) }

// visible keeps what XML allows and a person sees.
func visible(r rune) rune {
	if unicode.IsControl(r) || r == utf8.RuneError || r == 0xfffe || r == 0xffff {
		return ' '
	}
	return r
}

// labelLines breaks an edge's label into two lines at most and cuts it there.
func labelLines(label string) []string {
	label = strings.Map(visible, label)
	if strings.TrimSpace(label) == "" {
		return nil
	}
	lines := wrap(label, labelMost)
	if len(lines) > 2 {
		lines = lines[:2]
		r := []rune(lines[1])
		lines[1] = strings.TrimRight(string(r[:min(len(r), labelMost-1)]), " ,") + "…"
	}
	return lines
}

// wrap breaks a text at spaces, and inside a word that is longer than a line at a change of case or where the line ends.
func wrap(text string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for {
			switch n := utf8.RuneCountInString(line); {
			case line == "":
				line = word
			case n+1+utf8.RuneCountInString(word) <= most:
				line += " " + word
			default:
				lines, line = append(lines, line), word
			}
			if utf8.RuneCountInString(line) <= most {
				break
			}
			head, rest := split(line, most)
			lines, line, word = append(lines, head), "", rest
		}
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// split breaks a long word.
func split(word string, most int) (head, rest string) {
	r := []rune(word)
	at := most
	for i := most; i > most/2; i-- {
		if unicode.IsUpper(r[i]) && unicode.IsLower(r[i-1]) || strings.ContainsRune("-_.:/", r[i-1]) {
			at = i
			break
		}
	}
	return string(r[:at]), string(r[at:])
}

// cutTo cuts a text to a width.
func cutTo(text string, width, size float64) string {
	text = strings.Map(visible, text)
	if textWidth(text, size) <= width {
		return text
	}
	r := []rune(text)
	for len(r) > 0 && textWidth(string(r)+"…", size) > width {
		r = r[:len(r)-1]
	}
	return strings.TrimRight(string(r), " ") + "…"
}

// detail says what a state is and does, in a few words.
func detail(st *asl.State) string {
	switch st.Type {
	case asl.Task:
		return resourceText(st.Task)
	case asl.Map:
		if st.Map != nil && st.Map.Distributed {
			return "Map · distributed"
		}
	}
	return st.Type.String()
}

func resourceText(t *asl.TaskFields) string {
	if t == nil {
		return "Task"
	}
	name := t.Resource[strings.LastIndexByte(t.Resource, ':')+1:]
	text := t.Integration.Service + ":" + t.Integration.Action
	switch t.Integration.Kind {
	case asl.LambdaARN:
		_, name, _ = strings.Cut(t.Resource, ":function:")
		text = "Lambda " + name
	case asl.Activity:
		return cutTo("Activity "+name, 230, detailSize)
	}
	switch t.Integration.Pattern {
	case asl.Sync, asl.Sync2:
		text += " · waits for the end"
	case asl.WaitForTaskToken:
		text += " · waits for a token"
	}
	return cutTo(text, 230, detailSize)
}
