package s3

import (
	"cmp"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/s3/checksum"
	"github.com/newel-run/newel/internal/service"
)

const (
	partBytesMin = 5 << 20 // of all parts but the last
	partsMax     = 10000
)

// upload is an upload in parts that is under way.
type upload struct {
	Version   int
	Key       string
	Initiated int64 // ms
	properties
	Tags      map[string]string  `json:",omitempty"`
	Algorithm checksum.Algorithm // "": S3's own
	Type      string
}

// algorithm is the checksum that its parts are given.
func (u *upload) algorithm() checksum.Algorithm {
	if u.Algorithm == "" {
		return checksum.Default
	}
	return u.Algorithm
}

// part is a part of an upload.
type part struct {
	File     string
	Size     int64
	Modified int64 // ms
	MD5      string
	Sum      sum
	Sealed   []byte `json:",omitempty"` // the file's key
}

func (b *box) uploadKey(key, id string) []byte { return row(rowUpload, b.name, key, id) }

func (b *box) upload(key, id string) (*upload, error) {
	var u upload
	found, err := get(b.rd, b.uploadKey(key, id), &u)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, noSuchUpload(id)
	}
	return &u, nil
}

// parts calls fn with every part of an upload after a number, in their order, until fn says no.
func (b *box) parts(id string, after int, fn func(number int, p *part) bool) error {
	prefix := row(rowPart, b.name, id)
	for k, v := range b.rd.Scan(prefix.U32(uint32(after+1)), prefix.End(), false) {
		var p part
		if err := decodeRow(v, &p); err != nil {
			return err
		}
		n := k[len(prefix):]
		if !fn(int(n[0])<<24|int(n[1])<<16|int(n[2])<<8|int(n[3]), &p) {
			break
		}
	}
	return nil
}

func (s *Service) createUpload(c *service.Context, b *box) (any, error) {
	var in writeInput
	if err := in.decode(c); err != nil {
		return nil, err
	}
	u := upload{Version: 1, Key: in.Key, Initiated: c.Now.UnixMilli(), properties: in.properties, Algorithm: checksum.Algorithm(in.ChecksumAlgorithm), Type: in.ChecksumType}
	if u.Algorithm != "" {
		if _, ok := checksum.New(u.Algorithm); !ok {
			return nil, invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
		}
	}
	if u.Type == "" {
		u.Type = checksum.DefaultType(u.algorithm())
	}
	if !checksum.Allowed(u.algorithm(), u.Type) {
		return nil, invalidRequest(fmt.Sprintf("The %s checksum type cannot be used with the %s checksum algorithm.", u.Type, strings.ToLower(string(u.algorithm()))))
	}
	var err error
	if u.Tags, err = parseTagHeader(in.Tagging); err != nil {
		return nil, err
	}
	if err := b.encryptByDefault(&u.properties); err != nil {
		return nil, err
	}
	if _, err := c.Env.Seal(u.protection(&b.bucket, b.name, in.Key), nil); err != nil {
		return nil, err
	}
	var random [48]byte
	rand.Read(random[:]) //nolint:errcheck // never fails
	id := base64.RawURLEncoding.EncodeToString(random[:])
	b.tx.Set(b.uploadKey(in.Key, id), encodeRow(u))
	out := map[string]any{"Bucket": b.name, "Key": in.Key, "UploadId": id}
	if u.Algorithm != "" {
		out["ChecksumAlgorithm"], out["ChecksumType"] = u.Algorithm, u.Type
	}
	u.encryption(out)
	return out, nil
}

type completeInput struct {
	owned
	sums
	UploadId, IfMatch, IfNoneMatch string
	MpuObjectSize                  *int64
	MultipartUpload                struct {
		Parts []listedPart
	}
}

// listedPart is a part as the client that completes an upload lists it.
type listedPart struct {
	sums
	ETag       string
	PartNumber int
}

func (s *Service) completeUpload(c *service.Context, b *box) (any, error) {
	var in completeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	u, err := b.upload(in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	if err := b.permitWrite(in.Key, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	there := map[int]*part{}
	if err := b.parts(in.UploadId, 0, func(n int, p *part) bool { there[n] = p; return true }); err != nil {
		return nil, err
	}
	o, layout, err := in.assemble(u, there)
	if err != nil {
		return nil, err
	}
	o.Modified, o.properties, o.Tags = c.Now.UnixMilli(), u.properties, u.Tags
	for _, p := range layout {
		delete(there, p.Number)
	}
	if err := b.put(in.Key, o, layout); err != nil {
		return nil, err
	}
	b.endUpload(in.Key, in.UploadId, there)
	out := map[string]any{"Bucket": b.name, "Key": in.Key, "ETag": quoted(o.ETag), "Location": location(c, b.name, in.Key)}
	o.encryption(out)
	o.checksum(out)
	return out, b.notify(event{name: "ObjectCreated:CompleteMultipartUpload", api: "CompleteMultipartUpload", key: in.Key, object: o})
}

func location(c *service.Context, bucket, key string) string {
	escaped := (&url.URL{Path: "/" + key}).EscapedPath()
	if c.Host == "" {
		return "https://" + bucket + ".s3." + c.Region + ".amazonaws.com" + escaped
	}
	return "http://" + c.Host + "/" + bucket + escaped
}

// assemble makes the object of the parts that the request lists.
func (in *completeInput) assemble(u *upload, there map[int]*part) (*object, []piece, error) {
	list := in.MultipartUpload.Parts
	if len(list) == 0 || len(list) > partsMax {
		return nil, nil, malformedXML()
	}
	if !slices.IsSortedFunc(list, func(a, b listedPart) int { return cmp.Or(a.PartNumber-b.PartNumber, 1) }) {
		return nil, nil, fail(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.", map[string]any{"UploadId": in.UploadId})
	}
	o := &object{Parts: len(list)}
	layout := make([]piece, 0, len(list))
	sumsOf := make([]checksum.Part, 0, len(list))
	digest := md5.New()
	for i, want := range list {
		p := there[want.PartNumber]
		if p == nil || strings.Trim(want.ETag, `"`) != p.MD5 || !want.agrees(p) {
			return nil, nil, fail(400, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
				map[string]any{"UploadId": in.UploadId, "PartNumber": want.PartNumber, "ETag": strings.Trim(want.ETag, `"`)})
		}
		if p.Size < partBytesMin && i < len(list)-1 {
			return nil, nil, fail(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
				map[string]any{"ProposedSize": p.Size, "MinSizeAllowed": partBytesMin, "PartNumber": want.PartNumber, "ETag": p.MD5})
		}
		raw, err := hex.DecodeString(p.MD5)
		if err != nil {
			return nil, nil, err
		}
		digest.Write(raw) //nolint:errcheck // a hash never fails
		o.Size += p.Size
		layout = append(layout, piece{Number: want.PartNumber, File: p.File, Size: p.Size, Sum: p.Sum.Value, Sealed: p.Sealed})
		sumsOf = append(sumsOf, checksum.Part{Value: p.Sum.Value, Size: p.Size})
	}
	o.ETag = fmt.Sprintf("%x-%d", digest.Sum(nil), len(list))
	if in.MpuObjectSize != nil && *in.MpuObjectSize != o.Size {
		return nil, nil, invalidRequest("The provided 'x-amz-mp-object-size' header does not match what was computed.")
	}
	value, err := checksum.Combine(u.algorithm(), u.Type, sumsOf)
	if err != nil {
		return nil, nil, err
	}
	o.Sum = &sum{u.algorithm(), value, u.Type}
	if a, said := in.said(); said != "" && a == u.algorithm() && said != value && said != strings.SplitN(value, "-", 2)[0] {
		return nil, nil, badDigest("The " + string(a) + " you specified did not match the calculated checksum.")
	}
	return o, layout, nil
}

// agrees reports whether a part has the checksum that the list says.
func (s *sums) agrees(p *part) bool {
	a, said := s.said()
	return said == "" || a != p.Sum.Algorithm || said == p.Sum.Value
}

// endUpload forgets an upload; the files of the parts that are left go.
func (b *box) endUpload(key, id string, left map[int]*part) {
	for _, p := range left {
		b.release(p.File)
	}
	prefix := row(rowPart, b.name, id)
	b.tx.DeleteRange(prefix, prefix.End())
	b.tx.Delete(b.uploadKey(key, id))
}

func (s *Service) abortUpload(c *service.Context, b *box) (any, error) {
	var in completeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if _, err := b.upload(in.Key, in.UploadId); err != nil {
		return nil, err
	}
	left := map[int]*part{}
	if err := b.parts(in.UploadId, 0, func(n int, p *part) bool { left[n] = p; return true }); err != nil {
		return nil, err
	}
	b.endUpload(in.Key, in.UploadId, left)
	return nil, nil
}
