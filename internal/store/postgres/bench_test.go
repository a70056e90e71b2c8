package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/postgres"
)

// BenchmarkUpdate makes durable commits of one row of 1 KiB. Beside it stands what the same database does in the same run for
// one connection that inserts such a row and waits.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			d := newDatabase(b)
			url := d.url("")
			s, err := postgres.Open(b.Context(), url, postgres.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			value := make([]byte, 1<<10)
			inserts := bareInserts(b, d, value)
			var n atomic.Uint64
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						i := n.Add(1)
						err := s.Update(b.Context(), store.Partition(i%256), func(tx store.Tx) error {
							tx.Set(store.K('x', "bench").U64(i%100_000), value)
							return nil
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "commits/s")
			b.ReportMetric(inserts, "inserts/s")
			b.ReportMetric(rate/inserts, "x-inserts")
		})
	}
}

// bareInserts is how many rows a second one connection inserts, each in a transaction of its own.
func bareInserts(b *testing.B, d *database, value []byte) float64 {
	b.Helper()
	ctx := context.Background()
	conn := d.connect()
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE TABLE bare (id int8 PRIMARY KEY, value bytea)`); err != nil {
		b.Fatal(err)
	}
	n, start := 0, time.Now()
	for ; time.Since(start) < 300*time.Millisecond; n++ {
		if _, err := conn.Exec(ctx, `INSERT INTO bare VALUES ($1, $2)`, n, value); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}
