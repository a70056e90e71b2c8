package httpcall

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl/value"
)

func parsed(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestForm has the examples of the Developer Guide, percent-encoded, and nested values.
func TestForm(t *testing.T) {
	for _, c := range []struct{ format, body, want string }{
		{"", `{"array":["a","b"]}`, "array%5B0%5D=a&array%5B1%5D=b"},
		{"INDICES", `{"array":["a","b"]}`, "array%5B0%5D=a&array%5B1%5D=b"},
		{"REPEAT", `{"array":["a","b"]}`, "array=a&array=b"},
		{"COMMAS", `{"array":["a","b"],"x":1}`, "array=a%2Cb&x=1"},
		{"BRACKETS", `{"array":["a","b"]}`, "array%5B%5D=a&array%5B%5D=b"},
		{"", `{"a":{"b":{"c":"d e"}},"n":1.50,"t":true,"z":null,"e":"ä&="}`, "a%5Bb%5D%5Bc%5D=d%20e&n=1.50&t=true&z=&e=%C3%A4%26%3D"},
		{"REPEAT", `{"a":[{"b":1},{"b":2}]}`, "a%5Bb%5D=1&a%5Bb%5D=2"},
	} {
		call := Call{Endpoint: "https://h", Form: true, ArrayFormat: c.format, Body: parsed(t, c.body)}
		r, err := call.Build(Additions{})
		if err != nil || r.Body != c.want {
			t.Errorf("%s %s: %v, %v; want %s", c.format, c.body, r, err, c.want)
		}
	}
}

// TestMerge is the Developer Guide's example: the connection wins.
func TestMerge(t *testing.T) {
	call := Call{Endpoint: "https://example.com/path?own=1", Method: "POST", Headers: []Pair{{"Request-Id", "r"}, {"header-param", "task"}}, Query: []Pair{{"QueryParam", "task"}, {"q", "a b"}},
		Body: parsed(t, `{"Job":"Engineer","BodyParam":"task"}`), Fixed: []Pair{{"User-Agent", "ua"}}}
	add := Additions{[]Pair{{"ApiKey", "k"}, {"Header-Param", "connection"}}, []Pair{{"QueryParam", "connection"}}, []Pair{{"BodyParam", "connection"}}}
	r, err := call.Build(add)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(r.Headers), "[{Request-Id r} {ApiKey k} {Header-Param connection} {User-Agent ua}]"; got != want {
		t.Errorf("headers %s, want %s", got, want)
	}
	if want := "https://example.com/path?own=1&q=a%20b&QueryParam=connection"; r.URL != want {
		t.Errorf("URL %s, want %s", r.URL, want)
	}
	if want := `{"Job":"Engineer","BodyParam":"connection"}`; r.Body != want {
		t.Errorf("body %s, want %s", r.Body, want)
	}
	call.Body = "text"
	if _, err := call.Build(add); !errors.Is(err, ErrMerge) {
		t.Errorf("a text was merged: %v", err)
	}
	if r, err := call.Build(Additions{}); err != nil || r.Body != "text" {
		t.Errorf("a text was sent as %v, %v", r, err)
	}
	call.Body = nil
	if r, err := call.Build(add); err != nil || r.Body != `{"BodyParam":"connection"}` {
		t.Errorf("no body became %v, %v", r, err)
	}
	for _, endpoint := range []string{"ftp://h", "example.com", "https://", "://"} {
		if _, err := (&Call{Endpoint: endpoint}).Build(Additions{}); err == nil {
			t.Errorf("%s is taken for an endpoint", endpoint)
		}
	}
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestTimeout: a request may take sixty seconds, and its error does not show the URL.
func TestTimeout(t *testing.T) {
	own := client
	client = &http.Client{Transport: hanging{}}
	defer func() { client = own }()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		_, err := Send(t.Context(), &Request{Method: "GET", URL: "https://h/?key=secret"})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute || strings.Contains(err.Error(), "secret") {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}
