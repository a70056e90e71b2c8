package states

import (
	"fmt"
	"testing"

	"github.com/newel-run/newel/machine"
)

// TestTrackedTasks follows tasks of many executions from event to event: each is found at the event that it is at, once, and
// what nobody takes out makes room for what comes later.
func TestTrackedTasks(t *testing.T) {
	var tasks trackedTasks
	tasks.init()
	begin := func(execution string, event int64) {
		tasks.begin(execution, &machine.HistoryEvent{ID: event, Time: 100 * event}, taskKind{metrics: serviceMetrics, service: "sqs", resource: "sendMessage"})
	}
	begin("a", 3)
	begin("a", 5)
	begin("b", 3)
	task := tasks.take("a", 3)
	if task.taskKind == nil || task.scheduled != 300 || task.arn() != "arn:aws:states:::sqs:sendMessage" {
		t.Fatalf("at its event the task is %+v", task)
	}
	if again := tasks.take("a", 3); again.taskKind != nil {
		t.Fatal("a task is there after it was taken")
	}
	task.started = 400
	tasks.moved("a", 4, task)
	if task = tasks.take("a", 4); task.started != 400 || task.scheduled != 300 {
		t.Fatalf("a task that has moved is %+v", task)
	}
	if other := tasks.take("a", 5); other.scheduled != 500 {
		t.Fatalf("another task of the execution is %+v", other)
	}

	const many = 100_000
	for i := range many {
		begin(fmt.Sprint("execution-", i), 3)
	}
	kept := 0
	for i := range tasks.shards {
		kept += len(tasks.shards[i].young) + len(tasks.shards[i].old)
	}
	if most := 2 * trackedGeneration * len(tasks.shards); kept > most || kept < most/4 {
		t.Fatalf("%d tasks are remembered, at most %d may be", kept, most)
	}
	if last := tasks.take(fmt.Sprint("execution-", many-1), 3); last.scheduled != 300 {
		t.Fatal("the last task is forgotten")
	}
	if tasks.take("b", 3).taskKind != nil {
		t.Fatal("the oldest task is remembered")
	}
}
