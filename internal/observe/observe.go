// Package observe gathers what a server counts about itself: a Snapshot of the running server, as JSON for `newel top`
// and as Prometheus' text for everybody else. The counting is done where things happen, in memory (internal/tally); a
// snapshot reads and never resets, so any number of readers may look at once. Nothing here is durable, except the
// number of open executions, which the engine keeps in the store.
package observe

import (
	"time"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/sqs"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/tally"
)

// Paths of the snapshot, in JSON and as Prometheus' text.
const (
	SnapshotPath = "/_newel/snapshot"
	MetricsPath  = "/_newel/metrics"
)

// Snapshot is a server at a moment. Counts are since its start.
type Snapshot struct {
	Version    string
	Now, Start time.Time
	Calls      []Call // by service, operation and origin
	Engine     engine.Stats
	Store      *store.Stats `json:",omitempty"` // nil: the store does not count
	Lambda     runtime.Stats
	Queues     sqs.Depth
	Owed       int // calls that services owe to others: notifications, events
	Process    Process
}

// Call is how often an operation was called, and how long its calls took.
type Call struct {
	Service, Operation string
	Inside             bool           // by this server: tasks, deliveries, templates
	Status             map[int]uint64 // by HTTP status
	Took               tally.Distribution
}

// Process is the server as a process.
type Process struct {
	Heap, Memory uint64  // bytes: of live and not yet collected objects; that Go has from the system
	CPU          float64 // seconds
	Goroutines   int
}
