package states

import (
	"errors"
	"net/http"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

// Addresses of the server's own: what AWS's API has no operation for.
const (
	WaitsPath = "/_newel/executions/waits" // ?execution=ARN
	ClockPath = "/_newel/clock"
	SkipPath  = "/_newel/clock/skip"
)

// Waits answers what an execution waits for: {"status", "timesOut", "waits": [...]}, see machine.Wait.
func (s *Service) Waits() http.Handler {
	return s.hook(func(r *http.Request) (any, error) {
		arn := r.FormValue("execution")
		d, err := s.engine.Describe(r.Context(), arn)
		if errors.Is(err, engine.ErrNotFound) {
			return nil, noExecution(arn)
		}
		if err != nil {
			return nil, err
		}
		waits, until, err := s.engine.Waits(r.Context(), arn)
		return Waiting{statusName(d.Root.Status()), until, waits}, err
	})
}

// Waiting is what Waits answers.
type Waiting struct {
	Status   string
	TimesOut time.Time `json:",omitzero"` // the machine's TimeoutSeconds
	Waits    []machine.Wait
}

// Clock is what the server's time is.
type Clock struct {
	TestClock bool // whether it can be moved
	Now       time.Time
	Ahead     float64   // seconds, of the real time
	Skipped   float64   `json:",omitempty"` // seconds, by this request
	Next      time.Time `json:",omitzero"`  // where a skip leads
	Execution string    `json:",omitempty"` // that waits for it; none for an Express one
}

// Clock tells the time; Skip moves it on to the end of the next Wait or retry delay. A server without a test clock
// refuses that.
func (s *Service) Clock() http.Handler {
	return s.hook(func(r *http.Request) (any, error) { return s.clock(r) })
}

func (s *Service) clock(r *http.Request) (*Clock, error) {
	ahead, now, ok := s.engine.Ahead()
	next, arn, err := s.engine.NextTimer(r.Context())
	return &Clock{TestClock: ok, Now: now, Ahead: ahead.Seconds(), Next: next, Execution: arn}, err
}

// Skip moves the time on; see Clock.
func (s *Service) Skip() http.Handler {
	return s.hook(func(r *http.Request) (any, error) {
		skipped, err := s.engine.Skip(r.Context())
		if errors.Is(err, engine.ErrNoTestClock) {
			return nil, aws.Errorf("NoTestClock", "this server's time cannot be moved; start it with --test-clock")
		}
		if err != nil {
			return nil, err
		}
		c, err := s.clock(r)
		c.Skipped = skipped.By.Seconds()
		return c, err
	})
}

// hook answers with JSON.
func (s *Service) hook(f func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := f(r)
		status := http.StatusOK
		var e *aws.Error
		switch {
		case errors.As(err, &e):
			status, answer = e.HTTPStatus(), map[string]string{"Code": e.Code, "Message": e.Message}
		case err != nil:
			s.env.Log.Error("a request could not be answered", "path", r.URL.Path, "error", err)
			status, answer = http.StatusInternalServerError, map[string]string{"Code": "InternalFailure", "Message": "The request could not be answered."}
		}
		b, err := service.Marshal(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(b, '\n')) // the client is gone if this fails
	})
}
