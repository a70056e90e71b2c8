package s3_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/client"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/gateway"
)

// Our own client and the server understand one another, with signatures that are checked.
func TestOwnClient(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(keys, []byte("[test]\naws_access_key_id=123456789012\naws_secret_access_key=secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	c := &client.Client{Endpoint: w.serve(gateway.Config{Credentials: keys}), Credentials: sigv4.Credentials{AccessKey: "123456789012", Secret: "secret"}}
	call := func(operation, input, body string) (*aws.Output, error) {
		return c.Call(context.Background(), &aws.Request{Service: "s3", Operation: operation, Input: []byte(input), Body: []byte(body)})
	}
	for _, x := range []struct{ operation, input, body string }{
		{"CreateBucket", `{"Bucket":"own"}`, ""},
		{"PutBucketTagging", `{"Bucket":"own","Tagging":{"TagSet":[{"Key":"k","Value":"v"}]}}`, ""},
		{"PutObject", `{"Bucket":"own","Key":"dir/a b+ü/","Metadata":{"m":"1"},"ContentType":"text/x"}`, "hello"},
		{"CopyObject", `{"Bucket":"own","Key":"copy","CopySource":"own/dir/a%20b%2B%C3%BC/"}`, ""},
		{"DeleteObjects", `{"Bucket":"own","Delete":{"Objects":[{"Key":"copy"}]}}`, ""},
	} {
		if _, err := call(x.operation, x.input, x.body); err != nil {
			t.Fatalf("%s: %v", x.operation, err)
		}
	}
	out, err := call("GetObject", `{"Bucket":"own","Key":"dir/a b+ü/","Range":"bytes=1-3"}`, "")
	if err != nil || string(out.Body) != "ell" || out.Status != 206 {
		t.Fatalf("%v, %v", out, err)
	}
	if text := fmt.Sprintf("%s", out.Value.(json.RawMessage)); !strings.Contains(text, `"ContentType":"text/x"`) || !strings.Contains(text, `"Metadata":{"m":"1"}`) {
		t.Error(text)
	}
	var e *aws.Error
	if _, err = call("GetObject", `{"Bucket":"own","Key":"no"}`, ""); !errors.As(err, &e) || e.Code != "NoSuchKey" || e.Status != 404 {
		t.Errorf("%v", err)
	}
}
