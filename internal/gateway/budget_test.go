package gateway

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

// holding answers requests when it is let go.
type holding struct {
	came, let chan struct{}
	answered  atomic.Int64
}

func (h *holding) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	h.came <- struct{}{}
	if strings.HasPrefix(r.Operation, "Send") && r.Service == "sqs" {
		<-h.let
	}
	h.answered.Add(1)
	return &aws.Output{}, nil
}

// TestBytesInFlight: above the bound new work is refused in its protocol, finishing work goes on, and when what was held is
// answered there is room again.
func TestBytesInFlight(t *testing.T) {
	h := &holding{came: make(chan struct{}, 100), let: make(chan struct{})}
	addr := serve(t, Config{BytesInFlight: 64 << 10, Services: []string{"sqs", "states", "iam", "s3"}}, h)
	large := `{"QueueUrl":"q","MessageBody":"` + strings.Repeat("x", 58<<10) + `"}`
	first := make(chan reply)
	post := func(target, service, body string) reply {
		return send(t, "POST", addr, "/", body, map[string]string{"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0", "Authorization": signedFor("000000000000", "us-east-1", service)})
	}
	go func() { first <- post("AmazonSQS.SendMessage", "sqs", large) }()
	<-h.came
	if r := post("AmazonSQS.SendMessage", "sqs", large); r.status != 400 || !strings.Contains(r.body, "ThrottlingException") {
		t.Errorf("a second large message: %+v", r)
	}
	if r := post("AWSStepFunctions.SendTaskSuccess", "states", `{"taskToken":"t","output":"`+strings.Repeat("x", 8<<10)+`"}`); r.status != 200 {
		t.Errorf("finishing work: %+v", r)
	}
	form := send(t, "POST", addr, "/", "Action=GetRole&Version=2010-05-08&RoleName="+strings.Repeat("x", 8<<10), map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Authorization": signedFor("000000000000", "us-east-1", "iam")})
	if form.status != 400 || !strings.Contains(form.body, "<Code>ThrottlingException</Code>") {
		t.Errorf("a form: %+v", form)
	}
	close(h.let)
	if r := <-first; r.status != 200 {
		t.Errorf("the first: %+v", r)
	}
	for range 3 {
		if r := post("AmazonSQS.SendMessage", "sqs", large); r.status != 200 {
			t.Errorf("afterwards: %+v", r)
		}
	}
	// A single body may be larger than all that there is room for.
	if r := post("AmazonSQS.SendMessage", "sqs", strings.Replace(large, "x", strings.Repeat("y", 100<<10), 1)); r.status != 200 {
		t.Errorf("a body beyond the bound by itself: %d", r.status)
	}
}

// TestConnections: one too many is told to come again; when another has ended there is a place.
func TestConnections(t *testing.T) {
	addr := serve(t, Config{Connections: 2}, &recorder{output: &aws.Output{}})
	open := func() (net.Conn, int) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = c.Write([]byte("GET /_newel/health HTTP/1.1\r\nHost: localhost\r\n\r\n")) // it may be closed already
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return c, 0 // reset before it could be read
		}
		return c, r.StatusCode
	}
	first, one := open()
	_, two := open()
	if _, three := open(); one != 200 || two != 200 || three != 503 && three != 0 {
		t.Fatalf("answers %d, %d, %d", one, two, three)
	}
	_ = first.Close()
	for {
		if _, status := open(); status == 200 { // as soon as the server has seen the end of the first
			break
		}
	}
}
