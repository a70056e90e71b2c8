// Package limits throttles as AWS does: a bucket of tokens for each limited operation in each account and region, which
// a call takes one from and time refills, and refusals in each service's own words. Nothing is limited unless the server
// is told to; buckets are in memory, full after a restart.
package limits

import (
	"math"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// Rate is a bucket: how many calls may come at once, and how many a second in the long run.
type Rate struct{ Burst, PerSecond float64 }

// Names of limits that are no operations: starts of Express executions, and what executions do by themselves.
const (
	ExpressStart    = "states:StartExecution.EXPRESS"
	StateTransition = "states:StateTransition"
)

// Config is what is limited.
type Config struct {
	AWS   bool            // AWS's quotas of Step Functions, by region
	Rates map[string]Rate // further ones, and in place of AWS's, by "service:Operation"
	Now   func() time.Time
	// Record takes metrics (service.Env.Record); nil for none.
	Record func(account, region, namespace, metric, unit string, value float64, at time.Time, dimensions ...string)
}

// Limiter knows the buckets. Its methods may be called at the same time.
type Limiter struct {
	cfg Config

	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

type bucketKey struct{ name, account, region string }

// bucket is what was taken and not refilled yet; an empty one is no different from none.
type bucket struct {
	taken float64
	at    time.Time
}

// bucketsMost bounds the buckets: callers choose their accounts. Beyond it those that are full again are let go, and if there are none all.
const bucketsMost = 1 << 14

// New makes a limiter.
func New(cfg Config) *Limiter {
	return &Limiter{cfg: cfg, buckets: map[bucketKey]*bucket{}}
}

// rate is what a name is limited to; not ok: it is not.
func (l *Limiter) rate(name, region string) (Rate, bool) {
	if r, ok := l.cfg.Rates[name]; ok {
		return r, true
	}
	if !l.cfg.AWS {
		return Rate{}, false
	}
	return quota(name, region)
}

// Take takes a token for a call; it answers the refusal if there is none.
func (l *Limiter) Take(service, operation, account, region string) *aws.Error {
	name := service + ":" + operation
	r, limited := l.rate(name, region)
	if !limited {
		return nil
	}
	ok := l.take(bucketKey{name, account, region}, r)
	if service == "states" {
		l.measure(account, region, r, 1, ok, "APIName", apiName(operation))
	}
	if ok {
		return nil
	}
	return Refusal(service)
}

func apiName(operation string) string {
	if "states:"+operation == ExpressStart {
		return "StartExecution"
	}
	return operation
}

func (l *Limiter) take(k bucketKey, r Rate) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.refilled(k, r)
	if b.taken+1 > r.Burst {
		return false
	}
	b.taken++
	return true
}

// Spend takes the tokens of state transitions that have happened. It answers how long their machine has to wait until the
// bucket is out of debt; 0 for not at all.
func (l *Limiter) Spend(account, region string, transitions int) time.Duration {
	r, limited := l.rate(StateTransition, region)
	if !limited || transitions == 0 {
		return 0
	}
	l.mu.Lock()
	b := l.refilled(bucketKey{StateTransition, account, region}, r)
	b.taken += float64(transitions)
	debt := b.taken - r.Burst
	l.mu.Unlock()
	l.measure(account, region, r, transitions, debt <= 0, "ServiceMetric", "StateTransition")
	if debt <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(debt / r.PerSecond * float64(time.Second)))
}

func (l *Limiter) refilled(k bucketKey, r Rate) *bucket {
	now := l.cfg.Now()
	b := l.buckets[k]
	if b == nil {
		if len(l.buckets) >= bucketsMost {
			l.forget(now)
		}
		b = &bucket{at: now}
		l.buckets[k] = b
	}
	b.refill(r, now)
	return b
}

func (b *bucket) refill(r Rate, now time.Time) {
	b.taken = max(0, b.taken-max(0, now.Sub(b.at).Seconds())*r.PerSecond)
	b.at = now
}

func (l *Limiter) forget(now time.Time) {
	for k, b := range l.buckets {
		if r, ok := l.rate(k.name, k.region); ok {
			b.refill(r, now)
		}
		if b.taken == 0 {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) >= bucketsMost {
		clear(l.buckets)
	}
}

// measure emits the metrics of a bucket (spec.md F.1).
func (l *Limiter) measure(account, region string, r Rate, n int, ok bool, dimensions ...string) {
	if l.cfg.Record == nil {
		return
	}
	throttled := 0.0
	if !ok {
		throttled = 1
	}
	now := l.cfg.Now()
	for _, m := range []struct {
		name string
		v    float64
	}{{"ConsumedCapacity", float64(n)}, {"ThrottledEvents", throttled}, {"ProvisionedBucketSize", r.Burst}, {"ProvisionedRefillRate", r.PerSecond}} {
		l.cfg.Record(account, region, "AWS/States", m.name, "Count", m.v, now, dimensions...)
	}
}
