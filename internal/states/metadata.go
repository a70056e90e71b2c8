package states

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// includedData METADATA_ONLY asks for what a customer managed key does not encrypt: it needs no key, and an answer has
// neither definition nor input, output, error and cause (spec.md A.6).

// metadataOnly reports whether a request asks for no data.
func metadataOnly(c *service.Context) (bool, error) {
	if !bytes.Contains(c.Input, []byte("METADATA_ONLY")) {
		return false, nil
	}
	var in struct{ IncludedData string }
	err := service.Decode(c.Request, &in)
	return in.IncludedData == "METADATA_ONLY", err
}

// describeMetadata is DescribeExecution without data.
func (s *Service) describeMetadata(ctx context.Context, c *service.Context) (any, error) {
	arn, err := executionOf(c)
	if err != nil {
		return nil, err
	}
	m, row, err := s.engine.Metadata(ctx, arn)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, noExecution(arn)
	}
	if err != nil {
		return nil, err
	}
	mapRun, pending, err := s.mapRunOfChild(ctx, arn)
	if err != nil {
		return nil, err
	}
	b := appendMembers(nil, "executionArn", arn, "stateMachineArn", m.MachineARN, "name", m.Name, "status", childStatus(row.Status, pending))
	b = appendEpoch(append(b, `,"startDate":`...), m.StartMs())
	if row.Status != machine.Running {
		b = appendEpoch(append(b, `,"stopDate":`...), row.Stop)
	}
	b = append(b, `,"inputDetails":{"included":false}`...)
	if row.Status == machine.Succeeded {
		b = append(b, `,"outputDetails":{"included":false}`...)
	}
	b = appendMembers(b, "traceHeader", m.Trace, "stateMachineVersionArn", m.VersionARN, "stateMachineAliasArn", m.AliasARN, "mapRunArn", mapRun)
	b = appendRedrives(b, row.Redrives, row.Redriven)
	if d, err := s.engine.Describe(ctx, arn); err == nil { // whether it can be redriven is known only with its key
		redriveStatus, reason, err := s.redriveStatus(ctx, d)
		if err != nil {
			return nil, err
		}
		b = appendMembers(b, "redriveStatus", redriveStatus, "redriveStatusReason", reason)
	}
	return closeObject(b), nil
}

// describeRevision finds what DescribeStateMachineForExecution describes, and without its data if so asked.
func (s *Service) describeRevision(ctx context.Context, c *service.Context) (arn string, r *revision, err error) {
	bare, err := metadataOnly(c)
	if err != nil {
		return "", nil, err
	}
	if !bare {
		d, err := s.describe(ctx, c)
		if err != nil {
			return "", nil, err
		}
		compiled, err := s.revisions.revision(ctx, d.Definition)
		if err != nil {
			return "", nil, err
		}
		return d.ARN, compiled.revision, nil
	}
	if arn, err = executionOf(c); err != nil {
		return "", nil, err
	}
	m, _, err := s.engine.Metadata(ctx, arn)
	if errors.Is(err, engine.ErrNotFound) {
		return "", nil, noExecution(arn)
	}
	if err != nil {
		return "", nil, err
	}
	id, label, isChild := strings.Cut(m.Definition, "/")
	of, _, _ := strings.Cut(id, "#")
	err = s.env.Store.View(ctx, store.Place(s.env.Store.Partitions(), of), func(rd store.Reader) (err error) {
		r, err = describedRevision(s.env, rd, id, "METADATA_ONLY")
		return err
	})
	if err == nil && r == nil {
		err = store.ErrCorrupt
	}
	if err == nil && isChild {
		r.Machine, r.Name = r.Machine+"/"+label, r.Name+"/"+label
	}
	return arn, r, err
}
