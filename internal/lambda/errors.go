package lambda

import (
	"fmt"

	"github.com/newel-run/newel/internal/aws"
)

// Every error of Lambda carries Type: whose fault it is.
func fail(code string, status int, format string, args ...any) *aws.Error {
	kind := "User"
	if status >= 500 {
		kind = "Service"
	}
	return &aws.Error{Code: code, Status: status, Fault: status >= 500, Message: fmt.Sprintf(format, args...),
		Fields: map[string]any{"Type": kind}}
}

func notFound(arn string) *aws.Error {
	return fail("ResourceNotFoundException", 404, "Function not found: %s", arn)
}

func invalid(format string, args ...any) *aws.Error {
	return fail("InvalidParameterValueException", 400, format, args...)
}

func unsupported(what string) *aws.Error {
	return invalid("Newel does not support %s.", what)
}

// constraint is AWS's wording for a member that its model does not allow; value is nil for a missing one.
func constraint(member string, value any, rule string, args ...any) *aws.Error {
	v := "null"
	if value != nil {
		v = fmt.Sprintf("'%v'", value)
	}
	return &aws.Error{Code: "ValidationException", Message: fmt.Sprintf(
		"1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s", v, member, fmt.Sprintf(rule, args...))}
}
