package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// database is a PostgreSQL database in which each data directory has a schema of its own.
type database struct {
	url     *url.URL
	prefix  string
	schemas map[string]bool
}

// onDatabase runs a job on the database and then drops what its servers have kept there.
func (r *run) onDatabase(ctx context.Context, job func(context.Context, *run) error) error {
	u, err := url.Parse(r.Store)
	if err != nil {
		return errors.New("the store is no postgres:// URL")
	}
	d := &database{url: u, prefix: strings.ReplaceAll(filepath.Base(r.dir), "-", "_"), schemas: map[string]bool{}}
	r.database = d
	defer func() { r.database = nil }()
	return errors.Join(job(ctx, r), d.drop(ctx))
}

// flags are those of a server that uses a data directory.
func (d *database) flags(data string) []string {
	if d == nil {
		return nil
	}
	schema := d.prefix + "_" + strings.ReplaceAll(filepath.Base(data), "-", "_")
	d.schemas[schema] = true
	u, q := *d.url, d.url.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return []string{"--store", u.String()}
}

func (d *database) drop(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, d.url.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for schema := range d.schemas {
		if _, err := conn.Exec(ctx, fmt.Sprintf("DROP SCHEMA IF EXISTS %s CASCADE", pgx.Identifier{schema}.Sanitize())); err != nil {
			return err
		}
	}
	return nil
}
