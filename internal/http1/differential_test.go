package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tape is a connection whose client has sent everything and then closed its side. What is written to it is kept.
type tape struct {
	in   io.Reader
	mu   sync.Mutex
	out  bytes.Buffer
	once sync.Once
	done chan struct{}
}

func newTape(in io.Reader) *tape { return &tape{in: in, done: make(chan struct{})} }

func (t *tape) Read(p []byte) (int, error) { return t.in.Read(p) }

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(p)
}

func (t *tape) Close() error                     { t.once.Do(func() { close(t.done) }); return nil }
func (t *tape) CloseWrite() error                { return t.Close() }
func (t *tape) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (t *tape) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// tapes is a listener that they are given to.
type tapes chan net.Conn

func (l tapes) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l tapes) Close() error   { return nil }
func (l tapes) Addr() net.Addr { return &net.TCPAddr{} }

// echo answers what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q %s %s path %q escaped %q query %q host %q close %v length %d encoding %v\n", r.Method, r.RequestURI, r.Proto, r.URL, r.URL.Path, r.URL.EscapedPath(), r.URL.RawQuery, r.Host, r.Close, r.ContentLength, r.TransferEncoding)
	pragma := r.Header["Pragma"] != nil
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !pragma || name != "Cache-Control" { // net/http makes one of a Pragma
			fmt.Fprintf(&b, "%s: %q\n", name, r.Header[name])
		}
	}
	fmt.Fprintf(&b, "body %q, failed %v\n", body, err != nil)
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, b.String())
}

// pair is both servers.
type pair struct{ ours, theirs tapes }

func newPair(t testing.TB) pair {
	p := pair{make(tapes), make(tapes)}
	own := New(Config{Handler: func(x *Exchange) { x.ServeHTTP(http.HandlerFunc(echo)) }})
	std := &http.Server{Handler: http.HandlerFunc(echo), MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = own.Serve(p.ours) }()
	go func() { _ = std.Serve(p.theirs) }()
	t.Cleanup(func() {
		close(p.ours)
		close(p.theirs)
		own.Close()
		_ = std.Close()
	})
	return p
}

type answer struct {
	status int
	body   string
}

// ask sends bytes to a server and returns its answers; interim ones are left out.
func ask(t testing.TB, l tapes, in io.Reader, methods []string) (answers []answer) {
	t.Helper()
	c := newTape(in)
	l <- c
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	out := bufio.NewReader(bytes.NewReader(c.out.Bytes()))
	for i := 0; ; {
		method := http.MethodGet
		if i < len(methods) {
			method = methods[i]
		}
		if _, err := out.Peek(1); err != nil {
			return answers
		}
		r, err := http.ReadResponse(out, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("an answer cannot be read: %v\n%q", err, c.out.String())
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("a body cannot be read: %v\n%q", err, c.out.String())
		}
		if r.StatusCode >= 200 {
			answers = append(answers, answer{r.StatusCode, string(body)})
			i++
		}
	}
}

// compare holds our server to net/http's: what we accept it accepts, and reads it as we do. Whoever refuses a request
// reads nothing behind it.
func (p pair) compare(t testing.TB, raw []byte, methods []string) (ours, theirs []answer) {
	t.Helper()
	ours = ask(t, p.ours, bytes.NewReader(raw), methods)
	theirs = ask(t, p.theirs, bytes.NewReader(raw), methods)
	for i, own := range ours {
		if own.status != http.StatusOK {
			if i != len(ours)-1 {
				t.Errorf("%q: answered on after a refusal: %v", raw, ours)
			}
			return ours, theirs
		}
		if strings.Contains(own.body, "failed true") {
			return ours, theirs // a body that we do not take
		}
		if i >= len(theirs) || theirs[i] != own {
			t.Errorf("%q: answer %d\nours   %+v\ntheirs %+v", raw, i, own, theirs[min(i, len(theirs)):])
			return ours, theirs
		}
	}
	return ours, theirs
}

// feature is a part of a request that the generator may put in.
type feature struct {
	line   string // of the header; or
	target string // in place of the target
	verb   string // in place of the method
	how    verdict
	why    string // for stricter
}

type verdict int

const (
	taken    verdict = iota // by both
	stricter                // net/http takes it, we do not
	refused                 // by both
)

var features = []feature{
	{line: "X-A: b"}, {line: "x-a:b"}, {line: "X-A:  \tb \t"}, {line: "X-Empty:"}, {line: "X-A: b: c"}, {line: "X-High: \xc3\xa9\xff"}, {line: "X-Tab: a\tb"},
	{line: "Accept: a,b;q=\"x\""}, {line: "!#$%&'*+-.^_`|~09az: token"}, {line: "Connection: keep-alive"}, {line: "Connection: x, keep-alive"}, {line: "Upgrade: websocket"},
	{line: "Upgrade: h2c"}, {line: "Pragma: no-cache"}, {line: "Cookie: a=b; c=d"}, {line: "Trailer: X-T"}, {line: "X-Long: " + strings.Repeat("v", 5000)},
	{line: "TE: trailers"}, {line: "Keep-Alive: 300"}, {line: "X-Amz-Target: AWSStepFunctions.StartExecution"},
	{target: "/"}, {target: "/a/b?c=d&e"}, {target: "/a%2Fb%20c"}, {target: "//a/b"}, {target: "/a//b/../c"}, {target: "/?"}, {target: "/a?b?c#d"}, {target: "/é"}, {target: "/a\"<>b"},
	{target: "/[x]!$&'()*+,;=:@"}, {target: "http://other.example:80/a?b"}, {target: "http://other.example"}, {target: "https://h/"}, {target: "/a?%zz"}, {target: "/a#b"}, {target: "/a%00b"},
	{verb: "DELETE"}, {verb: "OPTIONS"}, {verb: "X!#"}, {verb: "get"},
	{line: " X-Folded: a", how: stricter, why: "a line that begins with a space continues the one before: obs-fold (RFC 9112 5.2)"},
	{line: "X-A : b", how: refused}, {line: "X-A", how: refused}, {line: ": b", how: refused}, {line: "X A: b", how: refused}, {line: "X-\xc3: b", how: refused}, {line: "X-A: a\x01b", how: refused},
	{line: "X-A: a\x00b", how: refused}, {line: "X-A: a\x7fb", how: refused}, {line: "X(A): b", how: refused}, {line: "Host: again", how: refused},
	{line: "Content-Length: -1", how: refused}, {line: "Content-Length: +5", how: refused}, {line: "Content-Length: 0x5", how: refused}, {line: "Content-Length: 99999999999999999999", how: refused},
	{line: "Content-Length: 1, 1", how: refused}, {line: "Content-Length: 1 1", how: refused}, {line: "Transfer-Encoding: gzip, chunked", how: refused}, {line: "Transfer-Encoding: identity", how: refused}, {line: "Transfer-Encoding: xchunked", how: refused},
	{line: "Expect: something", how: refused},
	{target: "/%zz", how: refused}, {target: "/a b", how: refused}, {target: "a", how: refused}, {target: "http://[::1/", how: refused}, {target: "/\x7f", how: refused}, {target: "/\x01", how: refused},
	{target: "*", how: stricter, why: "the asterisk is for OPTIONS (RFC 9112 3.2.4)"},
	{target: "ftp://h/a", how: stricter, why: "no proxy for other schemes"},
	{target: "http://user@h/a", how: stricter, why: "user information in a target is forbidden (RFC 9110 4.2.4)"},
	{verb: "", how: taken}, {verb: "GE(T", how: refused}, {verb: "G\xc3", how: refused},
	{verb: "CONNECT", how: stricter, why: "no proxy"},
}

// generate makes the bytes of one request out of features, and says what is to be expected of it.
func generate(r *rand.Rand) (raw, method string, how verdict) {
	method, target, version := "POST", "/x", "HTTP/1.1"
	lines := []string{"Host: localhost:4566"}
	for range r.IntN(4) {
		f := features[r.IntN(len(features))]
		if f.how != taken && r.IntN(3) > 0 {
			continue
		}
		switch {
		case f.line != "":
			lines = append(lines, f.line)
		case f.target != "":
			if target != "/x" {
				continue
			}
			target = f.target
		case f.verb != "":
			if method != "POST" {
				continue
			}
			method = f.verb
		}
		how = max(how, f.how)
	}
	if strings.HasPrefix(lines[len(lines)-1], " ") && len(lines) == 2 { // nothing but Host to fold into
		how = max(how, stricter)
	}
	if target == "*" && method == "OPTIONS" || method == "CONNECT" || strings.Contains(strings.Join(lines, "\n"), "\n ") {
		how = -1 // what several of them make together is not foreseen
	}
	body := strings.Repeat("b", r.IntN(3)*r.IntN(3000))
	framing, wire := bodyOf(r, body)
	lines = append(lines, framing...)
	if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Content-Length: ") }) && len(framing) > 0 && how == refused {
		how = -1
	}
	if r.IntN(8) == 0 {
		lines = append(lines, "Connection: close")
	}
	r.Shuffle(len(lines), func(i, j int) {
		if how >= 0 {
			lines[i], lines[j] = lines[j], lines[i]
		}
	})
	return method + " " + target + " " + version + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + wire, method, how
}

// bodyOf frames a body by its length or in chunks.
func bodyOf(r *rand.Rand, body string) (lines []string, wire string) {
	switch r.IntN(3) {
	case 0:
		return []string{fmt.Sprintf("content-length: %d", len(body))}, body
	case 1:
		var b strings.Builder
		for rest := body; rest != ""; {
			n := 1 + r.IntN(len(rest))
			extension := []string{"", ";a=b", ";"}[r.IntN(3)]
			fmt.Fprintf(&b, []string{"%x%s\r\n", "%X%s\r\n", "0%x%s\r\n"}[r.IntN(3)], n, extension)
			b.WriteString(rest[:n] + "\r\n")
			rest = rest[n:]
		}
		b.WriteString([]string{"0\r\n\r\n", "000;x\r\n\r\n", "0\r\nX-T: v\r\n\r\n"}[r.IntN(3)])
		return []string{[]string{"Transfer-Encoding: chunked", "transfer-encoding: Chunked"}[r.IntN(2)]}, b.String()
	}
	return nil, ""
}

// TestLikeNetHTTP feeds generated requests to both servers.
func TestLikeNetHTTP(t *testing.T) {
	p := newPair(t)
	var counts [3]int
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 1))
		raw, method, how := generate(r)
		ours, theirs := p.compare(t, []byte(raw), []string{method})
		if how < 0 {
			continue
		}
		counts[how]++
		ok := func(a []answer) bool {
			return len(a) > 0 && a[0].status == http.StatusOK && !strings.Contains(a[0].body, "failed true")
		}
		if ok(ours) != (how == taken) || ok(theirs) != (how != refused) {
			t.Errorf("seed %d, %q, expected %v\nours   %+v\ntheirs %+v", seed, raw, how, ours, theirs)
		}
		if t.Failed() {
			return
		}
	}
	if slices.Min(counts[:]) < 30 {
		t.Errorf("of each outcome: %v", counts)
	}
}

// TestPipelinedLikeNetHTTP: several requests one behind the other, cut anywhere, one of them damaged now and then.
func TestPipelinedLikeNetHTTP(t *testing.T) {
	p := newPair(t)
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 2))
		var raw []byte
		var methods []string
		for range 1 + r.IntN(4) {
			one, method, _ := generate(r)
			raw, methods = append(raw, one...), append(methods, method)
		}
		if r.IntN(2) == 0 {
			damage(r, raw)
		}
		ours, _ := p.compare(t, raw, methods)
		cut := ask(t, p.ours, &pieces{raw, r}, methods)
		if fmt.Sprint(cut) != fmt.Sprint(ours) {
			t.Errorf("seed %d, %q: in pieces %+v, at once %+v", seed, raw, cut, ours)
		}
		if t.Failed() {
			return
		}
	}
}

// damage changes a byte.
func damage(r *rand.Rand, raw []byte) {
	bytes := "\r\n \t:0aZ\x00\xff,;"
	raw[r.IntN(len(raw))] = bytes[r.IntN(len(bytes))]
}

// pieces reads a few bytes at a time.
type pieces struct {
	left []byte
	r    *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[:1+p.r.IntN(min(len(p.left), 1+p.r.IntN(700)))])
	p.left = p.left[n:]
	return n, nil
}

func FuzzLikeNetHTTP(f *testing.F) {
	for seed := range uint64(60) {
		raw, _, _ := generate(rand.New(rand.NewPCG(seed, 3)))
		f.Add([]byte(raw))
	}
	for _, feature := range features {
		f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n" + feature.line + "\r\n\r\n"))
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.Contains(raw, []byte("HEAD")) { // which answers have bodies is not told here
			return
		}
		p.compare(t, raw, nil)
	})
}
