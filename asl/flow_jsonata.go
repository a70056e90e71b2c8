package asl

import "github.com/newel-run/newel/asl/value"

// queryFlow is the data flow of a JSONata state: its input is what it works on, as it came, and Arguments is what it hands
// to its task or branches.
type queryFlow struct{ template *template }

func (c *compiler) queryFlow(p place) flow {
	f := &queryFlow{}
	if t, ok := p.field("Arguments"); ok {
		f.template = t.template(JSONata, onInput)
	}
	return f
}

func (f *queryFlow) effective(env *Env) (*value.Doc, error) { return env.Input, nil }

func (f *queryFlow) arguments(env *Env) (*value.Doc, error) {
	doc := env.Input
	if f.template != nil {
		var err error
		if doc, err = f.template.render(env); err != nil {
			return nil, err
		}
	}
	env.passed(AfterArguments, doc)
	return doc, nil
}

// queryExit makes what a JSONata state, rule or catcher hands on: Output, or else its result as it is.
type queryExit struct {
	at       moment
	template *template
}

func (p place) queryExit(at moment) exitFlow {
	x := &queryExit{at: at}
	if t, ok := p.field("Output"); ok {
		x.template = t.template(JSONata, at)
	}
	return x
}

func (x *queryExit) output(env *Env, raw, result *value.Doc) (*value.Doc, error) {
	if x.template == nil {
		return result, nil
	}
	return x.template.render(x.scope(env, raw, result))
}

func (x *queryExit) scope(env *Env, raw, result *value.Doc) *Env {
	scope := env.with(raw)
	switch x.at {
	case onResult:
		scope.result = result
	case onError:
		scope.errorOutput = result
	}
	return scope
}
