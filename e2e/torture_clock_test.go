package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// buildWithClock builds the server with a clock that a file sets: what the engine and the services take for the present time is the
// system's plus the milliseconds in the file that NEWEL_TORTURE_CLOCK names. The machine's own clock is nobody's to set, and
// a static binary cannot be told another one from outside.
func buildWithClock(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	clock, err := filepath.Abs("testdata/clock.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{filepath.Join(root, "internal/store/torture_clock.go"): clock}
	for file, uses := range map[string]string{
		"internal/engine/engine.go": "func (systemClock) Now() time.Time { return time.Now() }",
		"internal/node/node.go":     "Now: time.Now",
	} {
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.ReplaceAll(string(source), uses, strings.ReplaceAll(uses, "time.Now", "store.TortureNow"))
		if changed == string(source) {
			t.Fatalf("%s no longer takes the time by %q", file, uses)
		}
		name := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, file)] = name
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "newel")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", file, "github.com/newel-run/newel/cmd/newel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

// The machines of TestTortureClock.
const (
	waitsSeconds = `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":40,"End":true}}}`
	waitsUntil   = `{"StartAt":"A","States":{"A":{"Type":"Wait","TimestampPath":"$.until","End":true}}}`
	triesAgain   = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"%s","End":true,"TimeoutSeconds":7000,"HeartbeatSeconds":120,
		"Retry":[{"ErrorEquals":["again"],"IntervalSeconds":40,"MaxAttempts":1}]}}}`
	atOnce = `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
)

// TestTortureClock sets the server's clock back and forward while Waits, timeouts, heartbeats and retry delays are under way, while
// it runs and over a kill: nothing ends before its date or twice, what a set clock makes due ends, what is new goes on, and
// histories do not go back in time.
func TestTortureClock(t *testing.T) {
	t.Parallel()
	if !full() {
		t.Skip("SKIPPED: it builds another binary; NEWEL_TORTURE=full runs it")
	}
	const each = 10
	c := &clocked{waiting: &waiting{server: newServer(t), machines: map[string]string{}}, file: filepath.Join(t.TempDir(), "clock")}
	c.binary = buildWithClock(t)
	c.env = append(os.Environ(), "NEWEL_TORTURE_CLOCK="+c.file)
	c.set(0)
	c.server.start()
	var activity struct{ ActivityArn string }
	c.must(c.states("CreateActivity", map[string]any{"name": "work"}, &activity))
	c.machine("seconds", waitsSeconds)
	c.machine("until", waitsUntil)
	c.machine("task", fmt.Sprintf(triesAgain, activity.ActivityArn))
	c.machine("pass", atOnce)
	until := time.Now().Add(40 * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
	tokens := map[string]string{}
	for i := range each {
		c.run("seconds", i, "{}")
		c.run("until", i, `{"until":"`+until+`"}`)
		c.run("task", i, "{}")
	}
	for range each {
		token := c.claim(activity.ActivityArn)
		c.must(c.states("SendTaskFailure", map[string]any{"taskToken": token, "error": "again"}, nil))
	}
	for i := range each {
		c.run("task", each+i, "{}")
		tokens[fmt.Sprintf("task-%d", each+i)] = c.claim(activity.ActivityArn)
	}
	all := func(status string, names ...string) {
		t.Helper()
		for _, name := range names {
			for i := range each {
				c.ends(name, i, status)
			}
		}
	}

	c.set(-time.Hour) // nothing ends, what is new goes on, tasks go on
	for i := range each {
		c.run("pass", i, "{}")
		c.ends("pass", i, "SUCCEEDED")
	}
	for _, token := range tokens {
		c.must(c.states("SendTaskHeartbeat", map[string]any{"taskToken": token}, nil))
	}
	all("RUNNING", "seconds", "until", "task")
	c.kill()
	c.server.start()
	all("RUNNING", "seconds", "until", "task")

	c.set(50 * time.Second) // Waits and retry delays are over, heartbeats are not
	c.run("pass", each, "{}")
	all("SUCCEEDED", "seconds", "until")
	for range each {
		c.must(c.states("SendTaskSuccess", map[string]any{"taskToken": c.claim(activity.ActivityArn), "output": "{}"}, nil))
	}
	all("SUCCEEDED", "task")
	for i := range each / 2 {
		c.is("task", each+i, "RUNNING")
		c.must(c.states("SendTaskSuccess", map[string]any{"taskToken": tokens[fmt.Sprintf("task-%d", each+i)], "output": "{}"}, nil))
		c.ends("task", each+i, "SUCCEEDED")
	}

	c.kill() // the heartbeats end while nobody runs, and over two hours in which nobody was there
	c.set(2 * time.Hour)
	c.server.start()
	for i := each / 2; i < each; i++ {
		c.ends("task", each+i, "TIMED_OUT", "FAILED")
	}
	c.set(-2 * time.Hour)
	c.terminate()
	c.server.start()
	c.run("pass", each+1, "{}")
	c.ends("pass", each+1, "SUCCEEDED")
	c.histories()
	for _, line := range strings.Split(c.stderr.String(), "\n") {
		if strings.Contains(line, "level=ERROR") {
			t.Errorf("the server's log: %s", line)
		}
	}
	report(t, "the clock set back and forward", "-1 h, +50 s, +2 h, -2 h, over two kills and a stop, with %d Waits, %d retry delays, %d heartbeats: all have ended at their dates by the clock, once; histories do not go back", 2*each, each, each)
}

// clocked is a server whose clock can be set.
type clocked struct {
	*waiting
	file string
	runs []string // ARNs
}

// set sets the clock. The file is another one at once, so that no half of it is read.
func (c *clocked) set(offset time.Duration) {
	c.t.Helper()
	c.must(os.WriteFile(c.file+".new", []byte(strconv.FormatInt(offset.Milliseconds(), 10)), 0o600))
	c.must(os.Rename(c.file+".new", c.file))
	if c.cmd == nil {
		return
	}
	c.eventually("the server has the new time", func() bool {
		var clock struct{ Now time.Time }
		text, err := c.object("GET", "/_newel/clock", nil)
		c.must(err)
		c.must(json.Unmarshal(text, &clock))
		off := clock.Now.Sub(time.Now()) - offset
		return off < time.Second && off > -time.Second
	})
}

func (c *clocked) run(machine string, n int, input string) {
	c.t.Helper()
	name := fmt.Sprintf("%s-%d", machine, n)
	c.must(c.states("StartExecution", map[string]any{"stateMachineArn": c.machines[machine], "name": name, "input": input}, nil))
	c.runs = append(c.runs, c.arn(machine, name))
}

func (c *clocked) claim(activity string) string {
	c.t.Helper()
	var task struct{ TaskToken string }
	c.eventually("a task comes", func() bool {
		c.must(c.states("GetActivityTask", map[string]any{"activityArn": activity}, &task))
		return task.TaskToken != ""
	})
	return task.TaskToken
}

func (c *clocked) status(machine string, n int) string {
	c.t.Helper()
	var d struct{ Status string }
	c.must(c.states("DescribeExecution", map[string]any{"executionArn": c.arn(machine, fmt.Sprintf("%s-%d", machine, n))}, &d))
	return d.Status
}

func (c *clocked) is(machine string, n int, status string) {
	c.t.Helper()
	if got := c.status(machine, n); got != status {
		c.t.Errorf("%s-%d is %s, want %s", machine, n, got, status)
	}
}

// ends waits until an execution has one of the statuses; RUNNING is not waited for.
func (c *clocked) ends(machine string, n int, statuses ...string) {
	c.t.Helper()
	if statuses[0] == "RUNNING" {
		c.is(machine, n, "RUNNING")
		return
	}
	got := ""
	c.eventually(fmt.Sprintf("%s-%d ends", machine, n), func() bool { got = c.status(machine, n); return got != "RUNNING" })
	for _, s := range statuses {
		if got == s {
			return
		}
	}
	c.t.Errorf("%s-%d is %s, want %s", machine, n, got, statuses)
}

// histories looks at everything that has happened.
func (c *clocked) histories() {
	for _, arn := range c.runs {
		var h struct {
			Events []struct {
				event
				Timestamp float64
			}
		}
		c.must(c.states("GetExecutionHistory", map[string]any{"executionArn": arn, "maxResults": 1000}, &h))
		last, ends := 0.0, 0
		for i, ev := range h.Events {
			if ev.ID != i+1 || ev.Timestamp < last {
				c.t.Errorf("%s: event %d has id %d and is at %f, after %f", arn, i+1, ev.ID, ev.Timestamp, last)
			}
			last = ev.Timestamp
			if strings.HasPrefix(ev.Type, "Execution") && ev.Type != "ExecutionStarted" {
				ends++
			}
		}
		if ends != 1 {
			c.t.Errorf("%s has ended %d times", arn, ends)
		}
	}
}
