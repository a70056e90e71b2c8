package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/newel-run/newel/internal/store"
)

// link is what is known of the way to the database. Whoever fails to reach it says so; the committer, which goes on
// trying, says when it is back.
type link struct {
	patience time.Duration
	log      *slog.Logger
	since    atomic.Int64 // when the database went away, in nanoseconds after start; 0 while it is there
	start    time.Time
	wake     chan struct{} // tells the committer to try
}

func newLink(patience time.Duration, log *slog.Logger) *link {
	return &link{patience: patience, log: log, start: time.Now(), wake: make(chan struct{}, 1)}
}

func (l *link) lost(err error) {
	if l.since.CompareAndSwap(0, max(1, int64(time.Since(l.start)))) {
		l.log.Warn("store: the database cannot be reached; trying again", "error", err)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) found() {
	if since := l.since.Swap(0); since != 0 {
		l.log.Info("store: the database answers again", "after", (time.Since(l.start) - time.Duration(since)).Round(time.Millisecond))
	}
}

// out tells whether the database has been away for longer than calls wait.
func (l *link) out() bool {
	since := l.since.Load()
	return since != 0 && time.Since(l.start)-time.Duration(since) > l.patience
}

// admit refuses new work while the database is away for long. Finishing work waits.
func (l *link) admit(ctx context.Context) error {
	if l.out() && !store.IsFinishing(ctx) {
		return store.ErrUnavailable
	}
	return nil
}

// retry runs op until it does not fail for a reason that passes, as long as the call's patience lasts. ended, if not
// nil, ends it with the store.
func (l *link) retry(ctx context.Context, ended *failure, op func() error) error {
	begun := time.Now()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		err := op()
		if !passes(err) {
			return err
		}
		if away(err) {
			l.lost(err)
		}
		if l.admit(ctx) != nil || time.Since(begun) > l.patience && !store.IsFinishing(ctx) {
			return fmt.Errorf("%w (%w)", store.ErrUnavailable, err)
		}
		if err := l.pause(ctx, ended, pause); err != nil {
			return err
		}
	}
}

func (l *link) pause(ctx context.Context, ended *failure, d time.Duration) error {
	var failed chan struct{}
	if ended != nil {
		failed = ended.failed
	}
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-failed:
		return ended.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passes tells whether an error is of the connection or of the server's state and the same statement may succeed later.
func passes(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, pgx.ErrNoRows) || errors.Is(err, store.ErrFormat) || errors.Is(err, store.ErrCorrupt) {
		return false
	}
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return true // no answer: the connection
	}
	switch answer.Code {
	case "40001", "40P01", "25006", "55P03", "57014": // serialization, deadlock, read-only standby, lock, cancelled
		return true
	case "57P01", "57P02", "57P03", "57P05": // shutting down, crashed, starting, idle session ended
		return true
	}
	class := answer.Code[:2]
	return class == "08" || class == "53" || class == "XX" && answer.Severity == "FATAL"
}

// away tells whether an error that passes is one of the way to the database, not of one statement.
func away(err error) bool {
	switch c := code(err); c {
	case "", "25006", "53300":
		return true
	default:
		return c[:2] == "08" || c[:2] == "57" && c != "57014" || c[:2] == "XX"
	}
}

// noSpace tells whether the database's disk is full.
func noSpace(err error) bool {
	return code(err) == "53100"
}

// code is the SQLSTATE of the server's answer, "" if err is no answer.
func code(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}
