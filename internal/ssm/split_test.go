package ssm

import "testing"

// An ARN of another service has colons where no selector is looked for.
func TestSplit(t *testing.T) {
	const arn = "arn:aws:ssm:us-east-1:000000000000:parameter/a"
	for text, want := range map[string][2]string{
		"a": {"a", ""}, "a:3": {"a", "3"}, arn: {arn, ""}, arn + ":label": {arn, "label"},
		"arn:aws:states:us-east-1:000000000000:stateMachine:m": {"arn:aws:states:us-east-1:000000000000:stateMachine", "m"}, "arn:::::": {"arn:::::", ""},
	} {
		if name, selector := split(text); name != want[0] || selector != want[1] {
			t.Errorf("%s: %q, %q", text, name, selector)
		}
	}
}
