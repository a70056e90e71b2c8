package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// server is a newel process and the client that drives it.
type server struct {
	cmd    *exec.Cmd
	url    string
	client *client

	requests atomic.Int64  // that were sent to it
	pause    time.Duration // longest one between looks at an execution; 20 ms if zero
}

// newClient is the client of a server that somebody else runs.
func newClient(url string) *server {
	return &server{url: url, client: &client{addr: strings.TrimPrefix(url, "http://")}}
}

// startServer starts a server on a free port and returns once it is healthy, with the time that took.
func startServer(ctx context.Context, r *run, data string, more ...string) (*server, time.Duration, error) {
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	listen := "127.0.0.1:" + port
	s := newClient("http://" + listen)
	flags := append([]string{"serve", "--listen", listen, "--data", data}, r.database.flags(data)...)
	s.cmd = exec.CommandContext(ctx, r.Binary, append(append(flags, more...), r.Flags...)...)
	s.cmd.Stderr = os.Stderr
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, 0, err
	}
	for time.Since(start) < time.Minute {
		resp, err := http.Get(s.url + "/_newel/health")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s, time.Since(start), nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	s.kill()
	return nil, 0, errors.New("the server was not ready within a minute")
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// kill ends the process as kill -9 does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.client.close()
}

// use is what a process has used so far.
type use struct {
	cpu time.Duration
	rss int64 // bytes; 0 where it cannot be told
}

func (s *server) use() (u use) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return u
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, i := range []int{11, 12} { // user and system time in ticks of 10 ms
		ticks, _ := strconv.ParseInt(fields[i], 10, 64)
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return u
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			u.rss = kb << 10
		}
	}
	return u
}

// sizeOf is what the files of a data directory take on disk; files that come and go meanwhile may be missed.
func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// targets are the X-Amz-Target prefixes and content types of the services that the jobs call.
var targets = map[string][2]string{
	"states": {"AWSStepFunctions", "application/x-amz-json-1.0"},
	"sqs":    {"AmazonSQS", "application/x-amz-json-1.0"},
}

// call calls one operation of the server.
func (s *server) call(ctx context.Context, service, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	s.requests.Add(1)
	header := "Content-Type: " + targets[service][1] + "\r\nX-Amz-Target: " + targets[service][0] + "." + operation +
		"\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=00\r\n"
	status, answer, err := s.client.post(ctx, header, body)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", operation, status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// createMachine makes a state machine and returns its ARN.
func (s *server) createMachine(ctx context.Context, kind, name string, definition any) (string, error) {
	text, err := json.Marshal(definition)
	if err != nil {
		return "", err
	}
	var out struct{ StateMachineArn string }
	err = s.call(ctx, "states", "CreateStateMachine", map[string]any{"name": name, "type": kind, "definition": string(text), "roleArn": "arn:aws:iam::000000000000:role/bench"}, &out)
	return out.StateMachineArn, err
}

// start starts an execution and returns its ARN. The server names it if name is empty.
func (s *server) start(ctx context.Context, machine, name, input string) (string, error) {
	in := map[string]any{"stateMachineArn": machine, "input": input}
	if name != "" {
		in["name"] = name
	}
	var out struct{ ExecutionArn string }
	err := s.call(ctx, "states", "StartExecution", in, &out)
	return out.ExecutionArn, err
}

// await polls until an execution has succeeded.
func (s *server) await(ctx context.Context, execution string) error {
	for pause := time.Millisecond; ; pause = min(2*pause, cmp.Or(s.pause, 20*time.Millisecond)) {
		var out struct{ Status, Error, Cause string }
		if err := s.call(ctx, "states", "DescribeExecution", map[string]any{"executionArn": execution}, &out); err != nil {
			return err
		}
		switch out.Status {
		case "SUCCEEDED":
			return nil
		case "RUNNING":
			time.Sleep(pause)
		default:
			return fmt.Errorf("%s is %s: %s %s", execution, out.Status, out.Error, out.Cause)
		}
	}
}

func (s *server) execute(ctx context.Context, machine, name, input string) error {
	arn, err := s.start(ctx, machine, name, input)
	if err != nil {
		return err
	}
	return s.await(ctx, arn)
}
