package task

import (
	"github.com/newel-run/newel/asl/value"
)

// invokeFields are the parameters of apigateway:invoke and what they have to be.
var invokeFields = map[string]func(v value.Value) bool{
	"ApiEndpoint": isText, "Method": isText, "Stage": isText, "Path": isText, "Headers": isLists, "QueryParameters": isLists,
	"RequestBody": isAny, "AllowNullValues": isBoolean, "AuthType": isText,
}

func isText(v value.Value) bool { _, ok := v.(string); return ok }

func isBoolean(v value.Value) bool { _, ok := v.(bool); return ok }

func isAny(value.Value) bool { return true }

// isLists: an object of lists.
func isLists(v value.Value) bool {
	object, ok := v.(*value.Object)
	if !ok {
		return false
	}
	for _, item := range object.All() {
		if _, ok := item.(value.Array); !ok {
			return false
		}
	}
	return true
}

// checkInvoke says what is wrong with the parameters of apigateway:invoke; "" if nothing is.
func checkInvoke(params *value.Doc) string {
	object := params.Value().(*value.Object)
	for name, v := range object.All() {
		ok := invokeFields[name]
		switch {
		case ok == nil:
			return "The field '" + name + "' is not supported by Step Functions"
		case !ok(v):
			return "The value of the field '" + name + "' has an invalid format"
		}
	}
	for _, name := range []string{"ApiEndpoint", "Method"} {
		if _, ok := object.Get(name); !ok {
			return "The field '" + name + "' is required but was missing"
		}
	}
	return ""
}
