package gateway

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

const signedForS3 = "Host: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n"

// conversations are what clients of every kind say on a connection.
var conversations = []string{
	"POST / HTTP/1.1\r\nHost: h.localhost\r\nX-Amz-Target: AWSStepFunctions.StartExecution\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 24\r\n\r\n{\"stateMachineArn\":\"a\"}\n",
	"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 41\r\n\r\nAction=Publish&Version=2010-03-31&Message=x\r\n\r\n",
	"GET /?Action=AssumeRole&Version=2011-06-15&RoleArn=a HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n",
	"PUT /b/k%20x HTTP/1.1\r\n" + signedForS3 + "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nX-Amz-Decoded-Content-Length: 5\r\nContent-Encoding: aws-chunked\r\nContent-Length: 35\r\n\r\n5;chunk-signature=0\r\nhello\r\n0;c=\r\n\r\n",
	"PUT /b/k HTTP/1.1\r\n" + signedForS3 + "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nX-Amz-Trailer: x-amz-checksum-crc32\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n\r\n0\r\n\r\n",
	"GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=key%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=00 HTTP/1.1\r\nHost: b.s3.localhost\r\nRange: bytes=0-4\r\n\r\n",
	"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 177\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\ne30=\r\n--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhello\r\n--x--\r\n",
	"POST /service/GraniteServiceVersion20100801/operation/PutMetricData HTTP/1.1\r\nHost: [::1]:80\r\nSmithy-Protocol: rpc-v2-cbor\r\nContent-Type: application/cbor\r\nContent-Length: 13\r\n\r\n\xa1iNamespacean",
	"GET /2015-03-31/functions/?MaxItems=5 HTTP/1.1\r\nHost: lambda.us-east-1.amazonaws.com\r\n\r\nGET /_newel/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
}

// complaints counts what a server logs as its own fault.
type complaints struct {
	slog.Handler
	last atomic.Pointer[string]
}

func (c *complaints) Enabled(context.Context, slog.Level) bool { return true }

func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		c.last.Store(&text)
	}
	return nil
}

// FuzzConversation: whatever is said on a connection, to a server that trusts everybody and to one that checks signatures, every answer
// is one of HTTP, none is the server's own fault, and the connection ends when the client has said all.
func FuzzConversation(f *testing.F) {
	for _, c := range conversations {
		f.Add([]byte(c))
	}
	file := filepath.Join(f.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = key\naws_secret_access_key = secret\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	log := &complaints{Handler: slog.DiscardHandler}
	caller := aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) { return nil, readStream(r) })
	cfg := Config{Services: []string{"states", "sqs", "sns", "sts", "dynamodb", "lambda", "monitoring", "s3"}, Log: slog.New(log)}
	addrs := []string{serve(f, cfg, caller)}
	cfg.Credentials = file
	addrs = append(addrs, serve(f, cfg, caller))
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, addr := range addrs {
			converse(t, addr, said)
		}
		if text := log.last.Load(); text != nil {
			t.Errorf("%q: the log says %s", said, *text)
		}
	})
}

func converse(t *testing.T, addr string, said []byte) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it was read to its end
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		_, _ = c.Write(said) // the server may have had enough before
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	heard, err := io.ReadAll(c)
	if late, ok := err.(net.Error); ok && late.Timeout() {
		t.Fatalf("%q: no end after %q", said, heard)
	}
	// Which answers have no body depends on methods that only the server has made out: the first answer is looked at.
	for in := bufio.NewReader(bytes.NewReader(heard)); len(heard) > 0; {
		answer, err := http.ReadResponse(in, &http.Request{Method: method(said)})
		if err != nil {
			t.Errorf("%q: %q is no answer: %v", said, heard, err)
			return
		}
		if answer.StatusCode == http.StatusInternalServerError {
			t.Errorf("%q: %q", said, heard)
		}
		if answer.StatusCode >= 200 {
			return
		}
	}
}

func method(said []byte) string {
	m, _, _ := strings.Cut(string(said), " ")
	return m
}
