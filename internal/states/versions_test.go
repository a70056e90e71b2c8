package states_test

import (
	"math"
	"testing"
)

// TestAliasRouting starts executions through an alias: each runs one of the two versions, by their weights, and says which; they
// are listed below the alias, below their version and below the machine. A weight of 0 gets none.
func TestAliasRouting(t *testing.T) {
	w := newRedriven(t)
	w.heal()
	definition := func(result string) string {
		return `{"StartAt":"P","States":{"P":{"Type":"Pass","Result":"` + result + `","End":true}}}`
	}
	machine := w.call("CreateStateMachine", object{"name": "routed", "definition": definition("one"), "roleArn": role})["stateMachineArn"].(string)
	first := w.call("PublishStateMachineVersion", object{"stateMachineArn": machine})["stateMachineVersionArn"].(string)
	w.call("UpdateStateMachine", object{"stateMachineArn": machine, "definition": definition("two")})
	second := w.call("PublishStateMachineVersion", object{"stateMachineArn": machine})["stateMachineVersionArn"].(string)
	route := func(one, two int) []object {
		return []object{{"stateMachineVersionArn": first, "weight": one}, {"stateMachineVersionArn": second, "weight": two}}
	}
	alias := w.call("CreateStateMachineAlias", object{"name": "live", "routingConfiguration": route(70, 30)})["stateMachineAliasArn"].(string)

	const starts = 1000
	ran := map[string]int{}
	outputs := map[string]any{first: `"one"`, second: `"two"`}
	for range starts {
		arn := w.call("StartExecution", object{"stateMachineArn": alias})["executionArn"].(string)
		d := w.call("DescribeExecution", object{"executionArn": arn})
		version, _ := d["stateMachineVersionArn"].(string)
		if d["output"] != outputs[version] || d["stateMachineAliasArn"] != alias || d["stateMachineArn"] != machine {
			t.Fatalf("described as %v", d)
		}
		ran[version]++
	}
	// Six standard deviations: one run in five hundred million is unlucky.
	if off := math.Abs(float64(ran[first]) - 0.7*starts); off > 6*math.Sqrt(starts*0.7*0.3) {
		t.Errorf("of %d executions %d ran the version with weight 70", starts, ran[first])
	}
	for arn, want := range map[string]int{alias: starts, machine: starts, first: ran[first], second: ran[second]} {
		if got := w.listed(arn); got != want {
			t.Errorf("below %s there are %d executions, not %d", arn, got, want)
		}
	}

	w.call("UpdateStateMachineAlias", object{"stateMachineAliasArn": alias, "routingConfiguration": route(0, 100)})
	for range 50 {
		arn := w.call("StartExecution", object{"stateMachineArn": alias})["executionArn"].(string)
		if d := w.call("DescribeExecution", object{"executionArn": arn}); d["stateMachineVersionArn"] != second {
			t.Fatalf("a version of weight 0 runs: %v", d)
		}
	}
}

// listed counts the executions that ListExecutions pages through.
func (w *redriven) listed(arn string) (n int) {
	in := object{"stateMachineArn": arn, "maxResults": 1000}
	for {
		page := w.call("ListExecutions", in)
		n += len(page["executions"].([]any))
		if page["nextToken"] == nil {
			return n
		}
		in["nextToken"] = page["nextToken"]
	}
}
