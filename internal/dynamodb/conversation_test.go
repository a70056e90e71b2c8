package dynamodb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store/memory"
)

var rewrite = flag.Bool("rewrite", false, "write the answers into testdata")

// world is a DynamoDB of its own with a clock that stands still unless told.
type world struct {
	now time.Time
	s   *service.Service
}

func newWorld(t testing.TB) *world {
	w := &world{now: time.Unix(1_800_000_000, 0).UTC()}
	st := memory.New(memory.Options{})
	t.Cleanup(func() { st.Close() })
	w.s = dynamodb.New(&service.Env{Store: st, Now: func() time.Time { return w.now }})
	return w
}

// call gives an operation's answer as JSON, or its error.
func (w *world) call(operation, input string) (string, error) {
	out, err := w.s.Call(context.Background(), &aws.Request{Service: "dynamodb", Operation: operation, Account: "000000000000", Region: "us-east-1", Input: []byte(input)})
	if err != nil {
		return "", err
	}
	b, err := service.Marshal(out.Value)
	return string(b), err
}

var volatile = regexp.MustCompile(`"TableId":"[0-9a-f-]{36}"`)

// show is how a conversation writes an answer.
func show(answer string, err error) string {
	var e *aws.Error
	if errors.As(err, &e) {
		s := e.Code + ": " + e.Message
		if len(e.Fields) > 0 {
			b, _ := service.Marshal(e.Fields)
			s += "\n" + string(b)
		}
		return s
	}
	if err != nil {
		return "FAULT " + err.Error()
	}
	return volatile.ReplaceAllString(answer, `"TableId":"..."`)
}

// TestConversations plays testdata/*.txt: each block is a request (an operation and its JSON, or "wait 10s"), a line ----
// and the answer. Lines that begin with # are comments.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { converse(t, f) })
	}
}

func converse(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	var out bytes.Buffer
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		request, want, _ := strings.Cut(block, "\n----")
		fmt.Fprintln(&out, request)
		if got, ok := w.play(t, file, request); ok {
			want = strings.TrimPrefix(want, "\n")
			if got != want && !*rewrite {
				t.Errorf("%s\n--- got\n%s\n--- want\n%s", request, got, want)
			}
			fmt.Fprintf(&out, "----\n%s\n", got)
		}
		out.WriteString("\n")
	}
	if *rewrite {
		if err := os.WriteFile(file, append(bytes.TrimSpace(out.Bytes()), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// play runs one request; ok is false for what has no answer.
func (w *world) play(t *testing.T, file, request string) (answer string, ok bool) {
	var lines []string
	for _, l := range strings.Split(request, "\n") {
		if !strings.HasPrefix(l, "#") {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return "", false
	}
	operation, input, _ := strings.Cut(strings.Join(lines, "\n"), " ")
	if operation == "wait" {
		d, err := time.ParseDuration(input)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		w.now = w.now.Add(d)
		return "", false
	}
	if !json.Valid([]byte(input)) {
		t.Fatalf("%s: request is not JSON: %s", file, input)
	}
	return show(w.call(operation, input)), true
}
