package engine_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

// rows are everything that a store holds.
func rows(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for p := range store.Partition(s.Partitions()) {
		err := s.View(context.Background(), p, func(rd store.Reader) error {
			for k, v := range rd.Scan(nil, nil, false) {
				all[string(rune(p))+string(k)] = string(v)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestFill: what is written many at a time is what StartExecution writes, to the byte; an execution that waits is refused.
func TestFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const definition = `{"StartAt":"A","States":{"A":{"Type":"Pass","ResultPath":"$.a","Next":"B"},"B":{"Type":"Pass","End":true}}}`
		var starts []engine.StartInput
		for _, name := range numbered("x", 50) {
			starts = append(starts, input(name, `{"n":1}`))
		}
		one, many := memory.New(memory.Options{Partitions: 4}), memory.New(memory.Options{Partitions: 4})
		e := open(t, one, nil, definition)
		for _, in := range starts {
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		e.Close()
		e = open(t, many, nil, definition)
		if err := e.Fill(t.Context(), starts); err != nil {
			t.Fatal(err)
		}
		e.Close()
		if got, want := rows(t, many), rows(t, one); len(got) == 0 || !maps.Equal(got, want) {
			t.Errorf("%d rows are written, %d by StartExecution, or others", len(got), len(want))
		}
		e = open(t, memory.New(memory.Options{Partitions: 4}), nil, untilNextDay)
		defer e.Close()
		if err := e.Fill(t.Context(), starts); !errors.Is(err, engine.ErrNotAtOnce) {
			t.Errorf("executions that wait: %v", err)
		}
	})
}
