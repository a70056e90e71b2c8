package states

import (
	"hash/maphash"
	"sync"

	"github.com/newel-run/newel/machine"
)

// trackedTasks remembers the tasks that are scheduled and not over, by the history event that each is at. A task that waits
// takes some tens of bytes here, whatever its execution is called. What nobody takes out (the tasks of an execution that was
// stopped) ages: of each shard the last trackedGeneration events are remembered, and at most as many before them.
type trackedTasks struct {
	seed   maphash.Seed
	shards [64]trackedShard // by execution
}

type trackedShard struct {
	mu         sync.Mutex
	young, old map[uint64]tracked // by the hash of execution and event
	kinds      map[taskKind]*taskKind
}

const trackedGeneration = 224 // what a map of 256 places holds

// tracked is a task that has been scheduled.
type tracked struct {
	*taskKind
	scheduled, started int64 // epoch milliseconds
}

// taskKind is what tasks have in common.
type taskKind struct {
	metrics            *taskMetrics
	service, resource  string // service is empty but for integrations
	timeout, heartbeat int64  // seconds, 0 for none
}

// arn is what the metrics are recorded under.
func (k *taskKind) arn() string {
	if k.service == "" {
		return k.resource
	}
	return "arn:aws:states:::" + k.service + ":" + k.resource
}

func (t *trackedTasks) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.shards {
		t.shards[i].turn()
	}
}

// turn begins a generation; mu is held, or nobody else is there yet.
func (s *trackedShard) turn() {
	s.young, s.old, s.kinds = map[uint64]tracked{}, s.young, map[taskKind]*taskKind{}
}

// place finds the shard of an execution and the key of its event there.
func (t *trackedTasks) place(execution string, event int64) (*trackedShard, uint64) {
	h := maphash.String(t.seed, execution)
	return &t.shards[h%uint64(len(t.shards))], h + uint64(event)*0x9e3779b97f4a7c15
}

// begin remembers a task that an event has scheduled.
func (t *trackedTasks) begin(execution string, ev *machine.HistoryEvent, kind taskKind) tracked {
	s, key := t.place(execution, ev.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.kinds[kind]
	if known == nil {
		known = &kind
		s.kinds[kind] = known
	}
	task := tracked{known, ev.Time, 0}
	s.keep(key, task)
	return task
}

// moved has a task be at an event; take answers it then.
func (t *trackedTasks) moved(execution string, event int64, task tracked) {
	s, key := t.place(execution, event)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(key, task)
}

func (s *trackedShard) keep(key uint64, task tracked) {
	if len(s.young) == trackedGeneration {
		s.turn()
	}
	s.young[key] = task
}

// take forgets the task that is at an event; it has no kind if none is remembered.
func (t *trackedTasks) take(execution string, event int64) tracked {
	s, key := t.place(execution, event)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, generation := range []map[uint64]tracked{s.young, s.old} {
		if task, there := generation[key]; there {
			delete(generation, key)
			return task
		}
	}
	return tracked{}
}
