package engine

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/tally"
	"github.com/newel-run/newel/machine"
)

// stats counts what the engine does since it was made.
type stats struct {
	standard, express kindStats
	transitions       atomic.Uint64
	events            atomic.Uint64
	loaded, evicted   atomic.Uint64
	timerLag          tally.Histogram
	machines          machineTable
}

type kindStats struct {
	open    atomic.Int64
	started atomic.Uint64
	ended   [machine.Aborted + 1]atomic.Uint64
}

func (k *kindStats) read() Kind {
	out := Kind{Open: max(k.open.Load(), 0), Started: k.started.Load()}
	for i := range k.ended {
		out.Ended[i] = k.ended[i].Load()
	}
	return out
}

// machineStats counts what one state machine's executions do.
type machineStats struct {
	started, ended, failed, transitions atomic.Uint64
}

// machinesMost bounds the machines that are counted by themselves; the rest are counted together, under no name.
const machinesMost = 4096

type machineTable struct {
	mu    sync.RWMutex
	byARN map[string]*machineStats
}

func (t *machineTable) of(arn string) *machineStats {
	t.mu.RLock()
	m := t.byARN[arn]
	t.mu.RUnlock()
	if m != nil {
		return m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byARN == nil {
		t.byARN = map[string]*machineStats{}
	}
	if len(t.byARN) >= machinesMost {
		arn = ""
	}
	if m = t.byARN[arn]; m == nil {
		m = &machineStats{}
		t.byARN[arn] = m
	}
	return m
}

// advanced counts the new events of an execution, and answers how many states it has entered.
func (s *stats) advanced(m *machineStats, events []machine.HistoryEvent) (entered int) {
	for i := range events {
		if events[i].Type.Entered() {
			entered++
		}
	}
	s.events.Add(uint64(len(events)))
	s.transitions.Add(uint64(entered))
	m.transitions.Add(uint64(entered))
	return entered
}

func (s *stats) began(k *kindStats, m *machineStats) {
	k.open.Add(1)
	k.started.Add(1)
	m.started.Add(1)
}

func (s *stats) over(k *kindStats, m *machineStats, status machine.Status) {
	k.open.Add(-1)
	k.ended[status].Add(1)
	m.ended.Add(1)
	if status != machine.Succeeded {
		m.failed.Add(1)
	}
}

// Stats is what an engine has done since it was made, and what it has under way.
type Stats struct {
	Standard, Express   Kind
	Transitions, Events uint64
	Loaded, Evicted     uint64    // executions read from the store, and let go from memory
	Cached              int       // executions in memory
	Outbox              int       // tasks that were sent and are not answered
	Oldest              time.Time `json:",omitzero"` // when the first of them was scheduled
	Tasks               Load
	Steps               Load               // continuations
	TimerLag            tally.Distribution // microseconds from a timer's time to its application
	Machines            []MachineStats     // in the order of their ARNs; the one without counts the rest
}

// Kind counts the executions of a type.
type Kind struct {
	Open    int64 // Standard: also those from before the last restart
	Started uint64
	Ended   [machine.Aborted + 1]uint64 // by machine.Status
}

// MachineStats is a state machine's part.
type MachineStats struct {
	ARN                                 string
	Started, Ended, Failed, Transitions uint64
	Running, Waiting                    int // tasks
}

// Stats reads what was counted. It holds nothing up.
func (e *Engine) Stats() Stats {
	s := &e.stats
	out := Stats{Standard: s.standard.read(), Express: s.express.read(), Transitions: s.transitions.Load(), Events: s.events.Load(),
		Loaded: s.loaded.Load(), Evicted: s.evicted.Load(), Tasks: e.tasks.load(), Steps: e.steps.load(), TimerLag: s.timerLag.Read()}
	oldest := int64(0)
	for _, p := range e.parts {
		p.cache.mu.Lock()
		out.Cached += len(p.cache.byARN)
		p.cache.mu.Unlock()
		n, at := p.outbox.backlog()
		if out.Outbox += n; n > 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	if oldest != 0 {
		out.Oldest = time.UnixMilli(oldest).UTC()
	}
	s.machines.mu.RLock()
	for arn, m := range s.machines.byARN {
		out.Machines = append(out.Machines, MachineStats{ARN: arn, Started: m.started.Load(), Ended: m.ended.Load(), Failed: m.failed.Load(), Transitions: m.transitions.Load()})
	}
	s.machines.mu.RUnlock()
	slices.SortFunc(out.Machines, func(a, b MachineStats) int { return strings.Compare(a.ARN, b.ARN) })
	for i := range out.Machines {
		out.Machines[i].Running, out.Machines[i].Waiting = e.tasks.machine(out.Machines[i].ARN)
	}
	return out
}

// openKey holds how many Standard executions of the partition are open; nothing if none ever waited.
func openKey() store.Key { return store.K(store.TableOpen) }

func readOpen(rd store.Reader) (int64, error) {
	b, err := rd.Get(openKey())
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// opens is by how much a commit changes the number of open executions.
func (c *commit) opens() int64 {
	switch starts := c.starting || c.redriving; {
	case starts && !c.ended():
		return 1
	case !starts && c.ended():
		return -1
	}
	return 0
}

// writeOpen keeps the number of open executions, of which there are n. One that starts and ends in one commit costs nothing.
func (c *commit) writeOpen(tx store.Tx, n int64) {
	if by := c.opens(); by != 0 {
		tx.Set(openKey(), binary.BigEndian.AppendUint64(nil, uint64(n+by)))
	}
}

// count takes a commit that is durable into the figures, and paces its machine.
func (e *Engine) count(c *commit) {
	k := &e.stats.standard
	if c.starting {
		e.stats.began(k, c.stats)
	} else if c.redriving {
		k.open.Add(1)
	}
	entered := e.stats.advanced(c.stats, c.result.History)
	if e.cfg.Pace != nil {
		if d := e.cfg.Pace(c.meta.MachineARN, entered); d > 0 {
			e.tasks.hold(c.meta.MachineARN, d)
			e.steps.hold(c.meta.MachineARN, d)
		}
	}
	if c.ended() {
		e.stats.over(k, c.stats, c.result.Status)
	}
}
