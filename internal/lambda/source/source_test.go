package source

import (
	"fmt"
	"testing"
)

func TestFailedItems(t *testing.T) {
	batch := []Message{{MessageID: "1"}, {MessageID: "2"}}
	for payload, want := range map[string]string{
		"": "map[]", "null": "map[]", "{}": "map[]", `""`: "map[]", `{"batchItemFailures":null}`: "map[]", `{"batchItemFailures":[]}`: "map[]",
		`{"batchItemFailures":[{"itemIdentifier":"2"}]}`: "map[2:true]",
		`{"batchItemFailures":[{"itemIdentifier":"3"}]}`: "all", `{"batchItemFailures":[{"itemIdentifier":""}]}`: "all", `{"batchItemFailures":[{"itemIdentifier":null}]}`: "all",
		`{"batchItemFailures":[{"id":"2"}]}`: "all", `{"batchItemFailures":3}`: "all", "x": "all", `"x"`: "all",
	} {
		items, err := FailedItems([]byte(payload), batch)
		got := fmt.Sprint(items)
		if err != nil {
			got = "all"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", payload, got, want)
		}
	}
}
