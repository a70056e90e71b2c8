package dynamodb

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/service"
)

const invalidPrefix = "One or more parameter values were invalid: "

const (
	errItemSize       attr.Invalid = "Item size has exceeded the maximum allowed size"
	errUpdateSize     attr.Invalid = "Item size to update has exceeded the maximum allowed size"
	errNesting        attr.Invalid = "Nesting Levels have exceeded supported limits"
	errKeySchema      attr.Invalid = "The provided key element does not match the schema"
	errDuplicateKeys  attr.Invalid = "Provided list of item keys contains duplicates"
	errIndexKeyUpdate attr.Invalid = "The update expression attempted to update the secondary index key to unsupported type"
)

func errNotFound() *aws.Error {
	return aws.Errorf("ResourceNotFoundException", "Requested resource not found")
}

func errTableNotFound(name string) *aws.Error {
	return aws.Errorf("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
}

// unsupported refuses what AWS has and Newel has not.
func unsupported(what string) *aws.Error {
	return aws.Errorf("ValidationException", "Newel does not support %s yet.", what)
}

// wire turns the errors of the parts into DynamoDB's answers.
func wire(err error) error {
	var bad attr.Invalid
	var malformed attr.Malformed
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &bad):
		return &aws.Error{Code: "ValidationException", Message: string(bad)}
	case errors.As(err, &malformed):
		return &aws.Error{Code: "SerializationException", Message: string(malformed)}
	case errors.As(err, &syntax):
		return &aws.Error{Code: "SerializationException", Message: "Could not parse the request: " + err.Error()}
	case errors.As(err, &typ):
		return &aws.Error{Code: "SerializationException", Message: typeMessage(typ)}
	}
	return service.Wire(err)
}

// typeMessage is AWS's wording for a member of the wrong JSON type.
func typeMessage(e *json.UnmarshalTypeError) string {
	javaType := map[reflect.Kind]string{reflect.String: "String", reflect.Bool: "Boolean", reflect.Int: "Integer", reflect.Int64: "Long",
		reflect.Float64: "Double"}[e.Type.Kind()]
	switch kind, _, _ := strings.Cut(e.Value, " "); {
	case javaType == "":
		return "Unexpected field type"
	case kind == "object":
		return "Start of structure or map found where not expected"
	case kind == "array":
		return "Unrecognized collection type class java.lang." + javaType
	case kind == "string":
		return "STRING_VALUE cannot be converted to " + javaType
	case kind == "bool":
		return "TRUE_VALUE cannot be converted to " + javaType
	case strings.Contains(e.Value, "."):
		return "DECIMAL_VALUE cannot be converted to " + javaType
	}
	return "NUMBER_VALUE cannot be converted to " + javaType
}
