package limits

import (
	"slices"
	"strings"
)

// quota is AWS's quota of an operation of Step Functions (spec.md E): a bucket's size and its refill a second, first in the
// three large regions, then in the others.
func quota(name, region string) (Rate, bool) {
	operation, ok := strings.CutPrefix(name, "states:")
	if !ok {
		return Rate{}, false
	}
	q, ok := quotas[operation]
	if !ok {
		if q, ok = family(operation); !ok {
			return Rate{}, false
		}
	}
	if slices.Contains(largeRegions, region) {
		return q.large, true
	}
	return q.other, true
}

var largeRegions = []string{"us-east-1", "us-west-2", "eu-west-1"}

type regional struct{ large, other Rate }

func everywhere(burst, perSecond float64) regional {
	return regional{Rate{burst, perSecond}, Rate{burst, perSecond}}
}

var (
	workers = regional{Rate{3000, 500}, Rate{1500, 300}}
	starts  = regional{Rate{1300, 300}, Rate{800, 150}}

	quotas = map[string]regional{
		"StateTransition":        {Rate{5000, 5000}, Rate{800, 800}},
		"StartExecution":         starts,
		"StartExecution.EXPRESS": everywhere(6000, 6000),
		"RedriveExecution":       starts,
		"GetActivityTask":        workers,
		"SendTaskSuccess":        workers,
		"SendTaskFailure":        workers,
		"SendTaskHeartbeat":      workers,
		"DescribeExecution":      {Rate{300, 15}, Rate{250, 10}},
		"GetExecutionHistory":    everywhere(400, 20),
		"StopExecution":          {Rate{1000, 200}, Rate{500, 25}},
		"ListExecutions":         {Rate{200, 5}, Rate{100, 2}},
		"DescribeStateMachine":   everywhere(200, 20),
		"ListStateMachines":      everywhere(100, 5),
		"ListActivities":         {Rate{100, 10}, Rate{100, 5}},
		"TestState":              everywhere(50, 10),
		"ListTagsForResource":    everywhere(100, 1),
		"TagResource":            everywhere(200, 1),
		"UntagResource":          everywhere(200, 1),
	}
)

// family is the quota that operations of a kind share; each has a bucket of its own.
func family(operation string) (regional, bool) {
	for _, verb := range []string{"Create", "Delete", "Update", "Publish", "Validate", "ListStateMachineVersions", "ListStateMachineAliases", "ListMapRuns"} {
		if strings.HasPrefix(operation, verb) {
			return everywhere(100, 1), true
		}
	}
	if strings.HasPrefix(operation, "Describe") {
		return everywhere(200, 1), true
	}
	return regional{}, false
}
