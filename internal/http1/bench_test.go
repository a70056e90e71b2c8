package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/newel-run/newel/internal/http1/header"
)

const (
	benchBody   = `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"n-1","input":"{\"order\":{\"id\":12345,\"items\":[1,2,3]}}"}`
	benchAnswer = `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:n-1","startDate":1700000000.123}`
)

// BenchmarkServers answers small requests of keep-alive connections: this server, its adapter for an http.Handler, and
// net/http with the same handler. The client is part of the figures, and allocates nothing.
func BenchmarkServers(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			b.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, benchAnswer)
	})
	answer := []byte(benchAnswer)
	for _, connections := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("http1/%d", connections), func(b *testing.B) {
			_, addr := start(b, Config{Handler: func(x *Exchange) {
				body, ok := x.Buffered()
				if !ok {
					b.Error("the body did not come together with the head")
				}
				_ = bytes.Clone(body)
				x.Answer(200, header.List{{Name: "Content-Type", Value: "application/x-amz-json-1.0"}}, answer)
			}})
			drive(b, addr, connections)
		})
		b.Run(fmt.Sprintf("adapter/%d", connections), func(b *testing.B) {
			_, addr := start(b, Config{Handler: func(x *Exchange) { x.ServeHTTP(handler) }})
			drive(b, addr, connections)
		})
		b.Run(fmt.Sprintf("nethttp/%d", connections), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			s := &http.Server{Handler: handler}
			go func() { _ = s.Serve(l) }()
			defer s.Close() //nolint:errcheck // the benchmark is over
			drive(b, l.Addr().String(), connections)
		})
	}
}

// drive sends b.N requests over connections and reports the processor time of both sides together.
func drive(b *testing.B, addr string, connections int) {
	request := []byte("POST / HTTP/1.1\r\nHost: " + addr + "\r\nX-Amz-Target: AWSStepFunctions.StartExecution\r\nContent-Type: application/x-amz-json-1.0\r\n" +
		"Authorization: AWS4-HMAC-SHA256 Credential=000000000000/20260102/us-east-1/states/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + strings.Repeat("0", 64) + "\r\n" +
		"X-Amz-Date: 20260102T030405Z\r\nUser-Agent: aws-sdk-go-v2/1.30 os/linux lang/go#1.26 md/GOOS#linux\r\nAmz-Sdk-Invocation-Id: 2e497de3-439f-4ed8-8499-68cc92c024f3\r\nAmz-Sdk-Request: attempt=1; max=3\r\nAccept-Encoding: gzip\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(benchBody), benchBody))
	var all sync.WaitGroup
	conns := make([]net.Conn, connections)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // the benchmark is over
		conns[i] = c
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	for i, c := range conns {
		n := b.N / connections
		if i < b.N%connections {
			n++
		}
		all.Go(func() { hammer(b, c, request, n) })
	}
	all.Wait()
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// hammer sends a request n times; the head of each answer ends with its length.
func hammer(b *testing.B, c net.Conn, request []byte, n int) {
	in := bufio.NewReader(c)
	for range n {
		if _, err := c.Write(request); err != nil {
			b.Error(err)
			return
		}
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Error(err)
				return
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := in.Discard(len(benchAnswer)); err != nil {
			b.Error(err)
			return
		}
	}
}
