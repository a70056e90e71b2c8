package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"strings"
	"syscall"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3/checksum"
	"github.com/newel-run/newel/internal/s3/files"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const (
	keyBytesMax    = 1024
	objectBytesMax = 5 << 30 // of one request
)

// writeInput is what the operations that make objects have in common.
type writeInput struct {
	owned
	properties
	sums
	ContentMD5           string
	IfMatch, IfNoneMatch string
	Tagging              string
	ContentLength        *int64

	ACL, GrantFullControl, GrantRead, GrantReadACP, GrantWriteACP string
	SSECustomerAlgorithm, SSECustomerKey                          string
	ObjectLockMode, ObjectLockLegalHoldStatus                     string
	ObjectLockRetainUntilDate                                     json.RawMessage
	WriteOffsetBytes                                              *int64
}

// sums are the members by which a client says a checksum.
type sums struct {
	ChecksumAlgorithm                                                                              string
	ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256, ChecksumSHA512 string
	ChecksumMD5, ChecksumXXHASH64, ChecksumXXHASH3, ChecksumXXHASH128, ChecksumMode, ChecksumType  string
}

// said is the checksum that a request carries, "" if none.
func (s *sums) said() (checksum.Algorithm, string) {
	for _, x := range []struct{ a, v string }{{"CRC32", s.ChecksumCRC32}, {"CRC32C", s.ChecksumCRC32C}, {"CRC64NVME", s.ChecksumCRC64NVME},
		{"SHA1", s.ChecksumSHA1}, {"SHA256", s.ChecksumSHA256}, {"SHA512", s.ChecksumSHA512}, {"MD5", s.ChecksumMD5},
		{"XXHASH64", s.ChecksumXXHASH64}, {"XXHASH3", s.ChecksumXXHASH3}, {"XXHASH128", s.ChecksumXXHASH128}} {
		if x.v != "" {
			return checksum.Algorithm(x.a), x.v
		}
	}
	return "", ""
}

func (in *writeInput) decode(c *service.Context) error {
	if err := service.Decode(c.Request, in); err != nil {
		return err
	}
	if in.Bucket == "" {
		return invalidBucketName("")
	}
	if err := checkKey(in.Key); err != nil {
		return err
	}
	if err := in.check(c, in); err != nil {
		return err
	}
	in.normalise()
	return nil
}

func checkKey(key string) error {
	if len(key) > keyBytesMax {
		return fail(400, "KeyTooLongError", "Your key is too long", map[string]any{"Size": len(key), "MaxSizeAllowed": keyBytesMax})
	}
	return nil
}

// received is a body that has become a file, if it has bytes.
type received struct {
	w    *files.Writer // nil for an empty body
	size int64
	md5  []byte
	sum  sum
	key  []byte // of a sealed file, sealed
}

func (r *received) file() string {
	if r.w == nil {
		return ""
	}
	return r.w.ID
}

// receive streams a body into a file and checks it against what the request says of it. The checksum that is kept is the
// request's own, else what is preferred; a part's is always that of its upload. An error leaves no file.
func (s *Service) receive(ctx context.Context, at place, body io.Reader, in *writeInput, preferred checksum.Algorithm) (*received, error) {
	t, err := newTaker(body, in, preferred)
	if err != nil {
		return nil, err
	}
	return s.take(ctx, at, body, in, t)
}

func (s *Service) receivePart(ctx context.Context, at place, body io.Reader, in *writeInput, u *upload) (*received, error) {
	t, err := newTaker(body, in, u.algorithm())
	if err == nil && t.claimed != u.algorithm() {
		if u.Algorithm != "" {
			err = invalidRequest("Checksum Type mismatch occurred, expected checksum Type: " + strings.ToLower(string(u.Algorithm)) + ", actual checksum Type: " + strings.ToLower(string(t.claimed)))
		}
		t.kept = u.algorithm()
		t.keep, _ = checksum.New(t.kept) // an upload's algorithm is known
	}
	if err != nil {
		return nil, err
	}
	return s.take(ctx, at, body, in, t)
}

func (s *Service) take(ctx context.Context, at place, body io.Reader, in *writeInput, t *taker) (*received, error) {
	key, sealed, err := s.newKey(ctx, at.protection)
	if err != nil {
		return nil, err
	}
	r := &received{key: sealed}
	if r.w, err = s.files.Create(uint16(at.partition)); err != nil {
		return nil, err
	}
	to, flush, err := into(r.w, key)
	if err != nil {
		return nil, err
	}
	r.size, err = io.CopyBuffer(onlyWriter{io.MultiWriter(append([]io.Writer{to}, t.writers()...)...)}, io.LimitReader(body, objectBytesMax+1), make([]byte, 128<<10))
	if err == nil && r.size > objectBytesMax {
		err = fail(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", map[string]any{"ProposedSize": r.size, "MaxSizeAllowed": int64(objectBytesMax)})
	}
	if err == nil && in.ContentLength != nil && *in.ContentLength != r.size {
		err = fail(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header", nil)
	}
	if err == nil {
		r.md5, r.sum = t.md5.Sum(nil), sum{t.kept, checksum.Text(t.keep), checksum.FullObject}
		err = t.check(in, r)
	}
	if err == nil && r.size > 0 {
		if err = flush(); err == nil {
			err = r.w.Seal()
		}
	}
	if err != nil || r.size == 0 {
		r.w.Discard()
		r.w = nil
	}
	return r, err
}

// into is where a body is written to: the file, or what encrypts it on the way there.
func into(w *files.Writer, key []byte) (to io.Writer, flush func() error, err error) {
	if key == nil {
		return w, func() error { return nil }, nil
	}
	s, err := files.NewSealer(w, key)
	if err != nil {
		w.Discard()
		return nil, nil, err
	}
	return s, s.Flush, nil
}

// onlyWriter hides what else a writer can do.
type onlyWriter struct{ io.Writer }

// taker is what is worked out of a body while it passes: its MD5, the checksum that the client claims, and the one that is
// kept, which is mostly the same.
type taker struct {
	md5, claim, keep hash.Hash
	claimed, kept    checksum.Algorithm
	want             string // "": in the trailer, or nothing is said
	trailer          aws.Trailed
}

func newTaker(body io.Reader, in *writeInput, preferred checksum.Algorithm) (*taker, error) {
	t := &taker{md5: md5.New()}
	t.claimed, t.want = in.said()
	if trailed, ok := body.(aws.Trailed); ok && t.claimed == "" {
		for _, name := range trailed.Declared() {
			if a, ok := strings.CutPrefix(name, "x-amz-checksum-"); ok {
				t.claimed, t.trailer = checksum.Algorithm(strings.ToUpper(a)), trailed
			}
		}
	}
	if t.claimed == "" {
		t.claimed = checksum.Algorithm(in.ChecksumAlgorithm)
	}
	if t.claimed == "" {
		t.claimed = preferred
	}
	var ok bool
	if t.claim, ok = checksum.New(t.claimed); !ok {
		return nil, fail(501, "NotImplemented", "Newel does not implement the checksum algorithm "+string(t.claimed)+" yet.", nil)
	}
	t.kept, t.keep = t.claimed, t.claim
	return t, nil
}

func (t *taker) writers() []io.Writer {
	if t.kept == t.claimed {
		return []io.Writer{t.md5, t.claim}
	}
	return []io.Writer{t.md5, t.claim, t.keep}
}

func (t *taker) check(in *writeInput, r *received) error {
	if in.ContentMD5 != "" {
		want, err := base64.StdEncoding.DecodeString(in.ContentMD5)
		if err != nil || len(want) != md5.Size {
			return fail(400, "InvalidDigest", "The Content-MD5 you specified was invalid.", map[string]any{"Content-MD5": in.ContentMD5})
		}
		if !bytes.Equal(want, r.md5) {
			return badDigest("The Content-MD5 you specified did not match what we received.")
		}
	}
	if t.trailer != nil {
		t.want = t.trailer.Trailer("x-amz-checksum-" + strings.ToLower(string(t.claimed)))
	}
	if t.want == "" || t.want == checksum.Text(t.claim) {
		return nil
	}
	if b, err := base64.StdEncoding.DecodeString(t.want); err != nil || len(b) != t.claim.Size() {
		return invalidRequest("Value for x-amz-checksum-" + strings.ToLower(string(t.claimed)) + " header is invalid.")
	}
	return badDigest("The " + string(t.claimed) + " you specified did not match the calculated checksum.")
}

// peek runs a look at a bucket before the work of an operation that cannot be done within a transaction.
func (s *Service) peek(ctx context.Context, c *service.Context, bucket, owner string, fn func(*box) error) error {
	return service.Wire(s.Env.Store.View(ctx, s.place(bucket), func(rd store.Reader) error {
		b, err := openNamed(c, rd, bucket, owner)
		if err != nil {
			return err
		}
		return fn(b)
	}))
}

func (s *Service) putObject(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in writeInput
	if err := in.decode(c); err != nil {
		return nil, err
	}
	tags, err := parseTagHeader(in.Tagging)
	if err != nil {
		return nil, err
	}
	// What can be refused without the body is refused before it is read.
	at := place{partition: s.place(in.Bucket)}
	err = s.peek(ctx, c, in.Bucket, in.ExpectedBucketOwner, func(b *box) error {
		err := errors.Join(b.permit(&in), b.encryptByDefault(&in.properties))
		at.protection = in.protection(&b.bucket, in.Bucket, in.Key)
		return err
	})
	if err != nil {
		return nil, err
	}
	r, err := s.receive(ctx, at, c.Reader(), &in, checksum.Default)
	if err != nil {
		return nil, s.asAnswer(err)
	}
	o := &object{File: r.file(), Sealed: r.key, Size: r.size, Modified: c.Now.UnixMilli(), ETag: hex.EncodeToString(r.md5), properties: in.properties, Tags: tags, Sum: &r.sum}
	return s.commit(ctx, c, in.Bucket, r.w, func(c *service.Context, b *box) (any, error) {
		if err := b.permit(&in); err != nil {
			return nil, err
		}
		if err := b.put(in.Key, o, nil); err != nil {
			return nil, err
		}
		out := map[string]any{"ETag": quoted(o.ETag)}
		o.encryption(out)
		o.checksum(out)
		return out, b.notify(event{name: "ObjectCreated:Put", api: "PutObject", key: in.Key, object: o})
	})
}

// asAnswer keeps what was meant for the client; anything else is the server's failure to store, and retryable.
func (s *Service) asAnswer(err error) error {
	var e *aws.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return service.Wire(store.ErrFull)
	}
	s.Env.Log.Error("an object cannot be stored", "error", err)
	return &aws.Error{Code: "InternalError", Status: 500, Fault: true, Message: "We encountered an internal error. Please try again."}
}
