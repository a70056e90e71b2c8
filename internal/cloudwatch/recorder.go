package cloudwatch

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// recorder collects what services emit until it is written.
type recorder struct {
	shards [16]shard
	seed   maphash.Seed
	wake   chan struct{}
	done   chan struct{}
	once   sync.Once
	work   sync.WaitGroup
	flush  sync.Mutex // one at a time: a reader's returns when what was emitted before is written
}

type shard struct {
	mu      sync.Mutex
	pending map[string]*emitted
}

// emitted is what came in a minute to one metric in one unit.
type emitted struct {
	account, region string
	metric          metric
	unit            byte
	minute          int64 // s
	aggregate
}

// flushEvery is how long data stays in memory only.
const flushEvery = time.Second

func (r *recorder) init() {
	r.seed, r.wake, r.done = maphash.MakeSeed(), make(chan struct{}, 1), make(chan struct{})
	for i := range r.shards {
		r.shards[i].pending = map[string]*emitted{}
	}
}

func (r *recorder) stop() {
	r.once.Do(func() { close(r.done) })
	r.work.Wait()
}

// Add implements service.Recorder.
func (s *Service) Add(account, region, namespace, name, unit string, value float64, at time.Time, dimensions ...string) {
	minute := at.Unix() / 60 * 60
	var buf [256]byte
	k := append(buf[:0], account...)
	for _, part := range []string{region, namespace, name, unit} {
		k = append(append(k, 0), part...)
	}
	for _, part := range dimensions {
		k = append(append(k, 0), part...)
	}
	for i := range 8 {
		k = append(k, byte(minute>>(8*i)))
	}
	sh := &s.recorder.shards[maphash.Bytes(s.recorder.seed, k)%uint64(len(s.recorder.shards))]
	sh.mu.Lock()
	e := sh.pending[string(k)]
	if e == nil {
		e = &emitted{account: account, region: region, unit: unitNumber(unit), minute: minute, metric: metric{Namespace: namespace, MetricName: name}}
		for i := 0; i+1 < len(dimensions); i += 2 {
			e.metric.Dimensions = append(e.metric.Dimensions, dimension{dimensions[i], dimensions[i+1]})
		}
		sh.pending[string(k)] = e
	}
	e.add(value)
	sh.mu.Unlock()
	select {
	case s.recorder.wake <- struct{}{}:
	default:
	}
}

// take empties the memory.
func (r *recorder) take() []*emitted {
	var all []*emitted
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for _, e := range sh.pending {
			all = append(all, e)
		}
		if len(sh.pending) > 0 {
			sh.pending = map[string]*emitted{}
		}
		sh.mu.Unlock()
	}
	return all
}

// flushing writes what services emit, once a second while they do.
func (s *Service) flushing() {
	for {
		select {
		case <-s.recorder.wake:
		case <-s.recorder.done:
			return
		}
		timer := time.NewTimer(flushEvery)
		select {
		case <-timer.C:
		case <-s.recorder.done:
			timer.Stop()
			return
		}
		s.flush(store.Finishing(context.Background()))
	}
}

// flush writes what is in memory, one transaction for each account and region, and evaluates the alarms on it. What
// cannot be written is lost: metrics are no reason to stop.
func (s *Service) flush(ctx context.Context) {
	s.recorder.flush.Lock()
	defer s.recorder.flush.Unlock()
	places := map[place][]*emitted{}
	for _, e := range s.recorder.take() {
		at := place{e.account, e.region}
		places[at] = append(places[at], e)
	}
	for at, list := range places {
		_, err := s.transact(context.WithoutCancel(ctx), at, func(c *service.Context, tx store.Tx) (any, error) {
			touched := map[uint64]bool{}
			for _, e := range list {
				key := e.metric.key(at.account, at.region)
				one, err := ensureSeries(tx, key)
				if err != nil {
					return nil, err
				}
				a := e.aggregate // merge changes maps only of rows that were read
				if err := one.add(tx, key, perMinute, e.minute, e.unit, &a, c.Now.Unix()); err != nil {
					return nil, err
				}
				touched[one.id] = true
			}
			return nil, s.evaluateTouched(c, tx, touched)
		})
		if err != nil {
			s.Env.Log.Warn("metrics could not be written", "account", at.account, "region", at.region, "error", err)
		}
	}
}

// place is an account in a region.
type place struct{ account, region string }
