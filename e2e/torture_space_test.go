package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// disk is a small file system of its own.
type disk struct {
	t    *testing.T
	path string
}

// newDisk mounts a small file system in memory, where the machine lets us.
func newDisk(t *testing.T, megabytes int) *disk {
	t.Helper()
	d := &disk{t, t.TempDir()}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "newel-torture", d.path).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no small file system can be mounted here: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", d.path).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	return d
}

// leave takes up the space but so many MB. What others give back meanwhile is taken too.
func (d *disk) leave(megabytes uint64) {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.path, "filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for d.free() > megabytes<<20 {
		if _, err := f.Write(make([]byte, min(1<<20, d.free()-megabytes<<20))); err != nil {
			return // it is full
		}
	}
}

func (d *disk) release() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.path, "filler")); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) free() uint64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.path, &st); err != nil {
		d.t.Fatal(err)
	}
	return st.Bavail * uint64(st.Bsize)
}

// TestTortureDiskFull runs a server on a small disk that becomes nearly full, full, and has space again. New work is refused with
// an error that clients try again after, accepted work goes on as long as it can, a server that can no longer write its
// log ends and says so, and what was acknowledged is there afterwards.
func TestTortureDiskFull(t *testing.T) {
	d := newDisk(t, 360)
	w := &waiting{server: newServer(t), machines: map[string]string{}}
	w.setData(filepath.Join(d.path, "data"))
	w.server.start()
	w.prepare()
	const accepted = 50 // their answers fill more than a log
	for i := range accepted {
		w.begin("token", i)
	}
	tokens := w.receive(accepted)
	w.must2(w.object(http.MethodPut, "/space", nil))

	d.leave(90) // less than the 128 MiB from which on new work is refused
	refusal := w.refusedStart()
	if _, err := w.object(http.MethodPut, "/space/refused", make([]byte, 1000)); !isUnavailable(err) {
		t.Errorf("an upload to a nearly full disk: %v", err)
	}
	for _, m := range tokens[:10] {
		w.answer(m.Token, m.N)
		w.check("token", fmt.Sprintf("token-%d", m.N), m.N)
	}
	d.release()
	w.eventually("new work is admitted again", func() bool { return w.start1("again") == nil })

	acknowledged, answered, ended := w.fill(d, tokens[10:])
	d.release()
	if ended {
		w.server.start()
	}
	for _, m := range tokens[10:] {
		var out struct{ Status string }
		if answered[m.Token] {
			w.must(w.states("DescribeExecution", map[string]any{"executionArn": w.arn("token", fmt.Sprintf("token-%d", m.N))}, &out))
			if out.Status != "SUCCEEDED" {
				t.Errorf("execution %d was answered, and is %s", m.N, out.Status)
			}
		} else if err := w.states("SendTaskSuccess", map[string]any{"taskToken": m.Token, "output": "{}"}, nil); err != nil && !strings.Contains(err.Error(), "TaskTimedOut") {
			t.Errorf("execution %d can no longer be answered: %v", m.N, err) // timed out: that it was answered was not heard
		}
	}
	if len(answered) == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
	for _, name := range acknowledged {
		if err := w.states("DescribeExecution", map[string]any{"executionArn": w.arn("token", name)}, nil); err != nil {
			t.Errorf("an acknowledged start is lost: %v", err)
		}
	}
	w.eventually("new work is admitted at the end", func() bool { return w.start1("last") == nil })
	how := "it refused what it could not do"
	if ended {
		how = "its log could not be written: it ended and said so"
	}
	report(t, "a full disk (tmpfs of 360 MB)", "below 128 MB new work: %s, while accepted executions end; without any space %s; all of %d acknowledged starts and %d answers are there", refusal, how, len(acknowledged), len(answered))
}

func isUnavailable(err error) bool {
	var r *refused
	return errors.As(err, &r) && r.status == http.StatusServiceUnavailable
}

// start1 starts an execution that waits for a token.
func (w *waiting) start1(name string) error {
	return w.states("StartExecution", map[string]any{"stateMachineArn": w.machines["token"], "name": name, "input": `{"n":0}`}, nil)
}

func (w *waiting) arn(machine, name string) string {
	return strings.Replace(w.machines[machine], ":stateMachine:", ":execution:", 1) + ":" + name
}

// refusedStart starts executions until one is refused, and returns how.
func (w *waiting) refusedStart() string {
	w.t.Helper()
	var err error
	n := 0
	w.eventually("new work is refused", func() bool {
		n++
		err = w.start1(fmt.Sprintf("r-%d", n))
		return err != nil
	})
	if !isUnavailable(err) {
		w.t.Errorf("a start on a nearly full disk: %v", err)
	}
	return strings.TrimSpace(err.Error())
}

// fill leaves no space at all while clients start, upload and answer tokens with much, until the server has ended or the answers are
// used up. It returns the starts and answers that were acknowledged.
func (w *waiting) fill(d *disk, tokens []tokenMessage) (starts []string, answers map[string]bool, ended bool) {
	w.t.Helper()
	answers = map[string]bool{}
	var mu sync.Mutex
	acknowledged := func(what string, err error, note func()) {
		var r *refused
		if err == nil {
			mu.Lock()
			note()
			mu.Unlock()
		} else if errors.As(err, &r) && r.status != http.StatusServiceUnavailable {
			w.t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	var next atomic.Int32
	var clients sync.WaitGroup
	exited := w.exited
	large := `"` + strings.Repeat("x", 200<<10) + `"`
	d.leave(6)
	for range 4 {
		clients.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(tokens); i = next.Add(1) - 1 {
				name := fmt.Sprintf("f-%d", i)
				acknowledged("a start", w.start1(name), func() { starts = append(starts, name) })
				_, err := w.object(http.MethodPut, "/space/"+name, make([]byte, 300<<10))
				acknowledged("an upload", err, func() {})
				// What ends work is admitted, and meets the end of the space in the log.
				err = w.states("SendTaskSuccess", map[string]any{"taskToken": tokens[i].Token, "output": large}, nil)
				acknowledged("an answer", err, func() { answers[tokens[i].Token] = true })
				if i > 8 { // some were acknowledged
					mu.Lock()
					d.leave(0) // also of what the server has given up
					mu.Unlock()
				}
				select {
				case <-exited:
					return
				default:
				}
			}
		})
	}
	clients.Wait()
	w.eventually("the server has ended, or is healthy", func() bool {
		select {
		case <-exited:
			return true
		default:
			return w.healthy()
		}
	})
	select {
	case <-exited:
		ended = true
		text := w.stderr.String()
		if code := w.cmd.ProcessState.ExitCode(); code == 0 || !strings.Contains(text, "no space left on device") || strings.Contains(text, "goroutine ") {
			w.t.Errorf("the server has ended with %d and says %.3000s", code, text)
		}
		w.cmd = nil
	default:
	}
	return starts, answers, ended
}

// TestTortureReadOnly starts a server on a data directory that cannot be written, with and without data in it.
func TestTortureReadOnly(t *testing.T) {
	d := newDisk(t, 360)
	s := newServer(t)
	s.setData(filepath.Join(d.path, "data"))
	remount := func(how string) {
		if out, err := exec.Command("mount", "-o", "remount,"+how, d.path).CombinedOutput(); err != nil {
			t.Fatalf("mount: %s", out)
		}
	}
	for _, data := range []string{"no data", "data"} {
		remount("ro")
		code, text := s.run()
		if code != 1 || !strings.Contains(text, "read-only file system") || !strings.Contains(text, s.dataDir()) || strings.Contains(text, "goroutine ") {
			t.Errorf("with %s: exit status %d: %s", data, code, text)
		}
		report(t, "a read-only data directory", "with %s: exit status %d, %s", data, code, strings.ReplaceAll(strings.TrimSpace(text), d.path, ""))
		remount("rw")
		s.start()
		if data == "data" {
			if err := s.json("sqs", "AmazonSQS.GetQueueUrl", map[string]any{"QueueName": "kept"}, nil); err != nil {
				t.Error(err)
			}
		} else if err := s.json("sqs", "AmazonSQS.CreateQueue", map[string]any{"QueueName": "kept"}, nil); err != nil {
			t.Error(err)
		}
		s.terminate()
	}
}
