package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/newel-run/newel/internal/store"
)

const (
	getRow       = `SELECT value FROM newel_row WHERE partition = $1 AND key = $2`
	pageUpTo     = `SELECT key, value FROM newel_row WHERE partition = $1 AND key >= $2 AND key < $3 ORDER BY partition, key LIMIT $4`
	pageOn       = `SELECT key, value FROM newel_row WHERE partition = $1 AND key >= $2 ORDER BY partition, key LIMIT $3`
	pageBackFrom = `SELECT key, value FROM newel_row WHERE partition = $1 AND key >= $2 AND key < $3 ORDER BY partition DESC, key DESC LIMIT $4`
	pageBack     = `SELECT key, value FROM newel_row WHERE partition = $1 AND key >= $2 ORDER BY partition DESC, key DESC LIMIT $3`
)

// query is a read and what to do with its answer.
type query struct {
	sql  string
	args []any
	read func(pgx.Rows) error
}

func getQuery(p store.Partition, key []byte, value *[]byte) query {
	return query{getRow, []any{int32(p), orEmpty(key)}, func(rows pgx.Rows) error {
		*value = nil
		if rows.Next() {
			*value = append([]byte{}, rows.RawValues()[0]...)
		}
		return rows.Err()
	}}
}

func pageQuery(p store.Partition, lo, hi []byte, reverse bool, limit int, page *[]row) query {
	q := query{sql: pageOn, args: []any{int32(p), orEmpty(lo), int64(limit)}}
	switch {
	case hi != nil && reverse:
		q.sql, q.args = pageBackFrom, []any{int32(p), orEmpty(lo), hi, int64(limit)}
	case hi != nil:
		q.sql, q.args = pageUpTo, []any{int32(p), orEmpty(lo), hi, int64(limit)}
	case reverse:
		q.sql = pageBack
	}
	q.read = func(rows pgx.Rows) error {
		*page = (*page)[:0]
		for rows.Next() {
			raw := rows.RawValues()
			n := len(raw[0])
			both := append(append(make([]byte, 0, n+len(raw[1])), raw[0]...), raw[1]...)
			*page = append(*page, row{key: both[:n:n], value: both[n:]})
		}
		return rows.Err()
	}
	return q
}

// orEmpty keeps nil from becoming NULL.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// latest reads what is committed, each read by itself. While the partition is held, that and the partition's layer
// together do not change.
type latest struct {
	s   *Store
	ctx context.Context
	p   store.Partition
}

var _ rows = (*latest)(nil)

func (l *latest) get(key []byte) (value []byte, err error) {
	err = l.run(getQuery(l.p, key, &value))
	return value, err
}

func (l *latest) page(lo, hi []byte, reverse bool, limit int) (page []row, err error) {
	err = l.run(pageQuery(l.p, lo, hi, reverse, limit, &page))
	return page, err
}

// run makes a read, again if the connection breaks. The caller's context ends the tries only: to end a query would cost
// the connection.
func (l *latest) run(q query) error {
	return l.s.link.retry(l.ctx, l.s.failure, func() error {
		rows, err := l.s.pool.Query(context.WithoutCancel(l.ctx), q.sql, q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		return q.read(rows)
	})
}

// snapshot reads as of its first read, which takes a connection and begins a transaction in the same round trip.
type snapshot struct {
	s    *Store
	ctx  context.Context
	p    store.Partition
	conn *pgxpool.Conn
}

var _ rows = (*snapshot)(nil)

func (v *snapshot) get(key []byte) (value []byte, err error) {
	err = v.run(getQuery(v.p, key, &value))
	return value, err
}

func (v *snapshot) page(lo, hi []byte, reverse bool, limit int) (page []row, err error) {
	err = v.run(pageQuery(v.p, lo, hi, reverse, limit, &page))
	return page, err
}

const (
	beginSnapshot = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	endSnapshot   = `COMMIT`
)

func (v *snapshot) run(q query) error {
	if v.conn == nil {
		return v.s.link.retry(v.ctx, v.s.failure, func() error { return v.begin(q) })
	}
	rows, err := v.conn.Query(context.WithoutCancel(v.ctx), q.sql, q.args...)
	if err == nil {
		defer rows.Close()
		err = q.read(rows)
	}
	if passes(err) { // what was read before cannot be read again as it was
		v.s.link.lost(err)
		return fmt.Errorf("%w (%w)", store.ErrUnavailable, err)
	}
	return err
}

func (v *snapshot) begin(q query) error {
	ctx := context.WithoutCancel(v.ctx)
	conn, err := v.s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue(beginSnapshot)
	b.Queue(q.sql, q.args...).Query(q.read)
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return errors.Join(err, discard(conn))
	}
	v.conn = conn
	return nil
}

// discard gives back a connection in a state that nobody knows.
func discard(conn *pgxpool.Conn) error {
	err := conn.Conn().Close(context.Background())
	conn.Release()
	return err
}

// end ends the transaction. The caller need not wait for that.
func (v *snapshot) end() {
	if v.conn == nil {
		return
	}
	go func() {
		if _, err := v.conn.Exec(context.Background(), endSnapshot); err != nil {
			_ = discard(v.conn)
			return
		}
		v.conn.Release()
	}()
}
