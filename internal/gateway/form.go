package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/sigv4"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1"
)

// form is an upload by a browser's form: S3's POST of an object. Its fields stand in for the headers of a PutObject and
// carry the signature, of a policy that says which fields are allowed. The file comes last and streams.
type form struct {
	fields map[string]string // names in lower case
	file   *multipart.Part
	min    int64 // the policy's content-length-range
	max    int64
}

const formFieldBytesMax = 20 << 10

// isUploadForm reports whether a request is S3's POST of an object: to a bucket, in a form with a file.
func isUploadForm(x *http1.Exchange, signed signature) bool {
	if x.Method != http.MethodPost || signed != (signature{}) || x.Header.Get("X-Amz-Target") != "" {
		return false
	}
	kind, _, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
	return err == nil && kind == "multipart/form-data" && formBucket(x.HTTPRequest()) != ""
}

// formBucket is the bucket that a form is sent to, "" if the address is not that of one.
func formBucket(r *http.Request) string {
	path := strings.Trim(r.URL.Path, "/")
	if bucket := virtualBucket(hostname(r.Host), "s3"); bucket != "" && path == "" {
		return bucket
	}
	if strings.Contains(path, "/") {
		return ""
	}
	return path
}

func (g *Gateway) serveForm(x *http1.Exchange, id string) {
	r := x.HTTPRequest()
	s3 := aws.MustModel("s3")
	call := &wire.Call{Protocol: wire.RESTXML, Service: s3, Operation: s3.Operations["PutObject"], RequestID: id}
	req, f, err := g.readForm(r, call)
	if err != nil {
		g.writeError(x, call, err)
		return
	}
	out, err := g.call(x.Context(), req)
	if err != nil {
		g.writeError(x, call, err)
		return
	}
	answer, err := f.answer(r, call, out)
	if err != nil {
		g.writeError(x, call, err)
		return
	}
	write(x, answer)
}

// readForm makes a PutObject of a form.
func (g *Gateway) readForm(r *http.Request, call *wire.Call) (*aws.Request, *form, error) {
	bucket := formBucket(r)
	f, err := parseForm(r)
	if err != nil {
		return nil, nil, err
	}
	who, err := g.auth.identifyForm(f)
	if err != nil {
		return nil, nil, err
	}
	if err := f.checkPolicy(bucket, now()); err != nil {
		return nil, nil, err
	}
	m := &wire.Message{Method: http.MethodPut}
	for name, value := range f.fields {
		switch name {
		case "acl", "tagging":
			m.Header.Set("X-Amz-"+name, value)
		case "x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date", "x-amz-security-token":
		default:
			m.Header.Set(name, value)
		}
	}
	if f.fields["content-type"] == "" && f.file.Header.Get("Content-Type") != "" {
		m.Header.Set("Content-Type", f.file.Header.Get("Content-Type"))
	}
	call.Labels = map[string]string{"Bucket": bucket, "Key": f.fields["key"]}
	req := &aws.Request{Service: "s3", Operation: "PutObject", Account: who.account, Region: who.region, Principal: who.principal, ID: call.RequestID, Host: r.Host}
	if err := wire.DecodeRequest(call, m, req); err != nil {
		return nil, nil, err
	}
	req.Body, req.Stream = nil, &bounded{in: f.file, min: f.min, left: f.max}
	return req, f, nil
}

func parseForm(r *http.Request) (*form, error) {
	in, err := r.MultipartReader()
	if err != nil {
		return nil, malformedPost(err)
	}
	f := &form{fields: map[string]string{}, max: 5 << 30}
	for total := 0; ; {
		part, err := in.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, aws.Errorf("InvalidArgument", "POST requires exactly one file upload per request.")
		}
		if err != nil {
			return nil, malformedPost(err)
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			f.file = part
			break
		}
		value, err := io.ReadAll(io.LimitReader(part, formFieldBytesMax+1))
		if total += len(name) + len(value); err != nil || total > formFieldBytesMax {
			return nil, aws.Errorf("MaxPostPreDataLengthExceeded", "Your POST request fields preceding the upload file were too large.")
		}
		f.fields[name] = string(value)
	}
	if f.fields["key"] == "" {
		return nil, aws.Errorf("InvalidArgument", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.")
	}
	f.fields["key"] = strings.ReplaceAll(f.fields["key"], "${filename}", path.Base(strings.ReplaceAll(f.file.FileName(), `\`, "/")))
	return f, nil
}

func malformedPost(err error) error {
	return aws.Errorf("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data. (%s)", err)
}

// checkPolicy holds the fields against the policy, if there is one.
func (f *form) checkPolicy(bucket string, at time.Time) error {
	if f.fields["policy"] == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(f.fields["policy"])
	var p struct {
		Expiration time.Time
		Conditions []json.RawMessage
	}
	if err != nil || json.Unmarshal(raw, &p) != nil {
		return aws.Errorf("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.")
	}
	if at.After(p.Expiration) {
		return denied("Invalid according to Policy: Policy expired.")
	}
	named := map[string]bool{"x-amz-signature": true, "policy": true, "file": true, "awsaccesskeyid": true, "signature": true, "bucket": true}
	for _, c := range p.Conditions {
		if err := f.condition(c, bucket, named); err != nil {
			return err
		}
	}
	for name := range f.fields {
		if !named[name] && !strings.HasPrefix(name, "x-ignore-") {
			return denied("Invalid according to Policy: Extra input fields: " + name)
		}
	}
	return nil
}

// condition checks one condition: {"field": "value"}, ["eq" or "starts-with", "$field", "value"], or
// ["content-length-range", min, max].
func (f *form) condition(raw json.RawMessage, bucket string, named map[string]bool) error {
	fails := denied(fmt.Sprintf("Invalid according to Policy: Policy Condition failed: %s", raw))
	var exact map[string]string
	if json.Unmarshal(raw, &exact) == nil {
		for name, want := range exact {
			if name = strings.ToLower(name); f.value(name, bucket) != want {
				return fails
			}
			named[name] = true
		}
		return nil
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return aws.Errorf("InvalidPolicyDocument", "Invalid Policy: Invalid 'Condition': %s", raw)
	}
	kind, _ := list[0].(string)
	if strings.EqualFold(kind, "content-length-range") {
		low, ok := list[1].(float64)
		high, ok2 := list[2].(float64)
		if !ok || !ok2 {
			return aws.Errorf("InvalidPolicyDocument", "Invalid Policy: Invalid 'content-length-range'.")
		}
		f.min, f.max = int64(low), min(int64(high), f.max)
		return nil
	}
	field, _ := list[1].(string)
	want, _ := list[2].(string)
	name := strings.ToLower(strings.TrimPrefix(field, "$"))
	named[name] = true
	got := f.value(name, bucket)
	if kind = strings.ToLower(kind); kind == "eq" && got == want || kind == "starts-with" && strings.HasPrefix(got, want) {
		return nil
	}
	return fails
}

func (f *form) value(name, bucket string) string {
	if name == "bucket" {
		return bucket
	}
	return f.fields[name]
}

func denied(message string) *aws.Error {
	return &aws.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: message}
}

// answer is what the form asks for: a redirection, or a status.
func (f *form) answer(r *http.Request, call *wire.Call, out *aws.Output) (*wire.Message, error) {
	m, err := wire.EncodeAnswer(call, out)
	if err != nil {
		return nil, err
	}
	bucket, key := call.Labels["Bucket"], call.Labels["Key"]
	location := "http://" + r.Host + "/" + url.PathEscape(bucket) + "/" + strings.ReplaceAll(url.PathEscape(key), "%2F", "/")
	m.Header.Set("Location", location)
	m.Status = http.StatusNoContent
	if to, err := url.Parse(f.fields["success_action_redirect"]); err == nil && to.IsAbs() {
		q := to.Query()
		q.Set("bucket", bucket)
		q.Set("key", key)
		q.Set("etag", m.Header.Get("ETag"))
		to.RawQuery = q.Encode()
		m.Header.Set("Location", to.String())
		m.Status = http.StatusSeeOther
		return m, nil
	}
	switch n, _ := strconv.Atoi(f.fields["success_action_status"]); n { // anything else counts as none
	case http.StatusOK:
		m.Status = n
	case http.StatusCreated:
		m.Status = n
		m.Header.Set("Content-Type", "application/xml")
		m.Body = wire.PostResponse(location, bucket, key, m.Header.Get("ETag"))
	}
	return m, nil
}

// bounded holds a file to the lengths that the policy allows.
type bounded struct {
	in              io.Reader
	min, left, read int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.left -= int64(n)
	b.read += int64(n)
	switch {
	case b.left < 0:
		return 0, aws.Errorf("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	case errors.Is(err, io.EOF) && b.read < b.min:
		return 0, aws.Errorf("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
	case err != nil && !errors.Is(err, io.EOF):
		err = broken(err)
	}
	return n, err
}

// identifyForm is identify for a form, whose fields carry the signature.
func (a *authenticator) identifyForm(f *form) (identity, error) {
	var s signature
	if p := strings.Split(f.fields["x-amz-credential"], "/"); len(p) == 5 {
		s = signature{p[0], p[2], p[3]}
	} else {
		s.accessKey = f.fields["awsaccesskeyid"]
	}
	id := a.place(s)
	token := f.fields["x-amz-security-token"]
	if a.keys == nil {
		return a.claim(s, token, id), nil
	}
	return id, a.prove(s, token, &id, func(secret string) error {
		_, scope, _ := strings.Cut(f.fields["x-amz-credential"], "/")
		return sigv4.VerifyPolicy(f.fields["policy"], scope, f.fields["x-amz-signature"], secret)
	})
}
