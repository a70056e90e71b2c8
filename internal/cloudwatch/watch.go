package cloudwatch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// alarmID names an alarm.
type alarmID struct {
	place
	name string
}

// schedule says when alarms are to be evaluated next though nothing comes in. It is a hint: Start evaluates all.
type schedule struct {
	mu   sync.Mutex
	due  map[alarmID]time.Time
	wake chan struct{}
	done chan struct{}
	once sync.Once
	work sync.WaitGroup
}

func (w *schedule) init() {
	w.due, w.wake, w.done = map[alarmID]time.Time{}, make(chan struct{}, 1), make(chan struct{})
}

func (w *schedule) stop() {
	w.once.Do(func() { close(w.done) })
	w.work.Wait()
}

func (w *schedule) set(id alarmID, at time.Time) {
	w.mu.Lock()
	if old, there := w.due[id]; !there || at.Before(old) {
		w.due[id] = at
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take removes and returns what is due, and says how long it is until the next is; 0 for nothing to wait for.
func (w *schedule) take(now time.Time) (due []alarmID, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, at := range w.due {
		if !at.After(now) {
			due = append(due, id)
			delete(w.due, id)
		} else if d := at.Sub(now); wait == 0 || d < wait {
			wait = d
		}
	}
	return due, wait
}

// evaluating evaluates alarms when they are due.
func (s *Service) evaluating() {
	for {
		due, wait := s.schedule.take(s.Env.Now())
		if len(due) > 0 {
			s.evaluateDue(due)
			continue
		}
		var timer *time.Timer
		var over <-chan time.Time
		if wait > 0 {
			timer = time.NewTimer(wait)
			over = timer.C
		}
		select {
		case <-over:
		case <-s.schedule.wake:
		case <-s.schedule.done:
			return
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// again is how long an evaluation that could not be written waits.
const again = 10 * time.Second

func (s *Service) evaluateDue(due []alarmID) {
	ctx := store.Finishing(context.Background())
	s.flush(ctx)
	places := map[place][]string{}
	for _, id := range due {
		places[id.place] = append(places[id.place], id.name)
	}
	for at, names := range places {
		_, err := s.transact(ctx, at, func(c *service.Context, tx store.Tx) (any, error) {
			for _, name := range names {
				a, err := readAlarm(tx, at, name)
				if err == nil && a != nil {
					err = s.evaluateAlarm(c, tx, at, a)
				}
				if err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		if err != nil {
			s.Env.Log.Error("alarms could not be evaluated", "account", at.account, "region", at.region, "error", err)
			for _, name := range names {
				s.schedule.set(alarmID{at, name}, s.Env.Now().Add(again))
			}
		}
	}
}

// transact runs a transaction of the service's own.
func (s *Service) transact(ctx context.Context, at place, fn func(*service.Context, store.Tx) (any, error)) (any, error) {
	c := &service.Context{Request: &aws.Request{Service: "monitoring", Account: at.account, Region: at.region}, Env: s.Env, Now: s.Env.Now()}
	return s.Update(ctx, c, s.PartitionOf(at.account, at.region, ""), fn)
}

// remind has an alarm evaluated at a time, once the transaction is durable.
func (s *Service) remind(c *service.Context, at place, name string, when time.Time) {
	c.After = append(c.After, func() { s.schedule.set(alarmID{at, name}, when) })
}

// remindAll has every alarm evaluated.
func (s *Service) remindAll(ctx context.Context) error {
	return s.everywhere(ctx, func(rd store.Reader) error {
		for k := range rd.Scan(table(rowAlarm), table(rowAlarm).End(), false) {
			account, rest, _ := store.CutStr(k[len(table(rowAlarm)):])
			region, rest, _ := store.CutStr(rest)
			name, _, ok := store.CutStr(rest)
			if !ok {
				return errCorrupt
			}
			s.schedule.set(alarmID{place{account, region}, name}, s.Env.Now())
		}
		return nil
	})
}

func (s *Service) everywhere(ctx context.Context, fn func(store.Reader) error) error {
	for p := range s.Env.Store.Partitions() {
		if err := s.Env.Store.View(ctx, store.Partition(p), fn); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes metrics, and data of metrics, that are past their retention.
func (s *Service) sweep(ctx context.Context) error {
	now := s.Env.Now().Unix()
	for p := range s.Env.Store.Partitions() {
		err := s.Env.Store.Update(store.Finishing(ctx), store.Partition(p), func(tx store.Tx) error {
			for k, v := range tx.Scan(table(rowSeries), table(rowSeries).End(), false) {
				one, err := decodeSeries(v)
				if err != nil {
					return err
				}
				one.expire(tx, now)
				watched := false
				watch := table(rowWatch).U64(one.id)
				for range tx.Scan(watch, watch.End(), false) {
					watched = true
					break
				}
				if !watched && one.seen+seenEvery+int64(perMinute.kept()/time.Second) < now {
					tx.Delete(k)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// evaluateTouched evaluates the alarms on series that got data.
func (s *Service) evaluateTouched(c *service.Context, tx store.Tx, touched map[uint64]bool) error {
	for id := range touched {
		prefix := table(rowWatch).U64(id)
		for k := range tx.Scan(prefix, prefix.End(), false) {
			account, rest, _ := store.CutStr(k[len(prefix):])
			region, rest, _ := store.CutStr(rest)
			name, _, ok := store.CutStr(rest)
			if !ok {
				return errCorrupt
			}
			at := place{account, region}
			a, err := readAlarm(tx, at, name)
			if err != nil {
				return err
			}
			if a == nil {
				continue
			}
			if err := s.evaluateAlarm(c, tx, at, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// stepOf is how often an alarm is evaluated, s: high-resolution ones every ten seconds, others every minute, those with a
// period of more than an hour sixty times a period.
func stepOf(a *alarm) int64 {
	switch {
	case a.Period < 60:
		return 10
	case a.Period <= 3600:
		return 60
	}
	return a.Period / 3600 * 60
}

// nextBoundary is when an alarm is evaluated next.
func nextBoundary(a *alarm, now time.Time) time.Time {
	step := stepOf(a)
	return time.Unix(now.Unix()/step*step+step, 0)
}

// evaluateAlarm looks at an alarm's data and makes it go to the state that follows. Only periods that are over count;
// one that is not over counts already if it breaches and can no longer stop to.
func (s *Service) evaluateAlarm(c *service.Context, tx store.Tx, at place, a *alarm) error {
	closed, open, err := a.samples(tx, c.Now.Unix())
	if err != nil {
		return err
	}
	r := a.rule()
	v := r.evaluate(closed, a.StateValue)
	last := &open[len(open)-1]
	if v.state != stateAlarm && last.there && last.certain {
		if early := r.evaluate(open, a.StateValue); early.state == stateAlarm {
			v = early
		}
	}
	if slices.ContainsFunc(slices.Concat(closed, open), func(x sample) bool { return x.there }) {
		s.remind(c, at, a.AlarmName, nextBoundary(a, c.Now))
	}
	if v.state == a.StateValue {
		return nil
	}
	if err := s.transition(c, tx, at, a, v.state, r.reason(v, a.StateValue), a.reasonData(v, c.Now)); err != nil {
		return err
	}
	return a.save(tx, at)
}

// samples reads an alarm's evaluation range twice: up to the last boundary, and up to the next one, which takes in the
// time that is not over yet.
func (a *alarm) samples(rd store.Reader, now int64) (closed, open []sample, err error) {
	step := stepOf(a)
	end := now / step * step
	if closed, err = a.samplesTo(rd, end); err != nil {
		return nil, nil, err
	}
	open, err = a.samplesTo(rd, end+step)
	return closed, open, err
}

// samplesTo reads the periods of the evaluation range that ends at a time (s), oldest first.
func (a *alarm) samplesTo(rd store.Reader, end int64) ([]sample, error) {
	n := int64(a.EvaluationPeriods + extra)
	from := end - n*a.Period
	points, err := window{origin: from, from: from, to: end, period: a.Period, unit: a.Unit, merge: true}.read(rd, a.Series)
	if err != nil {
		return nil, err
	}
	out := make([]sample, n)
	for i := range out {
		out[i].at = from + int64(i)*a.Period
	}
	r, name := a.rule(), a.statistic()
	p, isPercentile := percentile(name)
	for i := range points {
		x := &points[i]
		v, ok := x.statistic(name)
		if !ok {
			continue
		}
		out[(x.at-from)/a.Period] = sample{at: x.at, there: true, value: v, count: x.count, breaches: r.breached(v),
			certain: r.breached(v) && r.certain(name, &x.aggregate),
			low:     isPercentile && a.EvaluateLowSampleCountPercentile == "ignore" && x.count < enough(p)}
	}
	return out, nil
}
