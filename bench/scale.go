package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// settle is how long after the last request the memory of a server is looked at.
const settle = 5 * time.Second

// growth starts executions that wait until there are r.Waiting and then until there are r.Grown, and says what each of those
// in between costs in resident memory.
func growth(ctx context.Context, r *run) error {
	if r.Grown <= r.Waiting {
		return nil
	}
	s, _, err := startServer(ctx, r, r.newDir())
	if err != nil {
		return err
	}
	defer s.kill()
	w, err := newWaiters(ctx, s)
	if err != nil {
		return err
	}
	var rss [2]int64
	for i, n := range []int{r.Waiting, r.Grown - r.Waiting} {
		if _, err := w.start(ctx, n); err != nil {
			return err
		}
		time.Sleep(settle)
		rss[i] = s.use().rss
	}
	r.say("  %s after the last start: %.0f MiB with %d, %.0f MiB with %d: %d bytes each", settle, mib(rss[0]), r.Waiting, mib(rss[1]), r.Grown,
		(rss[1]-rss[0])/int64(r.Grown-r.Waiting))
	return nil
}

// waitingMany starts r.WaitingMany executions that wait, kills the server and starts it again.
func waitingMany(ctx context.Context, r *run) error {
	if r.WaitingMany == 0 {
		return nil
	}
	data := r.newDir()
	s, _, err := startServer(ctx, r, data)
	if err != nil {
		return err
	}
	defer func() { s.kill() }()
	w, err := newWaiters(ctx, s)
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := w.start(ctx, r.WaitingMany); err != nil {
		return err
	}
	took := time.Since(start)
	time.Sleep(settle)
	r.say("  %d waiting: %.0f starts/s; %s after the last one %.0f MiB resident, %.1f GiB on disk", r.WaitingMany, float64(r.WaitingMany)/took.Seconds(),
		settle, mib(s.use().rss), gib(sizeOf(data)))
	return restart(ctx, r, &s, data)
}

// restart kills a server and starts it again on its data.
func restart(ctx context.Context, r *run, s **server, data string) error {
	(*s).kill()
	again, ready, err := startServer(ctx, r, data)
	if err != nil {
		return err
	}
	*s = again
	atOnce := again.use().rss
	time.Sleep(settle)
	r.say("  kill -9, restart to ready %s; %.0f MiB resident then, %.0f MiB %s later", ready.Round(time.Millisecond), mib(atOnce), mib(again.use().rss), settle)
	return nil
}

// finished compares what an execution costs with 10,000 finished ones in the store and with r.Finished.
func finished(ctx context.Context, r *run) error {
	const few, clients = 10_000, 128
	data := r.newDir()
	s, _, err := startServer(ctx, r, data)
	if err != nil {
		return err
	}
	defer func() { s.kill() }()
	machine, err := s.createMachine(ctx, "STANDARD", "ten", steps(10, pass))
	if err != nil {
		return err
	}
	var names atomic.Int64 // clients name executions here: a server that is given a name has to see whether it is taken
	one := func(int) error { return s.execute(ctx, machine, nameOf(int(names.Add(1))), input) }
	cpu := func() (time.Duration, error) {
		before := s.use()
		rate, err := hammer(clients, r.Duration, func(int) func() error { return func() error { return one(0) } })
		return time.Duration(float64(s.use().cpu-before.cpu) / (rate * r.Duration.Seconds())), err
	}
	var each [2]time.Duration
	for i, n := range []int{few, r.Finished - few} {
		if err := spread(n, one); err != nil {
			return err
		}
		time.Sleep(settle)
		if each[i], err = cpu(); err != nil {
			return err
		}
		r.say("  with %7d finished: server CPU %.3f ms each, %d clients", few+i*n, each[i].Seconds()*1000, clients)
	}
	r.say("  %.2f times as much; %.1f GiB on disk", float64(each[1])/float64(each[0]), gib(sizeOf(data)))
	return restart(ctx, r, &s, data)
}
