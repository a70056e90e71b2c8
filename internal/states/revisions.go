package states

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// revisions finds machines and compiled definitions without reading the store each time. Compiled revisions never
// change; a head is cached until this process changes it, which it is told through forget.
type revisions struct {
	env *service.Env

	mu       sync.RWMutex
	compiled map[string]*compiled // by revision id
	heads    map[string]*head     // by machine ARN; never changed, only replaced
	changes  uint64               // counts forget: a head read before one is not kept after it
}

type compiled struct {
	*revision
	definition *asl.Definition
	logging    loggingConfiguration
}

// cachedRevisions bounds each of the two maps; when one is full it is emptied.
const cachedRevisions = 4096

func newRevisions(env *service.Env) *revisions {
	return &revisions{env: env, compiled: map[string]*compiled{}, heads: map[string]*head{}}
}

// Definition implements engine.Definitions.
func (r *revisions) Definition(ctx context.Context, id string) (*asl.Definition, error) {
	c, err := r.revision(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.definition, nil
}

// revision reads and compiles a revision. A stored definition was valid when it was stored: it is compiled without the
// check of what this version can run, so that an execution outlives a change of that.
func (r *revisions) revision(ctx context.Context, id string) (*compiled, error) {
	r.mu.RLock()
	c := r.compiled[id]
	r.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	if whole, label, isChild := strings.Cut(id, "/"); isChild {
		c, err := r.revision(ctx, whole)
		if err == nil {
			c, err = c.child(label)
		}
		if err == nil {
			r.keep(id, c)
		}
		return c, err
	}
	arn, _, _ := strings.Cut(id, "#")
	var rec *revision
	err := r.env.WithKeys(ctx, func() error {
		return r.env.Store.View(ctx, store.Place(r.env.Store.Partitions(), arn), func(rd store.Reader) (err error) {
			rec, err = openRevision(r.env, rd, id)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, fmt.Errorf("%w: no definition revision %s", store.ErrCorrupt, id)
	}
	d, diagnostics := asl.Compile([]byte(rec.Definition), asl.Options{Express: rec.Type == "EXPRESS"})
	if d == nil {
		return nil, fmt.Errorf("definition revision %s does not compile: %s", id, asl.InvalidDefinition(diagnostics))
	}
	c = &compiled{revision: rec, definition: d}
	if err := json.Unmarshal(rec.Logging, &c.logging); err != nil {
		return nil, fmt.Errorf("%w: logging of %s: %w", store.ErrCorrupt, id, err)
	}
	r.keep(id, c)
	return c, nil
}

func (r *revisions) keep(id string, c *compiled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.compiled) >= cachedRevisions {
		clear(r.compiled)
	}
	r.compiled[id] = c
}

// cachedRevision is a revision that is in memory, as that of an execution which has just been stepped is.
func (r *revisions) cachedRevision(id string) *compiled {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.compiled[id]
}

// head reads a machine's head, nil if there is none.
func (r *revisions) head(ctx context.Context, arn string) (*head, error) {
	r.mu.RLock()
	h, at := r.heads[arn], r.changes
	r.mu.RUnlock()
	if h != nil {
		return h, nil
	}
	err := r.env.Store.View(ctx, store.Place(r.env.Store.Partitions(), arn), func(rd store.Reader) (err error) {
		h, err = readHead(rd, arn)
		return err
	})
	if err != nil || h == nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == at {
		if len(r.heads) >= cachedRevisions {
			clear(r.heads)
		}
		r.heads[arn] = h
	}
	return h, nil
}

// target finds what a state machine ARN leads to, nil if there is nothing. An unqualified one is answered from memory.
func (r *revisions) target(ctx context.Context, n name) (t *target, err error) {
	if n.qualifier() == "" {
		h, err := r.head(ctx, n.machineARN())
		if err != nil || h == nil {
			return nil, err
		}
		return &target{head: h, revision: h.Revision}, nil
	}
	err = r.env.Store.View(ctx, store.Place(r.env.Store.Partitions(), n.machineARN()), func(rd store.Reader) (err error) {
		t, err = resolve(rd, n)
		return err
	})
	return t, err
}

// forget drops a head that has changed.
func (r *revisions) forget(arn string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	delete(r.heads, arn)
}
