package sqs

import "github.com/newel-run/newel/internal/aws"

// The JSON protocol names an error by its shape, the query protocol (and x-amzn-query-error) by an older code; wire
// makes one with both. An empty shape means that the names are the same.
func wire(shape, code, format string, args ...any) *aws.Error {
	if shape == "" {
		shape = code
	}
	e := aws.Errorf(shape, format, args...)
	e.QueryCode = code
	return e
}

func queueDoesNotExist() *aws.Error {
	return wire("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}

func queueNameExists(attribute string) *aws.Error {
	return wire("QueueNameExists", "QueueAlreadyExists",
		"A queue already exists with the same name and a different value for attribute %s", attribute)
}

func invalidParameter(format string, args ...any) *aws.Error {
	return wire("InvalidParameterValueException", "InvalidParameterValue", format, args...)
}

// invalidValue is AWS's usual sentence about one parameter.
func invalidValue(value any, parameter, reason string) *aws.Error {
	return invalidParameter("Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason)
}

func missingParameter(name string) *aws.Error {
	return wire("MissingRequiredParameterException", "MissingParameter", "The request must contain the parameter %s.", name)
}

func invalidAttributeName(name string) *aws.Error {
	return wire("", "InvalidAttributeName", "Unknown Attribute %s.", name)
}

func invalidAttributeValue(name string) *aws.Error {
	return wire("", "InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}

func invalidHandle(handle string) *aws.Error {
	return wire("", "ReceiptHandleIsInvalid", `The input receipt handle "%s" is not a valid receipt handle.`, handle)
}
