package states

import (
	"strings"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Tracing makes traces of executions. It is engine.Tracing and engine.Config.Changed with how the execution's data is kept.
type Tracing interface {
	Header(arn string, m *engine.Meta, event int64) string
	Changed(c *engine.Change, p *service.Protection) engine.Write
	Express(arn string, m *engine.Meta, history []machine.HistoryEvent, p *service.Protection, stored bool) engine.Write
}

// tracing leaves out the executions of machines whose tracingConfiguration says that they are not traced. One that has
// none is: whoever runs the server has asked for traces.
type tracing struct {
	Tracing
	s *Service
}

func (s *Service) tracing(t Tracing) engine.Tracing {
	if t == nil {
		return nil
	}
	return tracing{t, s}
}

// traced reports whether an execution's machine allows traces of it, or its caller asks for one (spec.md F.4).
func (t tracing) traced(m *engine.Meta) bool {
	c := t.s.revisions.cachedRevision(m.Definition)
	return c == nil || !c.Untraced || sampled(m.Trace)
}

func (t tracing) Header(arn string, m *engine.Meta, event int64) string {
	if !t.traced(m) {
		return ""
	}
	return t.Tracing.Header(arn, m, event)
}

func (t tracing) Express(arn string, m *engine.Meta, history []machine.HistoryEvent, stored bool) engine.Write {
	return t.Tracing.Express(arn, m, history, t.s.sealed.key(m.Definition), stored)
}

// sampled reports whether a caller with this trace header is traced.
func sampled(header string) bool {
	return strings.HasPrefix(header, "Root=") && strings.Contains(header, "Sampled=1")
}

// callerTrace is the trace header of whoever calls, if it is traced. Functions send one that is not with every call.
func callerTrace(header string) string {
	if sampled(header) {
		return header
	}
	return ""
}

// changed asks everybody what is to be written with a change.
func (s *Service) changed(cfg Config) func(*engine.Change) engine.Write {
	if cfg.Tracing == nil {
		return s.sealed.changed(cfg.Changed)
	}
	t := tracing{cfg.Tracing, s}
	return s.sealed.changed(func(c *engine.Change, p *service.Protection) engine.Write {
		var told, owed engine.Write
		if cfg.Changed != nil {
			told = cfg.Changed(c, p)
		}
		if t.traced(&c.Meta) {
			owed = t.Changed(c, p)
		}
		return both(told, owed)
	})
}

func both(a, b engine.Write) engine.Write {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(p store.Partition, tx store.Tx) (func(), error) {
		afterA, err := a(p, tx)
		if err != nil {
			return nil, err
		}
		afterB, err := b(p, tx)
		return func() { afterA(); afterB() }, err
	}
}
