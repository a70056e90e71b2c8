package s3

import (
	"encoding/json"
	"fmt"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Kinds of rows in the partition of a bucket, after the table's tag.
const (
	rowBucket  = "b" // bucket: its record
	rowConfig  = "g" // bucket, kind: a configuration as canonical JSON
	rowObject  = "o" // bucket, key: an object
	rowLayout  = "l" // bucket, key: the parts of an object that was uploaded in parts
	rowUpload  = "u" // bucket, key, upload id: an upload in parts
	rowPart    = "p" // bucket, upload id, number: a part
	rowFile    = "f" // file: it is referred to
	rowGarbage = "x" // file: it is to be removed
)

func row(parts ...string) store.Key { return store.K(store.TableBucket, parts...) }

// within is the range of a row kind's keys of a bucket whose next part begins with a prefix.
func within(kind, bucket, prefix string) (lo, hi store.Key) {
	k := row(kind, bucket).Str(prefix)
	k = k[:len(k)-2] // without the end of the part
	return k, k.End()
}

// bucket is a bucket's record.
type bucket struct {
	Version         int
	Account, Region string
	Created         int64 // ms
}

func (b *bucket) arn(name string) string { return "arn:" + aws.PartitionOf(b.Region) + ":s3:::" + name }

// owned is the part of every request that names the bucket.
type owned struct {
	Bucket, Key, ExpectedBucketOwner string
}

func keyBucket(r *aws.Request) (string, error) {
	var in owned
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	if in.Bucket == "" {
		return "", invalidBucketName("")
	}
	return in.Bucket, nil
}

func openBucket(c *service.Context, rd store.Reader) (*box, error) {
	var in owned
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return openNamed(c, rd, in.Bucket, in.ExpectedBucketOwner)
}

func openNamed(c *service.Context, rd store.Reader, name, owner string) (*box, error) {
	record, err := rd.Get(row(rowBucket, name))
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, noSuchBucket(name)
	}
	b := &box{name: name, rd: rd, c: c}
	if err := decodeRow(record, &b.bucket); err != nil {
		return nil, err
	}
	if owner != "" && owner != b.Account {
		return nil, &aws.Error{Code: "AccessDenied", Status: 403, Message: "Access Denied"}
	}
	return b, nil
}

func decodeRow(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: s3: %w", store.ErrCorrupt, err)
	}
	return nil
}

func encodeRow(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("s3: a record cannot be encoded: " + err.Error())
	}
	return b
}

// get reads a row into a record; found is false where there is none.
func get(rd store.Reader, k store.Key, into any) (found bool, err error) {
	raw, err := rd.Get(k)
	if err != nil || raw == nil {
		return false, err
	}
	return true, decodeRow(raw, into)
}
