package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// binary builds the command once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "newel-e2e-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "newel")
	build := exec.Command("go", "build", "-o", file, "github.com/newel-run/newel/cmd/newel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// TestMain removes the binary afterwards.
func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// server is a newel process on a port of its own.
type server struct {
	t      *testing.T
	listen string
	binary string // "": that of all tests
	args   []string
	env    []string // nil: this process's
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	stderr *output
}

// output is what a process has written so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// tail is the end of it, for a message.
func (o *output) tail() string {
	all := o.String()
	return all[max(0, len(all)-4000):]
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// port is the last that a server was given.
var port atomic.Int32

func init() { port.Store(int32(20_000 + os.Getpid()%8000)) }

// freeAddress finds an address that stays a server's own while it is restarted: below the ports that systems give to clients.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", port.Add(1))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close() // nothing was accepted
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, listen: freeAddress(t)}
	s.args = append([]string{"serve", "--listen", s.listen, "--data", filepath.Join(t.TempDir(), "data")}, args...)
	t.Cleanup(s.kill)
	return s
}

// start starts the process and waits until it is healthy.
func (s *server) start() {
	s.t.Helper()
	if !s.tryStart() {
		s.t.Fatalf("the server has ended\n%s", s.stderr.tail())
	}
}

// tryStart is start of a server that may end by itself instead.
func (s *server) tryStart() bool {
	s.t.Helper()
	file, err := s.binary, error(nil)
	if file == "" {
		if file, err = binary(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.stderr = &output{}
	s.cmd = exec.Command(file, s.args...)
	s.cmd.Stderr, s.cmd.Env = s.stderr, s.env
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, exited := s.cmd, make(chan struct{})
	s.exited = exited
	go func() {
		_ = cmd.Wait() // its state is looked at by who waits for exited
		close(exited)
	}()
	for deadline := time.Now().Add(30 * time.Second); !s.healthy(); time.Sleep(2 * time.Millisecond) {
		select {
		case <-exited:
			s.cmd = nil
			return false
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server is not healthy\n%s", s.stderr.tail())
		}
	}
	return true
}

// run runs the process to its end.
func (s *server) run() (code int, stderr string) {
	s.t.Helper()
	file, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, s.args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// kill ends the process as kill -9 does.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

// terminate ends the process as an operator does, and checks that it ends well.
func (s *server) terminate() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.exited
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("exit status %d after SIGTERM\n%s", code, s.stderr.tail())
	}
	s.cmd = nil
}

// dataDir is the data directory.
func (s *server) dataDir() string { return s.args[slices.Index(s.args, "--data")+1] }

func (s *server) setData(dir string) { s.args[slices.Index(s.args, "--data")+1] = dir }

// states calls an operation of the Step Functions API; an error is one of the connection or of the service.
func (s *server) states(operation string, in, out any) error {
	return s.call("states", map[string]string{"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AWSStepFunctions." + operation}, "/", in, out)
}

// json calls an operation of a service that speaks JSON.
func (s *server) json(service, target string, in, out any) error {
	return s.call(service, map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}, "/", in, out)
}

func (s *server) call(service string, header map[string]string, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+s.listen+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=00")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &refused{resp.StatusCode, string(answer)}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// refused is an answer of the service that is an error.
type refused struct {
	status int
	body   string
}

func (r *refused) Error() string { return fmt.Sprintf("%d: %s", r.status, r.body) }

// again calls until the server answers: a client's retry over an outage. An answer that is an error ends it.
func (s *server) again(f func() error) error {
	for deadline := time.Now().Add(time.Minute); ; {
		err := f()
		if r, ok := err.(*refused); err == nil || ok && r.status < 500 || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
