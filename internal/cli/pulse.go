package cli

import (
	"cmp"
	"math"
	"slices"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/observe"
	"github.com/newel-run/newel/internal/tally"
	fsm "github.com/newel-run/newel/machine"
)

// pulse is what a server did between two snapshots. Rates are per second, times in milliseconds.
type pulse struct {
	Version        string              `json:"version"`
	Up             float64             `json:"upSeconds"`
	Over           float64             `json:"overSeconds"`
	CPU            float64             `json:"cpuCores"`
	Memory         uint64              `json:"memoryBytes"`
	Goroutines     int                 `json:"goroutines"`
	Requests       float64             `json:"requestsPerSecond"` // of clients
	Standard       kindActivity        `json:"standard"`
	Express        kindActivity        `json:"express"`
	Transitions    float64             `json:"transitionsPerSecond"`
	Events         float64             `json:"historyEventsPerSecond"`
	TasksRunning   int                 `json:"tasksRunning"`
	TasksWaiting   int                 `json:"tasksWaiting"`
	Outbox         int                 `json:"outbox"`
	OutboxAge      float64             `json:"outboxAgeSeconds"`
	TimerLag       latency             `json:"timerLag"`
	Store          *storeActivity      `json:"store,omitempty"`
	Lambda         lambdaActivity      `json:"lambda"`
	Queues         uint64              `json:"queues"`
	Visible        uint64              `json:"messagesVisible"`
	InFlight       uint64              `json:"messagesInFlight"`
	Delayed        uint64              `json:"messagesDelayed"`
	DeliveriesOwed int                 `json:"deliveriesOwed"`
	Operations     []operationActivity `json:"operations"`
	Machines       []machineActivity   `json:"stateMachines"`
}

type kindActivity struct {
	Open    int64   `json:"open"`
	Started float64 `json:"startedPerSecond"`
	Ended   float64 `json:"endedPerSecond"`
	Failed  float64 `json:"failedPerSecond"` // of those: failed, timed out, aborted
}

type latency struct {
	P50 float64 `json:"p50Ms"`
	P99 float64 `json:"p99Ms"`
}

type storeActivity struct {
	Commits  float64 `json:"commitsPerSecond"`
	PerFsync float64 `json:"commitsPerFsync"`
	Bytes    float64 `json:"bytesPerSecond"`
	Size     float64 `json:"bytesPerCommit"`
	Fsync    latency `json:"fsync"`
	Disk     uint64  `json:"diskBytes"`
}

type lambdaActivity struct {
	Workers     int     `json:"workers"`
	Most        int     `json:"workersMax"`
	Busy        int     `json:"busy"`
	Starting    int     `json:"starting"`
	Waiting     int     `json:"waiting"`
	Invocations float64 `json:"invocationsPerSecond"`
	Took        latency `json:"took"`
	Colds       uint64  `json:"coldStarts"`
}

type operationActivity struct {
	Name   string  `json:"operation"`
	Inside bool    `json:"byServer"`
	Rate   float64 `json:"perSecond"`
	Errors float64 `json:"errorsPerSecond"`
	Took   latency `json:"took"`
	Total  uint64  `json:"total"`
}

type machineActivity struct {
	ARN         string  `json:"stateMachineArn"` // "" for those beyond the ones that are counted by themselves
	Started     float64 `json:"startedPerSecond"`
	Ended       float64 `json:"endedPerSecond"`
	Failed      float64 `json:"failedPerSecond"`
	Transitions float64 `json:"transitionsPerSecond"`
	Running     int     `json:"tasksRunning"`
	Waiting     int     `json:"tasksWaiting"`
}

// rates divides differences of counts by a time; a count that went back began anew.
type rates struct{ seconds float64 }

func (r rates) of(now, then uint64) float64 {
	if then > now {
		then = 0
	}
	return math.Round(float64(now-then)/r.seconds*100) / 100
}

func latencyOf(d tally.Distribution) latency {
	ms := func(q float64) float64 { return math.Round(d.Quantile(q)) / 1000 }
	return latency{ms(0.5), ms(0.99)}
}

func pulseBetween(then, now *observe.Snapshot) *pulse {
	over := now.Now.Sub(then.Now).Seconds()
	r := rates{max(over, 1e-3)}
	e, b := &now.Engine, &then.Engine
	p := &pulse{
		Version: now.Version, Up: math.Round(now.Now.Sub(now.Start).Seconds()), Over: math.Round(over*1000) / 1000,
		CPU:    math.Round(max(now.Process.CPU-then.Process.CPU, 0)/r.seconds*100) / 100,
		Memory: now.Process.Memory, Goroutines: now.Process.Goroutines,
		Standard:    r.kind(&e.Standard, &b.Standard),
		Express:     r.kind(&e.Express, &b.Express),
		Transitions: r.of(e.Transitions, b.Transitions), Events: r.of(e.Events, b.Events),
		TasksRunning: e.Tasks.Running, TasksWaiting: e.Tasks.Waiting, Outbox: e.Outbox, TimerLag: latencyOf(e.TimerLag.Minus(b.TimerLag)),
		Queues: now.Queues.Queues, Visible: now.Queues.Ready, InFlight: now.Queues.InFlight, Delayed: now.Queues.Delayed, DeliveriesOwed: now.Owed,
	}
	if !e.Oldest.IsZero() {
		p.OutboxAge = math.Round(max(now.Now.Sub(e.Oldest).Seconds(), 0)*1000) / 1000
	}
	if s, t := now.Store, then.Store; s != nil && t != nil {
		commits := r.of(s.Commits, t.Commits)
		p.Store = &storeActivity{Commits: commits, Bytes: r.of(s.Bytes, t.Bytes), PerFsync: math.Round(s.Batch.Minus(t.Batch).Mean()*10) / 10,
			Fsync: latencyOf(s.Sync.Minus(t.Sync)), Disk: s.Disk}
		if commits > 0 {
			p.Store.Size = math.Round(p.Store.Bytes / commits)
		}
	}
	l, took := &now.Lambda, now.Lambda.Took.Minus(then.Lambda.Took)
	p.Lambda = lambdaActivity{Workers: l.Workers, Most: l.Most, Busy: l.Busy, Starting: l.Starting, Waiting: l.Waiting,
		Invocations: r.of(took.Count, 0), Took: latencyOf(took), Colds: l.Colds}
	p.Operations = r.operations(then, now)
	for _, o := range p.Operations {
		if !o.Inside {
			p.Requests += o.Rate
		}
	}
	p.Machines = r.machines(then, now)
	return p
}

func (r rates) kind(now, then *engine.Kind) kindActivity {
	k := kindActivity{Open: now.Open, Started: r.of(now.Started, then.Started)}
	for status := range now.Ended {
		n := r.of(now.Ended[status], then.Ended[status])
		k.Ended += n
		if fsm.Status(status) != fsm.Succeeded {
			k.Failed += n
		}
	}
	return k
}

// operations are the busiest first; then those that have nothing to do now.
func (r rates) operations(then, now *observe.Snapshot) []operationActivity {
	type key struct {
		service, operation string
		inside             bool
	}
	before := map[key]*observe.Call{}
	for i := range then.Calls {
		c := &then.Calls[i]
		before[key{c.Service, c.Operation, c.Inside}] = c
	}
	list := []operationActivity{}
	for i := range now.Calls {
		c := &now.Calls[i]
		b := before[key{c.Service, c.Operation, c.Inside}]
		if b == nil {
			b = &observe.Call{}
		}
		took := c.Took.Minus(b.Took)
		o := operationActivity{Name: c.Service + ":" + c.Operation, Inside: c.Inside, Rate: r.of(took.Count, 0), Took: latencyOf(took), Total: c.Took.Count}
		if c.Service == "" {
			o.Name = "unknown operations"
		}
		for status, n := range c.Status {
			if status == 0 || status >= 400 {
				o.Errors += r.of(n, b.Status[status])
			}
		}
		list = append(list, o)
	}
	slices.SortStableFunc(list, func(a, b operationActivity) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Total, a.Total))
	})
	return list
}

// machines are the busiest first.
func (r rates) machines(then, now *observe.Snapshot) []machineActivity {
	before := map[string]*engine.MachineStats{}
	for i := range then.Engine.Machines {
		before[then.Engine.Machines[i].ARN] = &then.Engine.Machines[i]
	}
	list := []machineActivity{}
	for i := range now.Engine.Machines {
		m := &now.Engine.Machines[i]
		b := before[m.ARN]
		if b == nil {
			b = &engine.MachineStats{}
		}
		list = append(list, machineActivity{ARN: m.ARN, Started: r.of(m.Started, b.Started), Ended: r.of(m.Ended, b.Ended), Failed: r.of(m.Failed, b.Failed),
			Transitions: r.of(m.Transitions, b.Transitions), Running: m.Running, Waiting: m.Waiting})
	}
	slices.SortStableFunc(list, func(a, b machineActivity) int {
		return cmp.Or(cmp.Compare(b.Transitions, a.Transitions), cmp.Compare(b.Started, a.Started), cmp.Compare(b.Running+b.Waiting, a.Running+a.Waiting))
	})
	return list
}
