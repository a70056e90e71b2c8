package s3

import (
	"context"
	"fmt"
	"slices"

	"github.com/newel-run/newel/internal/s3/files"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// refer notes that a file is in use.
func (b *box) refer(file string) {
	if file == "" {
		return
	}
	b.tx.Set(row(rowFile, file), nil)
	b.settled = append(b.settled, file)
}

// release notes that a file is not in use any more.
func (b *box) release(file string) {
	if file == "" {
		return
	}
	b.tx.Delete(row(rowFile, file))
	b.tx.Set(row(rowGarbage, file), nil)
	b.retired = append(b.retired, file)
}

// settle sees to the files of a transaction once it is durable, and takes away the rows of garbage that is gone.
func (s *Service) settle(c *service.Context, b *box) {
	p := c.Partition
	s.mu.Lock()
	gone := slices.Clone(s.reaped[p])
	s.mu.Unlock()
	for _, file := range gone {
		b.tx.Delete(row(rowGarbage, file))
	}
	settled, retired := b.settled, b.retired
	if len(gone)+len(settled)+len(retired) == 0 {
		return
	}
	c.After = append(c.After, func() {
		s.files.Settle(settled...)
		s.mu.Lock()
		s.reaped[p] = slices.DeleteFunc(s.reaped[p], func(file string) bool { return slices.Contains(gone, file) })
		s.mu.Unlock()
		if len(retired) > 0 {
			s.files.Retire(retired, func() {
				s.mu.Lock()
				s.reaped[p] = append(s.reaped[p], retired...)
				s.mu.Unlock()
			})
		}
	})
}

// sweep brings files and rows together after a crash: what was sealed and not referred to is removed, what is referred
// to and not in its place is settled, and garbage goes. The work is in proportion to what was under way.
func (s *Service) sweep(ctx context.Context) error {
	unsettled, err := s.files.Unsettled()
	if err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	for _, file := range unsettled {
		p, ok := files.Partition(file)
		if !ok || int(p) >= s.Env.Store.Partitions() {
			continue // not ours
		}
		var kept []byte
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) (err error) { kept, err = rd.Get(row(rowFile, file)); return err })
		if err != nil {
			return err
		}
		if kept != nil {
			s.files.Settle(file)
		} else if err := s.files.Remove(file); err != nil {
			return fmt.Errorf("objects: %w", err)
		}
	}
	for p := range s.Env.Store.Partitions() {
		if err := s.sweepGarbage(ctx, store.Partition(p)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) sweepGarbage(ctx context.Context, p store.Partition) error {
	var garbage []string
	prefix := row(rowGarbage)
	err := s.Env.Store.View(ctx, p, func(rd store.Reader) error {
		garbage = garbage[:0]
		for k := range rd.Scan(prefix, prefix.End(), false) {
			if file, _, ok := store.CutStr(k[len(prefix):]); ok {
				garbage = append(garbage, file)
			}
		}
		return nil
	})
	if err != nil || len(garbage) == 0 {
		return err
	}
	for _, file := range garbage {
		if err := s.files.Remove(file); err != nil {
			return fmt.Errorf("objects: %w", err)
		}
	}
	return s.Env.Store.Update(ctx, p, func(tx store.Tx) error {
		tx.DeleteRange(prefix, prefix.End())
		return nil
	})
}
