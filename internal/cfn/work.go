package cfn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/store"
)

const (
	stackType = "AWS::CloudFormation::Stack"
	reviewing = "REVIEW_IN_PROGRESS"
	atOnce    = 16 // resources of a stack that are worked on at a time
)

// work carries a stack's operation to its end: each step is decided by the stored status, so a server that was killed
// goes on where it was.
func (r *run) work(ctx context.Context) error {
	steps := map[string]func(context.Context) error{
		"CREATE_IN_PROGRESS":                           r.create,
		"ROLLBACK_IN_PROGRESS":                         r.rollback,
		"UPDATE_IN_PROGRESS":                           r.update,
		"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":          r.cleanup,
		"UPDATE_ROLLBACK_IN_PROGRESS":                  r.updateRollback,
		"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": r.cleanup,
		"DELETE_IN_PROGRESS":                           r.delete,
	}
	for {
		step := steps[r.stack.Status]
		if step == nil {
			return nil
		}
		before := r.stack.Status
		if err := step(ctx); err != nil {
			if ctx.Err() == nil {
				r.s.env.Log.Error("stack stands still until the server is restarted", "stack", r.stack.Name, "status", before, "error", err)
			}
			return err
		}
	}
}

// settle moves the stack to its next status.
func (r *run) settle(ctx context.Context, to, reason string) error {
	if ctx.Err() != nil {
		return errStopped
	}
	return r.change(ctx, func(s *Stack, log func(Event)) { status(s, to, reason, r.s.env.Now(), log) })
}

// operation is the context in which new work on resources is begun: it ends with the server, the operation's timeout or
// its cancellation.
func (r *run) operation(ctx context.Context) (context.Context, context.CancelFunc) {
	op, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	r.cancel = cancel
	if r.stack.Cancel != "" {
		cancel()
	}
	minutes, began := r.stack.TimeoutMinutes, r.stack.Began
	r.mu.Unlock()
	if minutes > 0 && r.stack.Status == "CREATE_IN_PROGRESS" {
		left := time.Duration(minutes)*time.Minute - r.s.env.Now().Sub(began)
		timed, stop := context.WithTimeoutCause(op, left, errTimeout)
		return timed, func() { stop(); cancel() }
	}
	return op, cancel
}

var errTimeout = errors.New("Stack creation time exceeded the specified timeout")

func (r *run) create(ctx context.Context) error {
	plan, err := r.plan(ctx, "current")
	if err == nil {
		err = r.converge(ctx, plan)
	}
	switch {
	case ctx.Err() != nil:
		return errStopped
	case r.stack.Cancel == "delete":
		return r.settle(ctx, "DELETE_IN_PROGRESS", "User Initiated")
	case err == nil:
		return r.complete(ctx, plan, "CREATE_COMPLETE")
	}
	return r.failed(ctx, err)
}

// failed decides what follows from a creation that failed.
func (r *run) failed(ctx context.Context, err error) error {
	s, reason := r.stack, strings.TrimSuffix(err.Error(), ".")
	switch {
	case s.OnFailure == "DO_NOTHING" || s.DisableRollback:
		return r.settle(ctx, "CREATE_FAILED", err.Error())
	case s.OnFailure == "DELETE":
		return r.settle(ctx, "DELETE_IN_PROGRESS", reason+". Delete requested by user.")
	}
	return r.settle(ctx, "ROLLBACK_IN_PROGRESS", reason+". Rollback requested by user.")
}

func (r *run) rollback(ctx context.Context) error {
	if err := r.remove(ctx, r.all()); err != nil {
		if ctx.Err() != nil {
			return errStopped
		}
		return r.settle(ctx, "ROLLBACK_FAILED", err.Error())
	}
	return r.settle(ctx, "ROLLBACK_COMPLETE", "")
}

func (r *run) update(ctx context.Context) error {
	plan, err := r.plan(ctx, "current")
	if err == nil {
		err = r.converge(ctx, plan)
	}
	switch {
	case ctx.Err() != nil:
		return errStopped
	case r.stack.Cancel == "delete":
		return r.settle(ctx, "DELETE_IN_PROGRESS", "User Initiated")
	case r.stack.Cancel == "rollback":
		err = errors.New("User Initiated")
	case err == nil:
		if err = r.complete(ctx, plan, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"); err == nil {
			return nil
		}
	}
	if r.stack.DisableRollback && r.stack.Cancel == "" {
		return r.settle(ctx, "UPDATE_FAILED", err.Error())
	}
	return r.settle(ctx, "UPDATE_ROLLBACK_IN_PROGRESS", err.Error())
}

// updateRollback brings the resources back to what the template and the settings before the update say.
func (r *run) updateRollback(ctx context.Context) error {
	err := r.change(ctx, func(s *Stack, _ func(Event)) {
		s.Cancel = ""
		for i, rec := range s.Resources {
			if rec.Before != nil {
				s.Resources[i] = rec.Before
				rec.Before = nil
				s.Garbage = append(s.Garbage, rec)
			}
		}
		if s.Previous != nil {
			s.Settings = *s.Previous
		}
	})
	if err != nil {
		return err
	}
	plan, err := r.plan(ctx, "previous")
	if err == nil {
		err = r.converge(ctx, plan)
	}
	if ctx.Err() != nil {
		return errStopped
	}
	if err != nil {
		return r.settle(ctx, "UPDATE_ROLLBACK_FAILED", err.Error())
	}
	return r.complete(ctx, plan, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
}

// cleanup deletes what an update, or its rollback, has left over. What cannot be deleted stays, as at AWS.
func (r *run) cleanup(ctx context.Context) error {
	kind, to := "current", "UPDATE_COMPLETE"
	if strings.HasPrefix(r.stack.Status, "UPDATE_ROLLBACK") {
		kind, to = "previous", "UPDATE_ROLLBACK_COMPLETE"
	}
	plan, err := r.plan(ctx, kind)
	if err != nil {
		return err
	}
	leftover := slices.Clone(r.stack.Garbage)
	for _, rec := range r.stack.Resources {
		if find(plan.Resources, rec.ID) == nil {
			leftover = append(leftover, rec)
		}
	}
	if err := r.remove(ctx, leftover); err != nil {
		if ctx.Err() != nil {
			return errStopped
		}
		r.s.env.Log.Warn("cleanup of a stack", "stack", r.stack.Name, "reason", err)
	}
	templates := func(s *Stack, tx store.Tx) error {
		if kind != "previous" {
			return nil
		}
		return errors.Join(copyTemplate(tx, s, "previous original", "original"), copyTemplate(tx, s, "previous", "current"))
	}
	return r.transact(ctx, templates, func(s *Stack, log func(Event)) {
		s.Garbage = nil
		s.Resources = slices.DeleteFunc(s.Resources, func(rec *Record) bool { return find(plan.Resources, rec.ID) == nil })
		status(s, to, "", r.s.env.Now(), log)
	})
}

func (r *run) delete(ctx context.Context) error {
	if r.stack.Cancel == "delete" { // it came while the stack was being made: what is under way may not be lost
		if err := r.finishBegun(ctx); err != nil {
			return err
		}
	}
	if used, err := r.exportsInUse(ctx); err != nil || used != "" {
		if err != nil {
			return err
		}
		return r.settle(ctx, "DELETE_FAILED", used)
	}
	if err := r.remove(ctx, r.all()); err != nil {
		if ctx.Err() != nil {
			return errStopped
		}
		return r.settle(ctx, "DELETE_FAILED", err.Error())
	}
	if ctx.Err() != nil {
		return errStopped
	}
	rows := func(s *Stack, tx store.Tx) error {
		if b, err := tx.Get(nameKey(s.Account, s.Region, s.Name)); err != nil || string(b) != s.ID {
			return err
		}
		tx.Delete(nameKey(s.Account, s.Region, s.Name))
		return share(tx, s, shared{s.Outputs, s.Imports}, shared{})
	}
	return r.transact(ctx, rows, func(s *Stack, log func(Event)) {
		s.Deleted, s.Cancel = r.s.env.Now(), ""
		status(s, "DELETE_COMPLETE", "", s.Deleted, log)
	})
}

// finishBegun ends the creations and updates that a crash or a cancellation has left under way.
func (r *run) finishBegun(ctx context.Context) error {
	begun := slices.ContainsFunc(r.stack.Resources, func(rec *Record) bool {
		return rec.Block > 0 && strings.HasSuffix(rec.Status, "_IN_PROGRESS") && !strings.HasPrefix(rec.Status, "DELETE")
	})
	if !begun {
		return nil
	}
	plan, err := r.plan(ctx, "current")
	if err != nil {
		return err
	}
	if err := r.converge(ctx, plan); err != nil && ctx.Err() != nil {
		return errStopped
	}
	return nil
}

// all are the resources that exist, or may.
func (r *run) all() []*Record {
	var out []*Record
	for _, rec := range append(slices.Clone(r.stack.Resources), r.stack.Garbage...) {
		if !rec.gone() {
			out = append(out, rec)
		}
		if rec.Before != nil {
			out = append(out, rec.Before)
		}
	}
	return out
}

// complete computes the outputs, publishes the exports and ends the operation with a status.
func (r *run) complete(ctx context.Context, plan *Plan, to string) error {
	scope := *plan.Scope
	scope.Resource = r.stack.resource
	var outputs []OutputValue
	for _, o := range plan.Outputs {
		v, err := scope.Resolve(o.Value)
		if err != nil {
			return r.incomplete(ctx, fmt.Errorf("output %s: %w", o.Name, err), to)
		}
		out := OutputValue{OutputKey: o.Name, OutputValue: textOf(v), Description: o.Description}
		if o.Export != nil {
			name, err := scope.Resolve(o.Export)
			if err != nil {
				return r.incomplete(ctx, fmt.Errorf("export of output %s: %w", o.Name, err), to)
			}
			out.ExportName = textOf(name)
		}
		outputs = append(outputs, out)
	}
	imports := plan.imports()
	var refused error
	was := shared{r.stack.Outputs, r.stack.Imports}
	rows := func(s *Stack, tx store.Tx) error {
		refused = share(tx, s, was, shared{outputs, imports})
		return refused
	}
	err := r.transact(ctx, rows, func(s *Stack, log func(Event)) {
		s.Outputs, s.Imports = outputs, imports
		for _, rec := range s.Resources {
			if rec.Before != nil {
				s.Garbage = append(s.Garbage, rec.Before)
				rec.Before = nil
			}
		}
		status(s, to, "", r.s.env.Now(), log)
	})
	if refused != nil {
		return r.incomplete(ctx, refused, to)
	}
	return err
}

// incomplete is the end of an operation whose resources are there but whose outputs cannot be had.
func (r *run) incomplete(ctx context.Context, err error, to string) error {
	if to == "CREATE_COMPLETE" {
		return r.failed(ctx, err)
	}
	return err
}

// inOrder works on items, many at a time, each after those that it waits for. After the first failure nothing new is
// begun. It returns the errors by item.
func inOrder(ctx context.Context, items []string, waits map[string][]string, do func(id string) error) map[string]error {
	done := make(map[string]chan struct{}, len(items))
	for _, id := range items {
		done[id] = make(chan struct{})
	}
	gate := make(chan struct{}, atOnce)
	stop := make(chan struct{})
	var mu sync.Mutex
	failed := map[string]error{}
	var all sync.WaitGroup
	one := func(id string) bool {
		for _, w := range waits[id] {
			if done[w] == nil {
				continue
			}
			select {
			case <-done[w]:
			case <-stop:
				return false
			case <-ctx.Done():
				return false
			}
		}
		select {
		case gate <- struct{}{}:
		case <-stop:
			return false
		case <-ctx.Done():
			return false
		}
		defer func() { <-gate }()
		select {
		case <-stop:
			return false
		case <-ctx.Done():
			return false
		default:
		}
		err := do(id)
		if err == nil {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		if len(failed) == 0 {
			close(stop)
		}
		failed[id] = err
		return false
	}
	for _, id := range items {
		all.Go(func() {
			if one(id) {
				close(done[id])
			}
		})
	}
	all.Wait()
	return failed
}
