package asl

import (
	"strings"
	"time"

	"github.com/newel-run/newel/asl/jsonpath"
)

func (c *compiler) task(p place, s *State) {
	s.Task = &TaskFields{}
	if p.required("Resource") {
		f, _ := p.field("Resource")
		c.resource(f, s.Task)
	}
	if s.Task.Integration.SDK && s.Language == JSONPath && p.node.member("Parameters") == nil {
		p.fail("Parameters field is required for resource ARN: %s", s.Task.Resource)
	}
	if i := s.Task.Integration; i.Service == "http" && i.Action == "invoke" && !i.SDK {
		p.httpTask(s.Language)
	}
	p.atMostOne("TimeoutSeconds", "TimeoutSecondsPath")
	p.atMostOne("HeartbeatSeconds", "HeartbeatSecondsPath")
	s.Task.HasTimeout, s.Task.timeout = p.seconds(s.Language, "TimeoutSeconds", 1)
	s.Task.HasHeartbeat, s.Task.heartbeat = p.seconds(s.Language, "HeartbeatSeconds", 1)
	if t, h := s.Task.timeout.number, s.Task.heartbeat.number; t != 0 && h >= t {
		f, _ := p.field("HeartbeatSeconds")
		f.fail("'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'")
	}
	if f, ok := p.field("Credentials"); ok && f.is('{', "Object") {
		c.credentials(f, s)
	}
}

func (c *compiler) credentials(p place, s *State) {
	p.only("RoleArn", "RoleArn.$")
	f, isPath := p.field("RoleArn.$")
	switch {
	case isPath && s.Language == JSONPath:
		if text, ok := f.text(); ok {
			s.Task.role = p.expression(f.name, text)
		}
	case p.node.member("RoleArn") == nil:
		p.fail("The field 'RoleArn' is required but was missing")
	default:
		f, _ = p.field("RoleArn")
		s.Task.role = f.textOf(s.Language)
	}
}

// textOf reads a text, which in JSONata may be an expression.
func (p place) textOf(language QueryLanguage) *expression {
	text, ok := p.text()
	if !ok {
		return nil
	}
	if language == JSONata {
		if q, ok := p.query(onInput); ok {
			return &expression{name: p.name, query: q}
		}
	}
	return &expression{name: p.name, literal: text}
}

// seconds reads a field of seconds or its Path twin; in JSONata the field may be an expression.
func (p place) seconds(language QueryLanguage, name string, least int64) (there bool, field secondsField) {
	if f, ok := p.field(name); ok {
		there = true
		if language == JSONata && f.kind == '"' {
			field.name, field.query = name, f.onlyQuery(onInput, "Integer")
		} else {
			field.number, _ = f.integer(least, maxSeconds)
		}
	}
	if f, ok := p.field(name + "Path"); ok {
		there = true
		field.name, field.path = f.name, f.referencePath()
	}
	return there, field
}

func (c *compiler) wait(p place, s *State) {
	s.wait = &waitFields{}
	if !p.exactlyOne("SecondsPath", "Seconds", "TimestampPath", "Timestamp") {
		return
	}
	_, s.wait.seconds = p.seconds(s.Language, "Seconds", 0)
	if f, ok := p.field("Timestamp"); ok {
		text, ok := f.text()
		switch {
		case ok && s.Language == JSONata && isQuery(text):
			s.wait.query, _ = f.query(onInput)
		case ok:
			if s.wait.until, ok = parseTimestamp(text); !ok {
				f.fail("String does not match RFC3339 timestamp")
			}
		}
	}
	if f, ok := p.field("TimestampPath"); ok {
		s.wait.timestamp = f.referencePath()
	}
}

func (c *compiler) fail(p place, s *State) {
	s.fail = &failFields{}
	p.atMostOne("Error", "ErrorPath")
	p.atMostOne("Cause", "CausePath")
	s.fail.errorName = p.failText(s.Language, "Error")
	s.fail.cause = p.failText(s.Language, "Cause")
}

func (p place) failText(language QueryLanguage, name string) *expression {
	if f, ok := p.field(name); ok {
		return f.textOf(language)
	}
	if f, ok := p.field(name + "Path"); ok {
		if text, ok := f.text(); ok {
			if !strings.HasPrefix(text, "$") && !strings.HasPrefix(text, "States.") {
				f.fail("Value must be a valid JSONPath.")
				return nil
			}
			return f.expression(f.name, text)
		}
	}
	return nil
}

func (c *compiler) parallel(p place, s *State) {
	if !p.required("Branches") {
		return
	}
	f, _ := p.field("Branches")
	if f.is('[', "Array") && len(f.elems) == 0 {
		f.fail("Value cannot be empty")
		return
	}
	for _, branch := range f.list() {
		branch.only("Comment", "StartAt", "States")
		branch.comment()
		s.Branches = append(s.Branches, c.scope(branch, s))
	}
}

func (c *compiler) mapState(p place, s *State) {
	s.Map = &MapFields{}
	p.atMostOne("MaxConcurrency", "MaxConcurrencyPath")
	p.atMostOne("ItemSelector", "Parameters")
	if p.exactlyOne("ItemProcessor", "Iterator") {
		f, ok := p.field("ItemProcessor")
		if !ok {
			f, _ = p.field("Iterator")
		}
		if f.is('{', "Object") {
			c.processor(f, s)
		}
	}
	c.distributedFields(p, s)
	if f, ok := p.field("ItemsPath"); ok {
		s.Map.items = f.referencePath()
	}
	if f, ok := p.field("Items"); ok {
		f.queryItems(s.Map)
	}
	for _, name := range []string{"ItemSelector", "Parameters"} {
		if f, ok := p.field(name); ok && (s.Language == JSONata && f.kind == '"' || f.is('{', "Object")) {
			s.Map.selector = f.template(s.Language, onInput)
		}
	}
	_, s.Map.maxConcurrency = p.seconds(s.Language, "MaxConcurrency", 0)
}

// queryItems reads Items: an expression, or an array that may hold some.
func (p place) queryItems(m *MapFields) {
	switch p.kind {
	case '"':
		m.itemsQuery = p.onlyQuery(onInput, "Array")
	case '[':
		m.itemsFixed = p.template(JSONata, onInput)
	default:
		p.fail("Expected value of type Array or JSONata expression")
	}
}

func (c *compiler) processor(p place, s *State) {
	p.only("ProcessorConfig", "Comment", "StartAt", "States")
	p.comment()
	if f, ok := p.field("ProcessorConfig"); ok && f.is('{', "Object") {
		c.processorConfig(f, s)
	}
	outer := c.o.Express
	c.o.Express = outer || s.Map.ExecutionType == "EXPRESS"
	s.Map.Processor = c.scope(p, s)
	c.o.Express = outer
	if s.Map.Distributed {
		s.Map.Definition = processorText(p, c.def.QueryLanguage)
	}
}

func (c *compiler) processorConfig(p place, s *State) {
	p.only("Mode", "ExecutionType")
	if f, ok := p.field("Mode"); ok {
		mode, _ := f.oneOf("INLINE", "DISTRIBUTED")
		s.Map.Distributed = mode == "DISTRIBUTED"
	}
	execution, ok := p.field("ExecutionType")
	switch {
	case s.Map.Distributed && !ok:
		p.required("ExecutionType")
	case s.Map.Distributed:
		s.Map.ExecutionType, _ = execution.oneOf("STANDARD", "EXPRESS")
	case ok:
		p.fail("Field 'ExecutionType' is not supported")
	}
	if s.Map.Distributed {
		if c.o.Express {
			p.fail("Express state machine does not support Map state with 'DISTRIBUTED' mode")
		}
	}
}

// path reads any path.
func (p place) anyPath() *jsonpath.Path {
	text, ok := p.text()
	if !ok {
		return nil
	}
	path, err := jsonpath.Parse(text)
	if err != nil {
		p.fail("Value must be a valid JSONPath.")
		return nil
	}
	p.refersTo(path)
	return path
}

// referencePath reads a path that names one place.
func (p place) referencePath() *jsonpath.Path {
	path := p.anyPath()
	if path != nil && !path.IsReference() {
		p.fail("Value is not a Reference Path")
		return nil
	}
	return path
}

// refersTo notes the variable that a path starts at.
func (p place) refersTo(path *jsonpath.Path) {
	if path.Root == jsonpath.Variable {
		p.refer(path.Name)
	}
}

// parseTimestamp reads an ISO 8601 date-time with an offset, which is what RFC 3339 and Java's parser agree on.
func parseTimestamp(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[10] != 'T' || strings.ContainsRune(s, ',') {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}
