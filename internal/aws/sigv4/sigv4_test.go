package sigv4

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

var testTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// The first case of the test suite that AWS publishes for the algorithm ("get-vanilla").
func TestVanilla(t *testing.T) {
	r, _ := http.NewRequest("GET", "https://example.amazonaws.com/", nil)
	r.Host = "example.amazonaws.com"
	Sign(r, nil, Credentials{AccessKey: "AKIDEXAMPLE", Secret: testSecret}, "service", "us-east-1", testTime)
	want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func signedRequest(t *testing.T, service string) (*http.Request, []byte) {
	t.Helper()
	body := []byte(`{"a":1}`)
	r, err := http.NewRequest("POST", "http://127.0.0.1:4566/a%20b/../c//d?x=1&b=%2F&a", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "127.0.0.1:4566"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amz-Target", "T.Op")
	r.Header.Set("User-Agent", "x")
	Sign(r, body, Credentials{"AKID", testSecret, "token"}, service, "us-east-1", testTime)
	return r, body
}

func TestVerify(t *testing.T) {
	for _, service := range []string{"states", "s3"} {
		r, body := signedRequest(t, service)
		if err := Verify(r, body, testSecret, testTime, time.Minute); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
	for name, spoil := range map[string]func(r *http.Request, body []byte){
		"method":        func(r *http.Request, _ []byte) { r.Method = "PUT" },
		"path":          func(r *http.Request, _ []byte) { r.URL.Path, r.URL.RawPath = "/other", "" },
		"query":         func(r *http.Request, _ []byte) { r.URL.RawQuery += "&c=1" },
		"host":          func(r *http.Request, _ []byte) { r.Host = "other" },
		"header":        func(r *http.Request, _ []byte) { r.Header.Set("X-Amz-Target", "T.Other") },
		"added header":  func(r *http.Request, _ []byte) { r.Header.Set("X-Amz-Acl", "public") },
		"body":          func(_ *http.Request, b []byte) { b[0] = 'x' },
		"date":          func(r *http.Request, _ []byte) { r.Header.Set("X-Amz-Date", "20150830T123601Z") },
		"region":        func(r *http.Request, _ []byte) { replaceAuth(r, "us-east-1", "us-west-2") },
		"no signature":  func(r *http.Request, _ []byte) { replaceAuth(r, "Signature=", "X=") },
		"host unsigned": func(r *http.Request, _ []byte) { replaceAuth(r, ";host;", ";") },
		"algorithm":     func(r *http.Request, _ []byte) { replaceAuth(r, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256") },
		"nothing":       func(r *http.Request, _ []byte) { r.Header.Del("Authorization") },
	} {
		r, body := signedRequest(t, "states")
		spoil(r, body)
		if err := Verify(r, body, testSecret, testTime, time.Minute); err == nil {
			t.Errorf("a request with another %s was taken", name)
		}
	}
	r, body := signedRequest(t, "states")
	if err := Verify(r, body, "other", testTime, time.Minute); err == nil {
		t.Error("another secret was taken")
	}
	for _, at := range []time.Duration{-2 * time.Minute, 2 * time.Minute} {
		if err := Verify(r, body, testSecret, testTime.Add(at), time.Minute); err == nil || !strings.Contains(err.Error(), "Signature") {
			t.Errorf("%s away: %v", at, err)
		}
	}
}

func replaceAuth(r *http.Request, from, to string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
}

func TestPayloadHash(t *testing.T) {
	r, body := signedRequest(t, "s3")
	r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64))
	if err := Verify(r, body, testSecret, testTime, time.Minute); err == nil {
		t.Error("a wrong hash of the body was taken")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_request, SignedHeaders=host, Signature=00", "20150830T123600Z", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=1")
	f.Fuzz(func(t *testing.T, auth, date, query string) {
		r, _ := http.NewRequest("GET", "http://h/", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", auth)
		r.Header.Set("X-Amz-Date", date)
		if err := Verify(r, nil, testSecret, testTime, time.Minute); err == nil {
			t.Error("a forged signature was taken")
		}
	})
}
