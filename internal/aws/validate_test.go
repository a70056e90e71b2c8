package aws

import (
	"strings"
	"testing"
)

// The texts are recorded answers of AWS.
func TestValidate(t *testing.T) {
	long := strings.Repeat("A", 81)
	for _, c := range []struct{ service, operation, input, want string }{
		{"states", "ListExecutions", `{"maxResults":1001}`, "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"},
		{"states", "ListExecutions", `{"maxResults":1000,"stateMachineArn":"a"}`, ""},
		{"states", "ListExecutions", `{"statusFilter":"succeeded"}`, "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"},
		{"states", "CreateStateMachineAlias", `{"name":"` + long + `","routingConfiguration":[{"stateMachineVersionArn":"a","weight":100}]}`,
			"1 validation error detected: Value '" + long + "' at 'name' failed to satisfy constraint: Member must have length less than or equal to 80"},
		{"states", "CreateStateMachineAlias", `{"name":"123","routingConfiguration":[{"stateMachineVersionArn":"a","weight":100}]}`,
			`1 validation error detected: Value '123' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$`},
		{"states", "CreateStateMachineAlias", `{"name":"v-1","routingConfiguration":[{"stateMachineVersionArn":"a","weight":101}]}`,
			"1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"states", "CreateStateMachineAlias", `{"name":"v","routingConfiguration":[{"stateMachineVersionArn":"a:1","weight":50},{"stateMachineVersionArn":"a:2","weight":30},{"stateMachineVersionArn":"a:3","weight":20}]}`,
			"1 validation error detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn=a:1, weight=50), RoutingConfigurationListItem(stateMachineVersionArn=a:2, weight=30), RoutingConfigurationListItem(stateMachineVersionArn=a:3, weight=20)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{"states", "StartExecution", `{"name":"x"}`, "1 validation error detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null"},
		{"dynamodb", "PutItem", `{"TableName":"t"}`, "1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null"},
		{"dynamodb", "PutItem", `{}`, "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; Value null at 'item' failed to satisfy constraint: Member must not be null"},
	} {
		got := ""
		if e := MustModel(c.service).Operations[c.operation].Input.Validate([]byte(c.input)); e != nil {
			if got = e.Message; e.Code != "ValidationException" {
				t.Errorf("%s %s: code %s", c.operation, c.input, e.Code)
			}
		}
		if got != c.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", c.operation, c.input, got, c.want)
		}
	}
}

func TestValidateTypes(t *testing.T) {
	put := MustModel("dynamodb").Operations["PutItem"].Input
	for input, want := range map[string]string{
		`{"TableName":1,"Item":{}}`:                         "NUMBER_VALUE cannot be converted to String",
		`{"TableName":"t","Item":[]}`:                       "Start of list found where not expected",
		`{"TableName":"t","Item":{"a":{"S":{}}}}`:           "Start of structure or map found where not expected",
		`{"TableName":"t","Item":{"a":"x"}}`:                "Unexpected token received from parser",
		`{"TableName":"t","Item":{"a":{"BOOL":"true"}}}`:    "STRING_VALUE cannot be converted to Boolean",
		`{"TableName":"t","Item":{"a":{"L":[{"N":true}]}}}`: "TRUE_VALUE cannot be converted to String",
	} {
		e := put.Validate([]byte(input))
		if e == nil || e.Code != "SerializationException" || e.Message != want {
			t.Errorf("%s: %v, want %s", input, e, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{

		{`\p{ASCII}*`, "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", true},
		{`\p{ASCII}*`, "é", false},
		{`[\p{Alnum}_-]+`, "a-B_9", true},
		{`[\p{Alnum}_-]+`, "a b", false},
		{`\p{Alpha}[\p{Digit}\]]`, "x]", true},
		{`\p{Alpha}[\p{Digit}\]]`, "xy", false}, {`[a-z]+`, "abc", true}, {`[a-z]+`, "abc1", false}, // the whole value
		{`^(?!aws:)[a-z:]+$`, "aws:x", false}, {`^(?!aws:)[a-z:]+$`, "x:aws", true},
		{`(?=.{2,3}$)[a-z()]+`, "abc", true}, {`(?=.{2,3}$)[a-z()]+`, "abcd", false},
		{`[a-z]{1,2048}`, "abc", true}, {`[a-z]{1,2048}`, "", false},
		{`[\u0020-\uD7FF]*`, "text é", true}, {`[\u0020-\u007E]*`, "\x01", false},
		{`a|b`, "ab", false},
		{`^(?=x)xa|b`, "b", true}, // not checked
		{`(?=x)(xa|xb)`, "xb", true}, {`(?=x)(xa|b)`, "b", false},
	} {
		if got := matches(c.pattern, c.value); got != c.want {
			t.Errorf("%q matches %q: %v", c.value, c.pattern, got)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	in := MustModel("states").Operations["StartExecution"].Input
	text := []byte(`{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"n-1","input":"` + strings.Repeat("x", 1000) + `"}`)
	for b.Loop() {
		if err := in.Validate(text); err != nil {
			b.Fatal(err)
		}
	}
}

// How many of all models' patterns Go cannot check, so that a change of the rewriting shows.
func TestPatternsCompile(t *testing.T) {
	all, bad := map[string]bool{}, 0
	for _, name := range []string{"states", "lambda", "sqs", "dynamodb", "logs", "events", "monitoring", "kms", "iam", "sts", "s3", "sns", "cloudformation", "ssm", "secretsmanager", "scheduler"} {
		for _, s := range MustModel(name).Shapes {
			if s.Pattern == "" || all[s.Pattern] {
				continue
			}
			all[s.Pattern] = true
			if compilePattern(s.Pattern) == nil {
				bad++
				t.Logf("%s: %s: %s", name, s.Name, s.Pattern)
			}
		}
	}
	if bad > 8 {
		t.Errorf("%d of %d patterns of the served services cannot be checked", bad, len(all))
	}
}
