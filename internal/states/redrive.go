package states

import (
	"context"
	"errors"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
)

// The values of redriveStatus.
const (
	redrivable         = "REDRIVABLE"
	notRedrivable      = "NOT_REDRIVABLE"
	redrivableByMapRun = "REDRIVABLE_BY_MAP_RUN" // a map run's child: redriving the run's execution redrives it
)

func (s *Service) redriveExecution(ctx context.Context, c *service.Context) (any, error) {
	arn, err := executionOf(c)
	if err != nil {
		return nil, err
	}
	var in struct{ ClientToken string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	d, err := s.describe(ctx, c)
	if err != nil {
		return nil, err
	}
	if isChild(arn) {
		return nil, executionNotRedrivable("Execution can be redriven only by redriving its Map Run")
	}
	if deleted, err := s.machineDeleted(ctx, d); err != nil {
		return nil, err
	} else if deleted {
		return nil, executionNotRedrivable(machineDeleting)
	}
	at, err := s.engine.Redrive(ctx, arn, engine.RedriveInput{Token: in.ClientToken})
	var refused *engine.NotRedrivable
	switch {
	case errors.As(err, &refused):
		return nil, executionNotRedrivable(refused.Reason)
	case errors.Is(err, engine.ErrNotFound):
		return nil, noExecution(arn)
	case err != nil:
		return nil, err
	}
	return map[string]any{"redriveDate": epochOf(at)}, nil
}

func executionNotRedrivable(reason string) *aws.Error {
	return aws.Errorf("ExecutionNotRedrivable", "%s", reason)
}

// redriveStatus says whether an execution can be redriven, and if not, why.
func (s *Service) redriveStatus(ctx context.Context, d *engine.Description) (status, reason string, err error) {
	if reason := s.engine.NotRedrivable(d.Root); reason != "" {
		return notRedrivable, reason, nil
	}
	deleted, err := s.machineDeleted(ctx, d)
	switch {
	case err != nil:
		return "", "", err
	case deleted:
		return notRedrivable, machineDeleting, nil
	case isChild(d.ARN):
		return redrivableByMapRun, "", nil
	}
	return redrivable, "", nil
}

const machineDeleting = "State machine is in DELETING status"

// machineDeleted reports whether an execution has outlived its state machine.
func (s *Service) machineDeleted(ctx context.Context, d *engine.Description) (bool, error) {
	machine, _, _ := strings.Cut(d.MachineARN, "/")
	h, err := s.revisions.head(ctx, machine)
	return h == nil, err
}

// appendRedrives writes how often an execution or map run was redriven, and when it was last (epoch milliseconds, 0
// where that is not known).
func appendRedrives(b []byte, n uint32, last int64) []byte {
	b = appendNumber(b, "redriveCount", int64(n), true)
	if n > 0 && last != 0 {
		b = appendEpoch(append(b, `,"redriveDate":`...), last)
	}
	return b
}

// checkRedriveFilters refuses the filters of ListExecutions that are only for a map run's children.
func checkRedriveFilters(status, redrive string) error {
	switch {
	case status == pendingRedrive:
		return aws.Errorf("ValidationException", "The PENDING_REDRIVE status filter is only supported with a Map Run ARN")
	case redrive != "":
		return aws.Errorf("ValidationException", "The redrive filter is only supported with a Map Run ARN")
	}
	return nil
}
