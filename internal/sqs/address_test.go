package sqs

import "testing"

// TestMember: the quick look at a request and the exact one answer the same, and what is not a string is refused.
func TestMember(t *testing.T) {
	for input, want := range map[string]string{
		``:                            "",
		`{}`:                          "",
		`{"QueueUrl":"http://h/1/q"}`: "http://h/1/q",
		` { "a" : {"QueueUrl":"no"}, "QueueUrl" : "yes" , "QueueUrl":"later"}`: "yes",
		`{"b":"\"QueueUrl\":\"no\"","QueueUrl":"a\u0062\/c"}`:                  "ab/c",
		`{"QueueUrl":"grün"}`:                 "grün",
		`{"QueueUrl":""}`:                     "",
		`{"QueueUrl":null,"a":1}`:             "",
		`{"a":[1,{"b":"]}"}],"QueueUrl":"u"}`: "u",
		`{"QueueURL":"x"}`:                    "",
	} {
		if got, err := member([]byte(input), "QueueUrl"); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", input, got, err, want)
		}
	}
	for _, input := range []string{`{"QueueUrl":1}`, `{"QueueUrl":["u"]}`, `{"QueueUrl":"u`, `{"QueueUrl"`, "{\"QueueUrl\":\"a\nb\"}"} {
		if got, err := member([]byte(input), "QueueUrl"); err == nil {
			t.Errorf("%s: %q", input, got)
		}
	}
}
