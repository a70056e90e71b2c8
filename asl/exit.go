package asl

import (
	"github.com/newel-run/newel/asl/value"
)

// Exit is a way out of a state: where it leads, what it hands on, and the variables that it sets. Every state but Fail has
// one of its own (a Choice's is its Default); each rule of a Choice and each catcher has one too.
type Exit struct {
	Next *State // nil when the exit ends its scope, and for a Choice's own where there is no Default

	flow   exitFlow
	assign *assignment // nil if it sets no variables
}

// exitFlow makes what an exit hands on, in one query language.
type exitFlow interface {
	// output is made of the state's raw input and of its result: what its work gave, for Choice, Wait and Succeed the
	// effective input, for a catcher the error output.
	output(env *Env, raw, result *value.Doc) (*value.Doc, error)
	// scope is the environment of the exit's Assign.
	scope(env *Env, raw, result *value.Doc) *Env
}

// Output is what goes to the next state: result is what the state's work gave (for Choice, Wait and Succeed the effective
// input, for a catcher the error output).
func (x *Exit) Output(env *Env, raw, result *value.Doc) (*value.Doc, error) {
	return x.flow.output(env, raw, result)
}

// Assign is the variables that the exit sets, in the order of the definition; nil if there are none. All of them see the
// values that variables had when the state was entered.
func (x *Exit) Assign(env *Env, raw, result *value.Doc) ([]Variable, error) {
	if x.assign == nil {
		return nil, nil
	}
	return x.assign.evaluate(x.flow.scope(env, raw, result))
}

// exit compiles the Output and Assign of a state, rule or catcher; flow is what it hands on in JSONPath mode.
func (c *compiler) exit(p place, s *State, at moment, flow exitFlow) Exit {
	x := Exit{flow: flow}
	if s.Language == JSONata {
		x.flow = p.queryExit(at)
	}
	if f, ok := p.field("Assign"); ok {
		x.assign = c.assignment(f, s, at)
	}
	return x
}
