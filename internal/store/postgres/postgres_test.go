package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/postgres"
	"github.com/newel-run/newel/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is a schema of its own in the database that NEWEL_TEST_POSTGRES names, dropped at the end of the test.
type database struct {
	t      testing.TB
	schema string
}

func newDatabase(t testing.TB) *database {
	t.Helper()
	if os.Getenv("NEWEL_TEST_POSTGRES") == "" {
		t.Skip("SKIPPED: NEWEL_TEST_POSTGRES names no PostgreSQL database (a postgres:// URL)")
	}
	id := make([]byte, 6)
	_, _ = rand.Read(id)
	d := &database{t, "newel_test_" + hex.EncodeToString(id)}
	t.Cleanup(func() { d.exec("DROP SCHEMA IF EXISTS " + d.schema + " CASCADE") })
	return d
}

// url is the database's, by way of another address if at is not empty.
func (d *database) url(at string) string {
	d.t.Helper()
	u, err := url.Parse(os.Getenv("NEWEL_TEST_POSTGRES"))
	if err != nil {
		d.t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", d.schema)
	if at != "" {
		q.Del("host")
		u.Host = at
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (d *database) connect() *pgx.Conn {
	d.t.Helper()
	conn, err := pgx.Connect(context.Background(), d.url(""))
	if err != nil {
		d.t.Fatal(err)
	}
	return conn
}

func (d *database) exec(sql ...string) {
	d.t.Helper()
	conn := d.connect()
	defer conn.Close(context.Background())
	for _, statement := range sql {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			d.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// quick expires soon, so that tests of the lease do not wait long.
var quick = postgres.Options{Partitions: 16, Lease: 900 * time.Millisecond}

func (d *database) open(o postgres.Options) (store.Store, error) {
	s, err := postgres.Open(context.Background(), d.url(""), o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func TestStore(t *testing.T) {
	newDatabase(t) // or skip it all
	storetest.Run(t, func(t *testing.T) storetest.Harness { return newDatabase(t).harness() })
}

func (d *database) harness() storetest.Harness {
	return storetest.Harness{
		Open: func() (store.Store, error) { return d.open(quick) },
		Disk: &storetest.Disk{
			Crash:    func(uint64) storetest.Harness { return d.clone().harness() },
			HoldSync: d.holdCommits,
		},
	}
}

// holdCommits locks the lease's row, which every commit changes.
func (d *database) holdCommits() (release func()) {
	conn := d.connect()
	if _, err := conn.Exec(context.Background(), "BEGIN; SELECT * FROM newel_lease FOR UPDATE"); err != nil {
		d.t.Fatal(err)
	}
	return func() { conn.Close(context.Background()) }
}

// clone is the database as a crash of the server process would leave it now, its lease expired.
func (d *database) clone() *database {
	d.t.Helper()
	c := newDatabase(d.t)
	statements := []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "CREATE SCHEMA " + c.schema}
	for _, table := range []string{"newel_store", "newel_lease", "newel_row"} {
		statements = append(statements,
			fmt.Sprintf("CREATE TABLE %s.%s (LIKE %s.%s INCLUDING ALL)", c.schema, table, d.schema, table),
			fmt.Sprintf("INSERT INTO %s.%s SELECT * FROM %s.%s", c.schema, table, d.schema, table))
	}
	d.exec(append(statements, fmt.Sprintf("UPDATE %s.newel_lease SET expires = now()", c.schema), "COMMIT")...)
	return c
}
