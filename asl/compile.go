package asl

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/newel-run/newel/asl/value"
)

// Compile decodes, checks and compiles a definition. The Definition is nil if a diagnostic is an error. Errors in the
// schema come first and all at once, in document order; transitions are checked in a definition without such errors
// only, as AWS does it.
func Compile(text []byte, o Options) (*Definition, []Diagnostic) {
	root, bad := parse(text, o)
	if bad != nil {
		return nil, []Diagnostic{*bad}
	}
	def := &Definition{Source: string(text), QueryLanguage: JSONPath, byName: map[string]*State{}}
	c := &compiler{o: o, def: def, labels: map[string]bool{}, places: map[*State]place{}, references: map[string]map[string]bool{}}
	c.machine(place{c, root, "/", "", root.pos})
	slices.SortStableFunc(c.errors, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if len(c.errors) == 0 {
		c.checkTransitions()
		c.checkScopes()
	}
	if len(c.errors) == 0 {
		c.errors = c.unsupported
	}
	if len(c.errors) > 0 {
		return nil, c.errors
	}
	c.def.VariableReferences = c.variableReferences()
	return c.def, nil
}

// StateNamed is the state of that name, nil if there is none; names are unique in a machine.
func (d *Definition) StateNamed(name string) *State { return d.byName[name] }

// parse makes nodes of the text, or one diagnostic.
func parse(text []byte, o Options) (*node, *Diagnostic) {
	if o.YAML {
		return parseYAML(text)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, notAnObject()
	}
	if err := value.Valid(text); err != nil {
		var syntax *value.SyntaxError
		errors.As(err, &syntax)
		return nil, &Diagnostic{
			Severity: SeverityError, Code: CodeJSON, Message: syntax.Error(), Location: syntax.Location,
			Line: syntax.Line, Column: syntax.Column,
		}
	}
	root := jsonNodes(string(text))
	if root.kind != '{' {
		return nil, notAnObject()
	}
	return root, nil
}

func notAnObject() *Diagnostic {
	return &Diagnostic{Severity: SeverityError, Code: CodeSchema, Message: "Definition must be a valid JSON object"}
}

// compiler collects what is wrong while it builds the definition.
type compiler struct {
	o                   Options
	def                 *Definition
	errors, unsupported []Diagnostic
	labels              map[string]bool
	transitions         []transition
	places              map[*State]place
	current             struct { // the state under compilation, the innermost
		*State
		path string
	}
	assigned   []assigned
	references map[string]map[string]bool // by state, the variables that it reads
}

// transition is a name of a state to go to, which is looked up when its scope is complete.
type transition struct {
	place place
	name  string
	scope *Scope
	from  *State // nil for StartAt
	set   func(*State)
}

func (c *compiler) machine(p place) {
	p.only("Comment", "QueryLanguage", "StartAt", "TimeoutSeconds", "Version", "States")
	if f, ok := p.field("Comment"); ok {
		c.def.Comment, _ = f.text()
	}
	if f, ok := p.field("Version"); ok {
		c.def.Version, _ = f.oneOf("1.0")
	}
	if f, ok := p.field("TimeoutSeconds"); ok {
		c.def.TimeoutSeconds, _ = f.integer(1, maxSeconds)
	}
	if f, ok := p.field("QueryLanguage"); ok {
		if language, ok := f.oneOf(string(JSONPath), string(JSONata)); ok {
			c.def.QueryLanguage = QueryLanguage(language)
		}
	}
	c.def.Root = c.scope(p, nil)
}

// scope compiles a States block with its StartAt.
func (c *compiler) scope(p place, owner *State) *Scope {
	s := &Scope{ID: len(c.def.Scopes), Owner: owner}
	c.def.Scopes = append(c.def.Scopes, s)
	p.required("States", "StartAt")
	if f, ok := p.field("StartAt"); ok {
		if name, ok := f.text(); ok {
			c.transitions = append(c.transitions, transition{f, name, s, nil, func(t *State) { s.Start = t }})
		}
	}
	states, ok := p.field("States")
	if !ok || !states.is('{', "Object") {
		return s
	}
	if len(states.members) == 0 {
		states.fail("Value cannot be empty")
	}
	for _, m := range states.members {
		c.state(states.child(m), s)
	}
	return s
}

const maxStateName = 80

func (c *compiler) state(p place, scope *Scope) {
	if c.def.byName[p.name] != nil {
		p.report(CodeDuplicateState, "Duplicate State name: "+p.name)
	}
	if utf8.RuneCountInString(p.name) > maxStateName {
		p.fail("State name cannot be longer than %d characters", maxStateName)
	}
	if !p.is('{', "Object") {
		return
	}
	s := &State{ID: len(c.def.States), Name: p.name, Scope: scope}
	c.def.States = append(c.def.States, s)
	c.def.byName[s.Name] = s
	scope.States = append(scope.States, s)
	c.places[s] = p
	outer := c.current
	c.current.State, c.current.path = s, p.path
	defer func() { c.current = outer }()
	s.Language = c.language(p)
	if !c.typeOf(p, s) {
		return
	}
	for i, m := range p.members {
		f, known := stateFields[m.name]
		switch {
		case !known || !slices.Contains(strings.Fields(f.types), s.Type.String()):
			p.near(i).fail("Field '%s' is not supported", m.name)
		case f.language != "" && f.language != s.Language:
			p.near(i).fail("The QueryLanguage is set to '%s', but field '%s' is only supported for the '%s' QueryLanguage", s.Language, m.name, f.language)
		}
		p.once(i)
	}
	if f, ok := p.field("Comment"); ok {
		s.Comment, _ = f.text()
	}
	c.fieldsOf(p, s)
}

// language is the state's own language, else the machine's: a Parallel or Map does not pass its own on.
func (c *compiler) language(p place) QueryLanguage {
	f, ok := p.field("QueryLanguage")
	if !ok {
		return c.def.QueryLanguage
	}
	text, ok := f.oneOf(string(JSONPath), string(JSONata))
	if ok && text == string(JSONPath) && c.def.QueryLanguage == JSONata {
		p.fail("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
	}
	if text == string(JSONata) {
		return JSONata
	}
	return JSONPath
}

func (c *compiler) typeOf(p place, s *State) bool {
	if !p.required("Type") {
		return false
	}
	f, _ := p.field("Type")
	text, ok := f.text()
	if !ok {
		return false
	}
	for t := Pass; t <= Map; t++ {
		if t.String() == text {
			s.Type = t
			return true
		}
	}
	f.fail("The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]")
	return false
}

// fieldsOf compiles what a state of its type has. The types are a closed set.
func (c *compiler) fieldsOf(p place, s *State) {
	if s.Type != Fail {
		c.flow(p, s)
	}
	switch s.Type {
	case Pass, Succeed:
	case Task:
		c.task(p, s)
	case Choice:
		c.choice(p, s)
	case Wait:
		c.wait(p, s)
	case Fail:
		c.fail(p, s)
	case Parallel:
		c.parallel(p, s)
	case Map:
		c.mapState(p, s)
	default:
		panic("asl: unknown state type")
	}
	switch s.Type {
	case Pass, Task, Wait, Parallel, Map:
		c.nextOrEnd(p, s)
	}
	switch s.Type {
	case Task, Parallel, Map:
		c.retriers(p, s)
		c.catchers(p, s)
	}
}

// next reads the name of a state to go to.
func (c *compiler) next(f place, s *State, set func(*State)) {
	if name, ok := f.text(); ok {
		c.transitions = append(c.transitions, transition{f, name, s.Scope, s, set})
	}
}

func (c *compiler) nextOrEnd(p place, s *State) {
	next, hasNext := p.field("Next")
	end, hasEnd := p.field("End")
	if hasEnd && end.is('t', "Boolean") {
		s.End = end.scalar.(bool)
	}
	switch {
	case hasNext && s.End:
		p.fail("There should only be one of the following fields: [Next, End]")
	case !hasNext && !s.End:
		p.fail("This object should have only one of the following fields: [Next, End]")
	case hasNext:
		c.next(next, s, func(t *State) { s.Next = t })
	}
}

// integer reads a whole number within bounds.
func (p place) integer(least, most int64) (int64, bool) {
	if !p.is('0', "Integer") {
		return 0, false
	}
	number := p.scalar.(value.Number)
	n, ok := number.Int64()
	switch {
	case ok && n >= least && n <= most:
		return n, true
	case value.Compare(number, value.Int(most)) > 0:
		p.fail("Maximum value is %d", most)
	case value.Compare(number, value.Int(least)) < 0:
		p.fail("Minimum value is %d", least)
	default:
		p.fail("Expected value of type Integer")
	}
	return 0, false
}
