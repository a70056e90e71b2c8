package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// machine is a state machine in a list.
type machine struct {
	StateMachineArn string  `json:"stateMachineArn"`
	Name            string  `json:"name"`
	Type            string  `json:"type"`
	CreationDate    float64 `json:"creationDate"`
}

// activity is an activity in a list of state machines and activities.
type activity struct {
	ActivityArn  string  `json:"activityArn"`
	Name         string  `json:"name"`
	Type         string  `json:"type"`
	CreationDate float64 `json:"creationDate"`
}

// execution is an execution in a list.
type execution struct {
	ExecutionArn    string  `json:"executionArn"`
	StateMachineArn string  `json:"stateMachineArn"`
	Name            string  `json:"name"`
	Status          string  `json:"status"`
	StartDate       float64 `json:"startDate"`
	StopDate        float64 `json:"stopDate,omitempty"`
}

// machines lists all state machines.
func (c *client) machines(ctx context.Context) ([]machine, error) {
	all := []machine{}
	in := map[string]any{"maxResults": 1000}
	for {
		var out struct {
			StateMachines []machine
			NextToken     string
		}
		if err := c.call(ctx, "states", "ListStateMachines", in, &out); err != nil {
			return nil, err
		}
		all = append(all, out.StateMachines...)
		if out.NextToken == "" {
			return all, nil
		}
		in["nextToken"] = out.NextToken
	}
}

// executions lists a machine's executions, the latest first, at most limit of them.
func (c *client) executions(ctx context.Context, machineARN, status string, limit int) ([]execution, error) {
	all := []execution{}
	in := map[string]any{"stateMachineArn": machineARN, "maxResults": min(limit, 1000)}
	if status != "" {
		in["statusFilter"] = status
	}
	for {
		var out struct {
			Executions []execution
			NextToken  string
		}
		if err := c.call(ctx, "states", "ListExecutions", in, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Executions...)
		if out.NextToken == "" || len(all) >= limit {
			return all[:min(len(all), limit)], nil
		}
		in["nextToken"] = out.NextToken
	}
}

// machineARN finds a state machine by its ARN, its name, or a prefix that no other name has.
func (c *client) machineARN(ctx context.Context, arg string) (string, error) {
	if isARN(arg, "stateMachine:") {
		return arg, nil
	}
	all, err := c.machines(ctx)
	if err != nil {
		return "", err
	}
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	i, err := pick("state machine", arg, names)
	if err != nil {
		return "", err
	}
	return all[i].StateMachineArn, nil
}

// searched is how many of each machine's latest executions are looked at for a name.
const searched = 1000

// execution is the client of a command that takes an execution, and the execution's ARN.
func (a *app) execution(ctx context.Context, arg string) (c *client, arn string, err error) {
	if c, err = a.client(); err != nil {
		return nil, "", err
	}
	arn, err = c.executionARN(ctx, arg)
	return c, arn, err
}

// executionARN finds an execution by its ARN, by MACHINE/NAME, by its name, or by a prefix that no other name has; "@last"
// is the one that was started last.
func (c *client) executionARN(ctx context.Context, arg string) (string, error) {
	if isARN(arg, "execution:") || isARN(arg, "express:") {
		return arg, nil
	}
	machines, err := c.machines(ctx)
	if err != nil {
		return "", err
	}
	if name, rest, ok := strings.Cut(arg, "/"); ok {
		arn, err := c.machineARN(ctx, name)
		if err != nil {
			return "", err
		}
		machines, arg = []machine{{StateMachineArn: arn}}, rest
	}
	var all []execution
	for _, m := range machines {
		if m.Type == "EXPRESS" {
			continue
		}
		es, err := c.executions(ctx, m.StateMachineArn, "", searched)
		if err != nil {
			return "", err
		}
		all = append(all, es...)
	}
	if arg == "@last" {
		return latest(all)
	}
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.Name
	}
	i, err := pick("execution", arg, names)
	if err != nil {
		return "", err
	}
	return all[i].ExecutionArn, nil
}

func latest(all []execution) (string, error) {
	best := -1
	for i := range all {
		if best < 0 || all[i].StartDate > all[best].StartDate {
			best = i
		}
	}
	if best < 0 {
		return "", fmt.Errorf("there is no execution yet")
	}
	return all[best].ExecutionArn, nil
}

// pick finds the one name that is arg, else the one that begins with it.
func pick(what, arg string, names []string) (int, error) {
	var exact, prefix []int
	for i, n := range names {
		if n == arg {
			exact = append(exact, i)
		}
		if strings.HasPrefix(n, arg) {
			prefix = append(prefix, i)
		}
	}
	found := exact
	if len(found) == 0 {
		found = prefix
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if len(names) == 0 {
			return 0, fmt.Errorf("no %s %q: there is none at all", what, arg)
		}
		return 0, fmt.Errorf("no %s %q; there are %s", what, arg, some(names))
	}
	var those []string
	for _, i := range found {
		those = append(those, names[i])
	}
	return 0, fmt.Errorf("%s %q is not unique: %s", what, arg, some(those))
}

func some(names []string) string {
	if len(names) > 6 {
		return strings.Join(names[:6], ", ") + fmt.Sprintf(" and %d more", len(names)-6)
	}
	return strings.Join(names, ", ")
}

func isARN(s, resource string) bool {
	a, ok := aws.ParseARN(s)
	return ok && a.Service == "states" && strings.HasPrefix(a.Resource, resource)
}

// moment is a time of the canonical form.
func moment(seconds float64) time.Time { return time.UnixMilli(int64(seconds*1000 + 0.5)) }

func stamp(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	return moment(seconds).Local().Format("2006-01-02 15:04:05")
}
