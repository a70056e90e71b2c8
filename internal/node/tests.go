package node

import (
	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/mocks"
)

func (c Config) testClock() engine.TestClock {
	switch {
	case c.SkipTime:
		return engine.SkipWhenIdle
	case c.TestClock:
		return engine.SkipOnDemand
	}
	return engine.NoTestClock
}

// testCases are the cases on which executions may be started; nil: there are none.
type testCases mocks.Config

// testCases reads the file of mocked responses and adds the cases that are set.
func (c Config) testCases() (testCases, error) {
	if c.MockConfig == "" {
		return testCases(c.Mocks), nil
	}
	cases, err := mocks.Load(c.MockConfig)
	if err != nil {
		return nil, err
	}
	for machine, more := range c.Mocks {
		if err := cases.Add(machine, more); err != nil {
			return nil, err
		}
	}
	return testCases(cases), nil
}

// dispatcher puts the mocks in front of what runs tasks.
func (t testCases) dispatcher(d engine.Dispatcher) engine.Dispatcher {
	return &mocks.Runner{Dispatcher: d, Config: mocks.Config(t)}
}

func (t testCases) has() func(machine, name string) bool {
	if t == nil {
		return nil
	}
	return mocks.Config(t).Has
}

// resource is states.Config.Resource. Where tasks may be mocked, machines may have tasks that this server cannot run; one
// that is not mocked fails, naming itself.
func (t testCases) resource(problem func(asl.Integration, string) string) func(asl.Integration, string) string {
	if t == nil {
		return problem
	}
	return nil
}
