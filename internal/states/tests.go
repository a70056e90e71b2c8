package states

import (
	"cmp"
	"context"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/machine"
)

// cutTest takes the test case off the ARN of a start, MACHINE#CASE. A server without test cases knows no such ARNs.
func (s *Service) cutTest(arn *string) *engine.Test {
	machine, name, found := strings.Cut(*arn, "#")
	if s.hasTest == nil || !found {
		return nil
	}
	*arn = machine
	return &engine.Test{Case: name}
}

// checkTest refuses a start on a test case that there is not.
func (s *Service) checkTest(n name, test *engine.Test) error {
	if test == nil || s.hasTest(n.Tail[0], test.Case) {
		return nil
	}
	return aws.Errorf("InvalidName", "Invalid Name: there is no test case '%s' of state machine '%s' in the file of mocked responses", test.Case, n.Tail[0])
}

// testOfChild is the test case of a distributed Map's child: its parent's, which counts for all.
func (s *Service) testOfChild(ctx context.Context, parent string) (*engine.Test, error) {
	if s.hasTest == nil {
		return nil, nil
	}
	test, err := s.engine.TestOf(ctx, parent)
	if test == nil || err != nil {
		return nil, err
	}
	return &engine.Test{Case: test.Case, Root: cmp.Or(test.Root, parent)}, nil
}

// mocking asks a dispatcher whether it answers a task in the place of its service; one that never does need not know.
func mocking(d engine.Dispatcher) func(engine.Dispatch) bool {
	if m, ok := d.(interface{ Mocks(engine.Dispatch) bool }); ok {
		return m.Mocks
	}
	return func(engine.Dispatch) bool { return false }
}

// gone is engine.Config.Gone. Where tasks may be mocked, activities need not exist.
func (s *Service) gone() func(ctx context.Context, execution, activity string) bool {
	if s.hasTest != nil {
		return nil
	}
	return s.activityGone
}

// tell tells each state that the events enter.
func tell(entered func(execution, state string), execution string, events []machine.HistoryEvent) {
	if entered == nil {
		return
	}
	for i := range events {
		if strings.HasSuffix(events[i].Type.String(), "StateEntered") {
			entered(execution, events[i].Name)
		}
	}
}
