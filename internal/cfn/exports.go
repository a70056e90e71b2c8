package cfn

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
)

// export is the row of an export.
type export struct {
	StackID string
	Value   string
}

func readExport(rd store.Reader, account, region, name string) (*export, error) {
	b, err := rd.Get(exportKey(account, region, name))
	if err != nil || b == nil {
		return nil, err
	}
	var e export
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("%w: export: %w", store.ErrCorrupt, err)
	}
	return &e, nil
}

// importers lists the ids of the stacks that import an export.
func importers(rd store.Reader, account, region, name string) []string {
	prefix := importKey(account, region, name)
	var ids []string
	for k := range rd.Scan(prefix, prefix.End(), false) {
		if id, _, ok := store.CutStr(k[len(prefix):]); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func stackNameOf(id string) string {
	if parts := strings.Split(id, "/"); len(parts) == 3 {
		return parts[1]
	}
	return id
}

// inUse says what AWS says of an export that may not go or change, "" if nobody imports it.
func inUse(rd store.Reader, s *Stack, name, verb string) string {
	var users []string
	for _, id := range importers(rd, s.Account, s.Region, name) {
		users = append(users, stackNameOf(id))
	}
	if len(users) == 0 {
		return ""
	}
	return fmt.Sprintf("Cannot %s export %s as it is in use by %s", verb, name, strings.Join(users, ", "))
}

// shared is what a stack shares with others: outputs of which some are exported, and names of exports that it imports.
type shared struct {
	outputs []OutputValue
	imports []string
}

// share brings a stack's exports and imports from what they were to what they are. An export that is another stack's, or that changes while it is
// imported, is an error that changes nothing.
func share(tx store.Tx, s *Stack, was, is shared) error {
	now := map[string]string{}
	for _, o := range is.outputs {
		if o.ExportName != "" {
			now[o.ExportName] = o.OutputValue
		}
	}
	for _, o := range was.outputs {
		v, kept := now[o.ExportName]
		if o.ExportName == "" || kept && v == o.OutputValue {
			continue
		}
		verb := "update"
		if !kept {
			verb = "delete"
		}
		if msg := inUse(tx, s, o.ExportName, verb); msg != "" {
			return fmt.Errorf("%s", msg)
		}
	}
	for name := range now {
		e, err := readExport(tx, s.Account, s.Region, name)
		if err != nil {
			return err
		}
		if e != nil && e.StackID != s.ID {
			return fmt.Errorf("Export with name %s is already exported by stack %s", name, stackNameOf(e.StackID))
		}
	}
	for _, o := range was.outputs {
		if _, kept := now[o.ExportName]; o.ExportName != "" && !kept {
			tx.Delete(exportKey(s.Account, s.Region, o.ExportName))
		}
	}
	for name, v := range now {
		b, err := json.Marshal(export{s.ID, v})
		if err != nil {
			return err
		}
		tx.Set(exportKey(s.Account, s.Region, name), b)
	}
	for _, name := range was.imports {
		if !slices.Contains(is.imports, name) {
			tx.Delete(importKey(s.Account, s.Region, name).Str(s.ID))
		}
	}
	for _, name := range is.imports {
		tx.Set(importKey(s.Account, s.Region, name).Str(s.ID), nil)
	}
	return nil
}

// exportsInUse says why the stack may not be deleted, "" if it may.
func (r *run) exportsInUse(ctx context.Context) (used string, err error) {
	s := r.stack
	err = r.s.env.Store.View(ctx, r.s.partition(s.Account, s.Region), func(rd store.Reader) error {
		used = ""
		for _, o := range s.Outputs {
			if o.ExportName == "" {
				continue
			}
			if msg := inUse(rd, s, o.ExportName, "delete"); msg != "" {
				used = "Delete canceled. " + msg + "."
			}
		}
		return nil
	})
	return used, err
}

// importsOf reads the exports of an account and region for Fn::ImportValue.
func (s *Service) importsOf(ctx context.Context, account, region string) func(name string) (string, error) {
	return func(name string) (string, error) {
		var e *export
		err := s.env.Store.View(ctx, s.partition(account, region), func(rd store.Reader) (err error) {
			e, err = readExport(rd, account, region, name)
			return err
		})
		if err == nil && e == nil {
			err = fmt.Errorf("No export named %s found.", name)
		}
		if err != nil {
			return "", err
		}
		return e.Value, nil
	}
}

// imports lists the names of the exports that a plan uses.
func (p *Plan) imports() []string {
	var names []string
	add := func(n *Node) {
		walk(n, func(f *Node) {
			if f.Fn != "Fn::ImportValue" {
				return
			}
			scope := *p.Scope
			if v, err := scope.Resolve(f.Arg); err == nil && !slices.Contains(names, textOf(v)) {
				names = append(names, textOf(v))
			}
		})
	}
	for _, r := range p.Resources {
		add(r.Properties)
	}
	for _, o := range p.Outputs {
		add(o.Value)
	}
	return names
}

// checkImports looks up every export that a plan uses.
func (p *Plan) checkImports(lookup func(string) (string, error)) error {
	for _, name := range p.imports() {
		if _, err := lookup(name); err != nil {
			return err
		}
	}
	return nil
}

// textValues are strings as a scope's parameters.
func textValues(m map[string]string) map[string]value.Value {
	out := make(map[string]value.Value, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
