package states

import (
	"errors"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
)

// admit lets a client's start through, or answers why not. What the server starts itself is part of work that it has accepted.
func (s *Service) admit(c *service.Context, express bool) error {
	if c.Token.Seq != 0 {
		return nil
	}
	operation := c.Operation
	if express && operation == "StartExecution" {
		operation += ".EXPRESS"
	}
	if s.admission != nil && c.Host != "" {
		if e := s.admission(operation, c.Account, c.Region); e != nil {
			return e
		}
	}
	err := s.engine.Admit(express)
	switch {
	case errors.Is(err, engine.ErrBusy):
		s.env.Record(c.Account, c.Region, namespace, "ThrottledEvents", "Count", 1, s.env.Now(), "APIName", c.Operation)
		return aws.Errorf("ThrottlingException", "Rate exceeded")
	case errors.Is(err, engine.ErrOpen):
		return aws.Errorf("ExecutionLimitExceeded", "The maximum number of running executions has been reached. Running executions must end or be stopped before a new execution can be started.")
	}
	return err
}

// pace emits that an execution was held up by the quota of transitions.
func (s *Service) pace(pace func(string, int) time.Duration) func(string, int) time.Duration {
	if pace == nil {
		return nil
	}
	return func(machineARN string, transitions int) time.Duration {
		d := pace(machineARN, transitions)
		if d > 0 {
			s.meter.emit(machineARN, "ExecutionThrottled", "Count", 1, s.env.Now(), "StateMachineArn", machineARN)
		}
		return d
	}
}
