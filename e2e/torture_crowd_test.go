package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// client is one connection.
type client struct {
	net.Conn
	in *bufio.Reader
}

func (s *server) connect() (*client, error) {
	c, err := net.Dial("tcp", s.listen)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReaderSize(c, 1<<10)}, c.SetDeadline(time.Now().Add(2 * time.Minute))
}

// head is the beginning of a request to Step Functions with a body of so many bytes.
func head(operation string, length int) string {
	return "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions." + operation +
		"\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=00\r\nContent-Length: " + fmt.Sprint(length) + "\r\n\r\n"
}

func (c *client) ask(operation string, in any) error {
	body, err := json.Marshal(in)
	if err == nil {
		_, err = c.Write(append([]byte(head(operation, len(body))), body...))
	}
	return err
}

func (c *client) answer(out any) error {
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = &refused{resp.StatusCode, string(body)}
	}
	if err == nil && out != nil {
		err = json.Unmarshal(body, out)
	}
	return err
}

// TestTortureConnections opens ten thousand connections. Idle, each with a request at once, and each in a long poll they cost a
// bounded memory, another client is answered all the while, and afterwards the server is as before.
func TestTortureConnections(t *testing.T) {
	count := 1000
	if full() {
		count = 10_000
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && uint64(count) > files.Cur-1000 {
		count = int(files.Cur - 1000)
	}
	s := newServer(t)
	s.start()
	var machine struct{ StateMachineArn string }
	var activity struct{ ActivityArn string }
	s.must(s.states("CreateStateMachine", map[string]any{"name": "pass", "roleArn": "arn:aws:iam::000000000000:role/r", "definition": `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`}, &machine))
	s.must(s.states("CreateActivity", map[string]any{"name": "polled"}, &activity))
	before := s.residentMB()
	clients := make([]*client, count)
	all := func(what string, do func(i int, c *client) error) {
		t.Helper()
		var group sync.WaitGroup
		var failed atomic.Int32
		gate := make(chan struct{}, 512) // of the clients' own work; the connections are there at once
		for i := range clients {
			gate <- struct{}{}
			group.Go(func() {
				defer func() { <-gate }()
				if err := do(i, clients[i]); err != nil && failed.Add(1) < 4 {
					t.Errorf("%s, connection %d: %v", what, i, err)
				}
			})
		}
		group.Wait()
		s.mustBeHealthy() // another client
	}
	all("open", func(i int, _ *client) (err error) { clients[i], err = s.connect(); return err })
	if t.Failed() {
		t.FailNow()
	}
	all("first request", func(_ int, c *client) error { return c.ask("ListActivities", map[string]any{}) })
	all("first answer", func(_ int, c *client) error { return c.answer(nil) })
	idle := s.residentMB()
	all("start", func(i int, c *client) error {
		return c.ask("StartExecution", map[string]any{"stateMachineArn": machine.StateMachineArn, "name": fmt.Sprintf("c-%d", i)})
	})
	all("started", func(_ int, c *client) error { return c.answer(nil) })
	all("poll", func(_ int, c *client) error {
		return c.ask("GetActivityTask", map[string]any{"activityArn": activity.ActivityArn})
	})
	polling := s.residentMB()
	waits := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + activity.ActivityArn + `","End":true}}}`
	s.must(s.states("CreateStateMachine", map[string]any{"name": "waits", "roleArn": "arn:aws:iam::000000000000:role/r", "definition": waits}, nil))
	const tasks = 50
	for i := range tasks {
		s.must(s.states("StartExecution", map[string]any{"stateMachineArn": strings.Replace(machine.StateMachineArn, ":pass", ":waits", 1), "input": fmt.Sprint(i)}, nil))
	}
	handed := s.poll(clients, tasks)
	peak := s.peakMB()
	for _, c := range clients {
		c.Close()
	}
	if handed != tasks {
		t.Errorf("%d of %d tasks were handed out to the pollers", handed, tasks)
	}
	if most := before + 100 + count*64/1024; peak > most {
		t.Errorf("%d connections: %d MB before, %d MB at most, which is more than %d", count, before, peak, most)
	}
	s.eventually("the memory returns", func() bool { return s.residentMB() < before+150 })
	s.mustBeHealthy()
	report(t, "connections at a time", "%d (the limit of open files is %d): %d MB resident before, %d idle, %d in long polls, %d at most, %d after", count, files.Cur, before, idle, polling, peak, s.residentMB())
}

// poll waits until so many of the clients have an answer.
func (s *server) poll(clients []*client, tasks int) int {
	got := make(chan bool, len(clients))
	for _, c := range clients {
		go func() {
			var task struct{ TaskToken string }
			if c.answer(&task) == nil {
				got <- task.TaskToken != ""
			}
		}()
	}
	handed := 0
	for limit := time.After(30 * time.Second); handed < tasks; {
		select {
		case task := <-got:
			if task {
				handed++
			}
		case <-limit:
			return handed
		}
	}
	return handed
}

// TestTortureTooManyConnections has more clients than the server is to have: they are told to come again, and can when
// others have gone.
func TestTortureTooManyConnections(t *testing.T) {
	const most = 50
	s := newServer(t, "--limit", fmt.Sprintf("connections=%d", most))
	s.start()
	http.DefaultClient.CloseIdleConnections()
	var clients []*client
	accepted, turnedAway := 0, 0
	for range 2 * most {
		c, err := s.connect()
		s.must(err)
		clients = append(clients, c)
		_ = c.ask("ListActivities", map[string]any{}) // it may be closed already
		resp, err := http.ReadResponse(c.in, nil)
		switch {
		case err == nil && resp.StatusCode == http.StatusOK:
			accepted++
		case err == nil && resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "", err != nil:
			turnedAway++ // or reset before the answer was read
		default:
			t.Errorf("%v", resp)
		}
	}
	for _, c := range clients {
		c.Close()
	}
	if accepted < most-2 || accepted > most {
		t.Errorf("%d connections were accepted, %d turned away", accepted, turnedAway)
	}
	s.eventually("new clients are let in", s.healthy)
}
