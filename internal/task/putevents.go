package task

import (
	"encoding/json"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
)

// withOrigin adds the state machine and the execution to the Resources of each entry of events:putEvents.
func withOrigin(d engine.Dispatch, params *value.Doc) *value.Doc {
	out := params.Value().(*value.Object).Clone()
	v, _ := out.Get("Entries")
	entries, ok := v.(value.Array)
	if !ok {
		return params // the service refuses it
	}
	changed := make(value.Array, len(entries))
	for i, v := range entries {
		changed[i] = v
		entry, ok := v.(*value.Object)
		if !ok {
			continue
		}
		v, there := entry.Get("Resources")
		resources, isList := v.(value.Array)
		if there && !isList {
			continue
		}
		entry = entry.Clone()
		entry.Set("Resources", append(append(value.Array{}, resources...), d.MachineARN, d.ExecutionARN))
		changed[i] = entry
	}
	out.Set("Entries", changed)
	return value.Of(out)
}

// failedEntry fails events:putEvents if the bus refused one of its entries.
func failedEntry(result []byte) error {
	var answer struct{ FailedEntryCount int }
	if json.Unmarshal(result, &answer) != nil || answer.FailedEntryCount == 0 {
		return nil
	}
	return &Failure{"EventBridge.FailedEntry", string(result)}
}
