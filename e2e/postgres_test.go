package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"
)

// newDatabase returns the URL of a schema of its own in the PostgreSQL database that NEWEL_TEST_POSTGRES names.
func newDatabase(t *testing.T) string {
	t.Helper()
	database := os.Getenv("NEWEL_TEST_POSTGRES")
	if database == "" {
		t.Skip("SKIPPED: NEWEL_TEST_POSTGRES names no PostgreSQL database (a postgres:// URL)")
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("newel_e2e_%d", rand.Uint32())
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), database)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return u.String()
}

// TestTortureKillPostgres is TestTortureKill with the data in PostgreSQL: the lease of a killed server is taken over by
// the next one, which takes its time.
func TestTortureKillPostgres(t *testing.T) {
	disturbed(t, "kill -9 under load, on PostgreSQL", 3, func(s *server) { s.kill(); s.start() }, "--store", newDatabase(t))
}

// TestTortureDatabaseCrash crashes the database under a server that goes on. NEWEL_TEST_POSTGRES_RESTART is a command that
// crashes the database and starts it again.
func TestTortureDatabaseCrash(t *testing.T) {
	command := os.Getenv("NEWEL_TEST_POSTGRES_RESTART")
	if command == "" {
		t.Skip("SKIPPED: NEWEL_TEST_POSTGRES_RESTART is no command that restarts the database")
	}
	disturbed(t, "PostgreSQL is restarted under load", 10, func(*server) {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}, "--store", newDatabase(t))
}
