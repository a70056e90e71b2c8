package lambda

import (
	"encoding/json"
	"net/http"

	"github.com/newel-run/newel/internal/lambda/runtime"
)

// LoadPath is where Load is served.
const LoadPath = "/_newel/lambda/load"

// Stats is the pool of workers.
func (s *Service) Stats() runtime.Stats {
	if s.pool == nil {
		return runtime.Stats{}
	}
	return s.pool.Stats()
}

// Load answers how many invocations run and wait for a worker, by function: {ARN: {"Running": 1, "Waiting": 0}}.
func (s *Service) Load() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		load := map[string]runtime.Load{}
		if s.pool != nil {
			load = s.pool.Load()
		}
		b, err := json.Marshal(load)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n')) // the client is gone if this fails
	})
}
