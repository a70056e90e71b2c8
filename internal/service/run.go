package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
)

// New makes a service from its table; a row that repeats a name is a bug.
func New(name string, env *Env, rows []Operation) *Service {
	s := &Service{Name: name, Env: env, ops: make(map[string]*Operation, len(rows))}
	for i := range rows {
		if s.ops[rows[i].Name] != nil {
			panic("service: " + name + " has two rows for " + rows[i].Name)
		}
		s.ops[rows[i].Name] = &rows[i]
	}
	return s
}

// Operations lists the names of the operations that are implemented.
func (s *Service) Operations() []string {
	names := make([]string, 0, len(s.ops))
	for n := range s.ops {
		names = append(names, n)
	}
	return names
}

// Has reports whether an operation is implemented.
func (s *Service) Has(operation string) bool { return s.ops[operation] != nil }

// PartitionOf is the partition of a resource of this service.
func (s *Service) PartitionOf(account, region, key string) store.Partition {
	if s.Place != nil {
		return s.Place(account, region, key)
	}
	return store.Place(s.Env.Store.Partitions(), account, region, s.Name, key)
}

// Call runs one operation.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	op := s.ops[r.Operation]
	if op == nil {
		return nil, NotImplemented(s.Name, r.Operation)
	}
	c := &Context{Request: r, Env: s.Env, Now: s.Env.Now()}
	if op.Do != nil {
		return op.Do(ctx, c)
	}
	if op.Key != nil {
		var err error
		if c.Key, err = op.Key(r); err != nil {
			return nil, err
		}
	}
	p := s.PartitionOf(r.Account, r.Region, c.Key)
	var out any
	var err error
	c.Partition = p
	if op.View != nil {
		err = s.View(ctx, p, func(rd store.Reader) (err error) { out, err = op.View(c, rd); return })
	} else {
		out, err = s.Update(ctx, c, p, op.Update)
	}
	if err != nil {
		return nil, Wire(err)
	}
	return Answer(out), nil
}

// View reads a partition in one snapshot.
func (s *Service) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	return s.fault(s.Env.WithKeys(ctx, func() error { return s.Env.Store.View(ctx, p, fn) }))
}

// Update runs one transaction of a request on a partition: once only for each Token.
func (s *Service) Update(ctx context.Context, c *Context, p store.Partition, fn func(*Context, store.Tx) (any, error)) (any, error) {
	var out any
	c.Partition = p
	run := func(tx store.Tx) error {
		c.After = c.After[:0]
		c.Protection = nil
		seen, err := s.kept.of(tx, p, c.Token)
		if err != nil {
			return err
		}
		if out, err = s.recall(tx, seen, c.Token); err != nil || out != nil {
			return err
		}
		if out, err = fn(c, tx); err != nil {
			return err
		}
		return s.remember(tx, seen, c, out)
	}
	err := s.Env.WithKeys(ctx, func() error { return s.Env.Store.Update(ctx, p, run) })
	if err != nil {
		return nil, s.fault(err)
	}
	for _, f := range c.After {
		f()
	}
	return out, nil
}

// Answer wraps a handler's result.
func Answer(v any) *aws.Output {
	switch v := v.(type) {
	case nil:
		return &aws.Output{Value: json.RawMessage("{}")}
	case *aws.Output:
		return v
	}
	return &aws.Output{Value: v}
}

// Marshal encodes a canonical value without escaping HTML characters.
func Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte("{}"), nil
	case json.RawMessage:
		return v, nil
	case interface{ Bytes() []byte }:
		return v.Bytes(), nil
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// NotImplemented is the answer to an operation that Newel does not have: AWS-shaped, and naming what is missing.
func NotImplemented(service, operation string) *aws.Error {
	return &aws.Error{Code: "NotImplemented", Status: 501,
		Message: fmt.Sprintf("Newel does not implement %s:%s yet.", service, operation)}
}

// Wire turns a store's error into the retryable answer that clients know; other errors pass.
func Wire(err error) error {
	switch {
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrFenced), errors.Is(err, store.ErrClosed),
		errors.Is(err, store.ErrUnavailable):
		return &aws.Error{Code: "ServiceUnavailable", Message: err.Error(), Status: 503, Fault: true}
	}
	return err
}

// ServiceName is the service's key at the seam.
func (s *Service) ServiceName() string { return s.Name }
