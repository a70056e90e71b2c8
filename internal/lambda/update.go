package lambda

import (
	"context"
	"errors"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

func (s *Service) updateFunctionCode(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		codeSource
		FunctionName    string
		Architectures   []string
		Publish, DryRun bool
		RevisionId      string //nolint:revive // AWS's name
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	id, q, err := target(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if err = unqualified(id, q); err != nil {
		return nil, err
	}
	if _, err = s.load(ctx, id); errors.Is(err, errNoSuchFunction) {
		return nil, notFound(id.arn())
	} else if err != nil {
		return nil, service.Wire(err)
	}
	p, err := s.fetch(ctx, c, in.codeSource)
	if err != nil {
		return nil, err
	}
	change := func(tx store.Tx) (any, error) {
		f, err := need(tx, id)
		if err != nil {
			return nil, err
		}
		if err = checkRevision(f, in.RevisionId); err != nil {
			return nil, err
		}
		if in.Architectures != nil {
			f.Architectures = in.Architectures
		}
		f.CodeHash, f.CodeSize = p.hash, len(p.zip)
		f.revise(c.Now)
		if !in.Publish {
			return f.configuration(), put(tx, f)
		}
		v, err := publish(tx, f, f.Description, c.Now)
		if err != nil {
			return nil, err
		}
		return v.qualifiedConfiguration(v.Version), nil
	}
	if in.DryRun {
		return s.dryRun(ctx, id, p)
	}
	out, err := s.upload(ctx, c, id, p, change)
	if err != nil {
		return nil, service.Wire(err)
	}
	s.retired(id, "")
	return &aws.Output{Value: out}, nil
}

// dryRun answers an update of the code as if it had been made.
func (s *Service) dryRun(ctx context.Context, id identity, p *pack) (*aws.Output, error) {
	f, err := s.load(ctx, id)
	if err != nil {
		return nil, service.Wire(err)
	}
	changed := *f
	changed.CodeHash, changed.CodeSize = p.hash, len(p.zip)
	return &aws.Output{Value: changed.configuration()}, nil
}

func (s *Service) updateFunctionConfiguration(c *service.Context, tx store.Tx) (any, error) {
	var in settings
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	f, err := findUnqualified(c, tx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err = checkRevision(f, in.RevisionId); err != nil {
		return nil, err
	}
	if err = in.apply(f); err != nil {
		return nil, err
	}
	f.revise(c.Now)
	c.After = append(c.After, func() { s.retired(f.identity, "") })
	return f.configuration(), put(tx, f)
}
