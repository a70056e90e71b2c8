package asl

// everyType and the like are sets of state types.
const everyType = "Pass Task Choice Wait Succeed Fail Parallel Map"

// stateField says which states may have a field, and in which query language ("" for both).
type stateField struct {
	types    string
	language QueryLanguage
}

// stateFields are all the fields of states.
var stateFields = map[string]stateField{
	"Type":          {everyType, ""},
	"Comment":       {everyType, ""},
	"QueryLanguage": {everyType, ""},
	"Next":          {"Pass Task Wait Parallel Map", ""},
	"End":           {"Pass Task Wait Parallel Map", ""},
	"Assign":        {"Pass Task Choice Wait Parallel Map", ""},
	"Output":        {"Pass Task Choice Wait Succeed Parallel Map", JSONata},
	"InputPath":     {"Pass Task Choice Wait Succeed Parallel Map", JSONPath},
	"OutputPath":    {"Pass Task Choice Wait Succeed Parallel Map", JSONPath},
	"ResultPath":    {"Pass Task Parallel Map", JSONPath},
	"Parameters":    {"Pass Task Parallel Map", JSONPath},
	"Retry":         {"Task Parallel Map", ""},
	"Catch":         {"Task Parallel Map", ""},

	"Result":         {"Pass", JSONPath},
	"ResultSelector": {"Task Parallel Map", JSONPath},
	"Arguments":      {"Task Parallel", JSONata},

	"Resource":             {"Task", ""},
	"Credentials":          {"Task", ""},
	"TimeoutSeconds":       {"Task", ""},
	"TimeoutSecondsPath":   {"Task", JSONPath},
	"HeartbeatSeconds":     {"Task", ""},
	"HeartbeatSecondsPath": {"Task", JSONPath},

	"Choices": {"Choice", ""},
	"Default": {"Choice", ""},

	"Seconds":       {"Wait", ""},
	"Timestamp":     {"Wait", ""},
	"SecondsPath":   {"Wait", JSONPath},
	"TimestampPath": {"Wait", JSONPath},

	"Error":     {"Fail", ""},
	"Cause":     {"Fail", ""},
	"ErrorPath": {"Fail", JSONPath},
	"CausePath": {"Fail", JSONPath},

	"Branches": {"Parallel", ""},

	"ItemProcessor":                  {"Map", ""},
	"Iterator":                       {"Map", ""},
	"ItemsPath":                      {"Map", JSONPath},
	"Items":                          {"Map", JSONata},
	"ItemSelector":                   {"Map", ""},
	"ItemReader":                     {"Map", ""},
	"ItemBatcher":                    {"Map", ""},
	"ResultWriter":                   {"Map", ""},
	"MaxConcurrency":                 {"Map", ""},
	"MaxConcurrencyPath":             {"Map", JSONPath},
	"ToleratedFailureCount":          {"Map", ""},
	"ToleratedFailureCountPath":      {"Map", JSONPath},
	"ToleratedFailurePercentage":     {"Map", ""},
	"ToleratedFailurePercentagePath": {"Map", JSONPath},
	"Label":                          {"Map", ""},
}

var typeNames = [...]string{"", "Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}

// String is the type's name in a definition.
func (t Type) String() string { return typeNames[t] }

// AWS's bounds of numbers in a definition.
const (
	maxSeconds  = 99_999_999
	maxAttempts = 99_999_999
	maxDelay    = 31_622_400
)
