package s3

import (
	"maps"
	"strings"

	"github.com/newel-run/newel/internal/s3/checksum"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// object is an object's row.
type object struct {
	Version  int    `json:"v"`
	File     string `json:"f,omitempty"` // that holds its bytes; "" if there are none or if it was uploaded in parts
	Size     int64  `json:"s"`
	Modified int64  `json:"m"`           // ms
	ETag     string `json:"e"`           // without quotes
	Sealed   []byte `json:"k,omitempty"` // the file's key (protect.go)
	Parts    int    `json:"n,omitempty"`
	properties
	Tags map[string]string `json:"t,omitempty"`
	Sum  *sum              `json:"c,omitempty"`
}

// properties is what a client says of an object beside its bytes.
type properties struct {
	CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType, Expires string            `json:",omitempty"`
	WebsiteRedirectLocation                                                                  string            `json:",omitempty"`
	StorageClass                                                                             string            `json:",omitempty"` // "" is STANDARD
	ServerSideEncryption, SSEKMSKeyId                                                        string            `json:",omitempty"` // "" is AES256
	BucketKeyEnabled                                                                         bool              `json:",omitempty"`
	Metadata                                                                                 map[string]string `json:",omitempty"`
}

// sum is an object's checksum.
type sum struct {
	Algorithm checksum.Algorithm `json:"a"`
	Value     string             `json:"v"`
	Type      string             `json:"t"`
}

// piece is a part of an object that was uploaded in parts.
type piece struct {
	Number int    `json:"n"`
	File   string `json:"f"`
	Size   int64  `json:"s"`
	Sum    string `json:"c,omitempty"`
	Sealed []byte `json:"k,omitempty"` // the file's key

	key []byte // the same, if it was opened
}

var storageClasses = map[string]bool{"": true, "STANDARD": true, "REDUCED_REDUNDANCY": true, "STANDARD_IA": true, "ONEZONE_IA": true,
	"INTELLIGENT_TIERING": true, "GLACIER": true, "DEEP_ARCHIVE": true, "GLACIER_IR": true, "OUTPOSTS": false}

const metadataBytesMax = 2048

// check refuses properties that S3 does, and those that would change what the object is and are not implemented.
func (p *properties) check(c *service.Context, in *writeInput) error {
	size := 0
	for k, v := range p.Metadata {
		size += len(k) + len(v)
	}
	switch {
	case size > metadataBytesMax:
		return fail(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", map[string]any{"Size": size, "MaxSizeAllowed": metadataBytesMax})
	case !storageClasses[p.StorageClass]:
		return fail(400, "InvalidStorageClass", "The storage class you specified is not valid", map[string]any{"StorageClassRequested": p.StorageClass})
	case p.ServerSideEncryption != "" && p.ServerSideEncryption != "AES256" && p.ServerSideEncryption != "aws:kms" && p.ServerSideEncryption != "aws:kms:dsse":
		return fail(400, "InvalidEncryptionAlgorithmError", "The encryption request that you specified is not valid. The valid value is AES256.", nil)
	case in.SSECustomerAlgorithm != "" || in.SSECustomerKey != "":
		return notImplemented(c.Operation, "encryption with a customer's key (SSE-C)")
	case in.ObjectLockMode != "" || in.ObjectLockLegalHoldStatus != "" || in.ObjectLockRetainUntilDate != nil:
		return fail(400, "InvalidRequest", "Bucket is missing Object Lock Configuration", nil)
	case in.WriteOffsetBytes != nil:
		return notImplemented(c.Operation, "WriteOffsetBytes")
	case in.GrantFullControl+in.GrantRead+in.GrantReadACP+in.GrantWriteACP != "", in.ACL != "" && in.ACL != "private" && in.ACL != "bucket-owner-full-control":
		return aclNotSupported()
	}
	return nil
}

func aclNotSupported() error {
	return fail(400, "AccessControlListNotSupported", "The bucket does not allow ACLs", nil)
}

// normalise writes what is the same in one way.
func (p *properties) normalise() {
	if p.StorageClass == "STANDARD" {
		p.StorageClass = ""
	}
	if len(p.Metadata) == 0 {
		p.Metadata = nil
		return
	}
	lower := make(map[string]string, len(p.Metadata))
	for k, v := range p.Metadata {
		lower[strings.ToLower(k)] = v
	}
	p.Metadata = lower
}

func (p *properties) class() string {
	if p.StorageClass == "" {
		return "STANDARD"
	}
	return p.StorageClass
}

// encryption writes the members that say how an object is encrypted.
func (p *properties) encryption(out map[string]any) {
	out["ServerSideEncryption"] = "AES256"
	if p.ServerSideEncryption != "" {
		out["ServerSideEncryption"] = p.ServerSideEncryption
		if p.SSEKMSKeyId != "" {
			out["SSEKMSKeyId"] = p.SSEKMSKeyId
		}
		if p.BucketKeyEnabled {
			out["BucketKeyEnabled"] = true
		}
	}
}

// checksum writes the members of an object's checksum.
func (o *object) checksum(out map[string]any) {
	if o.Sum != nil {
		out["Checksum"+string(o.Sum.Algorithm)] = o.Sum.Value
		out["ChecksumType"] = o.Sum.Type
	}
}

func quoted(etag string) string { return `"` + etag + `"` }

// object reads an object's row; nil if there is none.
func (b *box) object(key string) (*object, error) {
	var o object
	found, err := get(b.rd, row(rowObject, b.name, key), &o)
	if err != nil || !found {
		return nil, err
	}
	return &o, nil
}

// version reads an object by a request's key and version: there is one only, "null".
func (b *box) version(key, version string) (*object, error) {
	if version != "" && version != "null" {
		if len(version) != 32 {
			return nil, invalidArgument("versionId", version, "Invalid version id specified")
		}
		return nil, noSuchVersion(key, version)
	}
	o, err := b.object(key)
	if err != nil {
		return nil, err
	}
	if o == nil && version != "" {
		return nil, noSuchVersion(key, version)
	}
	if o == nil {
		return nil, noSuchKey(key)
	}
	return o, nil
}

// pieces is where an object's bytes are.
func (b *box) pieces(key string, o *object) ([]piece, error) { return pieces(b.rd, b.name, key, o) }

func pieces(rd store.Reader, bucket, key string, o *object) ([]piece, error) {
	if o.Parts == 0 {
		return []piece{{Number: 1, File: o.File, Size: o.Size, Sealed: o.Sealed}}, nil
	}
	var all []piece
	_, err := get(rd, row(rowLayout, bucket, key), &all)
	return all, err
}

// put writes an object's row, in the place of the one that was there.
func (b *box) put(key string, o *object, layout []piece) error {
	if err := b.drop(key); err != nil {
		return err
	}
	o.Version = 1
	b.tx.Set(row(rowObject, b.name, key), encodeRow(o))
	b.refer(o.File)
	if o.Parts > 0 {
		b.tx.Set(row(rowLayout, b.name, key), encodeRow(layout))
	}
	return nil
}

// drop takes an object's row away.
func (b *box) drop(key string) error {
	old, err := b.object(key)
	if err != nil || old == nil {
		return err
	}
	parts, err := b.pieces(key, old)
	if err != nil {
		return err
	}
	for _, p := range parts {
		b.release(p.File)
	}
	b.tx.Delete(row(rowObject, b.name, key))
	if old.Parts > 0 {
		b.tx.Delete(row(rowLayout, b.name, key))
	}
	return nil
}

// describe is what HeadObject and GetObject say of an object.
func (o *object) describe(withSum bool) map[string]any {
	metadata := map[string]string{}
	maps.Copy(metadata, o.Metadata)
	out := map[string]any{
		"AcceptRanges": "bytes", "ContentLength": o.Size, "ETag": quoted(o.ETag), "LastModified": o.Modified / 1000, "Metadata": metadata,
		"ContentType": "binary/octet-stream",
	}
	for name, value := range map[string]string{
		"CacheControl": o.CacheControl, "ContentDisposition": o.ContentDisposition, "ContentEncoding": o.ContentEncoding,
		"ContentLanguage": o.ContentLanguage, "ContentType": o.ContentType, "Expires": o.Expires,
		"WebsiteRedirectLocation": o.WebsiteRedirectLocation, "StorageClass": o.StorageClass,
	} {
		if value != "" {
			out[name] = value
		}
	}
	o.encryption(out)
	if len(o.Tags) > 0 {
		out["TagCount"] = len(o.Tags)
	}
	if withSum {
		o.checksum(out)
	}
	return out
}
