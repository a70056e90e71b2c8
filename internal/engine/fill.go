package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// ErrNotAtOnce: an execution that Fill was to write does more than begin and end.
var ErrNotAtOnce = errors.New("engine: the execution does not end at once")

// Fill writes executions that begin and end at once, with all records that StartExecution makes of them, one transaction a
// partition. Their names must be fresh, and nobody is told of them: it fills a store so that one can measure beside many
// executions.
func (e *Engine) Fill(ctx context.Context, starts []StartInput) error {
	byPartition := make([][]*commit, len(e.parts))
	for i := range starts {
		c, err := e.whole(ctx, &starts[i])
		if err != nil {
			return err
		}
		byPartition[c.x.p.id] = append(byPartition[c.x.p.id], c)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(e.parts))
	for i, commits := range byPartition {
		if len(commits) == 0 {
			continue
		}
		wg.Go(func() {
			errs[i] = e.cfg.Store.Update(ctx, store.Partition(i), func(tx store.Tx) error {
				for _, c := range commits {
					if err := c.write(tx, e.cfg.Retention); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// whole steps an execution from its beginning to its end.
func (e *Engine) whole(ctx context.Context, in *StartInput) (*commit, error) {
	def, err := e.cfg.Definitions.Definition(ctx, in.Definition)
	if err != nil {
		return nil, err
	}
	x := &execution{arn: in.ARN, p: e.partitionOf(in.ARN), meta: e.metaOf(in), def: def, pieces: map[machine.Key]machine.Piece{{Kind: machine.KindRoot}: nil}}
	c := &commit{x: x, event: machine.Event{Kind: machine.Started, Now: e.now(), Start: &in.Start}, starting: true, fresh: true}
	if c.result, err = e.step(ctx, x, c.event); err != nil {
		return nil, err
	}
	if !c.ended() || len(c.result.Commands) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotAtOnce, in.ARN)
	}
	return c, nil
}
