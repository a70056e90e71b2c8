package mail

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

func open(t *testing.T, st store.Store, cfg Config) *Service {
	var s *Service
	env := &service.Env{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler), Account: "000000000000", Region: "us-east-1",
		Caller: aws.CallerFunc(func(ctx context.Context, r *aws.Request) (*aws.Output, error) { return s.Call(ctx, r) })}
	s = New(env, cfg)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func newStore() store.Store { return memory.New(memory.Options{Partitions: 4, RunTwice: true}) }

func send(t *testing.T, s *Service, to, subject, body string, token aws.Token) {
	t.Helper()
	input, err := json.Marshal(Mail{Kind: "email", From: `"Ünit" <no-reply@sns.amazonaws.com>`, To: to, Subject: subject, Body: body, ContentType: "text/plain"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Call(t.Context(), &aws.Request{Service: Name, Operation: "SendMail", Account: "000000000000", Region: "us-east-1", Input: input, Token: token})
	if err != nil {
		t.Fatal(err)
	}
}

// get is an answer of the sink's HTTP side.
func get(t *testing.T, s *Service, path string) (int, string) {
	t.Helper()
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequest("GET", Path+path, nil))
	return answer.Code, answer.Body.String()
}

func TestSink(t *testing.T) {
	st := newStore()
	s := open(t, st, Config{Keep: 3})
	for i := range 5 {
		send(t, s, fmt.Sprintf("p%d@example.com", i%2), fmt.Sprint(i), "body", aws.Token{Source: "sns/1", Seq: uint64(i + 1), Low: 1})
		send(t, s, fmt.Sprintf("p%d@example.com", i%2), fmt.Sprint(i), "body", aws.Token{Source: "sns/1", Seq: uint64(i + 1), Low: 1}) // repeated
	}
	s.Close()
	s = open(t, st, Config{Keep: 3}) // what was kept is there again
	defer s.Close()
	subjects := func(query string) (out string) {
		_, text := get(t, s, query)
		var answer struct{ Mails []Mail }
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, m := range answer.Mails {
			out += m.Subject
		}
		return out
	}
	for query, want := range map[string]string{"": "432", "?to=p0@example.com": "42", "?before=5": "32", "?to=nobody": ""} {
		if got := subjects(query); got != want {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
	if code, text := get(t, s, "/5"); code != 200 || !strings.Contains(text, `"Body":"body"`) {
		t.Errorf("mail 5: %d %s", code, text)
	}
	for _, id := range []string{"1", "99", "x"} {
		if code, text := get(t, s, "/"+id); code != 404 {
			t.Errorf("mail %s: %d %s", id, code, text)
		}
	}
}

// server is an SMTP server that takes mails, after it has been busy once, and refuses those to nobody.
func server(t *testing.T) (address string, mails chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	mails = make(chan string, 10)
	go func() {
		for busy := true; ; busy = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if busy {
				fmt.Fprint(conn, "421 busy\r\n")
				conn.Close()
				continue
			}
			serve(conn, mails)
		}
	}()
	return l.Addr().String(), mails
}

func serve(conn net.Conn, mails chan string) {
	defer conn.Close()
	fmt.Fprint(conn, "220 ready\r\n")
	in := bufio.NewScanner(conn)
	for in.Scan() {
		switch line := in.Text(); {
		case strings.HasPrefix(line, "RCPT TO:<nobody"):
			fmt.Fprint(conn, "550 no such user\r\n")
		case line == "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			text := ""
			for in.Scan() && in.Text() != "." {
				text += in.Text() + "\r\n"
			}
			mails <- text
			fmt.Fprint(conn, "250 taken\r\n")
		case line == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func TestRelay(t *testing.T) {
	address, mails := server(t)
	s := open(t, newStore(), Config{SMTP: address})
	defer s.Close()
	send(t, s, "nobody@example.com", "first", "x", aws.Token{}) // the server is busy, then refuses it for good
	send(t, s, "ann@example.com", "Grüße\r\nBcc: evil@example.com", "Zeile 1\n.\nZeile 3 = ö", aws.Token{})
	m, err := mail.ReadMessage(strings.NewReader(<-mails))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("To") != "<ann@example.com>" || m.Header.Get("Content-Type") != "text/plain; charset=UTF-8" {
		t.Errorf("header %v", m.Header)
	}
}
