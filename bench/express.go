package bench

import (
	"context"
	"fmt"
)

// express runs a synchronous Express execution of ten Pass states a request.
func express(ctx context.Context, r *run) error {
	s, _, err := startServer(ctx, r, r.newDir())
	if err != nil {
		return err
	}
	defer s.kill()
	machine, err := s.createMachine(ctx, "EXPRESS", "ten", steps(10, pass))
	if err != nil {
		return err
	}
	for _, clients := range r.Clients {
		before := s.use()
		rate, err := hammer(clients, r.Duration, func(int) func() error {
			return func() error {
				var out struct{ Status, Cause string }
				err := s.call(ctx, "states", "StartSyncExecution", object{"stateMachineArn": machine, "input": input}, &out)
				if err == nil && out.Status != "SUCCEEDED" {
					err = fmt.Errorf("an execution is %s: %s", out.Status, out.Cause)
				}
				return err
			}
		})
		if err != nil {
			return err
		}
		cpu := s.use().cpu - before.cpu
		r.say("  %3d clients  %7.0f executions/s  server CPU %.3f ms each  requests %2.0f %% of the bare server's",
			clients, rate, cpu.Seconds()*1000/(rate*r.Duration.Seconds()), 100*rate/r.limits.http)
	}
	return nil
}
