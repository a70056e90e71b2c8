package machine

import (
	"math"
	"slices"

	"github.com/newel-run/newel/asl"
)

// retry gives a failure to the state's first retrier that matches (spec.md B.10). When that one is exhausted no other is
// asked. A Parallel or Map starts all over: nothing of its children is left.
func (w *run) retry(f *Frame, s *asl.State, x *failure) bool {
	for i := range s.Retry {
		r := &s.Retry[i]
		if !x.matches(r) {
			continue
		}
		if f.retries == nil {
			f.retries = slices.Repeat([]uint32{w.inspected()}, len(s.Retry))
		}
		if w.inspect != nil {
			w.inspect.Retrier = &i
		}
		if int64(f.retries[i]) >= r.MaxAttempts {
			return false
		}
		w.decisions = append(w.decisions, Decision{s.Name, Retried, i})
		f.retries[i]++
		f.retryCount++
		w.discard(f)
		f.timeout, f.beat, f.mapRun = 0, 0, 0
		delay := w.delay(f, r, f.retries[i])
		if w.inspect != nil {
			w.seeRetry(f, x, delay)
			return true
		}
		if delay > 0 {
			w.wait(f, delaying, w.ms+delay)
			return true
		}
		f.phase, f.attempt = retrying, 0
		w.queue = append(w.queue, f.id)
		return true
	}
	return false
}

// delay is the time before a retrier's n-th retry, in milliseconds: IntervalSeconds * BackoffRate^(n-1), at most
// MaxDelaySeconds; with jitter FULL anything from zero to that.
func (w *run) delay(f *Frame, r *asl.Retrier, n uint32) int64 {
	const limit = 99999999 * 1000 // AWS's largest interval
	d := float64(r.IntervalSeconds) * 1000 * math.Pow(r.BackoffRate, float64(n-1))
	if r.MaxDelaySeconds > 0 {
		d = min(d, float64(r.MaxDelaySeconds)*1000)
	}
	ms := int64(min(d, limit))
	if !r.FullJitter {
		return ms
	}
	w.env(f, forDelay, nil)
	return int64(w.nextRandom() % uint64(ms+1))
}
