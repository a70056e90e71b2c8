package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3"
	"github.com/newel-run/newel/internal/store"
)

var errPower = errors.New("the power failed")

// failing is a store whose next updates fail, either before or after they are applied.
type failing struct {
	store.Store
	before, after bool
}

func (f *failing) Update(ctx context.Context, p store.Partition, fn func(store.Tx) error) error {
	if f.before {
		return errPower
	}
	err := f.Store.Update(ctx, p, fn)
	if f.after && err == nil {
		return errPower
	}
	return err
}

func (w *world) files(dir string) (n int) {
	w.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// A crash before the commit leaves the old object and no file; one after it leaves the new object; the garbage goes.
func TestCrash(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	disk := &failing{Store: w.store}
	w.env.Store = disk
	restart := func() { w.start(s3.Config{Dir: dir, Wanted: func(_, _, _, _ string) bool { return false }}) }
	restart()
	w.must("CreateBucket", `{"Bucket":"b12"}`, "")
	w.must("PutObject", `{"Bucket":"b12","Key":"k"}`, "old")
	if n := w.files(dir); n != 1 {
		t.Fatalf("%d files for one object", n)
	}
	put := func(body string) {
		t.Helper()
		_, err := w.s.Call(context.Background(), &aws.Request{Service: "s3", Operation: "PutObject", Account: "1", Region: "us-east-1", Input: []byte(`{"Bucket":"b12","Key":"k"}`), Body: []byte(body)})
		if !errors.Is(err, errPower) {
			t.Fatalf("the crash did not happen: %v", err)
		}
	}
	read := func(want string, files int) {
		t.Helper()
		if _, got := w.must("GetObject", `{"Bucket":"b12","Key":"k"}`, ""); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if n := w.files(dir); n != files {
			t.Errorf("%d files, want %d", n, files)
		}
	}

	disk.before = true
	put("lost")
	disk.before = false
	restart()
	read("old", 1)

	disk.after = true
	put("new")
	disk.after = false
	if n := w.files(dir); n != 2 {
		t.Errorf("%d files after the crash: the old one must not go before it is sure that nobody needs it", n)
	}
	restart()
	read("new", 1)

	if err := os.WriteFile(filepath.Join(dir, "new", strings.Repeat("ab", 16)+"-0001"), []byte("half an obj"), 0o600); err != nil {
		t.Fatal(err)
	}
	restart()
	read("new", 1)
}

// Parts that no upload needs any more leave no file, nor does a deleted bucket or object.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.start(s3.Config{Dir: dir, Wanted: func(_, _, _, _ string) bool { return false }})
	w.must("CreateBucket", `{"Bucket":"b12"}`, "")
	out, _ := w.must("CreateMultipartUpload", `{"Bucket":"b12","Key":"k"}`, "")
	id := quote(out["UploadId"].(string))
	for _, body := range []string{"one", "one again"} {
		out, _ = w.must("UploadPart", `{"Bucket":"b12","Key":"k","PartNumber":1,"UploadId":`+id+`}`, body)
	}
	w.must("UploadPart", `{"Bucket":"b12","Key":"k","PartNumber":2,"UploadId":`+id+`}`, "left out")
	w.must("CompleteMultipartUpload", `{"Bucket":"b12","Key":"k","UploadId":`+id+`,"MultipartUpload":{"Parts":[{"PartNumber":1,"ETag":`+quote(out["ETag"].(string))+`}]}}`, "")
	if n := w.files(dir); n != 1 {
		t.Errorf("%d files, want the one of the part that counts", n)
	}
	w.must("CopyObject", `{"Bucket":"b12","Key":"k2","CopySource":"b12/k"}`, "")
	w.must("DeleteObject", `{"Bucket":"b12","Key":"k"}`, "")
	if _, got := w.must("GetObject", `{"Bucket":"b12","Key":"k2"}`, ""); got != "one again" {
		t.Errorf("the copy is %q", got)
	}
	w.must("DeleteObjects", `{"Bucket":"b12","Delete":{"Objects":[{"Key":"k2"}]}}`, "")
	out, _ = w.must("CreateMultipartUpload", `{"Bucket":"b12","Key":"k"}`, "")
	w.must("UploadPart", `{"Bucket":"b12","Key":"k","PartNumber":2,"UploadId":`+quote(out["UploadId"].(string))+`}`, "never completed")
	w.must("DeleteBucket", `{"Bucket":"b12"}`, "")
	if n := w.files(dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// An object that is overwritten while it is read is read to its end.
func TestOverwrittenWhileRead(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.start(s3.Config{Dir: dir, Wanted: func(_, _, _, _ string) bool { return false }})
	w.must("CreateBucket", `{"Bucket":"b12"}`, "")
	w.must("PutObject", `{"Bucket":"b12","Key":"k"}`, "before")
	out, err := w.s.Call(context.Background(), &aws.Request{Operation: "GetObject", Input: []byte(`{"Bucket":"b12","Key":"k"}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.must("PutObject", `{"Bucket":"b12","Key":"k"}`, "after")
	if n := w.files(dir); n != 2 {
		t.Errorf("%d files while somebody reads", n)
	}
	if b, err := io.ReadAll(out.Stream); err != nil || string(b) != "before" {
		t.Errorf("%q, %v", b, err)
	}
	_ = out.Stream.Close()
	if n := w.files(dir); n != 1 {
		t.Errorf("%d files afterwards", n)
	}
}

// A body that breaks off leaves nothing.
func TestBrokenBody(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.start(s3.Config{Dir: dir, Wanted: func(_, _, _, _ string) bool { return false }})
	w.must("CreateBucket", `{"Bucket":"b12"}`, "")
	body := io.MultiReader(bytes.NewReader(make([]byte, 300_000)), broken{})
	_, err := w.s.Call(context.Background(), &aws.Request{Operation: "PutObject", Input: []byte(`{"Bucket":"b12","Key":"k"}`), Stream: body})
	var e *aws.Error
	if !errors.As(err, &e) || e.Code != "IncompleteBody" {
		t.Errorf("%v", err)
	}
	if n := w.files(dir); n != 0 {
		t.Errorf("%d files", n)
	}
	if _, _, code := w.call("GetObject", `{"Bucket":"b12","Key":"k"}`, ""); code != "NoSuchKey" {
		t.Error(code)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, aws.Errorf("IncompleteBody", "The request body terminated unexpectedly")
}

// A delivery that is repeated under its token puts nothing twice.
func TestToken(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.start(s3.Config{Dir: dir, Wanted: func(_, _, _, _ string) bool { return false }})
	w.must("CreateBucket", `{"Bucket":"b12"}`, "")
	r := &aws.Request{Operation: "PutObject", Input: []byte(`{"Bucket":"b12","Key":"k"}`), Body: []byte("x"), Token: aws.Token{Source: "p1", Seq: 7, Low: 7}}
	for range 2 {
		if _, err := w.s.Call(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		w.must("PutObject", `{"Bucket":"b12","Key":"k"}`, "later")
	}
	if _, got := w.must("GetObject", `{"Bucket":"b12","Key":"k"}`, ""); got != "later" {
		t.Errorf("%q", got)
	}
	if n := w.files(dir); n != 1 {
		t.Errorf("%d files", n)
	}
}
