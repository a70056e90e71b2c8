package memory_test

import (
	"testing"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/internal/store/storetest"
)

func TestStore(t *testing.T) {
	for name, o := range map[string]memory.Options{"once": {}, "twice": {RunTwice: true}} {
		t.Run(name, func(t *testing.T) {
			if o.RunTwice && testing.Short() {
				t.Skip("the same once more")
			}
			storetest.Run(t, func(*testing.T) storetest.Harness {
				return storetest.Harness{Open: func() (store.Store, error) { return memory.New(o), nil }}
			})
		})
	}
}

// A function with an effect of its own is found by RunTwice.
func TestRunTwice(t *testing.T) {
	s := memory.New(memory.Options{RunTwice: true})
	defer s.Close()
	runs := 0
	err := s.Update(t.Context(), 0, func(tx store.Tx) error {
		runs++
		tx.Set([]byte{byte(runs)}, nil)
		return nil
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	err = s.View(t.Context(), 0, func(r store.Reader) error {
		for k := range r.Scan(nil, nil, false) {
			if k[0] != 2 {
				t.Errorf("the first run has written %v", k)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
