package bench

import (
	"context"
	"sync"
)

// crewSize is how many workers serve an activity.
const crewSize = 64

// crew is the workers of an activity in this process: each asks for a task, answers it with its input, and asks again.
type crew struct {
	activity string
	cancel   context.CancelFunc
	workers  sync.WaitGroup
}

func newCrew(ctx context.Context, s *server) (*crew, error) {
	var out struct{ ActivityArn string }
	if err := s.call(ctx, "states", "CreateActivity", object{"name": "step"}, &out); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &crew{activity: out.ActivityArn, cancel: cancel}
	for range crewSize {
		c.workers.Go(func() { c.work(ctx, s) })
	}
	return c, nil
}

func (c *crew) task() object { return object{"Type": "Task", "Resource": c.activity} }

func (c *crew) work(ctx context.Context, s *server) {
	for ctx.Err() == nil {
		var task struct{ TaskToken, Input string }
		if err := s.call(ctx, "states", "GetActivityTask", object{"activityArn": c.activity}, &task); err != nil {
			return // the server has gone, or the work is over; executions that wait fail the job
		}
		if task.TaskToken == "" {
			continue
		}
		if err := s.call(ctx, "states", "SendTaskSuccess", object{"taskToken": task.TaskToken, "output": task.Input}, nil); err != nil {
			return
		}
	}
}

func (c *crew) stop() {
	c.cancel()
	c.workers.Wait()
}
