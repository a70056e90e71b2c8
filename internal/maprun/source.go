package maprun

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// items reads the items of a source, one after another. The text of an item is compact JSON.
type items interface {
	next() ([]byte, error) // io.EOF after the last
	Close() error
}

// count finds out how many items there are, and pins the version of the source that the run is about.
func (d *driver) count(ctx context.Context) error {
	p := &d.progress
	if p.Counted {
		return nil
	}
	r := d.Spec.Reader
	if r != nil && r.MaxItems < 0 {
		return failed(errReader, "field MaxItems must be positive")
	}
	var err error
	if r != nil && r.Action == "listObjectsV2" {
		p.Items, p.Source.Pages, err = d.list(ctx)
	} else {
		p.Items, err = d.countItems(ctx)
	}
	if err != nil {
		return err
	}
	p.Counted = true
	if d.Spec.Batch == nil {
		p.Children = p.Items
	}
	return d.commit(ctx, nil)
}

func (d *driver) countItems(ctx context.Context) (int64, error) {
	source, err := d.open(ctx)
	if err != nil {
		return 0, err
	}
	defer source.Close()
	for n := int64(0); ; n++ {
		if n&0xffff == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		switch _, err := source.next(); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return 0, err
		}
	}
}

// open opens the source, at its pinned version if there is one, else pins the one that is found.
func (d *driver) open(ctx context.Context) (items, error) {
	r := d.Spec.Reader
	if r == nil {
		if d.record.Items != "" {
			docs, _ := value.Elements([]byte(d.record.Items))
			return &stateItems{docs}, nil
		}
		env := &asl.Env{Input: value.TextString(d.record.Input), Now: d.m.env.Now()}
		docs, err := d.asl.Items(env)
		return &stateItems{docs}, err
	}
	var source items
	var err error
	if r.Action == "listObjectsV2" {
		source = &listing{d: d, ctx: ctx}
	} else {
		source, err = d.openObject(ctx, r)
	}
	if err != nil || r.MaxItems == 0 {
		return source, err
	}
	return &firstItems{source, r.MaxItems}, nil
}

// sourceLabel is what Map.Item.Source says (spec.md B.12).
func (d *driver) sourceLabel() string {
	switch r := d.Spec.Reader; {
	case r == nil:
		return "STATE_DATA"
	case r.Action == "listObjectsV2":
		return "S3://" + r.Bucket
	default:
		return "S3://" + r.Bucket + "/" + r.Key
	}
}

// stateItems are the items in the state's input.
type stateItems struct{ docs []*value.Doc }

func (s *stateItems) next() ([]byte, error) {
	if len(s.docs) == 0 {
		return nil, io.EOF
	}
	doc := s.docs[0]
	s.docs = s.docs[1:]
	return value.Compact(nil, doc.Bytes()), nil
}

func (s *stateItems) Close() error { return nil }

// firstItems are the first n items of a source.
type firstItems struct {
	items
	n int64
}

func (f *firstItems) next() ([]byte, error) {
	if f.n == 0 {
		return nil, io.EOF
	}
	f.n--
	return f.items.next()
}

// openObject opens an object of S3 and the reader of its format.
func (d *driver) openObject(ctx context.Context, r *asl.ItemReader) (items, error) {
	pin := &d.progress.Source
	body, found, err := d.get(ctx, object{Bucket: r.Bucket, Key: r.Key, VersionID: r.VersionID, Owner: r.ExpectedBucketOwner, ETag: pin.ETag})
	if err != nil {
		return nil, err
	}
	if !d.progress.Counted {
		*pin = version{ETag: found.ETag, VersionID: found.VersionId}
	}
	if r.InputType == "MANIFEST" {
		return d.openInventory(ctx, body)
	}
	return itemsOf(r, body)
}

// itemsOf reads the items that a file itself holds.
func itemsOf(r *asl.ItemReader, body io.ReadCloser) (items, error) {
	switch r.InputType {
	case "JSON":
		return newJSONItems(body, r.ItemsPointer), nil
	case "JSONL":
		return newJSONLines(body), nil
	case "CSV":
		return newCSVItems(body, r.Delimiter, r.Headers), nil
	}
	body.Close()
	return nil, failed(errReader, "Newel does not read items of InputType %s yet.", r.InputType)
}

// object names an object, or one version of it.
type object struct{ Bucket, Key, VersionID, Owner, ETag string }

// found is the part of GetObject's answer that a run looks at.
type found struct{ ETag, VersionId string }

// get opens an object's content, unpacked if its name says that it is packed.
func (d *driver) get(ctx context.Context, o object) (io.ReadCloser, found, error) {
	in := map[string]string{"Bucket": o.Bucket, "Key": o.Key}
	for name, text := range map[string]string{"VersionId": o.VersionID, "ExpectedBucketOwner": o.Owner, "IfMatch": o.ETag} {
		if text != "" {
			in[name] = text
		}
	}
	out, err := d.s3(ctx, "GetObject", in, nil)
	var e *aws.Error
	switch {
	case errors.As(err, &e) && e.HTTPStatus() == 412:
		return nil, found{}, failed(errReader, "The object s3://%s/%s has changed since the map run began to read it.", o.Bucket, o.Key)
	case err != nil:
		return nil, found{}, asFailure(errReader, err)
	}
	var f found
	b, err := service.Marshal(out.Value)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return nil, f, err
	}
	if f.ETag == "" && out.Header != nil {
		f.ETag = out.Header.Get("ETag")
	}
	body := out.Stream
	if body == nil {
		body = io.NopCloser(bytes.NewReader(out.Body))
	}
	switch {
	case strings.HasSuffix(o.Key, ".zst"):
		body.Close()
		return nil, f, failed(errReader, "Newel does not read zstd-compressed objects yet: s3://%s/%s", o.Bucket, o.Key)
	case strings.HasSuffix(o.Key, ".gz"):
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			body.Close()
			return nil, f, failed(errReader, "The object s3://%s/%s is not in the gzip format.", o.Bucket, o.Key)
		}
		return unpackedBody{unpacked, body}, f, nil
	}
	return body, f, nil
}

type unpackedBody struct {
	io.Reader
	packed io.Closer
}

func (u unpackedBody) Close() error { return u.packed.Close() }

// s3 makes a call of S3 in the run's name.
func (d *driver) s3(ctx context.Context, operation string, in any, body io.Reader) (*aws.Output, error) {
	b, err := service.Marshal(in)
	if err != nil {
		return nil, err
	}
	return d.m.env.Caller.Call(ctx, &aws.Request{Service: "s3", Operation: operation, Account: d.name.account(), Region: d.name.region(),
		Principal: d.RoleARN, Input: b, Stream: body})
}

// asFailure makes a failure of the run of what S3 refuses; what is the server's own fault is tried again.
func asFailure(name string, err error) error {
	var e *aws.Error
	if !errors.As(err, &e) || e.HTTPStatus() >= 500 && e.HTTPStatus() != 501 {
		return err
	}
	return failed(name, "%s (Service: Amazon S3; Status Code: %d; Error Code: %s; Request ID: null; S3 Extended Request ID: null; Proxy: null)",
		e.Message, e.HTTPStatus(), e.Code)
}

// listing reads the items of a listing from the pages that were kept.
type listing struct {
	d    *driver
	ctx  context.Context
	page uint64
	docs []*value.Doc
}

func (l *listing) Close() error { return nil }

func (l *listing) next() ([]byte, error) {
	for len(l.docs) == 0 {
		if l.page == l.d.progress.Source.Pages {
			return nil, io.EOF
		}
		err := l.d.m.env.Store.View(l.ctx, l.d.part, func(rd store.Reader) error {
			b, err := rd.Get(pageKey(l.d.uuid, l.page))
			if err != nil {
				return err
			}
			if len(b) > 0 && b[0] > recordVersion {
				return store.ErrFormat
			}
			docs, ok := value.Elements(bytes.Clone(bytes.TrimPrefix(b, []byte{recordVersion})))
			if !ok {
				return fmt.Errorf("%w: page %d of map run %s", store.ErrCorrupt, l.page, l.d.uuid)
			}
			l.docs = docs
			return nil
		})
		if err != nil {
			return nil, err
		}
		l.page++
	}
	doc := l.docs[0]
	l.docs = l.docs[1:]
	return doc.Bytes(), nil
}

// list lists the objects and keeps the pages.
func (d *driver) list(ctx context.Context) (n int64, pages uint64, err error) {
	r := d.Spec.Reader
	in := map[string]any{"Bucket": r.Bucket}
	if r.Prefix != "" {
		in["Prefix"] = r.Prefix
	}
	if r.ExpectedBucketOwner != "" {
		in["ExpectedBucketOwner"] = r.ExpectedBucketOwner
	}
	for {
		out, err := d.s3(ctx, "ListObjectsV2", in, nil)
		if err != nil {
			return 0, 0, asFailure(errReader, err)
		}
		var page listPage
		b, err := service.Marshal(out.Value)
		if err == nil {
			err = json.Unmarshal(b, &page)
		}
		if err != nil {
			return 0, 0, err
		}
		if r.MaxItems > 0 && n+int64(len(page.Contents)) > r.MaxItems {
			page.Contents, page.NextContinuationToken = page.Contents[:r.MaxItems-n], ""
		}
		if len(page.Contents) > 0 {
			text := page.text()
			err = d.m.env.Store.Update(ctx, d.part, func(tx store.Tx) error {
				tx.Set(pageKey(d.uuid, pages), append([]byte{recordVersion}, text...))
				return nil
			})
			if err != nil {
				return 0, 0, err
			}
			pages++
			n += int64(len(page.Contents))
		}
		if page.NextContinuationToken == "" {
			return n, pages, nil
		}
		in["ContinuationToken"] = page.NextContinuationToken
	}
}

// listPage is the part of ListObjectsV2's answer that items are made of.
type listPage struct {
	Contents []struct {
		ETag, Key, StorageClass string
		LastModified            json.Number // epoch seconds
		Size                    int64
	}
	NextContinuationToken string
}

// text is the page as an array of items, whose members AWS names so.
func (p *listPage) text() []byte {
	text := []byte{'['}
	for i := range p.Contents {
		c := &p.Contents[i]
		if i > 0 {
			text = append(text, ',')
		}
		modified, _, _ := strings.Cut(c.LastModified.String(), ".")
		text = append(text, `{"Etag":`...)
		text = value.AppendString(text, c.ETag)
		text = value.AppendString(append(text, `,"Key":`...), c.Key)
		text = fmt.Appendf(text, `,"LastModified":%s,"Size":%d,"StorageClass":`, modified, c.Size)
		text = append(value.AppendString(text, c.StorageClass), '}')
	}
	return append(text, ']')
}
