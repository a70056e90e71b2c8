package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTortureSlowClients has clients that say nothing, send a byte now and then, stop halfway, or take nothing of their answers. They do
// not hold up others, hold little memory, are ended, and leave nothing behind.
func TestTortureSlowClients(t *testing.T) {
	each := 10
	if full() {
		each = 100
	}
	s := newServer(t, "--stall-timeout", "2s")
	s.start()
	s.must2(s.object(http.MethodPut, "/slow", nil))
	s.must2(s.object(http.MethodPut, "/slow/big", make([]byte, 24<<20)))
	const s3 = "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00\r\nHost: 127.0.0.1\r\n"
	kinds := []struct{ name, says, trickle string }{
		{"says nothing", "", ""},
		{"trickles a header", "GET / HTTP/1.1\r\n", "X-Slow: a\r\n"},
		{"stops in the header", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Tar", ""},
		{"stops in the body", head("CreateActivity", 1<<20) + `{"name":"`, ""},
		{"trickles a body", head("CreateActivity", 1<<20) + `{"name":"`, "x"},
		{"stops in an upload", "PUT /slow/stops HTTP/1.1\r\n" + s3 + "Content-Length: 1000000\r\n\r\nxxxx", ""},
		{"trickles an upload", "PUT /slow/trickles HTTP/1.1\r\n" + s3 + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		{"takes no answer", "GET /slow/big HTTP/1.1\r\n" + s3 + "\r\n", ""},
	}
	before, sockets := s.residentMB(), s.sockets()
	began := time.Now()
	var group sync.WaitGroup
	stop := make(chan struct{})
	for _, kind := range kinds {
		for range each {
			c, err := s.connect()
			s.must(err)
			group.Go(func() { c.slow(kind.says, kind.trickle, stop) })
		}
	}
	most, others := 0, 0
	s.eventually("slow clients are ended", func() bool {
		s.must(s.states("ListStateMachines", map[string]any{}, nil)) // another client
		others++
		open := s.sockets() - sockets
		most = max(most, open)
		return most >= len(kinds)*each && open <= 2 // of the other client
	})
	took := time.Since(began)
	close(stop)
	group.Wait()
	if peak := s.peakMB(); peak > before+60+len(kinds)*each/4 {
		t.Errorf("%d MB before, %d MB at most", before, peak)
	}
	s.eventually("unfinished uploads leave no files", func() bool {
		left, err := os.ReadDir(filepath.Join(s.dataDir(), "objects", "new"))
		return err == nil && len(left) == 0
	})
	report(t, "slow clients", "%d of %d kinds, all ended within %.0f s (--stall-timeout 2s) while others were answered %d times; %d MB before, %d at most", len(kinds)*each, len(kinds), took.Seconds(), others, before, s.peakMB())
}

// slow says something, then a little again and again, and takes nothing, until it is to stop.
func (c *client) slow(says, trickle string, stop <-chan struct{}) {
	defer c.Close()
	_, _ = c.Write([]byte(says)) // that the server ends it is looked at elsewhere
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return
		case <-pace.C:
			if trickle != "" {
				_, _ = c.Write([]byte(trickle))
			}
		}
	}
}

// sockets counts the server's sockets.
func (s *server) sockets() (n int) {
	s.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		s.t.Skipf("SKIPPED: the server's connections cannot be counted here: %v", err)
	}
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(dir, f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
