package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/newel-run/newel/internal/store"
)

// lease is one server's ownership of all partitions. One row of newel_lease leases a span of partitions; in this version
// there is one row, and so one number to check, for all of them.
type lease struct {
	owner  string // of this opening of the store
	epoch  int64
	commit uint64 // number of the last commit when the lease was taken
	length time.Duration
	taken  time.Time // at the latest
}

// held is what the lease's row says.
type held struct {
	owner, process string
	epoch          int64
	commit         uint64
	alive          bool
	expires        time.Time
}

const (
	readLease = `SELECT owner, process, epoch, commit_number, expires > now(), expires FROM newel_lease WHERE first_partition = 0`
	// millisecond is what follows a number of milliseconds in SQL.
	millisecond = ` * interval '1 millisecond'`
	grabLease   = `UPDATE newel_lease SET owner = $1, process = $2, epoch = epoch + 1, expires = now() + $3::int8` + millisecond + `
		WHERE first_partition = 0 AND owner = $4 AND epoch = $5 AND ($6 OR expires <= now()) RETURNING epoch, commit_number`
	renewLease = `UPDATE newel_lease SET expires = now() + $3::int8` + millisecond + ` WHERE first_partition = 0 AND owner = $1 AND epoch = $2`
	// fenceCommit makes a transaction fail by a division by zero unless the lease is ours and the commit is the next one.
	fenceCommit = `WITH fence AS (UPDATE newel_lease SET commit_number = $3, expires = now() + $4::int8` + millisecond + `
		WHERE first_partition = 0 AND owner = $1 AND epoch = $2 AND commit_number = $3 - 1 RETURNING 1) SELECT 1 / count(*) FROM fence`
	fenceLost = "22012"
	giveBack  = `UPDATE newel_lease SET owner = '', expires = now() WHERE first_partition = 0 AND owner = $1 AND epoch = $2`
)

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func inspect(ctx context.Context, db querier) (h held, err error) {
	err = db.QueryRow(ctx, readLease).Scan(&h.owner, &h.process, &h.epoch, &h.commit, &h.alive, &h.expires)
	return h, err
}

// takeLease takes the lease if nobody has it. If another owner has it, it looks on until the owner renews it, which is
// ErrLocked, or until it expires. The lease of a process that has ended on this machine is taken at once.
func takeLease(ctx context.Context, db *pgxpool.Pool, length time.Duration, l *link) (*lease, error) {
	nonce := make([]byte, 12)
	_, _ = rand.Read(nonce) // never fails
	mine := &lease{owner: hex.EncodeToString(nonce), length: length}
	var first held
	for {
		var now held
		err := l.retry(ctx, nil, func() (err error) { now, err = inspect(ctx, db); return err })
		if err != nil {
			return nil, err
		}
		if first.owner == "" {
			first = now
		}
		dead := now.owner == "" || ended(now.process)
		if dead || !now.alive {
			taken, err := mine.grab(ctx, db, now, dead)
			if err != nil || taken {
				return mine, err
			}
			continue
		}
		if now.owner != first.owner || now.expires.After(first.expires) {
			return nil, fmt.Errorf("%w: %s", store.ErrLocked, people(now.process))
		}
		if now == first {
			l.log.Info("store: the database belongs to a server that may have ended; waiting for it", "server", people(now.process), "at most", length)
			first.alive = false // said once
		}
		if err := l.pause(ctx, nil, min(length/20, 200*time.Millisecond)); err != nil {
			return nil, err
		}
	}
}

// grab takes the lease from an owner: by force only if that one is known to have ended.
func (l *lease) grab(ctx context.Context, db *pgxpool.Pool, from held, force bool) (bool, error) {
	l.taken = time.Now()
	rows, err := db.Query(ctx, grabLease, l.owner, process(), l.length.Milliseconds(), from.owner, from.epoch, force)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(&l.epoch, &l.commit)
}

func (l *lease) mine(h held) bool { return h.owner == l.owner && h.epoch == l.epoch }
