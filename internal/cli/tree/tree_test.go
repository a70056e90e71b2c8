package tree

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// TestGolden reads histories, one event a line ("4<-3 TaskFailed error=X cause=Y", each event 10 ms after the one
// before), and compares the trees that they make.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := draw(t, string(a.Files[0].Data), strings.Contains(string(a.Comment), "data"))
			if *rewrite {
				a.Files = append(a.Files[:1], txtar.File{Name: "tree", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := string(a.Files[1].Data); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func draw(t *testing.T, history string, data bool) string {
	t.Helper()
	tr := New("demo")
	now := time.UnixMilli(1_700_000_000_000)
	for _, line := range strings.Split(strings.TrimSpace(history), "\n") {
		e := parseEvent(t, line)
		now = now.Add(10 * time.Millisecond)
		e.Time = now
		tr.Add(e)
		tr.Add(e)
	}
	var b strings.Builder
	for _, l := range tr.Lines(View{Now: now, Data: data}) {
		b.WriteString(l.Render(100, false) + "\n")
	}
	return b.String()
}

func parseEvent(t *testing.T, line string) Event {
	t.Helper()
	f := strings.Fields(line)
	id, prev, ok := strings.Cut(f[0], "<-")
	if !ok {
		t.Fatalf("bad line %q", line)
	}
	e := Event{Type: f[1]}
	e.ID, _ = strconv.ParseInt(id, 10, 64)
	e.Previous, _ = strconv.ParseInt(prev, 10, 64)
	for _, m := range f[2:] {
		k, v, _ := strings.Cut(m, "=")
		v = strings.ReplaceAll(v, "_", " ")
		switch k {
		case "name":
			e.Name = v
		case "index":
			e.Index, _ = strconv.Atoi(v)
		case "length":
			e.Length, _ = strconv.Atoi(v)
		case "error":
			e.Error = v
		case "cause":
			e.Cause = v
		case "resource":
			e.Resource = v
		case "in":
			e.Input = v
		case "out":
			e.Output = v
		default:
			t.Fatalf("bad member %q", m)
		}
	}
	return e
}

func TestRender(t *testing.T) {
	l := Line{{"ab", Good}, {"漢字cd", Plain}}
	if got := l.Render(5, false); got != "ab漢…" {
		t.Errorf("got %q", got)
	}
	if got := l.Render(0, true); got != "\x1b[32mab\x1b[0m漢字cd" {
		t.Errorf("got %q", got)
	}
	if got := Clean("a\x1b[31m\n  b"); got != "a [31m b" {
		t.Errorf("got %q", got)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "<1 ms", 999 * time.Millisecond: "999 ms", 1500 * time.Millisecond: "1.5 s", 125 * time.Second: "2m05s",
		3 * time.Hour: "3h00m", 50 * time.Hour: "2d02h", -time.Second: "0 ms",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// TestFew: of many iterations those that are not finished are shown first, and the rest is counted.
func TestFew(t *testing.T) {
	tr := New("m")
	history := "1<-0 ExecutionStarted\n2<-0 MapStateEntered name=Each\n3<-2 MapStateStarted length=9"
	id := 4
	for i := range 9 {
		n := strconv.Itoa
		history += "\n" + n(id) + "<-3 MapIterationStarted name=Each index=" + n(i) + "\n" + n(id+1) + "<-" + n(id) + " PassStateEntered name=Work"
		if i != 7 {
			history += "\n" + n(id+2) + "<-" + n(id+1) + " PassStateExited name=Work\n" + n(id+3) + "<-" + n(id+2) + " MapIterationSucceeded name=Each index=" + n(i)
		}
		id += 4
	}
	for _, line := range strings.Split(history, "\n") {
		tr.Add(parseEvent(t, line))
	}
	var got []string
	for _, l := range tr.Lines(View{Threads: 2}) {
		got = append(got, strings.Join(strings.Fields(l.Render(60, false)), " "))
	}
	want := "m running|⠋ Each Map 8 of 9 <1 ms|│ 7 ⠋ Work Pass <1 ms|│ 0 ✓ Work Pass <1 ms|│ … 7 more (8 succeeded, 1 running, 0 failed)"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}
