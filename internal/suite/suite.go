// Package suite holds tests of a state machine: the files that stand beside it, what they expect, and what they cover.
//
// It is pure. A suite is read from YAML or JSON (parse.go) or made of an execution's history (record.go); its mocks become
// those of internal/mocks; whoever runs its cases hands back an Outcome, which check.go judges, and what the executions
// did, which coverage.go adds up. docs/testing.md describes the format for users.
package suite

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/mocks"
)

// Suite is a file of tests of one state machine.
type Suite struct {
	File       string
	Machine    string // path of the definition
	Express    bool
	MockConfig string // path of a file of Step Functions Local's, "" for none
	Cases      []*Case
}

// Case is one execution and what it must come to.
type Case struct {
	Name  string
	Line  int
	Input []byte // JSON
	// Mocked names a test case of the suite's MockConfig whose mocks it takes, before its own.
	Mocked string
	Mocks  mocks.Case
	Expect Expect
}

// Expect is what an execution must come to; what is not set is not looked at.
type Expect struct {
	Status    string
	Output    *value.Doc // exactly this
	OutputHas *value.Doc // at least this: objects may have more members
	Error     *string
	Cause     string   // a part of the cause
	Path      []string // the states of the machine's own thread, in order
}

// Outcome is how an execution ended.
type Outcome struct {
	Status       string
	Output       *value.Doc // nil unless it has succeeded
	Error, Cause string
	Path         []string
	Took         time.Duration // in the machine's time, skipped time included
}

// Result is a case that was run.
type Result struct {
	Case    *Case
	Outcome Outcome
	Real    time.Duration
	Wrong   []string // how it differs from what is expected
}

// endings are those of the files that hold suites.
var endings = []string{".test.yaml", ".test.yml", ".test.json"}

// IsSuite reports whether a file's name is that of a suite.
func IsSuite(name string) bool {
	for _, e := range endings {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}

// stem is a suite's file name without its ending: the machine's file begins with it.
func stem(file string) string {
	for _, e := range endings {
		file = strings.TrimSuffix(file, e)
	}
	return filepath.Base(file)
}
