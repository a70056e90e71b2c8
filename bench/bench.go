// Package bench measures a whole server over HTTP: it starts `newel serve` as a process of its own, drives the jobs
// against it from this process, and prints beside each figure the limit of this machine that was measured in the same
// run. Figures of different machines or minutes do not compare; ratios of one run do.
//
//	J1  latency of an execution of one step, one client
//	J2  executions a second of a chain of ten steps, by number of clients: ten Pass states, and ten messages to a queue
//	J3  one inline Map over many items
//	J4  executions that wait for a task token: starts a second, memory of each, all answered; what more of them cost; if asked
//	    for, a restart with very many
//	J5  process start to first execution done; memory when idle
//	J6  kill -9 with executions waiting, restart, all answered
//	J7  synchronous Express executions of ten Pass states a second, by number of clients
//	Growth  if asked for: the cost of an execution by the number of finished ones in the store
package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options say what to run.
type Options struct {
	Binary   string        // the newel binary that is measured; required
	Dir      string        // where the data directories go; a temporary directory if empty
	Jobs     []string      // of "J1" to "J7" and "Growth"; all if empty
	Duration time.Duration // of each throughput measurement; 5 s if zero
	Clients  []int         // of J2 and J7; 1, 16, 128 if empty
	Waiting  int           // executions of J4; 10,000 if zero
	Grown    int           // executions up to which J4 says what each costs in memory; none if zero
	// WaitingMany and Finished are the executions of J4's restart and of Growth, which take minutes; none if zero.
	WaitingMany, Finished int
	Out                   io.Writer // the report; standard output if nil
	Flags                 []string  // further flags of serve
	Store                 string    // postgres:// URL of a database on which each job is run too; "" for none
}

// Run measures and reports. It stops every process that it started.
func Run(ctx context.Context, o Options) error {
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Duration == 0 {
		o.Duration = 5 * time.Second
	}
	if len(o.Clients) == 0 {
		o.Clients = []int{1, 16, 128}
	}
	if o.Waiting == 0 {
		o.Waiting = 10_000
	}
	dir, err := os.MkdirTemp(o.Dir, "newel-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &run{Options: o, dir: dir}
	r.say("limits of this machine")
	if r.limits, err = measureLimits(dir, min(o.Duration, 2*time.Second)); err != nil {
		return err
	}
	r.say("  fdatasync p50 %s; group commit, 128 writers: %.0f records/s; bare HTTP JSON server, 16 clients: %.0f requests/s",
		r.limits.fsync.Round(time.Microsecond), r.limits.groupCommit, r.limits.http)
	for _, j := range jobs {
		if len(o.Jobs) > 0 && !slices.Contains(o.Jobs, j.name) || j.name == "Growth" && o.Finished == 0 {
			continue
		}
		r.say("%s  %s", j.name, j.title)
		if err := j.run(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		if o.Store != "" {
			r.say("%s  %s, with the data in PostgreSQL", j.name, j.title)
			if err := r.onDatabase(ctx, j.run); err != nil {
				return fmt.Errorf("%s: %w", j.name, err)
			}
		}
	}
	return nil
}

// run is one run of the jobs.
type run struct {
	Options
	dir      string
	limits   limits
	data     int
	database *database // on which the servers keep their data; nil for the data directory
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// newDir names a data directory that nothing has used.
func (r *run) newDir() string {
	r.data++
	return filepath.Join(r.dir, fmt.Sprintf("data-%d", r.data))
}

var jobs = []struct {
	name, title string
	run         func(context.Context, *run) error
}{
	{"J1", "one step, one client", latency},
	{"J2", "chain of ten steps", chain},
	{"J3", "inline Map over Pass items", fanOut},
	{"J4", "executions waiting for a token", waiting},
	{"J5", "cold start", coldStart},
	{"J6", "kill -9 with 1,000 waiting", crash},
	{"J7", "synchronous Express executions of ten Pass states", express},
	{"Growth", "chain of ten Pass states beside finished executions", finished},
}

// quantile of durations; d is sorted.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

func quantiles(d []time.Duration) string {
	slices.Sort(d)
	var parts []string
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", .5}, {"p99", .99}, {"max", 1}} {
		parts = append(parts, fmt.Sprintf("%s %s", q.name, quantile(d, q.q).Round(10*time.Microsecond)))
	}
	return strings.Join(parts, ", ")
}
