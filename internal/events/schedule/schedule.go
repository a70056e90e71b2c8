// Package schedule is the language of EventBridge's schedule expressions, rate(5 minutes) and cron(0 12 * * ? *): when do
// they fire. It is pure; all times are UTC.
package schedule

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Expression is a parsed schedule expression.
type Expression struct {
	every time.Duration // rate; 0 for cron
	cron  *cron
}

// ErrInvalid: the text is no schedule expression.
var ErrInvalid = errors.New("schedule: the expression is not valid")

// Parse reads rate(VALUE UNIT) or cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR).
func Parse(text string) (*Expression, error) {
	kind, rest, ok := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed {
		return nil, ErrInvalid
	}
	switch kind {
	case "rate":
		return parseRate(inner)
	case "cron":
		c, err := parseCron(inner)
		return &Expression{cron: c}, err
	}
	return nil, ErrInvalid
}

var units = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

func parseRate(text string) (*Expression, error) {
	value, unit, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(value)
	singular := strings.TrimSuffix(unit, "s")
	every := units[singular]
	if err != nil || n < 1 || n > 1_000_000 || every == 0 || (n == 1) != (unit == singular) {
		return nil, ErrInvalid
	}
	return &Expression{every: time.Duration(n) * every}, nil
}

// Next is the first time after now; a rate counts from last, which is not after now. ok is false if there is none any more.
func (e *Expression) Next(last, now time.Time) (next time.Time, ok bool) {
	if e.every != 0 {
		return last.Add((now.Sub(last)/e.every + 1) * e.every), true
	}
	return e.cron.next(now.UTC())
}
