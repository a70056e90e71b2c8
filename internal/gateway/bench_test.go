package gateway

import (
	"bufio"
	"context"
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

const benchBody = `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"n-1","input":"{\"order\":{\"id\":12345,\"items\":[1,2,3]}}"}`

const benchAnswer = `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:n-1","startDate":1700000000.123}`

// BenchmarkBare is the limit: net/http with a handler that decodes a JSON body and encodes an answer.
func BenchmarkBare(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ StateMachineArn, Name, Input string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, benchAnswer)
	}))
	defer srv.Close()
	drive(b, srv.Listener.Addr().String())
}

// BenchmarkGateway is the gateway over a caller that does nothing.
func BenchmarkGateway(b *testing.B) {
	addr := serve(b, Config{}, &constant{&aws.Output{Value: json.RawMessage(benchAnswer)}})
	drive(b, addr)
}

type constant struct{ out *aws.Output }

func (c *constant) Call(context.Context, *aws.Request) (*aws.Output, error) { return c.out, nil }

// drive sends b.N requests over eight connections.
func drive(b *testing.B, addr string) {
	request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\nX-Amz-Target: AWSStepFunctions.StartExecution\r\nContent-Type: application/x-amz-json-1.0\r\n"+
		"Authorization: %s\r\nX-Amz-Date: 20260102T030405Z\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n%s", addr, signedFor("000000000000", "us-east-1", "states"), len(benchBody), benchBody)
	const connections = 8
	var all sync.WaitGroup
	work := make(chan struct{}, connections)
	for range connections {
		all.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close() //nolint:errcheck // the benchmark is over
			in := bufio.NewReader(c)
			for range work {
				if err := roundTrip(c, in, request); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// roundTrip sends a request and reads its answer with as little work as possible, since client and server share the
// processors.
func roundTrip(c net.Conn, in *bufio.Reader, request string) error {
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if _, err := fmt.Sscan(v, &length); err != nil {
				return err
			}
		}
	}
	_, err := in.Discard(length)
	return err
}

// BenchmarkGatewayWork is BenchmarkGateway without sockets: the work of the loop, the gateway and the codecs.
func BenchmarkGatewayWork(b *testing.B) {
	g, err := New(Config{}, &constant{&aws.Output{Value: json.RawMessage(benchAnswer)}})
	if err != nil {
		b.Fatal(err)
	}
	request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nX-Amz-Target: AWSStepFunctions.StartExecution\r\nContent-Type: application/x-amz-json-1.0\r\n"+
		"Authorization: %s\r\nX-Amz-Date: 20260102T030405Z\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n%s", signedFor("000000000000", "us-east-1", "states"), len(benchBody), benchBody)
	l := &once{c: &repeated{request: []byte(request), n: b.N, done: make(chan struct{})}}
	b.ReportAllocs()
	b.ResetTimer()
	go func() { _ = g.Serve(b.Context(), l) }()
	<-l.c.done
}

// once is a listener of one connection.
type once struct {
	c     *repeated
	taken bool
}

func (l *once) Accept() (net.Conn, error) {
	if l.taken {
		<-l.c.done
		return nil, net.ErrClosed
	}
	l.taken = true
	return l.c, nil
}
func (l *once) Close() error   { return nil }
func (l *once) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// repeated is a connection whose client sends a request n times, one with each read, and takes all answers.
type repeated struct {
	net.Conn
	request []byte
	n       int
	done    chan struct{}
}

func (c *repeated) Read(p []byte) (int, error) {
	if c.n == 0 {
		return 0, io.EOF
	}
	c.n--
	return copy(p, c.request), nil
}
func (c *repeated) Write(p []byte) (int, error)      { return len(p), nil }
func (c *repeated) Close() error                     { close(c.done); return nil }
func (c *repeated) SetReadDeadline(time.Time) error  { return nil }
func (c *repeated) SetWriteDeadline(time.Time) error { return nil }
