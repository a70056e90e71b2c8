package http1

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestHandler: an http.Handler's answer arrives as it was written, in both versions.
func TestHandler(t *testing.T) {
	mux := http.NewServeMux()
	write := func(parts ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, p := range parts {
				_, _ = io.WriteString(w, p)
			}
		}
	}
	large := strings.Repeat("0123456789", 20_000)
	mux.Handle("/short", write("a", "b"))
	mux.Handle("/empty", write())
	mux.Handle("/html", write("<html>"))
	mux.Handle("/long", write("x", large, "y", "z"))
	mux.HandleFunc("/flushed", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "b")
	})
	mux.HandleFunc("/told", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "200000")
		_, _ = io.WriteString(w, large)
	})
	mux.HandleFunc("/none", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("a body of 204: %v", err)
		}
		w.WriteHeader(500)
	})
	_, addr := start(t, Config{Handler: func(x *Exchange) { x.ServeHTTP(mux) }})
	for _, c := range []struct {
		path   string
		status int
		kind   string
		body   string
		length int64 // in HTTP/1.1; -1 for chunks
	}{
		{"/short", 200, "text/plain; charset=utf-8", "ab", 2}, {"/empty", 200, "", "", 0}, {"/html", 200, "text/html; charset=utf-8", "<html>", 6},
		{"/long", 200, "text/plain; charset=utf-8", "x" + large + "yz", -1}, {"/flushed", 201, "", "ab", -1}, {"/told", 200, "text/plain; charset=utf-8", large, 200_000}, {"/none", 204, "", "", 0},
	} {
		for _, version := range []string{"1.1", "1.0"} {
			for _, method := range []string{"GET", "HEAD"} {
				con := dial(t, addr)
				con.send(method + " " + c.path + " HTTP/" + version + "\r\nHost: h\r\n\r\n")
				r, body := con.receive(method)
				if r.StatusCode != c.status || method == "GET" && (body != c.body || version == "1.1" && r.ContentLength != c.length) || r.Header.Get("Content-Type") != c.kind {
					t.Errorf("%s %s %s: %d, length %d, %d bytes, %v", version, method, c.path, r.StatusCode, r.ContentLength, len(body), r.Header)
				}
				if version == "1.1" {
					con.send("GET /short HTTP/1.1\r\nHost: h\r\n\r\n")
					if _, body := con.receive("GET"); body != "ab" {
						t.Errorf("%s %s: then %q", method, c.path, body)
					}
				}
			}
		}
	}
}

// TestShortAnswer: an answer that ends before its length, or by a panic, does not look complete.
func TestShortAnswer(t *testing.T) {
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		x.ServeHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/told" {
				w.Header().Set("Content-Length", "10")
			}
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			if r.URL.Path == "/panic" {
				panic(http.ErrAbortHandler)
			}
		}))
	}})
	for _, path := range []string{"/told", "/panic"} {
		c := dial(t, addr)
		c.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c.Conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("%s: %q came as if it were all", path, body)
		}
	}
}

// TestAfterTheRequest: what a handler has kept of its request is of no use afterwards, and harms no other request.
func TestAfterTheRequest(t *testing.T) {
	var old http.ResponseWriter
	var body io.Reader
	_, addr := start(t, Config{Handler: func(x *Exchange) {
		x.ServeHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if old == nil {
				old, body = w, r.Body
			} else {
				if _, err := io.WriteString(old, "old"); err == nil {
					t.Error("the old answer can be written to")
				}
				old.(http.Flusher).Flush()
				if n, err := body.Read(make([]byte, 10)); n > 0 || err == nil {
					t.Errorf("%d bytes of another body, %v", n, err)
				}
			}
			_, _ = io.Copy(w, r.Body)
		}))
	}})
	c := dial(t, addr)
	for range 2 {
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nnew")
		if _, got := c.receive("POST"); got != "new" {
			t.Errorf("%q", got)
		}
	}
}
