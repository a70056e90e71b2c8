package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary is its own worker: started with NEWEL_TEST_WORKER it speaks the Runtime API and does what payloads say.
func TestMain(m *testing.M) {
	if mode := os.Getenv("NEWEL_TEST_WORKER"); mode != "" {
		work(mode)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// order is the payload of a test invocation.
type order struct {
	Meet string // address to connect to; the work goes on when a byte comes back
	Then string // "", "exit", "error", "large"
}

func work(mode string) {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"
	post := func(path, kind string, body []byte) {
		req, _ := http.NewRequest("POST", api+path, bytes.NewReader(body))
		if kind != "" {
			req.Header.Set("Lambda-Runtime-Function-Error-Type", kind)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			os.Exit(9)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if address, ok := strings.CutPrefix(mode, "server "); ok {
		NewPool(Options{}).Invoke(context.Background(), spec("f", "on"), invocation(order{Meet: address}))
		return
	}
	switch mode {
	case "bad init":
		post("init/error", "Own.InitError", []byte(`{"errorType":"Own.InitError","errorMessage":"bad"}`))
		os.Exit(1)
	case "exit":
		os.Exit(7)
	case "hang":
		select {}
	}
	for {
		resp, err := http.Get(api + "invocation/next")
		if err != nil {
			return
		}
		var o order
		json.NewDecoder(resp.Body).Decode(&o)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		id := resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		if o.Meet != "" {
			meet(o.Meet)
		}
		fmt.Println("answering", id)
		switch o.Then {
		case "exit":
			os.Exit(5)
		case "error":
			post("invocation/"+id+"/error", "Own.Error", nil)
		case "large":
			post("invocation/"+id+"/response", "", make([]byte, maxResponse+1))
		default:
			post("invocation/"+id+"/response", "", fmt.Appendf(nil, "%d", os.Getpid()))
		}
	}
}

func meet(address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		os.Exit(8)
	}
	conn.Read(make([]byte, 1))
	conn.Close()
}

// gate is where workers wait until the test lets them go on.
type gate struct {
	ln net.Listener
	t  *testing.T
}

func newGate(t *testing.T) *gate {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &gate{ln, t}
}

// arrival waits for the next worker; closing the connection lets it go on.
func (g *gate) arrival() net.Conn {
	g.t.Helper()
	conn, err := g.ln.Accept()
	if err != nil {
		g.t.Fatal(err)
	}
	return conn
}

func (g *gate) order(then string) order { return order{g.ln.Addr().String(), then} }

func newPool(t *testing.T, o Options) *Pool {
	p := NewPool(o)
	t.Cleanup(p.Close)
	return p
}

func spec(function, mode string) *Spec {
	return &Spec{Key: function + "@1", Function: function, Name: function, Version: "$LATEST", Timeout: time.Minute, MemoryMB: 128,
		Prepare: func(context.Context) (*Command, error) {
			return &Command{Path: os.Args[0], Env: []string{"NEWEL_TEST_WORKER=" + mode}}, nil
		}}
}

var ids struct {
	sync.Mutex
	n int
}

func invocation(o order) Invocation {
	ids.Lock()
	defer ids.Unlock()
	ids.n++
	b, _ := json.Marshal(o)
	return Invocation{RequestID: fmt.Sprintf("r-%d", ids.n), Payload: b, Tail: true}
}

type got struct {
	*Result
	err error
}

func begin(p *Pool, s *Spec, o order) chan got {
	out := make(chan got, 1)
	go func() {
		r, err := p.Invoke(context.Background(), s, invocation(o))
		out <- got{r, err}
	}()
	return out
}

func run(t *testing.T, p *Pool, s *Spec, o order) *Result {
	t.Helper()
	g := <-begin(p, s, o)
	if g.err != nil {
		t.Fatal(g.err)
	}
	return g.Result
}

func TestWarmWorkerIsReused(t *testing.T) {
	p := newPool(t, Options{})
	s := spec("f", "on")
	a := run(t, p, s, order{})
	b := run(t, p, s, order{})
	if string(a.Payload) != string(b.Payload) || a.FunctionError != "" {
		t.Fatalf("%s %s", a.Payload, b.Payload)
	}
	if !strings.Contains(string(a.Tail), "Init Duration") || strings.Contains(string(b.Tail), "Init Duration") {
		t.Fatal("only the first invocation reports the init")
	}
}

func TestFunctionErrorAndLargeResponse(t *testing.T) {
	p := newPool(t, Options{})
	s := spec("f", "on")
	if r := run(t, p, s, order{Then: "error"}); string(r.Payload) != `{"errorType":"Own.Error","errorMessage":""}` || r.FunctionError != "Unhandled" {
		t.Fatalf("%s", r.Payload)
	}
	if r := run(t, p, s, order{Then: "large"}); !strings.Contains(string(r.Payload), "Function.ResponseSizeTooLarge") {
		t.Fatalf("%s", r.Payload)
	}
	if r := run(t, p, s, order{}); r.FunctionError != "" {
		t.Fatalf("the worker should have gone on: %s", r.Payload)
	}
}

func TestInitFailures(t *testing.T) {
	p := newPool(t, Options{})
	if r := run(t, p, spec("a", "bad init"), order{}); string(r.Payload) != `{"errorType":"Own.InitError","errorMessage":"bad"}` {
		t.Fatalf("%s", r.Payload)
	}
	if r := run(t, p, spec("b", "exit"), order{}); !strings.Contains(string(r.Payload), "Runtime exited with error: exit status 7") {
		t.Fatalf("%s", r.Payload)
	}
	broken := spec("c", "on")
	cause := errors.New("cannot prepare")
	broken.Prepare = func(context.Context) (*Command, error) { return nil, cause }
	if g := <-begin(p, broken, order{}); !errors.Is(g.err, cause) {
		t.Fatal(g.err)
	}
	missing := spec("d", "on")
	missing.Prepare = func(context.Context) (*Command, error) { return &Command{Path: "/no/such/program"}, nil }
	if r := run(t, p, missing, order{}); !strings.Contains(string(r.Payload), "Runtime.InvalidEntrypoint") {
		t.Fatalf("%s", r.Payload)
	}
}

func TestInitTimeout(t *testing.T) {
	p := newPool(t, Options{InitLimit: 1})
	s := spec("f", "hang")
	s.Timeout = 1
	if r := run(t, p, s, order{}); !strings.Contains(string(r.Payload), "Sandbox.Timedout") {
		t.Fatalf("%s", r.Payload)
	}
}

// TestQueueIsBounded: an invocation more than may wait is refused at once; those in line go on.
func TestQueueIsBounded(t *testing.T) {
	p := newPool(t, Options{MaxWorkers: 1, MaxWaiting: 2})
	queued := make(chan struct{}, 10)
	p.queued = func() { queued <- struct{}{} }
	g := newGate(t)
	s := spec("f", "on")
	first := begin(p, s, g.order(""))
	at := g.arrival()
	<-queued
	second, third := begin(p, s, g.order("")), begin(p, s, g.order(""))
	<-queued
	<-queued
	if _, err := p.Invoke(t.Context(), spec("g", "on"), Invocation{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a third in line: %v", err)
	}
	at.Close()
	<-first
	g.arrival().Close()
	g.arrival().Close()
	<-second
	<-third
	if s := p.Stats(); s.Waiting != 0 || s.Took.Count != 3 || s.Colds != 1 {
		t.Errorf("%+v", s)
	}
}

func TestCapQueuesInOrder(t *testing.T) {
	p := newPool(t, Options{MaxWorkers: 1})
	queued := make(chan struct{}, 10)
	p.queued = func() { queued <- struct{}{} }
	g := newGate(t)
	s := spec("f", "on")
	first := begin(p, s, g.order(""))
	at := g.arrival()
	<-queued
	other := begin(p, spec("g", "on"), g.order(""))
	<-queued // the cap allows no second worker
	third := begin(p, s, g.order(""))
	<-queued
	if workers := p.Stats().Workers; workers != 1 {
		t.Fatal(workers)
	}
	at.Close()
	a := <-first
	g.arrival().Close() // g's worker takes the only place: it has waited longer than f's third
	select {
	case <-third:
		t.Fatal("f overtook g")
	case <-other:
	}
	g.arrival().Close()
	if c := <-third; string(c.Payload) == string(a.Payload) {
		t.Fatal("f's worker should have made room for g's")
	}
}

func TestCrashHarmsNothingElse(t *testing.T) {
	p := newPool(t, Options{MaxWorkers: 2})
	g := newGate(t)
	s := spec("f", "on")
	a, b := begin(p, s, g.order("")), begin(p, s, g.order("exit"))
	x, y := g.arrival(), g.arrival()
	x.Close()
	y.Close()
	ra, rb := <-a, <-b
	if ra.FunctionError != "" || !strings.Contains(string(rb.Payload), `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r-`) ||
		!strings.HasSuffix(string(rb.Payload), `Error: Runtime exited with error: exit status 5"}`) {
		t.Fatalf("%s\n%s", ra.Payload, rb.Payload)
	}
	if !strings.Contains(string(rb.Tail), "answering r-") || !strings.Contains(string(rb.Tail), "Runtime.ExitError\nEND") {
		t.Fatalf("%s", rb.Tail)
	}
}

func TestCallerThatLeaves(t *testing.T) {
	p := newPool(t, Options{MaxWorkers: 1})
	g := newGate(t)
	s := spec("f", "on")
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan error, 1)
	go func() {
		_, err := p.Invoke(ctx, s, invocation(g.order("")))
		out <- err
	}()
	at := g.arrival()
	cancel()
	if err := <-out; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	at.Close() // the function runs on to its end, and its worker serves the next one
	if r := run(t, p, s, order{}); r.FunctionError != "" {
		t.Fatalf("%s", r.Payload)
	}
}

func TestDefaultCap(t *testing.T) {
	for _, c := range [][3]int{{2, 8192, 8}, {64, 16384, 81}, {2, 0, 8}, {1, 256, 2}} {
		if got := defaultWorkers(c[0], c[1]); got != c[2] {
			t.Errorf("%d cores, %d MB: got %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestRetire(t *testing.T) {
	p := newPool(t, Options{})
	g := newGate(t)
	s := spec("f", "on")
	busy := begin(p, s, g.order(""))
	at := g.arrival()
	p.Retire("f")
	at.Close()
	a := <-busy
	if a.err != nil || a.FunctionError != "" {
		t.Fatal("the invocation at hand should have ended well")
	}
	if b := run(t, p, s, order{}); string(b.Payload) == string(a.Payload) {
		t.Fatal("the worker should have been retired")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	p := NewPool(Options{MaxWorkers: 1})
	g := newGate(t)
	s := spec("f", "on")
	running := begin(p, s, g.order(""))
	at := g.arrival()
	p.Close()
	if r := <-running; !errors.Is(r.err, ErrClosed) {
		t.Fatal(r.err)
	}
	if _, err := at.Read(make([]byte, 1)); err == nil {
		t.Fatal("the worker should be gone")
	}
	at.Close()
	if _, err := p.Invoke(context.Background(), s, invocation(order{})); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// Linux only: elsewhere it is the shims that watch the control pipe.
func TestWorkersDieWithTheServer(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("SKIPPED: needs Linux's parent-death signal")
	}
	g := newGate(t)
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "NEWEL_TEST_WORKER=server "+g.ln.Addr().String())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	at := g.arrival()
	defer at.Close()
	server.Process.Kill()
	server.Wait()
	if _, err := at.Read(make([]byte, 1)); err == nil {
		t.Fatal("the worker should be gone")
	}
}

func TestManyInvocationsOnFewWorkers(t *testing.T) {
	p := newPool(t, Options{MaxWorkers: 2})
	specs := []*Spec{spec("a", "on"), spec("b", "on"), spec("c", "on")}
	var wg sync.WaitGroup
	for i := range 90 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, err := p.Invoke(context.Background(), specs[i%3], invocation(order{}))
			if err != nil || r.FunctionError != "" {
				t.Error(err, r)
			}
		}()
	}
	wg.Wait()
	if s := p.Stats(); s.Workers > 2 || s.Waiting != 0 {
		t.Fatalf("%+v", s)
	}
}
