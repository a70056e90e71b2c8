package states

import (
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// contextFields are the members that a mocked context object may have, with their types. What is nil may be anything.
var contextFields = map[string]map[string]func(value.Value) bool{
	"Execution": {
		"Id": isText, "Input": nil, "Name": isText, "RoleArn": isText, "StartTime": isText, "RedriveCount": isNumber, "RedriveTime": isText,
	},
	"State":        {"Name": isText, "EnteredTime": isText, "RetryCount": isNumber},
	"StateMachine": {"Id": isText, "Name": isText},
	"Task":         {"Token": isText},
}

func isText(v value.Value) bool   { _, ok := v.(string); return ok }
func isNumber(v value.Value) bool { _, ok := v.(value.Number); return ok }

func invalidContext(format string, args ...any) *aws.Error {
	return invalid("Invalid Context object provided: "+format, args...)
}

// mockedContext is the context object that the request brings; nil if it brings none.
func (t *stateTest) mockedContext() (*value.Object, error) {
	if t.Context == nil {
		return nil, nil
	}
	if t.Mock == nil {
		return nil, invalidContext("a Context object is supported only when a mock is specified")
	}
	v, err := value.Parse([]byte(*t.Context))
	o, ok := v.(*value.Object)
	if err != nil || !ok {
		return nil, invalidContext("must be a valid JSON object")
	}
	for name, part := range o.All() {
		if err := t.checkContext(name, part); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (t *stateTest) checkContext(name string, part value.Value) error {
	fields := contextFields[name]
	switch {
	case name == "Map":
		return invalidContext("'Map' field is not supported when mocking a Context object")
	case fields == nil, name == "Task" && !t.awaitsToken():
		return invalidContext("Field '%s' is not allowed", name)
	}
	o, ok := part.(*value.Object)
	if !ok {
		return invalidContext("%s must be an object", name)
	}
	for field, v := range o.All() {
		fits, known := fields[field]
		if !known {
			return invalidContext("Field '%s' is not allowed", field)
		}
		if fits != nil && !fits(v) {
			kind := "a string"
			if strings.HasSuffix(field, "Count") {
				kind = "a number"
			}
			return invalidContext("%s.%s must be %s", name, field, kind)
		}
	}
	return nil
}

// awaitsToken reports whether the state is a task that is answered by its token.
func (t *stateTest) awaitsToken() bool {
	return t.state.Type == asl.Task && t.state.Task.Integration.Pattern != asl.RequestResponse
}

// variablesOf reads the workflow variables that a request brings.
func variablesOf(text *string) ([]asl.Variable, error) {
	if text == nil {
		return nil, nil
	}
	v, err := value.Parse([]byte(*text))
	o, ok := v.(*value.Object)
	if err != nil || !ok {
		return nil, invalid("Variables must be a valid JSON object")
	}
	var list []asl.Variable
	for name, v := range o.All() {
		list = append(list, asl.Variable{Name: name, Value: value.Of(v)})
	}
	return list, nil
}
