// Package tracing sends an OpenTelemetry trace of each execution, by OTLP over HTTP.
//
// Spans are made of history events when an execution has ended, never before: nothing is sent that has not become
// durable. What is guaranteed:
//
//   - Standard executions: the transaction that ends one also writes that its trace is owed (internal/outbox). It is sent
//     until the receiver takes it, refuses it for good, or 24 hours have passed; a crash before the receiver's answer has
//     been noted sends it again. So no trace of a finished execution is lost to a crash, and some are sent twice.
//   - Asynchronous Express executions: the same; what is owed holds the spans, for their history is kept nowhere. One that
//     a crash interrupts runs again, and has a trace of the run that reaches its end.
//   - Synchronous Express executions and Express children of a distributed Map leave nothing behind, and their spans are
//     kept in memory only: those that are not sent when the server crashes are lost, and so are those above 65,536.
//
// Ids follow from the execution's ARN, its start and the id of the event that begins a span: what is sent twice is the
// same. A redriven execution is sent again when it has ended again, with the same spans and those that were added.
//
// Spans carry names, resources, statuses and names of errors; no input, output or cause.
package tracing

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Tracer makes traces. It implements engine.Tracing.
type Tracer struct {
	cfg    Config
	outbox *outbox.Outbox
	export *exporter
	engine *engine.Engine
}

// New makes a tracer for a Config with an endpoint.
func New(env *service.Env, cfg Config) *Tracer {
	t := &Tracer{cfg: cfg, export: newExporter(cfg, env.Log)}
	own := *env
	own.Caller = aws.CallerFunc(t.deliver)
	t.outbox = outbox.New(&own, "traces")
	return t
}

// Start sends what is owed. e is where histories are read.
func (t *Tracer) Start(ctx context.Context, e *engine.Engine) error {
	t.engine = e
	go t.export.run()
	return t.outbox.Start(ctx)
}

// Close ends the sending; the next Start goes on with what is owed.
func (t *Tracer) Close() {
	if t.engine == nil {
		return
	}
	t.export.close()
	t.outbox.Close()
}

// context is where an execution's span hangs; traced is false if it is not sampled.
func (t *Tracer) context(arn string, m *engine.Meta) (c Context, traced bool) {
	for _, header := range []string{m.Trace, m.Parent} {
		if c, ok := parseHeader(header); ok {
			if c.Decided && !t.cfg.Ignore {
				return c, c.Sampled
			}
			return c, t.sampled(c.Trace)
		}
	}
	c.Trace = traceOf(arn, m.StartMs())
	return c, t.sampled(c.Trace)
}

// sampled decides by the trace id, as the sampler traceidratio does: by its last eight bytes.
func (t *Tracer) sampled(id TraceID) bool {
	if t.cfg.Ratio >= 1 {
		return true
	}
	var x uint64
	for _, b := range id[8:] {
		x = x<<8 | uint64(b)
	}
	return x>>1 < uint64(t.cfg.Ratio*(1<<63))
}

// Header implements engine.Tracing.
func (t *Tracer) Header(arn string, m *engine.Meta, event int64) string {
	c, traced := t.context(arn, m)
	if !traced {
		return ""
	}
	return c.Trace.header(spanOf(arn, m.StartMs(), spanAttempt, event))
}

// owed is the input of the call that an outbox entry stands for.
type owed struct {
	ARN   string `json:",omitempty"` // of a Standard execution
	Spans []Span `json:",omitempty"` // of an Express one
}

// Changed implements engine.Tracing.
func (t *Tracer) Changed(c *engine.Change, p *service.Protection) engine.Write {
	if c.Status == machine.Running {
		return nil
	}
	if _, traced := t.context(c.ARN, &c.Meta); !traced {
		return nil
	}
	return t.owe(c.ARN, owed{ARN: c.ARN}, c.At, p)
}

// chains are how many traces of one partition are sent at the same time. What waits behind them, while the receiver is
// down, waits in the store and not in memory.
const chains = 4

func (t *Tracer) owe(arn string, o owed, at time.Time, p *service.Protection) engine.Write {
	input, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte(arn))
	entry := outbox.Entry{Chain: strconv.Itoa(int(sum[0] % chains)), Protection: p, Accepted: at, MaxTries: 1 << 30, Request: outbox.Call{Service: "traces", Operation: "Export", Input: input}}
	return func(p store.Partition, tx store.Tx) (func(), error) { return t.outbox.Put(p, tx, entry) }
}

// Express implements engine.Tracing.
func (t *Tracer) Express(arn string, m *engine.Meta, history []machine.HistoryEvent, p *service.Protection, stored bool) engine.Write {
	c, traced := t.context(arn, m)
	if !traced || len(history) == 0 {
		return nil
	}
	spans := Spans(execution(arn, m, c), history)
	if stored {
		return t.owe(arn, owed{Spans: spans}, time.UnixMilli(history[len(history)-1].Time), p)
	}
	t.export.offer(spans)
	return nil
}

func execution(arn string, m *engine.Meta, c Context) *Execution {
	return &Execution{ARN: arn, MachineARN: m.MachineARN, Name: m.Name, VersionARN: m.VersionARN, AliasARN: m.AliasARN, StartMs: m.StartMs(), Context: c}
}

// deliver sends what an outbox entry says is owed.
func (t *Tracer) deliver(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	var o owed
	if err := json.Unmarshal(r.Input, &o); err != nil {
		return nil, &aws.Error{Code: "Malformed", Message: err.Error()}
	}
	if o.ARN == "" {
		return nil, t.export.send(ctx, o.Spans)
	}
	d, err := t.engine.Describe(ctx, o.ARN)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, nil // its retention is over
	}
	if err != nil {
		return nil, err
	}
	history, err := t.history(ctx, o.ARN)
	if err != nil {
		return nil, err
	}
	c, _ := t.context(o.ARN, &d.Meta)
	return nil, t.export.send(ctx, Spans(execution(o.ARN, &d.Meta, c), history))
}

func (t *Tracer) history(ctx context.Context, arn string) (all []machine.HistoryEvent, err error) {
	for from := int64(0); ; {
		events, next, err := t.engine.History(ctx, arn, engine.HistoryQuery{From: from, Max: 1000})
		if err != nil {
			return nil, err
		}
		for i := range events { // data is not needed, and a long history's is large
			ev := events[i]
			ev.Input, ev.Output, ev.Parameters, ev.Assigned = nil, nil, nil, nil
			all = append(all, ev)
		}
		if from = next; next == 0 {
			return all, nil
		}
	}
}
