package outbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// A chain's entries are found by an index in the store, TableOwed name"/chain" chain n, whose order is that of the
// commits. One worker a chain delivers the lowest until there is none: an entry that has to be tried again holds up
// those behind it.

type chain struct {
	part store.Partition
	name string
}

// worker is a chain's delivery that runs; again says that there was news since it looked.
type worker struct{ again bool }

func (o *Outbox) chainKey(name string) store.Key {
	return store.K(store.TableOwed, o.name+"/chain", name)
}

// kick has the chain's entries delivered.
func (o *Outbox) kick(c chain) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w := o.chains[c]; w != nil {
		w.again = true
		return
	}
	if o.ctx.Err() != nil {
		return
	}
	w := &worker{}
	o.chains[c] = w
	o.work.Go(func() { o.run(c, w) })
}

func (o *Outbox) run(c chain, w *worker) {
	for {
		n, e, err := o.first(c)
		if err == nil && n != 0 {
			err = o.attemptUntilSettled(c.part, n, e)
		}
		if err != nil && o.ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			o.env.Log.Error("an outbox entry could not be settled", "service", o.name, "error", err)
		}
		o.mu.Lock()
		if n == 0 && !w.again || err != nil || o.ctx.Err() != nil {
			delete(o.chains, c)
			o.mu.Unlock()
			return
		}
		w.again = false
		o.mu.Unlock()
	}
}

// first reads the chain's lowest entry; 0 if there is none, or if the commit of the lowest has not been told yet: its own
// kick is to come.
func (o *Outbox) first(c chain) (n uint64, e Entry, err error) {
	err = o.env.Store.View(o.ctx, c.part, func(rd store.Reader) error {
		n = 0
		prefix := o.chainKey(c.name)
		for k := range rd.Scan(prefix, prefix.End(), false) {
			n = binary.BigEndian.Uint64(k[len(prefix):])
			break
		}
		if n == 0 {
			return nil
		}
		b, err := rd.Get(o.key(n))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &e); err != nil {
			return fmt.Errorf("%w: outbox of %s: %w", store.ErrCorrupt, o.name, err)
		}
		return nil
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.live[c.part], n) {
		n = 0
	}
	return n, e, err
}

func (o *Outbox) attemptUntilSettled(p store.Partition, n uint64, e Entry) error {
	for {
		select {
		case o.gate <- struct{}{}:
		case <-o.ctx.Done():
			return o.ctx.Err()
		}
		again, err := o.attempt(p, n, &e)
		<-o.gate
		if !again {
			return err
		}
		if err := pause(o.ctx, backoff(e.Attempts)); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
