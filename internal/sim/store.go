package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// diskStore is the disk as one process sees it. It implements store.Store.
type diskStore struct {
	p      *process
	epoch  int
	failed chan struct{}
	full   bool // below the free-space watermark
	broken bool // a sync has failed
}

var _ store.Store = (*diskStore)(nil)

// Update implements store.Store.
func (s *diskStore) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	w := s.p.w
	label := fmt.Sprintf("update %d %08x%s", p, w.look(s.part(p), fn), of(ctx))
	return s.p.ask(label, func(c *call) {
		if err := s.usable(ctx); err != nil {
			c.answer(err)
			return
		}
		if s.full && w.stormy() && !store.IsFinishing(ctx) {
			w.count("refused for space")
			c.answer(store.ErrFull)
			return
		}
		part := s.part(p)
		t := &tx{base: part.applied(), mutant: w.mutant}
		err := fn(t)
		t.end()
		if err == nil && t.changed != nil {
			part.staged = append(part.staged, &staged{t.changed})
			w.commits++
			if w.chance(2) {
				store.Applied(ctx)
			}
		}
		s.await(p, &waiter{part.position(), c, err}, w.mutant == AnswerBeforeSync)
	})
}

// of tells apart those who ask the store for the same: by the client on whose behalf, and by the functions that call.
func of(ctx context.Context) string {
	var pcs [24]uintptr
	h := fnv.New32a()
	for _, pc := range pcs[:runtime.Callers(3, pcs[:])] {
		io.WriteString(h, runtime.FuncForPC(pc).Name())
	}
	label := fmt.Sprintf(" %08x", h.Sum32())
	if client, ok := ctx.Value(caller{}).(string); ok {
		label += " for " + client
	}
	return label
}

// await answers a caller once what it has read is durable.
func (s *diskStore) await(p store.Partition, wait *waiter, hasty bool) {
	part := s.part(p)
	if wait.upTo <= part.synced || hasty {
		wait.call.answer(wait.err)
	} else {
		part.waiters = append(part.waiters, wait)
	}
	if len(part.staged) > 0 {
		s.scheduleSync(p)
	}
}

// View implements store.Store. It reads what is durable, or what is applied and then waits for it.
func (s *diskStore) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	w := s.p.w
	label := fmt.Sprintf("view %d %08x%s", p, w.look(s.part(p), func(t store.Tx) error { return fn(t) }), of(ctx))
	return s.p.ask(label, func(c *call) {
		err := s.usable(ctx)
		if errors.Is(err, store.ErrFenced) && w.chance(2) {
			err = nil // the contract fences writers only
		}
		if err != nil {
			c.answer(err)
			return
		}
		part := s.part(p)
		at, upTo := part.durable, part.synced
		if w.chance(2) || w.mutant == AnswerBeforeSync {
			at, upTo = part.applied(), part.position()
		}
		t := &tx{base: at, mutant: w.mutant}
		err = fn(t)
		t.end()
		s.await(p, &waiter{upTo, c, err}, w.mutant == ViewBeforeSync || w.mutant == AnswerBeforeSync)
	})
}

func (s *diskStore) usable(ctx context.Context) error {
	switch {
	case s.broken:
		return store.ErrFailed
	case s.epoch != s.p.w.disk.epoch && s.p.w.mutant != SkipFence:
		s.p.w.count("fenced")
		return store.ErrFenced
	}
	return ctx.Err()
}

// scheduleSync has the partition synced in a while, for whoever waits.
func (s *diskStore) scheduleSync(p store.Partition) {
	part := s.part(p)
	if part.syncing {
		return
	}
	part.syncing = true
	owner := s // but for the mutant that writes without owning the disk
	if live := s.p.w.live; live != nil {
		owner = live.store
	}
	owner.p.later(s.p.w.profile.syncTime(s.p.w), fmt.Sprint("sync ", p), func() { owner.sync(p) })
}

func (s *diskStore) sync(p store.Partition) {
	w, part := s.p.w, s.part(p)
	if s.broken || s.epoch != w.disk.epoch {
		return
	}
	part.syncing = false
	if w.stormy() && w.profile.diskFails > 0 && w.chance(w.profile.diskFails) {
		s.breakDown()
		return
	}
	n := len(part.staged)
	if w.stormy() && n > 1 {
		n = 1 + w.random.IntN(n)
	}
	w.answerAll(part.sync(n), nil)
	if len(part.waiters) > 0 {
		s.scheduleSync(p)
	}
}

// breakDown poisons the store: the log could not be written. The process is stopped soon.
func (s *diskStore) breakDown() {
	w := s.p.w
	w.count("disk failures")
	s.broken = true
	close(s.failed)
	for _, part := range w.disk.parts {
		w.answerAll(part.waiters, store.ErrFailed)
		part.waiters = nil
	}
	w.later(time.Duration(w.random.IntN(3000))*time.Millisecond, fmt.Sprint("stop ", s.p.n), func() { w.crash(s.p) })
}

func (s *diskStore) part(p store.Partition) *diskPart { return s.p.w.disk.parts[p] }

// Partitions implements store.Store.
func (s *diskStore) Partitions() int { return len(s.p.w.disk.parts) }

// Failed implements store.Store.
func (s *diskStore) Failed() <-chan struct{} { return s.failed }

// Err implements store.Store.
func (s *diskStore) Err() error {
	select {
	case <-s.failed:
		return store.ErrFailed
	default:
		return nil
	}
}

// Close implements store.Store.
func (s *diskStore) Close() error { return nil }

// quiet reads the durable state without the driver, for the checks.
type quiet struct {
	store.Store
	disk *disk
}

func (q quiet) Partitions() int { return len(q.disk.parts) }

func (q quiet) View(_ context.Context, p store.Partition, fn func(store.Reader) error) error {
	return fn(&tx{base: q.disk.parts[p].durable})
}
