package node

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// tenPasses is a chain of ten Pass states.
func tenPasses() string {
	var states []string
	for i := range 9 {
		states = append(states, fmt.Sprintf(`"S%d":{"Type":"Pass","Next":"S%d"}`, i, i+1))
	}
	return `{"StartAt":"S0","States":{` + strings.Join(append(states, `"S9":{"Type":"Pass","End":true}`), ",") + `}}`
}

// expressServer is a server in memory with the Express machine of ten Pass states, and the body of a start.
func expressServer(b *testing.B) (n *Node, body string) {
	n, err := Start(b.Context(), Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = n.Close(b.Context()) })
	in, err := json.Marshal(map[string]string{"name": "ten", "type": "EXPRESS", "definition": tenPasses(), "roleArn": "arn:aws:iam::000000000000:role/r"})
	if err == nil {
		_, err = n.Caller().Call(b.Context(), &aws.Request{Service: "states", Operation: "CreateStateMachine", Account: "000000000000", Region: "us-east-1", Input: in})
	}
	if err != nil {
		b.Fatal(err)
	}
	return n, `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:ten","input":"{\"order\":{\"id\":12345,\"items\":[1,2,3]}}"}`
}

// BenchmarkStartSyncExecution drives, in turns, a bare net/http server that decodes a JSON body and encodes one, and
// StartSyncExecution of ten Pass states with logging OFF on the same body; the figure is the second's rate as a share
// of the first's. Clients and servers share the processors.
func BenchmarkStartSyncExecution(b *testing.B) {
	n, body := expressServer(b)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = json.NewEncoder(w).Encode(in) // the client is gone if it fails
	}))
	defer bare.Close()
	limit, ours := newClients(b, bare.Listener.Addr().String(), body), newClients(b, n.listener.Addr().String(), body)
	var limitTook, oursTook time.Duration
	const turn = 256
	for b.Loop() {
		limitTook += limit.drive(b, turn)
		oursTook += ours.drive(b, turn)
	}
	rate := func(took time.Duration) float64 { return turn * float64(b.N) / took.Seconds() }
	b.ReportMetric(rate(limitTook), "bare-req/s")
	b.ReportMetric(rate(oursTook), "sync-req/s")
	b.ReportMetric(100*rate(oursTook)/rate(limitTook), "%-of-bare")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkExpressInProcess is the same operation without HTTP.
func BenchmarkExpressInProcess(b *testing.B) {
	n, body := expressServer(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			out, err := n.Caller().Call(b.Context(), &aws.Request{Service: "states", Operation: "StartSyncExecution", Account: "000000000000", Region: "us-east-1", Input: []byte(body)})
			if err != nil || !strings.Contains(string(out.Value.(json.RawMessage)), `"SUCCEEDED"`) {
				b.Error("it did not succeed", err)
				return
			}
		}
	})
	b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
}

// clients are connections on which one request is made again and again.
type clients struct {
	request string
	conns   []net.Conn
	readers []*bufio.Reader
}

func newClients(b *testing.B, addr, body string) *clients {
	c := &clients{request: fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\nX-Amz-Target: AWSStepFunctions.StartSyncExecution\r\nContent-Type: application/x-amz-json-1.0\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=000000000000/20260102/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0\r\n"+
		"X-Amz-Date: 20260102T030405Z\r\nContent-Length: %d\r\n\r\n%s", addr, len(body), body)}
	for range 8 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		c.conns, c.readers = append(c.conns, conn), append(c.readers, bufio.NewReader(conn))
	}
	return c
}

// drive makes a number of requests, shared among the connections.
func (c *clients) drive(b *testing.B, requests int) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for i := range c.conns {
		all.Go(func() {
			for range requests / len(c.conns) {
				if err := c.roundTrip(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

func (c *clients) roundTrip(i int) error {
	if _, err := io.WriteString(c.conns[i], c.request); err != nil {
		return err
	}
	length, first := 0, true
	for {
		line, err := c.readers[i].ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !strings.Contains(string(line), " 200 ") {
			return fmt.Errorf("answered %s", line)
		}
		if first = false; len(line) <= 2 {
			break
		}
		if v, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if _, err := fmt.Sscan(v, &length); err != nil {
				return err
			}
		}
	}
	_, err := c.readers[i].Discard(length)
	return err
}
