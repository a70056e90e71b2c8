package asl

import (
	"time"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// flow is the data flow of a state up to its work in one query language: JSONPath's path fields, JSONata's Arguments. What
// comes after the work is the Exit's. A compiled flow is immutable.
type flow interface {
	effective(env *Env) (*value.Doc, error)
	arguments(env *Env) (*value.Doc, error)
}

// flow compiles a state's data flow and its own exit.
func (c *compiler) flow(p place, s *State) {
	at := onInput
	if s.Type == Task || s.Type == Parallel || s.Type == Map {
		at = onResult
	}
	if s.Language == JSONata {
		s.flow = c.queryFlow(p)
		s.Exit = c.exit(p, s, at, nil)
		return
	}
	f := c.pathFlow(p, s)
	s.flow = f
	s.Exit = c.exit(p, s, at, f)
}

// Effective is what the state works on, made of its raw input (env.Input).
func (s *State) Effective(env *Env) (*value.Doc, error) {
	if s.flow == nil {
		return env.Input, nil
	}
	return s.flow.effective(env)
}

// Arguments is what the state hands to its task or branches, made of its effective input (env.Input). A Pass' result is
// its arguments.
func (s *State) Arguments(env *Env) (*value.Doc, error) { return s.flow.arguments(env) }

// TimeoutSeconds is the time that a task may take, 0 for no limit.
func (s *State) TimeoutSeconds(env *Env) (int64, error) { return s.Task.timeout.get(env, 1) }

// HeartbeatSeconds is the time within which a task must give a sign of life, 0 for none.
func (s *State) HeartbeatSeconds(env *Env) (int64, error) { return s.Task.heartbeat.get(env, 1) }

// CredentialsRole is the ARN of the role that the task runs with, "" for the machine's own.
func (s *State) CredentialsRole(env *Env) (string, error) {
	if s.Task.role == nil {
		return "", nil
	}
	return s.Task.role.text(env)
}

// FailWith is the error and cause that a Fail state ends its execution with; nil where it has none. A Fail state has no
// InputPath: env.Input is its raw input.
func (s *State) FailWith(env *Env) (errorName, cause *string, err error) {
	if errorName, err = s.fail.errorName.optional(env); err == nil {
		cause, err = s.fail.cause.optional(env)
	}
	return errorName, cause, err
}

// MaxConcurrency is the number of iterations that may run at a time, 0 for no limit.
func (s *State) MaxConcurrency(env *Env) (int64, error) { return s.Map.maxConcurrency.get(env, 0) }

// Items are the items of a Map's effective input.
func (s *State) Items(env *Env) ([]*value.Doc, error) {
	if s.Language == JSONata {
		return s.Map.queryItems(env)
	}
	doc, text := env.Input, "$"
	if p := s.Map.items; p != nil {
		var err error
		if doc, err = env.resolve(p); err != nil {
			return nil, err
		}
		text = p.String()
		if p.Root == jsonpath.Context {
			text = text[1:] // AWS names the place within the context object
		}
	}
	items, ok := value.Elements(doc.Bytes())
	if !ok {
		return nil, runtimeError(`Reference path "%s" must point to array.`, text)
	}
	env.passed(AfterItemsPath, doc)
	return items, nil
}

// ItemInput is the input of the iteration for an item, which the context object (Map.Item) describes.
func (s *State) ItemInput(env *Env, item *value.Doc) (*value.Doc, error) {
	if s.Map.selector == nil {
		return item, nil
	}
	return s.Map.selector.render(env)
}

// waitFields are the fields of a Wait state; one of them is set.
type waitFields struct {
	seconds   secondsField
	until     time.Time
	timestamp *jsonpath.Path
	query     *query // of Timestamp
}

// failFields are the fields of a Fail state; nil where one is not there.
type failFields struct {
	errorName, cause *expression
}

// maxWaitSeconds is the longest wait that AWS takes: what 31 bits hold, 24,855 days.
const maxWaitSeconds = 1<<31 - 1

// WaitUntil is when a Wait state is over; it may lie in the past.
func (s *State) WaitUntil(env *Env) (time.Time, error) {
	w := s.wait
	until := w.until
	switch {
	case w.query != nil:
		t, err := w.query.timestamp(env)
		if err != nil {
			return until, err
		}
		until = t
	case w.timestamp != nil:
		doc, err := env.find(w.timestamp)
		if err != nil {
			return until, runtimeError("The TimestampPath parameter does not reference an input value: %s", w.timestamp)
		}
		text, _ := doc.Value().(string)
		t, ok := parseTimestamp(text)
		if !ok {
			return until, runtimeError("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s",
				w.timestamp, plainText(doc.Value()))
		}
		until = t
	case until.IsZero():
		n, err := w.seconds.wait(env)
		if err != nil {
			return until, err
		}
		until = env.Now.Add(time.Duration(n) * time.Second)
	}
	if until.Sub(env.Now) > maxWaitSeconds*time.Second {
		return until, runtimeError("Wait state delay is too long.")
	}
	return until, nil
}
