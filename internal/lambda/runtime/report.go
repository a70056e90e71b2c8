package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// AWS's header X-Amz-Function-Error has this value for every error that its current runtimes report.
const unhandled = "Unhandled"

func marshal(kind, message string) []byte {
	b, _ := json.Marshal(struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}{kind, message})
	return b
}

// errorPayload is a runtime's error body as the caller sees it. A runtime that sends none is described by its type.
func errorPayload(body []byte, kind string) []byte {
	if len(body) > 0 {
		return body
	}
	if kind == "" {
		kind = "Runtime.Unknown"
	}
	return marshal(kind, "")
}

func tooLarge() *Result {
	return &Result{FunctionError: unhandled, Payload: marshal("Function.ResponseSizeTooLarge",
		"Response payload size exceeded maximum allowed payload size (6291556 bytes).")}
}

// timedOut is the outcome of an invocation that outlived its function's timeout, or whose worker's init did.
func (w *worker) timedOut(c *call) outcome {
	if w.out != nil {
		w.out.drain(w.pool)
	}
	took := fmt.Sprintf("Task timed out after %.2f seconds", w.spec.Timeout.Seconds())
	line := time.Now().UTC().Format("2006-01-02T15:04:05.000Z ") + c.inv.RequestID + " " + took
	r := &Result{FunctionError: unhandled}
	if w.spec.LegacyTimeout {
		r.Payload, _ = json.Marshal(map[string]string{"errorMessage": line})
	} else {
		r.Payload = marshal("Sandbox.Timedout", "RequestId: "+c.inv.RequestID+" Error: "+took)
	}
	return outcome{result: w.report(c, r, line)}
}

// crashed is the outcome of an invocation whose process ended.
func (w *worker) crashed(c *call, reason string) outcome {
	message := "RequestId: " + c.inv.RequestID + " Error: " + reason
	return outcome{result: w.report(c, &Result{FunctionError: unhandled, Payload: marshal("Runtime.ExitError", message)},
		message, "Runtime.ExitError")}
}

// notStarted is the outcome of an invocation whose worker could not be started.
func (w *worker) notStarted(c *call, err error) outcome {
	var s *startError
	if !errors.As(err, &s) {
		return outcome{err: err}
	}
	message := "RequestId: " + c.inv.RequestID + " Error: " + err.Error()
	return outcome{result: w.report(c, &Result{FunctionError: unhandled, Payload: marshal("Runtime.InvalidEntrypoint", message)},
		message, "Runtime.InvalidEntrypoint")}
}

// report writes the closing lines of an invocation to the log and completes the result's tail. It may be called with
// Pool.mu held or not.
func (w *worker) report(c *call, r *Result, lines ...string) *Result {
	var took time.Duration
	if c.started.IsZero() {
		w.writeLine(c, "START RequestId: "+c.inv.RequestID+" Version: "+w.spec.Version)
	} else {
		took = time.Since(c.started)
		w.pool.took.Took(took)
	}
	for _, l := range lines {
		w.writeLine(c, l)
	}
	w.writeLine(c, "END RequestId: "+c.inv.RequestID)
	ms := float64(took.Microseconds()) / 1000
	report := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\t",
		c.inv.RequestID, ms, int64(ms)+1, w.spec.MemoryMB)
	if used := w.memoryUsed(); used > 0 {
		report += fmt.Sprintf("Max Memory Used: %d MB\t", used)
	}
	if c.init > 0 {
		report += fmt.Sprintf("Init Duration: %.2f ms\t", float64(c.init.Microseconds())/1000)
	}
	w.writeLine(c, report)
	if c.inv.Tail {
		r.Tail = c.tail
	}
	return r
}

// memoryUsed is the worker's peak memory in MB, read anew after memoryEvery only: reading it costs as much as an answer.
func (w *worker) memoryUsed() int {
	if now := time.Now(); now.Sub(w.memoryAt) > memoryEvery {
		w.memory, w.memoryAt = memoryUsedMB(w.process), now
	}
	return w.memory
}

const memoryEvery = 200 * time.Millisecond

func (w *worker) writeLine(c *call, line string) {
	w.pool.o.Logs.WriteLog(w.spec, w.stream, time.Now(), line)
	c.keep(line)
}

const tailMax = 4096

// keep adds a line to the tail of the invocation's log.
func (c *call) keep(line string) {
	if !c.inv.Tail {
		return
	}
	c.tail = append(append(c.tail, line...), '\n')
	if n := len(c.tail) - tailMax; n > 0 {
		c.tail = c.tail[n:]
	}
}
