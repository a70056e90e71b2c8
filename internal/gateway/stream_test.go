package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
)

// A body that was signed by its hash and is another one does not get through, nor does one whose pieces are not signed.
func TestStreamIsChecked(t *testing.T) {
	var got []byte
	addr := serve(t, Config{Credentials: credentialsFile(t, "[test]\naws_access_key_id=123456789012\naws_secret_access_key=secret\n")},
		aws.CallerFunc(func(_ context.Context, r *aws.Request) (out *aws.Output, err error) {
			got, err = io.ReadAll(r.Stream)
			return &aws.Output{}, err
		}))
	put := func(signed, sent string, header map[string]string) reply {
		t.Helper()
		req, err := http.NewRequest("PUT", "http://"+addr+"/bucket/key", strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		sigv4.Sign(req, []byte(signed), sigv4.Credentials{AccessKey: "123456789012", Secret: "secret"}, "s3", "us-east-1", time.Now())
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // it was only read
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply{res.StatusCode, res.Header, string(body)}
	}
	if r := put("hello", "hello", nil); r.status != 200 || string(got) != "hello" {
		t.Errorf("%d %s, %q", r.status, r.body, got)
	}
	if r := put("hello", "jello", nil); r.status != 400 || !strings.Contains(r.body, "<Code>XAmzContentSHA256Mismatch</Code>") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// An answer that breaks off does not look complete.
func TestStreamedAnswers(t *testing.T) {
	whole := strings.Repeat("x", 3<<20)
	streams := make(chan io.Reader, 1)
	addr := serve(t, Config{}, aws.CallerFunc(func(context.Context, *aws.Request) (*aws.Output, error) {
		return &aws.Output{Value: map[string]any{"ContentLength": len(whole), "ETag": `"e"`}, Stream: io.NopCloser(<-streams)}, nil
	}))
	get := func(method string) (*http.Response, []byte, error) {
		req, err := http.NewRequest(method, "http://"+addr+"/bucket/key", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", signedFor("AKID", "us-east-1", "s3"))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // it was only read
		body, err := io.ReadAll(res.Body)
		return res, body, err
	}
	streams <- strings.NewReader(whole)
	if res, body, err := get("GET"); err != nil || string(body) != whole || res.Header.Get("ETag") != `"e"` {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	streams <- io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), failing{})
	if _, body, err := get("GET"); err == nil {
		t.Errorf("%d bytes came as if they were all", len(body))
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }
