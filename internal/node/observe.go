package node

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/metrics"
	"time"

	"github.com/newel-run/newel/internal/observe"
	"github.com/newel-run/newel/internal/store"
)

// serveObservations serves what the server counts about itself.
func (n *Node) serveObservations() {
	n.gateway.Handle("GET "+observe.MetricsPath, n.gateway.Signed(observe.Metrics(n.Snapshot)))
	n.gateway.Handle("GET "+observe.SnapshotPath, n.gateway.Signed(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.Marshal(n.Snapshot())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n')) // the client is gone if this fails
	})))
}

// Snapshot is what the server has counted so far.
func (n *Node) Snapshot() observe.Snapshot {
	s := observe.Snapshot{Version: n.cfg.Version, Now: time.Now(), Start: n.began, Calls: n.calls.Read(), Engine: n.states.Engine().Stats(),
		Lambda: n.lambda.Stats(), Owed: int(n.owed.Load()), Process: process()}
	if m, ok := n.store.(store.Measured); ok {
		stats := m.Stats()
		s.Store = &stats
	}
	var err error
	if s.Queues, err = n.sqs.Depth(context.Background()); err != nil {
		n.cfg.Log.Warn("the queues could not be counted", "error", err)
	}
	return s
}

func process() observe.Process {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(samples)
	return observe.Process{Heap: samples[0].Value.Uint64(), Memory: samples[1].Value.Uint64() - samples[2].Value.Uint64(), CPU: cpuSeconds(),
		Goroutines: int(samples[3].Value.Uint64())}
}
