package node

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/limits"
	"github.com/newel-run/newel/machine"
)

// settings are the limits of one server.
type settings struct {
	machine      machine.Limits
	bounds       engine.Bounds
	taskBytes    int
	workers      int // Lambda processes at a time
	lambdaQueue  int
	requestBytes int
	connections  int
	pollers      int
	rates        map[string]limits.Rate // by "service:Operation"
}

// counts is the table of the numbers that --limit can set: its name and where it goes.
var counts = map[string]func(l *settings) *int{
	"history-events":     func(l *settings) *int { return &l.machine.HistoryEvents },
	"payload-bytes":      func(l *settings) *int { return &l.machine.PayloadBytes },
	"inline-iterations":  func(l *settings) *int { return &l.machine.InlineIterations },
	"lambda-workers":     func(l *settings) *int { return &l.workers },
	"lambda-queue":       func(l *settings) *int { return &l.lambdaQueue },
	"tasks-at-once":      func(l *settings) *int { return &l.bounds.TasksAtOnce },
	"task-bytes":         func(l *settings) *int { return &l.taskBytes },
	"tasks-waiting":      func(l *settings) *int { return &l.bounds.TasksWaiting },
	"express-executions": func(l *settings) *int { return &l.bounds.ExpressOpen },
	"open-executions":    func(l *settings) *int { return &l.bounds.Open },
	"activity-pollers":   func(l *settings) *int { return &l.pollers },
	"request-bytes":      func(l *settings) *int { return &l.requestBytes },
	"connections":        func(l *settings) *int { return &l.connections },
}

// AWS's counts (spec.md E), set by --limits aws.
const (
	awsOpenExecutions  = 1_000_000
	awsActivityPollers = 1000
)

func (c Config) settings() (settings, error) {
	l := settings{workers: 4 * runtime.GOMAXPROCS(0), rates: map[string]limits.Rate{}}
	if c.Quotas == "aws" {
		l.bounds.Open, l.pollers = awsOpenExecutions, awsActivityPollers
	}
	for name, text := range c.Limits {
		if field := counts[name]; field != nil {
			n, err := strconv.Atoi(text)
			if err != nil || n <= 0 {
				return l, fmt.Errorf("limit %s=%s: a positive whole number is needed", name, text)
			}
			*field(&l) = n
			continue
		}
		operation, ok := rated(name)
		if !ok {
			return l, fmt.Errorf("limit %q is not known; there are %s, and operations of services, as StartExecution=1300/300 or sqs:SendMessage=100/10",
				name, strings.Join(slices.Sorted(maps.Keys(counts)), ", "))
		}
		r, err := parseRate(text)
		if err != nil {
			return l, fmt.Errorf("limit %s=%s: %w", name, text, err)
		}
		l.rates[operation] = r
	}
	l.bounds.TaskBytes = int64(l.taskBytes)
	return l, nil
}

// rated is the full name of a limit on calls; Step Functions is meant where no service is named.
func rated(name string) (string, bool) {
	service, operation, named := strings.Cut(name, ":")
	if !named {
		service, operation = "states", name
	}
	full := service + ":" + operation
	if full == limits.ExpressStart || full == limits.StateTransition {
		return full, true
	}
	if _, ok := aws.Lookup(service); !ok {
		return "", false
	}
	return full, aws.MustModel(service).Operations[operation] != nil
}

func parseRate(text string) (r limits.Rate, err error) {
	burst, perSecond, ok := strings.Cut(text, "/")
	if !ok {
		perSecond = burst
	}
	if r.Burst, err = strconv.ParseFloat(burst, 64); err == nil {
		r.PerSecond, err = strconv.ParseFloat(perSecond, 64)
	}
	if err != nil || !(r.Burst >= 1) || !(r.PerSecond > 0) {
		return r, fmt.Errorf("calls at once and calls a second are needed, as 100/10")
	}
	return r, nil
}

// pacing is how long a machine waits after its state transitions; nil if they are not limited.
func (n *Node) pacing(l settings) func(machineARN string, transitions int) time.Duration {
	if _, set := l.rates[limits.StateTransition]; !set && n.cfg.Quotas == "" {
		return nil
	}
	return func(machineARN string, transitions int) time.Duration {
		if a, ok := aws.ParseARN(machineARN); ok {
			return n.limiter.Spend(a.Account, a.Region, transitions)
		}
		return 0
	}
}

// record takes a metric of the limiter, which is made before CloudWatch is.
func (n *Node) record(account, region, namespace, metric, unit string, v float64, at time.Time, dimensions ...string) {
	n.metrics.Add(account, region, namespace, metric, unit, v, at, dimensions...)
}
