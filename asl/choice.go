package asl

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// choiceFields are the rules of a Choice state in order.
type choiceFields struct{ rules []choiceRule }

type choiceRule struct {
	condition condition
	exit      Exit
	text      string // for people
}

// condition is what a rule asks of the state's input; its error is an *Error.
type condition interface {
	holds(env *Env) (bool, error)
}

type (
	andCondition []condition
	orCondition  []condition
	notCondition struct{ c condition }
	// testCondition compares what a path leads to.
	testCondition struct {
		variable *jsonpath.Path
		test     func(v, operand value.Value) bool
		operand  value.Value
		path     *jsonpath.Path // to the operand, for operators that end in Path
	}
	presentCondition struct {
		variable *jsonpath.Path
		want     bool
	}
	// fixedCondition is a JSONata rule whose Condition is true or false.
	fixedCondition bool
	queryCondition struct{ query *query }
)

// Choose is the way out for the effective input (env.Input): that of a rule, or the state's own, which leads to Default.
func (s *State) Choose(env *Env) (*Exit, error) {
	for i := range s.choice.rules {
		rule := &s.choice.rules[i]
		holds, err := rule.condition.holds(env)
		if err != nil {
			return nil, err
		}
		if holds {
			return &rule.exit, nil
		}
	}
	if s.Next == nil {
		return nil, runtimeError("Failed to transition out of the state. The state does not point to a next state.")
	}
	return &s.Exit, nil
}

func (c andCondition) holds(env *Env) (bool, error) {
	for _, part := range c {
		if holds, err := part.holds(env); err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

func (c orCondition) holds(env *Env) (bool, error) {
	for _, part := range c {
		if holds, err := part.holds(env); err != nil || holds {
			return holds, err
		}
	}
	return false, nil
}

func (c notCondition) holds(env *Env) (bool, error) {
	holds, err := c.c.holds(env)
	return !holds && err == nil, err
}

func (c fixedCondition) holds(*Env) (bool, error) { return bool(c), nil }

func (c queryCondition) holds(env *Env) (bool, error) { return typed[bool](c.query, env, "boolean") }

func (c *presentCondition) holds(env *Env) (bool, error) {
	_, err := env.find(c.variable)
	return (err == nil) == c.want, nil
}

func (c *testCondition) holds(env *Env) (bool, error) {
	v, err := env.tested(c.variable)
	if err != nil {
		return false, err
	}
	operand := c.operand
	if c.path != nil {
		if operand, err = env.tested(c.path); err != nil {
			return false, err
		}
	}
	return c.test(v, operand), nil
}

// tested is the value that a path of a choice rule leads to.
func (e *Env) tested(p *jsonpath.Path) (value.Value, error) {
	doc, err := e.find(p)
	if err != nil {
		return nil, runtimeError("Invalid path '%s': The choice state's condition path references an invalid value.", p)
	}
	return doc.Value(), nil
}

// operator is a comparison: the type of its operand in a definition, and the test.
type operator struct {
	kind     byte   // of the operand's node
	expected string // the kind's name
	test     func(v, operand value.Value) bool
	hasPath  bool // there is a form that ends in Path
}

// operators are the comparisons of a choice rule. A value of another type than the operator's is never an error, the
// test is false.
var operators = func() map[string]operator {
	all := map[string]operator{
		"BooleanEquals": {'t', "Boolean", func(v, operand value.Value) bool {
			b, ok := v.(bool)
			return ok && operand == b
		}, true},
		"StringMatches": {'"', "String", func(v, operand value.Value) bool {
			s, ok := v.(string)
			pattern, isString := operand.(string)
			return ok && isString && globMatches(pattern, s)
		}, false},
		"IsNull":    is(func(v value.Value) bool { return v == nil }),
		"IsNumeric": is(func(v value.Value) bool { _, ok := v.(value.Number); return ok }),
		"IsString":  is(func(v value.Value) bool { _, ok := v.(string); return ok }),
		"IsBoolean": is(func(v value.Value) bool { _, ok := v.(bool); return ok }),
		"IsTimestamp": is(func(v value.Value) bool {
			s, _ := v.(string)
			_, ok := parseTimestamp(s)
			return ok
		}),
	}
	for name, accept := range map[string]func(int) bool{
		"Equals":            func(c int) bool { return c == 0 },
		"LessThan":          func(c int) bool { return c < 0 },
		"GreaterThan":       func(c int) bool { return c > 0 },
		"LessThanEquals":    func(c int) bool { return c <= 0 },
		"GreaterThanEquals": func(c int) bool { return c >= 0 },
	} {
		all["String"+name] = operator{'"', "String", compare(compareStrings, accept), true}
		all["Numeric"+name] = operator{'0', "Number", compare(compareNumbers, accept), true}
		all["Timestamp"+name] = operator{'"', "String", compare(compareTimestamps, accept), true}
	}
	return all
}()

func is(test func(value.Value) bool) operator {
	return operator{'t', "Boolean", func(v, operand value.Value) bool { return test(v) == operand }, false}
}

func compare(order func(a, b value.Value) (int, bool), accept func(int) bool) func(v, operand value.Value) bool {
	return func(v, operand value.Value) bool {
		c, ok := order(v, operand)
		return ok && accept(c)
	}
}

func compareStrings(a, b value.Value) (int, bool) {
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	return strings.Compare(x, y), ok1 && ok2
}

func compareNumbers(a, b value.Value) (int, bool) {
	x, ok1 := a.(value.Number)
	y, ok2 := b.(value.Number)
	if !ok1 || !ok2 {
		return 0, false
	}
	return value.Compare(x, y), true
}

func compareTimestamps(a, b value.Value) (int, bool) {
	x, _ := a.(string)
	y, _ := b.(string)
	t, ok1 := parseTimestamp(x)
	u, ok2 := parseTimestamp(y)
	return t.Compare(u), ok1 && ok2
}

// globMatches matches a whole string: "*" stands for any text, a backslash takes the next character as it is.
func globMatches(pattern, s string) bool {
	star, retry := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, retry = i, j
			i++
		case i < len(pattern) && pattern[i] == '\\' && i+1 < len(pattern) && pattern[i+1] == s[j]:
			i, j = i+2, j+1
		case i < len(pattern) && (pattern[i] != '\\' || i+1 == len(pattern)) && pattern[i] == s[j]:
			i, j = i+1, j+1
		case star >= 0:
			retry++
			i, j = star+1, retry
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}

func (c *compiler) choice(p place, s *State) {
	s.choice = &choiceFields{}
	if f, ok := p.field("Default"); ok {
		c.next(f, s, func(t *State) { s.Next = t })
	}
	if !p.required("Choices") {
		return
	}
	f, _ := p.field("Choices")
	if f.is('[', "Array") && len(f.elems) == 0 {
		f.fail("Value cannot be empty")
	}
	list := f.list()
	s.choice.rules = make([]choiceRule, len(list))
	for i, rule := range list {
		if rule.required("Next") {
			f, _ := rule.field("Next")
			c.next(f, s, func(t *State) { s.choice.rules[i].exit.Next = t })
		}
		r := &s.choice.rules[i]
		flow, _ := s.flow.(exitFlow)
		r.exit = c.exit(rule, s, onInput, flow)
		rule.comment()
		r.text = ruleText(rule.node)
		if s.Language == JSONPath {
			r.condition = rule.condition("Next", "Comment", "Assign")
		} else {
			rule.only("Condition", "Next", "Comment", "Assign", "Output")
			r.condition = rule.queryCondition()
		}
	}
}

// queryCondition reads the Condition of a JSONata rule.
func (p place) queryCondition() condition {
	if !p.required("Condition") {
		return nil
	}
	f, _ := p.field("Condition")
	switch f.kind {
	case 't':
		return fixedCondition(f.scalar.(bool))
	case '"':
		return queryCondition{f.onlyQuery(onInput, "Boolean")}
	}
	f.fail("Expected value of type Boolean or JSONata expression")
	return nil
}

// maxConditionDepth bounds And, Or and Not within each other.
const maxConditionDepth = 100

// condition reads a rule, or one inside And, Or or Not; others are fields that it may have beside its test.
func (p place) condition(others ...string) condition {
	if strings.Count(p.path, "/") > maxConditionDepth {
		p.fail("Choice rules are nested too deep")
		return nil
	}
	if f, ok := p.field("Condition"); ok {
		p.fail("The QueryLanguage is set to 'JSONPath', but field '%s' is only supported for the 'JSONata' QueryLanguage", f.name)
		return nil
	}
	if n := p.count([]string{"And", "Or", "Not", "Variable"}); n != 1 {
		p.fail("The object must have only one of the following fields, [And, Or, Not, Variable, Condition]")
		return nil
	}
	if f, ok := p.field("And"); ok {
		p.only(append(others, "And")...)
		return andCondition(f.conditions())
	}
	if f, ok := p.field("Or"); ok {
		p.only(append(others, "Or")...)
		return orCondition(f.conditions())
	}
	if f, ok := p.field("Not"); ok {
		p.only(append(others, "Not")...)
		if !f.is('{', "Object") {
			return nil
		}
		return notCondition{f.condition("Comment")}
	}
	return p.test(others)
}

func (p place) conditions() []condition {
	if p.is('[', "Array") && len(p.elems) == 0 {
		p.fail("Value cannot be empty")
	}
	var all []condition
	for _, e := range p.list() {
		all = append(all, e.condition("Comment"))
	}
	return all
}

// test reads a rule with Variable and an operator.
func (p place) test(others []string) condition {
	f, _ := p.field("Variable")
	variable := f.operandPath()
	var found []string
	for i, m := range p.members {
		_, isOperator := operators[m.name]
		base, isPath := strings.CutSuffix(m.name, "Path")
		switch {
		case isOperator, isPath && operators[base].hasPath, m.name == "IsPresent":
			found = append(found, m.name)
		case m.name != "Variable" && !slices.Contains(others, m.name):
			p.near(i).fail("Field '%s' is not supported", m.name)
		}
		p.once(i)
	}
	if len(found) == 0 {
		p.fail("This object should have only one of the following fields: [%s]", operatorNames)
		return nil
	}
	if len(found) > 1 {
		p.fail("There should only be one of the following fields: [%s]", strings.Join(found, ", "))
		return nil
	}
	f, _ = p.field(found[0])
	if f.name == "IsPresent" {
		if !f.is('t', "Boolean") {
			return nil
		}
		return &presentCondition{variable, f.scalar.(bool)}
	}
	if op, ok := operators[f.name]; ok {
		if !f.is(op.kind, op.expected) {
			return nil
		}
		if strings.HasPrefix(f.name, "Timestamp") {
			if _, ok := parseTimestamp(f.scalar.(string)); !ok {
				f.fail("String does not match RFC3339 timestamp")
			}
		}
		return &testCondition{variable: variable, test: op.test, operand: f.scalar}
	}
	op := operators[strings.TrimSuffix(f.name, "Path")]
	test := &testCondition{variable: variable, test: op.test, path: f.operandPath()}
	if op.kind == '0' {
		test.test = func(v, operand value.Value) bool { return op.test(v, asNumber(operand)) }
	}
	return test
}

// asNumber is how AWS reads what the path of a numeric operator leads to: a string as the number in it, true as 1, and
// anything else as 0. Only Variable is held to be a number.
func asNumber(v value.Value) value.Value {
	switch v := v.(type) {
	case value.Number:
		return v
	case bool:
		if v {
			return value.Int(1)
		}
	case string:
		if n, err := value.Parse([]byte(strings.TrimSpace(v))); err == nil && kindOf(n) == '0' {
			return n
		}
	}
	return value.Int(0)
}

// operatorNames are the operators in AWS's documentation's order.
const operatorNames = "BooleanEquals, BooleanEqualsPath, IsBoolean, IsNull, IsNumeric, IsPresent, IsString, IsTimestamp, " +
	"NumericEquals, NumericEqualsPath, NumericGreaterThan, NumericGreaterThanPath, NumericGreaterThanEquals, NumericGreaterThanEqualsPath, " +
	"NumericLessThan, NumericLessThanPath, NumericLessThanEquals, NumericLessThanEqualsPath, " +
	"StringEquals, StringEqualsPath, StringGreaterThan, StringGreaterThanPath, StringGreaterThanEquals, StringGreaterThanEqualsPath, " +
	"StringLessThan, StringLessThanPath, StringLessThanEquals, StringLessThanEqualsPath, StringMatches, " +
	"TimestampEquals, TimestampEqualsPath, TimestampGreaterThan, TimestampGreaterThanPath, TimestampGreaterThanEquals, TimestampGreaterThanEqualsPath, " +
	"TimestampLessThan, TimestampLessThanPath, TimestampLessThanEquals, TimestampLessThanEqualsPath"

// operandPath reads Variable or the path of an operator.
func (p place) operandPath() *jsonpath.Path {
	text, ok := p.text()
	if !ok {
		return nil
	}
	if !strings.HasPrefix(text, "$") {
		p.fail("Value is not a Reference Path: Reference path didn't start with '$'")
		return nil
	}
	return p.referencePath()
}
