package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// counted is one definition that counts how often it is asked for: once for each start and each reload.
type counted struct {
	d     *asl.Definition
	asked int
}

func (c *counted) Definition(context.Context, string) (*asl.Definition, error) {
	c.asked++
	return c.d, nil
}

// TestIdleExecutionsAreEvictedAndReloadedByTheirEvent: of many executions that wait only the last few stay in memory; the
// timer of each of the others brings back what it holds, and ends it as if it had never left.
func TestIdleExecutionsAreEvictedAndReloadedByTheirEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const executions, kept = 40, 4
		d, problems := asl.Compile([]byte(`{"StartAt":"P","States":{"P":{"Type":"Pass","Result":"made before","ResultPath":"$.r","Next":"W"},`+
			`"W":{"Type":"Wait","SecondsPath":"$.wait","End":true}}}`), asl.Options{})
		if d == nil {
			t.Fatal(problems)
		}
		definitions := &counted{d: d}
		e := New(Config{Store: memory.New(memory.Options{Partitions: 1}), Definitions: definitions, Cached: kept})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		arn := func(i int) string { return fmt.Sprintf("arn:aws:states:us-east-1:000000000000:execution:m:%d", i) }
		for i := range executions {
			in := StartInput{Definition: "d", Start: machine.Start{ARN: arn(i), Name: fmt.Sprint(i), MachineARN: "m", Region: "us-east-1",
				Input: value.TextString(fmt.Sprintf(`{"wait":%d}`, 10+i))}}
			if _, err := e.StartExecution(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		cache := &e.parts[store.Partition(0)].cache
		if len(cache.byARN) != kept || cache.idle.Len() != kept {
			t.Fatalf("%d executions in memory, %d of them idle, want %d", len(cache.byARN), cache.idle.Len(), kept)
		}
		for i := executions - kept; i < executions; i++ {
			if cache.byARN[arn(i)] == nil {
				t.Errorf("the least recently used execution was not the one that was evicted: %d is gone", i)
			}
		}
		time.Sleep((10 + executions) * time.Second)
		synctest.Wait()
		if len(cache.byARN) != 0 || cache.idle.Len() != 0 {
			t.Errorf("%d executions in memory after their end", len(cache.byARN))
		}
		if want := executions + executions - kept; definitions.asked != want {
			t.Errorf("%d starts and reloads, want %d: each that was evicted is reloaded once", definitions.asked, want)
		}
		for i := range executions {
			got, err := e.Describe(t.Context(), arn(i))
			if err != nil {
				t.Fatal(err)
			}
			lasted := got.Root.StopTime().Sub(got.Root.StartTime())
			if want := fmt.Sprintf(`{"wait":%d,"r":"made before"}`, 10+i); got.Output.String() != want || lasted != time.Duration(10+i)*time.Second {
				t.Errorf("execution %d: output %s after %s", i, got.Output, lasted)
			}
		}
	})
}
