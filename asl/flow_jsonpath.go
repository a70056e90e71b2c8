package asl

import (
	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// pathFlow is the data flow in JSONPath mode. Fields that are not there cost nothing: the document is handed on as it
// came.
type pathFlow struct {
	inputPath, outputPath      pathField
	parameters, resultSelector *template
	result                     *value.Doc // of a Pass
	into                       resultPath
}

// pathField is InputPath or OutputPath: a path, null, or (zero) not there.
type pathField struct {
	null bool
	path *jsonpath.Path
}

// resultPath is ResultPath: null, a reference path, or (zero) the default "$".
type resultPath struct {
	null bool
	path *jsonpath.Path
}

func (c *compiler) pathFlow(p place, s *State) *pathFlow {
	f := &pathFlow{inputPath: p.pathField("InputPath"), outputPath: p.pathField("OutputPath")}
	if t, ok := p.field("Parameters"); ok && s.Type != Map {
		f.parameters = t.template(JSONPath, onInput)
	}
	if t, ok := p.field("ResultSelector"); ok && t.is('{', "Object") {
		f.resultSelector = t.template(JSONPath, onResult)
	}
	if r, ok := p.field("Result"); ok {
		f.result = value.Of(r.node.value())
		f.result.Bytes()
	}
	f.into, _ = p.resultPath()
	return f
}

func (p place) pathField(name string) pathField {
	f, ok := p.field(name)
	if !ok {
		return pathField{}
	}
	if f.kind == 'n' {
		return pathField{null: true}
	}
	path := f.anyPath()
	if path != nil && path.IsRoot() && path.Root == jsonpath.Input {
		path = nil
	}
	return pathField{path: path}
}

func (p place) resultPath() (resultPath, bool) {
	f, ok := p.field("ResultPath")
	if !ok {
		return resultPath{}, false
	}
	if f.kind == 'n' {
		return resultPath{null: true}, true
	}
	path := f.anyPath()
	if path == nil {
		return resultPath{}, true
	}
	if !path.IsReference() || path.Root != jsonpath.Input {
		f.fail("Value is not a Reference Path")
	}
	if path.IsRoot() {
		path = nil
	}
	return resultPath{path: path}, true
}

var emptyObject = value.TextString("{}")

// apply cuts what the path names out of env.Input.
func (f pathField) apply(env *Env) (*value.Doc, error) {
	switch {
	case f.null:
		return emptyObject, nil
	case f.path == nil:
		return env.Input, nil
	}
	if f.path.Root == jsonpath.Input && isNull(env.Input) {
		return nil, runtimeError("Unable to apply Path transformation to null or empty input.")
	}
	doc, err := env.find(f.path)
	if err != nil {
		return nil, runtimeError("%s", err.Error())
	}
	return doc, nil
}

func (f *pathFlow) effective(env *Env) (*value.Doc, error) {
	doc, err := f.inputPath.apply(env)
	if err == nil && f.result == nil {
		env.passed(AfterInputPath, doc)
	}
	return doc, err
}

func (f *pathFlow) arguments(env *Env) (*value.Doc, error) {
	doc := env.Input
	switch {
	case f.result != nil:
		env.passed(StageResult, f.result)
		return f.result, nil
	case f.parameters != nil:
		var err error
		if doc, err = f.parameters.render(env); err != nil {
			return nil, err
		}
	}
	env.passed(AfterParameters, doc)
	return doc, nil
}

func (f *pathFlow) output(env *Env, raw, result *value.Doc) (*value.Doc, error) {
	if f.resultSelector != nil {
		var err error
		if result, err = f.resultSelector.render(env.with(result)); err != nil {
			return nil, err
		}
	}
	env.passed(AfterResultSelector, result)
	out, err := f.into.put(raw, result)
	if err != nil {
		return nil, err
	}
	env.passed(AfterResultPath, out)
	if f.outputPath == (pathField{}) {
		return out, nil
	}
	return f.outputPath.apply(env.with(out))
}

// with is the environment with another input.
func (e *Env) with(input *value.Doc) *Env {
	changed := *e
	changed.Input = input
	return &changed
}

// put puts the result into the raw input.
func (r resultPath) put(raw, result *value.Doc) (*value.Doc, error) {
	switch {
	case r.null:
		return raw, nil
	case r.path == nil:
		return result, nil
	}
	if name, ok := r.path.Field(); ok && !raw.Decoded() {
		if text, ok := value.SetField(raw.Bytes(), name, result.Bytes()); ok {
			return value.Text(text), nil
		}
	}
	v, err := r.path.Put(raw.Value(), result.Value())
	if err != nil {
		return nil, &Error{Name: ErrorReferencePath, Cause: err.Error()}
	}
	return value.Of(v), nil
}

func (f *pathFlow) scope(env *Env, _, result *value.Doc) *Env { return env.with(result) }

func (r resultPath) scope(env *Env, _, errorOutput *value.Doc) *Env { return env.with(errorOutput) }

func (r resultPath) output(_ *Env, raw, errorOutput *value.Doc) (*value.Doc, error) {
	return r.put(raw, errorOutput)
}
