package states

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
)

// Fill writes executions of a state machine of the server's own account and region that begin and end at once, under names
// that are not taken; see engine.Engine.Fill.
func (s *Service) Fill(ctx context.Context, machineARN, input string, names []string) error {
	body, err := json.Marshal(map[string]string{"stateMachineArn": machineARN, "input": input})
	if err != nil {
		return err
	}
	r := &aws.Request{Service: "states", Operation: "StartExecution", Account: s.env.Account, Region: s.env.Region, Input: body}
	one, _, err := s.prepareStart(ctx, &service.Context{Request: r, Env: s.env, Now: s.env.Now()})
	if err != nil {
		return err
	}
	n, err := parseType(machineARN, "stateMachine")
	if err != nil {
		return err
	}
	starts := make([]engine.StartInput, len(names))
	for i, name := range names {
		starts[i] = *one
		starts[i].Name, starts[i].ARN = name, executionARN(n, name)
		rand.Read(starts[i].Seed[:])
	}
	return s.engine.Fill(ctx, starts)
}
