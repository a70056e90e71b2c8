package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// receiver takes calls when it is let go, and refuses the first one of each number n for a fault of its own.
type receiver struct {
	let chan struct{}

	mu            sync.Mutex
	running, most int
	tries         map[string]int
	got           map[string]string
}

func (r *receiver) Call(ctx context.Context, q *aws.Request) (*aws.Output, error) {
	r.mu.Lock()
	r.running++
	r.most = max(r.most, r.running)
	r.tries[q.Operation]++
	first := r.tries[q.Operation] == 1
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.running--
		r.mu.Unlock()
	}()
	select {
	case <-r.let:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if first {
		return nil, &aws.Error{Code: "InternalFailure", Fault: true}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[q.Operation] = string(q.Input)
	return nil, nil
}

// TestLineIsBounded: of many large entries few are delivered at a time and few are in memory; all arrive as they were
// written, also those that failed once, and nothing is owed then.
func TestLineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const entries = 600
		r := &receiver{let: make(chan struct{}), tries: map[string]int{}, got: map[string]string{}}
		s := memory.New(memory.Options{Partitions: 2})
		o := New(&service.Env{Store: s, Caller: r, Now: time.Now, Log: slog.New(slog.DiscardHandler)}, "x")
		defer o.Close()
		input := func(i int) string { return fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 60<<10)) }
		for i := range entries {
			p, after := store.Partition(i%2), func() {}
			err := s.Update(t.Context(), p, func(tx store.Tx) (err error) {
				after, err = o.Put(p, tx, Entry{Accepted: time.Now(), Request: Call{Service: "s", Operation: fmt.Sprint(i), Input: json.RawMessage(input(i))}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			after()
		}
		synctest.Wait()
		if o.line.bytes > lineBytes || o.line.running != atOnce || len(o.line.queue) != entries-atOnce || r.most != atOnce {
			t.Errorf("%d bytes in line, %d entries, %d run", o.line.bytes, len(o.line.queue), r.most)
		}
		close(r.let)
		time.Sleep(time.Minute) // of the test's clock
		synctest.Wait()
		for i := range entries {
			if r.got[fmt.Sprint(i)] != input(i) || r.tries[fmt.Sprint(i)] != 2 {
				t.Fatalf("entry %d: %d tries, got %.50s", i, r.tries[fmt.Sprint(i)], r.got[fmt.Sprint(i)])
			}
		}
		if len(o.live) != 0 || o.line.bytes != 0 || o.line.running != 0 || r.most != atOnce {
			t.Errorf("left: %v, %+v, at most %d ran", o.live, o.line, r.most)
		}
	})
}
