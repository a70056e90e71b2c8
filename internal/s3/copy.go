package s3

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3/checksum"
	"github.com/newel-run/newel/internal/service"
)

// copyInput is what CopyObject and UploadPartCopy have in common.
type copyInput struct {
	writeInput
	CopySource                                                string
	CopySourceIfMatch, CopySourceIfNoneMatch                  string
	CopySourceIfModifiedSince, CopySourceIfUnmodifiedSince    json.Number
	CopySourceSSECustomerAlgorithm, ExpectedSourceBucketOwner string
	MetadataDirective, TaggingDirective                       string

	UploadId, CopySourceRange string // UploadPartCopy
	PartNumber                int
}

// source is an object that is being copied.
type source struct {
	bucket, key string
	object      *object
	pieces      []piece // unlocked
}

// parseSource reads x-amz-copy-source: /bucket/key, escaped, with or without the slash and ?versionId=.
func parseSource(text string) (bucket, key, version string, err error) {
	path, query, _ := strings.Cut(text, "?")
	if query != "" {
		if v, ok := strings.CutPrefix(query, "versionId="); ok {
			version = v
		}
	}
	if path, err = url.PathUnescape(path); err != nil {
		return "", "", "", invalidArgument("x-amz-copy-source", text, "Invalid copy source encoding")
	}
	if strings.HasPrefix(path, "arn:") {
		return "", "", "", fail(501, "NotImplemented", "Newel does not implement copying from access points yet.", nil)
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || key == "" || bucket == "" {
		return "", "", "", invalidArgument("x-amz-copy-source", text, "Invalid copy source object key")
	}
	return bucket, key, version, nil
}

// open finds the source of a copy and checks what the request demands of it.
func (s *Service) openSource(ctx context.Context, c *service.Context, in *copyInput) (*source, error) {
	if in.CopySourceSSECustomerAlgorithm != "" {
		return nil, invalidRequest("The encryption parameters are not applicable to this object.")
	}
	bucket, key, version, err := parseSource(in.CopySource)
	if err != nil {
		return nil, err
	}
	src := &source{bucket: bucket, key: key}
	demands := conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
	var kept *service.Protection
	err = s.peek(ctx, c, bucket, in.ExpectedSourceBucketOwner, func(b *box) (err error) {
		if src.object, err = b.version(key, version); err != nil {
			return err
		}
		if demands.check(src.object) != nil {
			return fail(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", nil)
		}
		kept = src.object.protection(&b.bucket, bucket, key)
		src.pieces, err = b.pieces(key, src.object)
		return err
	})
	if err == nil {
		err = s.unlock(ctx, kept, src.pieces)
	}
	return src, err
}

func (s *Service) copyObject(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in copyInput
	if err := in.decodeCopy(c); err != nil {
		return nil, err
	}
	if err := s.peek(ctx, c, in.Bucket, in.ExpectedBucketOwner, func(b *box) error { return b.permit(&in.writeInput) }); err != nil {
		return nil, err
	}
	end := s.files.Begin()
	defer end()
	src, err := s.openSource(ctx, c, &in)
	if err != nil {
		return nil, err
	}
	o := &object{Modified: c.Now.UnixMilli(), properties: in.properties}
	if err := in.inherit(o, src); err != nil {
		return nil, err
	}
	at := place{partition: s.place(in.Bucket)}
	err = s.peek(ctx, c, in.Bucket, in.ExpectedBucketOwner, func(b *box) error {
		err := b.encryptByDefault(&o.properties)
		at.protection = o.protection(&b.bucket, in.Bucket, in.Key)
		return err
	})
	if err != nil {
		return nil, err
	}
	r, err := s.duplicate(ctx, at, &in, src)
	if err != nil {
		return nil, s.asAnswer(err)
	}
	o.File, o.Sealed, o.Size, o.ETag, o.Sum = r.file(), r.key, r.size, hex.EncodeToString(r.md5), &r.sum
	return s.commit(ctx, c, in.Bucket, r.w, func(c *service.Context, b *box) (any, error) {
		if err := b.permit(&in.writeInput); err != nil {
			return nil, err
		}
		if err := b.put(in.Key, o, nil); err != nil {
			return nil, err
		}
		result := map[string]any{"ETag": quoted(o.ETag), "LastModified": o.Modified / 1000}
		o.checksum(result)
		out := map[string]any{"CopyObjectResult": result}
		o.encryption(out)
		return out, b.notify(event{name: "ObjectCreated:Copy", api: "CopyObject", key: in.Key, object: o})
	})
}

// decodeCopy reads a copy's input.
func (in *copyInput) decodeCopy(c *service.Context) error {
	if err := service.Decode(c.Request, in); err != nil {
		return err
	}
	if in.Bucket == "" {
		return invalidBucketName("")
	}
	if err := checkKey(in.Key); err != nil {
		return err
	}
	if err := in.check(c, &in.writeInput); err != nil {
		return err
	}
	in.normalise()
	for name, value := range map[string]string{"metadata": in.MetadataDirective, "tagging": in.TaggingDirective} {
		if value != "" && value != "COPY" && value != "REPLACE" {
			return invalidArgument("x-amz-"+name+"-directive", value, "Unknown "+name+" directive.")
		}
	}
	return nil
}

// inherit gives the new object what the directives say that it keeps.
func (in *copyInput) inherit(o *object, src *source) error {
	if in.MetadataDirective != "REPLACE" {
		sameKey := src.bucket == in.Bucket && src.key == in.Key
		if sameKey && in.StorageClass == src.object.StorageClass && in.ServerSideEncryption == "" && in.WebsiteRedirectLocation == "" && in.TaggingDirective != "REPLACE" && in.ChecksumAlgorithm == "" {
			return invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
		}
		kept := src.object.properties
		kept.StorageClass, kept.WebsiteRedirectLocation = in.StorageClass, in.WebsiteRedirectLocation
		kept.ServerSideEncryption, kept.SSEKMSKeyId, kept.BucketKeyEnabled = in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled
		o.properties = kept
	}
	o.Tags = src.object.Tags
	if in.TaggingDirective == "REPLACE" {
		var err error
		o.Tags, err = parseTagHeader(in.Tagging)
		return err
	}
	return nil
}

// duplicate makes a file with the source's bytes: a link where the checksums are known and neither is encrypted, else by
// reading.
func (s *Service) duplicate(ctx context.Context, at place, in *copyInput, src *source) (*received, error) {
	o := src.object
	wanted := checksum.Algorithm(in.ChecksumAlgorithm)
	preferred := checksum.Default
	if o.Sum != nil {
		preferred = o.Sum.Algorithm
	}
	if o.Parts == 0 && o.Sum != nil && o.Sealed == nil && at.protection == nil && (wanted == "" || wanted == o.Sum.Algorithm) {
		digest, err := hex.DecodeString(o.ETag)
		if err != nil {
			return nil, err
		}
		r := &received{size: o.Size, md5: digest, sum: *o.Sum}
		if o.File != "" {
			r.w, err = s.files.Link(o.File, uint16(at.partition))
		}
		return r, err
	}
	if o.Size > objectBytesMax {
		return nil, invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	}
	body := openPieces(s.files, src.pieces, span{0, o.Size}, func() {})
	defer body.Close() //nolint:errcheck // it was only read
	return s.receive(ctx, at, io.Reader(body), &writeInput{sums: sums{ChecksumAlgorithm: string(wanted)}}, preferred)
}
