package lambda

import (
	"sync"
	"time"

	"github.com/newel-run/newel/internal/lambda/runtime"
)

// concurrency counts the invocations that run, for the metric of that name: by function, and by account and region under
// their names alone.
type concurrency struct {
	mu      sync.Mutex
	running map[string]int
}

func (c *concurrency) add(key string, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = map[string]int{}
	}
	c.running[key] += n
	now := c.running[key]
	if now == 0 {
		delete(c.running, key)
	}
	return now
}

// emit records a value of a function's metric: with the function's name, with its resource, and of all functions.
func (s *Service) emit(f *record, metric, unit string, v float64) {
	now := s.Env.Now()
	for _, dimensions := range [][]string{{"FunctionName", f.Name}, {"FunctionName", f.Name, "Resource", f.Name}, nil} {
		s.Env.Record(f.Account, f.Region, "AWS/Lambda", metric, unit, v, now, dimensions...)
	}
}

// throttled emits that an invocation was refused: it counts as no invocation and no error.
func (s *Service) throttled(f *record) { s.emit(f, "Throttles", "Count", 1) }

// measure emits that an invocation begins, and gives the function that emits how it ended.
func (s *Service) measure(f *record) func(*runtime.Result, error) {
	if s.Env.Metrics == nil {
		return func(*runtime.Result, error) {}
	}
	begin, account := time.Now(), f.Account+"/"+f.Region
	mine, all := s.concurrent.add(f.arn(), 1), s.concurrent.add(account, 1)
	s.Env.Record(f.Account, f.Region, "AWS/Lambda", "ConcurrentExecutions", "Count", float64(mine), begin, "FunctionName", f.Name)
	s.Env.Record(f.Account, f.Region, "AWS/Lambda", "ConcurrentExecutions", "Count", float64(all), begin)
	s.emit(f, "Throttles", "Count", 0)
	return func(r *runtime.Result, err error) {
		s.concurrent.add(f.arn(), -1)
		s.concurrent.add(account, -1)
		failed := 0.0
		if err != nil || r.FunctionError != "" {
			failed = 1
		}
		s.emit(f, "Invocations", "Count", 1)
		s.emit(f, "Errors", "Count", failed)
		s.emit(f, "Duration", "Milliseconds", float64(time.Since(begin).Microseconds())/1000)
	}
}
