package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/newel-run/newel/internal/store"
)

// format is the layout of the tables. An older version refuses a newer one.
const format = 1

var tables = []string{
	`CREATE TABLE IF NOT EXISTS newel_store (id int4 PRIMARY KEY, format int4 NOT NULL, partitions int4 NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS newel_lease (first_partition int4 PRIMARY KEY, partitions int4 NOT NULL, owner text NOT NULL,
		process text NOT NULL, epoch int8 NOT NULL, commit_number int8 NOT NULL, expires timestamptz NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS newel_row (partition int4 NOT NULL, key bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (partition, key))`,
}

const (
	readStore   = `SELECT format, partitions FROM newel_store WHERE id = 0`
	createStore = `INSERT INTO newel_store (id, format, partitions) VALUES (0, $1, $2) ON CONFLICT (id) DO NOTHING`
	createLease = `INSERT INTO newel_lease (first_partition, partitions, owner, process, epoch, commit_number, expires)
		SELECT 0, partitions, '', '', 0, 0, now() FROM newel_store WHERE id = 0 ON CONFLICT (first_partition) DO NOTHING`
)

// ensureSchema returns the number of partitions of the store, which it creates where there is none.
func ensureSchema(ctx context.Context, db *pgxpool.Pool, schema string, partitions int) (int, error) {
	for try := 0; ; try++ {
		n, err := checkStore(ctx, db)
		missing := errors.Is(err, pgx.ErrNoRows) || code(err) == "42P01" || code(err) == "3F000"
		if !missing || try == 5 {
			return n, err
		}
		err = createTables(ctx, db, schema, partitions)
		switch code(err) {
		case "23505", "42P07", "42P06", "42710": // another server creates it at the same time
			continue
		}
		if err != nil {
			return 0, err
		}
	}
}

func checkStore(ctx context.Context, db *pgxpool.Pool) (int, error) {
	var found, partitions int
	if err := db.QueryRow(ctx, readStore).Scan(&found, &partitions); err != nil {
		return 0, err
	}
	if found > format {
		return 0, fmt.Errorf("%w (format %d; this version knows up to %d)", store.ErrFormat, found, format)
	}
	if partitions < 1 || partitions > maxPartitions {
		return 0, fmt.Errorf("%w: newel_store says %d partitions", store.ErrCorrupt, partitions)
	}
	return partitions, nil
}

func createTables(ctx context.Context, db *pgxpool.Pool, schema string, partitions int) error {
	statements := tables
	if schema != "" {
		statements = append([]string{`CREATE SCHEMA IF NOT EXISTS ` + pgx.Identifier{schema}.Sanitize()}, tables...)
	}
	for _, sql := range statements {
		if _, err := db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if _, err := db.Exec(ctx, createStore, format, partitions); err != nil {
		return err
	}
	_, err := db.Exec(ctx, createLease)
	return err
}

// parse reads where the database is and how to reach it.
func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err) // pgx leaves the password out
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = int32(max(8, 2*runtime.GOMAXPROCS(0)))
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "newel"
	}
	config.AfterConnect = tune
	return config, nil
}

// schemaOf is the schema that the URL names, "" if it leaves that to the database.
func schemaOf(config *pgxpool.Config) string {
	path := config.ConnConfig.RuntimeParams["search_path"]
	if strings.ContainsAny(path, `," $`) {
		return ""
	}
	return path
}

// Describe names a database for people, without the password.
func Describe(url string) string {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return "of an unreadable URL"
	}
	c := config.ConnConfig
	at := fmt.Sprintf("%s at %s:%d", c.Database, c.Host, c.Port)
	if schema := schemaOf(config); schema != "" {
		at += ", schema " + schema
	}
	return at
}

// The settings of a session. Every read goes by the primary key, so a plan made once without looking at the tables'
// statistics, which are out of date in a young table, is the right one. A server without such a setting is left alone.
const (
	planSettings = `SELECT set_config(name, value, false) FROM (VALUES ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_sort', 'off'),
		('jit', 'off'), ('plan_cache_mode', 'force_generic_plan')) AS wanted (name, value) WHERE name IN (SELECT name FROM pg_settings)`
	// A commit is durable when it is answered, whatever the database's default is.
	durableCommits = `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit', true) = 'off'`
)

func tune(ctx context.Context, conn *pgx.Conn) error {
	for _, sql := range []string{planSettings, durableCommits} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
