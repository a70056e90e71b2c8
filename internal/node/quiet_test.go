package node

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// TestQuiet lets calls come and stop: memory is given back once after they have stopped, if they have allocated much, and
// never while they come.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var allocated atomic.Uint64
		var freed atomic.Int64
		q := newQuiet(aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) { return nil, nil }), func() {})
		q.allocated, q.free = allocated.Load, func() { freed.Add(1) }
		calls := func(n int, each uint64) {
			for range n {
				_, _ = q.Call(t.Context(), &aws.Request{})
				allocated.Add(each)
				time.Sleep(quietAfter / 3)
			}
		}
		want := func(n int64, when string) {
			t.Helper()
			synctest.Wait()
			if got := freed.Load(); got != n {
				t.Fatalf("memory was given back %d times %s, not %d", got, when, n)
			}
		}
		calls(30, 1<<20)
		want(0, "while calls come")
		time.Sleep(3 * quietAfter)
		want(1, "after them")
		calls(3, 1)
		time.Sleep(3 * quietAfter)
		want(1, "after calls that have allocated little")
		calls(1, 2*quietWorth)
		time.Sleep(3 * quietAfter)
		want(2, "after one that has allocated much")
		calls(1, 2*quietWorth)
		q.close()
		time.Sleep(3 * quietAfter)
		want(2, "with the server closed")
	})
}
