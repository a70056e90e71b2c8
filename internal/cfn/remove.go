package cfn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
)

// remove deletes resources, many at a time, each after those that refer to it. The error names those that stay.
func (r *run) remove(ctx context.Context, records []*Record) error {
	// Records of one logical id (replaced and new) go one after the other: keys are made unique by generation.
	key := func(rec *Record) string { return fmt.Sprintf("%s/%d", rec.ID, rec.Generation) }
	byKey := map[string]*Record{}
	var keys []string
	waits := map[string][]string{}
	for _, rec := range slices.Backward(records) {
		if rec.gone() || byKey[key(rec)] != nil {
			continue
		}
		byKey[key(rec)] = rec
		keys = append(keys, key(rec))
		for _, o := range records {
			if o != rec && !o.gone() && slices.Contains(o.Follows, rec.ID) {
				waits[key(rec)] = append(waits[key(rec)], key(o))
			}
		}
	}
	failed := map[string]error{}
	left := keys
	// A deletion that fails holds up only what it refers to.
	for len(left) > 0 && ctx.Err() == nil {
		wrong := inOrder(ctx, left, waits, func(k string) error { return r.discard(ctx, byKey[k]) })
		if len(wrong) == 0 {
			break
		}
		for k, err := range wrong {
			failed[k] = err
		}
		left = slices.DeleteFunc(slices.Clone(left), func(k string) bool {
			return byKey[k].gone() || failed[k] != nil || blocked(waits, failed, k)
		})
	}
	if ctx.Err() != nil {
		return errStopped
	}
	if len(failed) == 0 {
		return nil
	}
	var names []string
	for _, k := range keys {
		if failed[k] != nil {
			names = append(names, byKey[k].ID)
		}
	}
	slices.Sort(names)
	return fmt.Errorf("The following resource(s) failed to delete: [%s].", strings.Join(names, ", "))
}

// blocked reports whether something that k waits for has failed.
func blocked(waits map[string][]string, failed map[string]error, k string) bool {
	for _, w := range waits[k] {
		if failed[w] != nil || blocked(waits, failed, w) {
			return true
		}
	}
	return false
}

// kept reports whether a resource stays when it leaves the stack.
func (r *run) kept(rec *Record) bool {
	if slices.Contains(r.stack.Skip, rec.ID) && r.stack.Status == "DELETE_IN_PROGRESS" {
		return true
	}
	replaced := r.stack.Find(rec.ID) != rec && strings.HasPrefix(r.stack.Status, "UPDATE_COMPLETE")
	if replaced {
		return rec.KeepReplaced
	}
	return rec.Keep == "Retain" || rec.Keep == "RetainExceptOnCreate" && rec.made() && r.stack.Status != "ROLLBACK_IN_PROGRESS"
}

// discard deletes one resource, or lets it be where the template says so.
func (r *run) discard(ctx context.Context, rec *Record) error {
	if rec.gone() {
		return nil
	}
	if r.kept(rec) {
		return r.change(ctx, func(s *Stack, log func(Event)) { r.mark(s, rec, "DELETE_SKIPPED", "", log) })
	}
	if rec.Block == 0 && rec.Ref == "" { // nothing was ever done
		return r.change(ctx, func(s *Stack, _ func(Event)) { rec.Status = "DELETE_COMPLETE" })
	}
	again := rec.Status == "DELETE_IN_PROGRESS"
	reserve := func(s *Stack, tx store.Tx) error {
		if again {
			return nil // it goes on under its numbers
		}
		return r.reserve(tx, s, rec)
	}
	err := r.transact(ctx, reserve, func(s *Stack, log func(Event)) { r.mark(s, rec, "DELETE_IN_PROGRESS", "", log) })
	if err != nil {
		return err
	}
	r.s.blocks.add(source(r.stack), rec.Block)
	defer r.s.blocks.remove(source(r.stack), rec.Block)
	err = r.deletion(ctx, rec)
	if ctx.Err() != nil {
		return errStopped
	}
	saved := r.change(ctx, func(s *Stack, log func(Event)) {
		if err != nil {
			r.mark(s, rec, "DELETE_FAILED", err.Error(), log)
			return
		}
		r.mark(s, rec, "DELETE_COMPLETE", "", log)
	})
	return errors.Join(err, saved)
}

func (r *run) deletion(ctx context.Context, rec *Record) error {
	t := typeNamed(rec.Type)
	if t == nil {
		return fmt.Errorf("type %s is not supported by this version of Newel", rec.Type)
	}
	i := &Instance{Account: r.stack.Account, Region: r.stack.Region, StackID: r.stack.ID, ID: rec.ID, Type: rec.Type, Name: rec.Name, Ref: rec.Ref,
		Attributes: rec.Attributes, Properties: parsed(firstNonEmpty(rec.Properties, rec.Attempt))}
	if t.Drive != nil {
		return t.Drive.delete(ctx, r, rec, i)
	}
	if t.Delete == nil {
		return nil
	}
	if !rec.made() && t.Named {
		answer, err := r.read(ctx, t, i)
		if err != nil || answer == nil {
			return err
		}
		i.Ref, i.Attributes = identify(t, i, answer)
	}
	if i.Ref == "" {
		return nil // its creation was refused
	}
	c := r.caller(rec.Block)
	for _, call := range t.Delete(i) {
		call.Ignore = append(call.Ignore, t.Missing...)
		if _, err := c.one(ctx, call); err != nil {
			return err
		}
	}
	return nil
}

// driver is the work of a type that is more than calls.
type driver interface {
	create(ctx context.Context, r *run, rec *Record, next *Instance) error
	update(ctx context.Context, r *run, rec *Record, next, old *Instance) error
	delete(ctx context.Context, r *run, rec *Record, i *Instance) error
	always() bool // an update of the stack updates the resource even if no property has changed
}

// member is the text at a path of members of an answer, "" where there is none.
func member(v value.Value, path ...string) string {
	for _, name := range path {
		o, ok := v.(*value.Object)
		if !ok || o == nil {
			return ""
		}
		v, _ = o.Get(name)
	}
	return textOf(v)
}
