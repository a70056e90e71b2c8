package schedule

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

const layout = "2006-01-02T15:04:05"

func TestNext(t *testing.T) {
	text, err := os.ReadFile("testdata/next.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		end := strings.IndexByte(line, ')')
		if line == "" || line[0] == '#' {
			continue
		}
		e, err := Parse(line[:end+1])
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		from, want, _ := strings.Cut(strings.TrimSpace(line[end+1:]), " > ")
		now, err := time.Parse(layout, from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range 3 {
			next, ok := e.Next(now, now)
			if !ok {
				got = append(got, "never")
				continue
			}
			got = append(got, next.Format(layout))
			now = next
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s from %s:\n got %v\nwant %s", line[:end+1], from, got, want)
		}
	}
}

func TestMissedRatesKeepTheirPhase(t *testing.T) {
	e, err := Parse("rate(10 minutes)")
	if err != nil {
		t.Fatal(err)
	}
	last := time.Date(2026, 1, 1, 0, 3, 0, 0, time.UTC)
	if next, _ := e.Next(last, last.Add(47*time.Minute)); !next.Equal(last.Add(50 * time.Minute)) {
		t.Errorf("after 47 minutes it fires at %s", next)
	}
}

func TestInvalid(t *testing.T) {
	for _, text := range []string{"", "rate", "rate()", "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 seconds)", "rate(-1 hours)", "rate(5)", "cron()",
		"cron(0 10 * * *)", "cron(0 10 * * * *)", "cron(0 10 ? * ? *)", "cron(60 10 * * ? *)", "cron(0 24 * * ? *)", "cron(0 0 32 * ? *)", "cron(0 0 * 13 ? *)",
		"cron(0 0 ? * 8 *)", "cron(0 0 ? * MON#6 *)", "cron(0 0 * * ? 1900)", "cron(0/0 0 * * ? *)", "cron(a 0 * * ? *)", "at(2026-01-01T00:00:00)", "cron(0 10 * * ? *"} {
		if _, err := Parse(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
