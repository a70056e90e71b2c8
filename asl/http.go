package asl

import (
	"slices"
	"strings"
)

// httpFields are the parameters of http:invoke.
var httpFields = []string{"ApiEndpoint", "Method", "Authentication", "InvocationConfig", "Headers", "QueryParameters", "RequestBody", "Transform"}

// httpMethods are those that an HTTP task can have.
var httpMethods = []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"}

// httpTask reports what is wrong with the parameters of an HTTP task as far as they are literal.
func (p place) httpTask(language QueryLanguage) {
	a, ok := p.arguments(language)
	if !ok || a.kind != '{' {
		return // the state's input, an expression, or no object, which is reported elsewhere
	}
	for i, m := range a.members {
		if !slices.Contains(httpFields, fieldName(language, m.name)) {
			a.near(i).fail("The field '%s' is not supported by Step Functions", m.name)
		}
	}
	has := func(name string) bool {
		return slices.ContainsFunc(a.members, func(m member) bool { return fieldName(language, m.name) == name })
	}
	for _, name := range []string{"ApiEndpoint", "Method"} {
		if !has(name) {
			a.fail("The field '%s' is required but was missing", name)
		}
	}
	if !has("Authentication") && !has("InvocationConfig") {
		a.fail("The field 'ConnectionArn' is required but was missing")
	}
	if m, ok := a.field("Method"); ok && m.kind == '"' && !(language == JSONata && isQuery(m.scalar.(string))) {
		m.oneOf(httpMethods...)
	}
}

// fieldName is a parameter's name without the sign that its value is a path.
func fieldName(language QueryLanguage, name string) string {
	if language == JSONPath {
		return strings.TrimSuffix(name, ".$")
	}
	return name
}
