package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// counter is a service whose one operation counts how often it has had an effect, and fails after it when asked to.
func counter(st store.Store) *service.Service {
	return service.New("counter", &service.Env{Store: st, Now: time.Now}, []service.Operation{{
		Name: "Add", Key: func(*aws.Request) (string, error) { return "one", nil },
		Update: func(c *service.Context, tx store.Tx) (any, error) {
			row := store.K(store.TableMeta, "count")
			b, err := tx.Get(row)
			if err != nil {
				return nil, err
			}
			tx.Set(row, append(b, '.'))
			if string(c.Request.Input) == `{"fail":true}` {
				return nil, errors.New("no")
			}
			return map[string]int{"count": len(b) + 1}, nil
		},
	}})
}

// TestOnce repeats calls under their tokens: each has its effect once and the same answer every time, also when another process
// answers, until the source says that it will not ask again; a call that failed may be repeated.
func TestOnce(t *testing.T) {
	st := memory.New(memory.Options{})
	s := counter(st)
	add := func(seq, low uint64, input string) string {
		out, err := s.Call(context.Background(), &aws.Request{Service: "counter", Operation: "Add", Input: []byte(input),
			Token: aws.Token{Source: "engine/3", Seq: seq, Low: low}})
		if err != nil {
			return err.Error()
		}
		b, err := json.Marshal(out.Value)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Fatalf("%s, not %s", got, want)
		}
	}
	want(add(7, 1, `{}`), `{"count":1}`)
	want(add(5, 1, `{}`), `{"count":2}`) // numbers arrive in any order
	want(add(7, 1, `{}`), `{"count":1}`)
	if got := add(6, 1, `{"fail":true}`); got == `{"count":3}` {
		t.Fatal("the call did not fail")
	}
	want(add(6, 1, `{}`), `{"count":3}`)
	s = counter(st) // another process
	want(add(5, 1, `{}`), `{"count":2}`)
	want(add(7, 1, `{}`), `{"count":1}`)
	want(add(8, 1, `{}`), `{"count":4}`)

	// What is below the low mark goes in one sweep, what is not stays.
	for seq := uint64(1000); seq < 1010; seq++ {
		want(add(seq, 1000, `{}`), fmt.Sprintf(`{"count":%d}`, seq-995))
	}
	rows := 0
	err := st.View(context.Background(), 0, func(store.Reader) error { return nil })
	for p := range store.Partition(st.Partitions()) {
		err = errors.Join(err, st.View(context.Background(), p, func(rd store.Reader) error {
			table := store.K(store.TableOnce)
			for range rd.Scan(table, table.End(), false) {
				rows++
			}
			return nil
		}))
	}
	if err != nil || rows != 11 { // ten answers and the mark
		t.Fatalf("%d rows are kept, %v", rows, err)
	}
	s = counter(st)
	want(add(1003, 1000, `{}`), `{"count":8}`)
}
