package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// full reports whether the long forms of the tests run.
func full() bool { return os.Getenv("NEWEL_TORTURE") == "full" }

// report says what was done: a line of the table in docs/reliability.md.
func report(t *testing.T, what, format string, args ...any) {
	t.Helper()
	t.Logf("REPORT %s: %s", what, fmt.Sprintf(format, args...))
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.stderr.tail())
	}
}

func (s *server) must2(_ []byte, err error) {
	s.t.Helper()
	s.must(err)
}

// eventually waits for a condition of the server; a minute is far more than any takes.
func (s *server) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in a minute: %s\n%s", what, s.stderr.tail())
		}
	}
}

func (s *server) healthy() bool {
	resp, err := http.Get("http://" + s.listen + "/_newel/health")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (s *server) mustBeHealthy() {
	s.t.Helper()
	if !s.healthy() {
		s.t.Fatalf("the server is no longer healthy\n%s", s.stderr.tail())
	}
}

// process is a figure of the process in MB, as Linux tells it; 0 elsewhere.
func (s *server) process(name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.Atoi(fields[0])
	return kb >> 10
}

func (s *server) residentMB() int { return s.process("VmRSS") }
func (s *server) peakMB() int     { return s.process("VmHWM") }

// object asks S3 for something.
func (s *server) object(method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequest(method, "http://"+s.listen+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = &refused{resp.StatusCode, string(answer)}
	}
	return answer, err
}
