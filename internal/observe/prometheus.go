package observe

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/tally"
	"github.com/newel-run/newel/machine"
)

// Metrics serves snapshots as Prometheus' text, with Go's and the process's own metrics. There are no labels but those
// whose values are known beforehand: services, operations, statuses, types.
func Metrics(take func() Snapshot) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{take}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

type collector struct{ take func() Snapshot }

// Describe implements prometheus.Collector: which operations there are is known when they have been called.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.take()
	w := writer{out}
	w.gauge("newel_info", "Version of the server.", 1, "version", s.Version)
	w.gauge("newel_start_time_seconds", "When the server was started.", float64(s.Start.UnixMilli())/1000)
	w.calls(s.Calls)
	w.engine(&s)
	if st := s.Store; st != nil {
		w.counter("newel_store_commits_total", "Transactions that wrote.", st.Commits)
		w.counter("newel_store_written_bytes_total", "Bytes that transactions wrote.", st.Bytes)
		w.sizes("newel_store_commits_per_fsync", "Transactions made durable by one fsync of the log.", st.Batch, 12)
		w.durations("newel_store_fsync_seconds", "Duration of fsyncs of the log.", st.Sync)
		w.gauge("newel_store_disk_bytes", "Bytes of the store on the disk.", float64(st.Disk))
	}
	l := &s.Lambda
	w.gauge("newel_lambda_workers", "Worker processes of functions.", float64(l.Starting), "state", "starting")
	w.gauge("newel_lambda_workers", "Worker processes of functions.", float64(l.Busy), "state", "busy")
	w.gauge("newel_lambda_workers", "Worker processes of functions.", float64(l.Workers-l.Starting-l.Busy), "state", "idle")
	w.gauge("newel_lambda_workers_max", "Worker processes that there may be.", float64(l.Most))
	w.gauge("newel_lambda_waiting", "Invocations that wait for a worker.", float64(l.Waiting))
	w.counter("newel_lambda_cold_starts_total", "Workers that were started.", l.Colds)
	w.durations("newel_lambda_invocation_seconds", "Duration of invocations on their workers.", l.Took)
	w.gauge("newel_sqs_queues", "Queues.", float64(s.Queues.Queues))
	for _, m := range []struct {
		state string
		n     uint64
	}{{"visible", s.Queues.Ready}, {"in_flight", s.Queues.InFlight}, {"delayed", s.Queues.Delayed}} {
		w.gauge("newel_sqs_messages", "Messages in all queues.", float64(m.n), "state", m.state)
	}
	w.gauge("newel_deliveries_owed", "Notifications and events that services owe to others.", float64(s.Owed))
}

type writer struct{ out chan<- prometheus.Metric }

func (w writer) calls(calls []Call) {
	for _, c := range calls {
		origin := "client"
		if c.Inside {
			origin = "server"
		}
		labels := []string{"service", c.Service, "operation", c.Operation, "origin", origin}
		for status, n := range c.Status {
			w.counter("newel_requests_total", "Calls of AWS operations, by clients and by the server itself.", n, append(labels, "status", strconv.Itoa(status))...)
		}
		w.durations("newel_request_seconds", "Duration of calls of AWS operations.", c.Took, labels...)
	}
}

var endings = map[machine.Status]string{machine.Succeeded: "SUCCEEDED", machine.Failed: "FAILED", machine.TimedOut: "TIMED_OUT", machine.Aborted: "ABORTED"}

func (w writer) engine(s *Snapshot) {
	e := &s.Engine
	for _, k := range []struct {
		name string
		engine.Kind
	}{{"STANDARD", e.Standard}, {"EXPRESS", e.Express}} {
		w.counter("newel_executions_started_total", "Executions that were started.", k.Started, "type", k.name)
		for status, name := range endings {
			w.counter("newel_executions_ended_total", "Executions that ended.", k.Ended[status], "type", k.name, "status", name)
		}
		w.gauge("newel_executions_open", "Executions that have not ended.", float64(k.Open), "type", k.name)
	}
	w.counter("newel_state_transitions_total", "States that executions entered.", e.Transitions)
	w.counter("newel_history_events_total", "History events.", e.Events)
	w.gauge("newel_executions_cached", "Executions in memory.", float64(e.Cached))
	w.counter("newel_executions_loaded_total", "Executions read from the store to go on.", e.Loaded)
	w.counter("newel_executions_evicted_total", "Waiting executions that left the memory.", e.Evicted)
	w.gauge("newel_outbox_length", "Tasks that were scheduled and are not answered.", float64(e.Outbox))
	age := 0.0
	if !e.Oldest.IsZero() {
		age = max(0, s.Now.Sub(e.Oldest).Seconds())
	}
	w.gauge("newel_outbox_age_seconds", "Age of the oldest of them.", age)
	w.load("tasks", e.Tasks)
	w.load("continuations", e.Steps)
	w.durations("newel_timer_lag_seconds", "From a timer's time to its application.", e.TimerLag)
}

func (w writer) load(work string, l engine.Load) {
	for _, x := range []struct {
		state    string
		n, bytes float64
	}{{"running", float64(l.Running), float64(l.RunningBytes)}, {"waiting", float64(l.Waiting), float64(l.WaitingBytes)}} {
		w.gauge("newel_work", "What executions have under way or in line.", x.n, "work", work, "state", x.state)
		w.gauge("newel_work_bytes", "Bytes that it holds in memory.", x.bytes, "work", work, "state", x.state)
	}
}

// desc takes labels as name and value in turn.
func desc(name, help string, labels []string) (d *prometheus.Desc, values []string) {
	var names []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	return prometheus.NewDesc(name, help, names, nil), values
}

func (w writer) counter(name, help string, n uint64, labels ...string) {
	d, values := desc(name, help, labels)
	w.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), values...)
}

func (w writer) gauge(name, help string, v float64, labels ...string) {
	d, values := desc(name, help, labels)
	w.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, values...)
}

// durations writes microseconds as seconds, in buckets from 64 µs to 67 s, each twice the one before.
func (w writer) durations(name, help string, t tally.Distribution, labels ...string) {
	w.histogram(name, help, t, 6, 26, 1e-6, labels)
}

func (w writer) sizes(name, help string, t tally.Distribution, most int) {
	w.histogram(name, help, t, 0, most, 1, nil)
}

func (w writer) histogram(name, help string, t tally.Distribution, from, to int, unit float64, labels []string) {
	d, values := desc(name, help, labels)
	buckets := map[float64]uint64{}
	for power := from; power <= to; power++ {
		edge := uint64(1) << power
		if unit == 1 {
			edge-- // whole numbers: what is below 2^power is at most 2^power-1
		}
		buckets[float64(edge)*unit] = t.Below(power)
	}
	w.out <- prometheus.MustNewConstHistogram(d, t.Count, float64(t.Sum)*unit, buckets, values...)
}
