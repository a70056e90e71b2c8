package engine

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// execution is one execution's cached state. Whoever holds mu is the only one who steps it; what the fields say is
// applied to the store, and durable when tail is (pipeline.go).
type execution struct {
	arn string
	p   *partition

	mu       turn
	meta     *Meta // nil until loaded
	def      *asl.Definition
	stats    *machineStats // of its machine
	revision uint64
	more     bool // a continuation row is stored
	pieces   map[machine.Key]machine.Piece
	// bytes is what has been read and written of the pieces since the execution came into memory: at least what they take.
	bytes int64
	tail  *commitTail // the last commit, if it was let go early and is not known to be durable

	refs int           // guarded by cache.mu
	idle *list.Element // place in cache.idle when refs is 0
}

// turn is a lock that is held over calls of the store: whoever waits for it gets it in the order of asking, and is idle in
// the eyes of testing/synctest.
type turn chan struct{}

func newTurn() turn  { return make(turn, 1) }
func (t turn) take() { t <- struct{}{} }
func (t turn) give() { <-t }

// cache holds the executions of a partition that are in use, and the last few that were.
type cache struct {
	mu      sync.Mutex
	byARN   map[string]*execution
	idle    list.List // least recently used first
	bytes   int64     // of the idle ones
	keep    int
	most    int64 // bytes of idle ones
	evicted *atomic.Uint64
}

func (c *cache) init(keep int, most int64, evicted *atomic.Uint64) {
	c.byARN = map[string]*execution{}
	c.keep, c.most, c.evicted = keep, most, evicted
}

// acquire returns the execution's entry, locked.
func (p *partition) acquire(arn string) *execution {
	c := &p.cache
	c.mu.Lock()
	x := c.byARN[arn]
	if x == nil {
		x = &execution{arn: arn, p: p, mu: newTurn()}
		c.byARN[arn] = x
	}
	if x.idle != nil {
		c.idle.Remove(x.idle)
		c.bytes -= x.bytes
		x.idle = nil
	}
	x.refs++
	c.mu.Unlock()
	x.mu.take()
	return x
}

// release unlocks an entry and evicts the least recently used ones. An entry that forgets is dropped at once: it has
// ended, or what it holds may not be what is stored.
func (x *execution) release(forget bool) {
	if forget {
		x.meta, x.def, x.pieces, x.revision, x.bytes, x.tail = nil, nil, nil, 0, 0, nil
	}
	x.mu.give()
	x.unref()
}

// unref ends the use of an entry that is not locked any more.
func (x *execution) unref() {
	c := &x.p.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	x.refs--
	if x.refs > 0 {
		return
	}
	if x.meta == nil { // nobody else is there
		delete(c.byARN, x.arn)
		return
	}
	x.idle = c.idle.PushBack(x)
	c.bytes += x.bytes
	c.evict(c.keep, c.most)
}

// evict lets go of the least recently used executions until so many and so many bytes are left; mu is held.
func (c *cache) evict(keep int, most int64) {
	for c.idle.Len() > keep || c.bytes > most {
		old := c.idle.Remove(c.idle.Front()).(*execution)
		c.bytes -= old.bytes
		delete(c.byARN, old.arn)
		c.evicted.Add(1)
	}
}

// Rest lets go of every execution that is not being stepped: when nothing comes for a while, those that wait leave memory.
func (e *Engine) Rest() {
	for _, p := range e.parts {
		p.cache.mu.Lock()
		p.cache.evict(0, 0)
		p.cache.mu.Unlock()
	}
}

// load reads what is needed to step an execution; the pieces are read when Step asks for them.
func (e *Engine) load(ctx context.Context, x *execution) error {
	if x.meta != nil {
		return nil
	}
	var meta *Meta
	var revision uint64
	var root machine.Piece
	err := e.cfg.Store.View(store.Repeatable(ctx), x.p.id, func(rd store.Reader) (err error) {
		meta, revision, root, err = readExecution(rd, x.arn)
		return err
	})
	if err != nil {
		return err
	}
	def, err := e.cfg.Definitions.Definition(ctx, meta.Definition)
	if err != nil {
		return fmt.Errorf("engine: definition of %s: %w", x.arn, err)
	}
	x.meta, x.def, x.revision = meta, def, revision
	x.stats = e.stats.machines.of(meta.MachineARN)
	e.stats.loaded.Add(1)
	x.more = root.(*machine.Root).More()
	x.pieces = map[machine.Key]machine.Piece{{Kind: machine.KindRoot}: root}
	return nil
}

// readExecution reads an execution's meta and root, or ErrNotFound.
func readExecution(rd store.Reader, arn string) (*Meta, uint64, machine.Piece, error) {
	b, err := rd.Get(metaKey(arn))
	if err != nil {
		return nil, 0, nil, err
	}
	if b == nil {
		return nil, 0, nil, ErrNotFound
	}
	meta, err := decodeMeta(b)
	if err != nil {
		return nil, 0, nil, err
	}
	if b, err = rd.Get(rootKey(arn)); err != nil {
		return nil, 0, nil, err
	}
	revision, root, err := decodeRoot(b)
	return meta, revision, root, err
}

// loadFailed carries an error of the store through Step, whose look-up has no place for one.
type loadFailed struct{ err error }

// catchLoad turns a panic with loadFailed into an error; it is deferred.
func catchLoad(err *error) {
	if r := recover(); r != nil {
		f, ok := r.(loadFailed)
		if !ok {
			panic(r)
		}
		*err = f.err
	}
}

// lookup is Step's view of the execution.
func (e *Engine) lookup(ctx context.Context, x *execution) machine.Pieces {
	return func(k machine.Key) machine.Piece {
		if p, ok := x.pieces[k]; ok {
			return p
		}
		if x.revision == 0 {
			return nil // it is about to be started; of one that has its name nothing may be seen
		}
		var piece machine.Piece
		size := int64(0)
		if err := x.settled(); err != nil { // a View may read what is durable
			panic(loadFailed{err})
		}
		err := e.cfg.Store.View(store.Repeatable(ctx), x.p.id, func(rd store.Reader) error {
			// Another owner of the partition may have gone on with the execution: its pieces do not go with this root.
			if stored, err := revisionOf(rd, x.arn); err != nil || stored != x.revision {
				return errors.Join(err, fmt.Errorf("%w: %s is at revision %d, not %d", store.ErrFenced, x.arn, stored, x.revision))
			}
			b, err := rd.Get(pieceKey(x.arn, k))
			if err != nil || b == nil {
				return err
			}
			size = int64(len(b))
			piece, err = machine.DecodePiece(k, append([]byte(nil), b...))
			return err
		})
		if err != nil {
			panic(loadFailed{err})
		}
		x.bytes += size
		x.pieces[k] = piece
		return piece
	}
}

// step calls machine.Step and turns a failed look-up into an error.
func (e *Engine) step(ctx context.Context, x *execution, ev machine.Event) (res machine.Result, err error) {
	defer catchLoad(&err)
	if e.cfg.Gone != nil {
		ev.Gone = func(activity string) bool { return e.cfg.Gone(ctx, x.arn, activity) }
	}
	return machine.Step(x.def, e.lookup(ctx, x), ev, e.cfg.Limits), nil
}
