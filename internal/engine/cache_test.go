package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store/memory"
	"github.com/newel-run/newel/machine"
)

// counted is one definition that counts how often it is asked for: once for each start and each reload.
type counted struct {
	d     *asl.Definition
	asked atomic.Int64
}

func (c *counted) Definition(context.Context, string) (*asl.Definition, error) {
	c.asked.Add(1)
	return c.d, nil
}

func (c *cache) inMemory() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.byARN))
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
		var last []string
		for i := executions - kept; i < executions; i++ {
			last = append(last, arn(i))
		}
		if got := e.parts[0].cache.inMemory(); !slices.Equal(got, last) {
			t.Fatalf("in memory are %q, want the last used %q", got, last)
		}
		time.Sleep((10 + executions) * time.Second)
		synctest.Wait()
		if got := e.parts[0].cache.inMemory(); len(got) != 0 {
			t.Errorf("in memory after their end are %q", got)
		}
		if want := executions + executions - kept; definitions.asked.Load() != int64(want) {
			t.Errorf("%d starts and reloads, want %d: each that was evicted is reloaded once", definitions.asked.Load(), want)
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

// TestIdleExecutionsAreBoundedInBytes: of executions that hold much fewer stay in memory.
func TestIdleExecutionsAreBoundedInBytes(t *testing.T) {
	d, problems := asl.Compile([]byte(`{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`), asl.Options{})
	if d == nil {
		t.Fatal(problems)
	}
	e := New(Config{Store: memory.New(memory.Options{Partitions: 1}), Definitions: &counted{d: d}, Cached: 1000, Bounds: Bounds{CachedBytes: 100 << 10}})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range 30 {
		in := StartInput{Definition: "d", Start: machine.Start{ARN: fmt.Sprint("e:", i), Name: fmt.Sprint(i), MachineARN: "m", Region: "us-east-1",
			Input: value.TextString(fmt.Sprintf(`{"text":"%s"}`, strings.Repeat("x", 10<<10)))}}
		if _, err := e.StartExecution(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	c := &e.parts[0].cache
	if n := len(c.inMemory()); n < 4 || n > 10 || c.bytes > 100<<10 {
		t.Errorf("%d executions of 10 KiB and more are in memory, %d bytes", n, c.bytes)
	}

	// At rest nothing of them is in memory, and each comes back by its event.
	e.Rest()
	if got := c.inMemory(); len(got) != 0 || c.bytes != 0 {
		t.Errorf("at rest %q are in memory, %d bytes", got, c.bytes)
	}
	if _, err := e.Stop(t.Context(), "e:29", nil, nil); err != nil {
		t.Errorf("an execution that rested cannot be stopped: %v", err)
	}
}
