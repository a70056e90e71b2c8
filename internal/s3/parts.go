package s3

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type partInput struct {
	writeInput
	UploadId   string
	PartNumber int
}

func (s *Service) uploadPart(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in partInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	u, at, err := s.beginPart(ctx, c, &in.writeInput, in.UploadId, in.PartNumber)
	if err != nil {
		return nil, err
	}
	r, err := s.receivePart(ctx, at, c.Reader(), &in.writeInput, u)
	if err != nil {
		return nil, s.asAnswer(err)
	}
	return s.putPart(ctx, c, &in, r, func(p *part) map[string]any {
		out := map[string]any{"ETag": quoted(p.MD5), "Checksum" + string(p.Sum.Algorithm): p.Sum.Value}
		u.encryption(out)
		return out
	})
}

// beginPart refuses what can be refused before a part's bytes are read.
func (s *Service) beginPart(ctx context.Context, c *service.Context, in *writeInput, id string, number int) (u *upload, at place, err error) {
	if in.Bucket == "" {
		return nil, at, invalidBucketName("")
	}
	if number < 1 || number > partsMax {
		return nil, at, invalidArgument("partNumber", "", "Part number must be an integer between 1 and 10000, inclusive")
	}
	err = s.peek(ctx, c, in.Bucket, in.ExpectedBucketOwner, func(b *box) (err error) {
		if u, err = b.upload(in.Key, id); err != nil {
			return err
		}
		at = place{s.place(in.Bucket), u.protection(&b.bucket, in.Bucket, in.Key)}
		return nil
	})
	return u, at, err
}

func (s *Service) putPart(ctx context.Context, c *service.Context, in *partInput, r *received, answer func(*part) map[string]any) (*aws.Output, error) {
	p := &part{File: r.file(), Size: r.size, Modified: c.Now.UnixMilli(), MD5: hex.EncodeToString(r.md5), Sum: r.sum, Sealed: r.key}
	return s.commit(ctx, c, in.Bucket, r.w, func(_ *service.Context, b *box) (any, error) {
		if _, err := b.upload(in.Key, in.UploadId); err != nil {
			return nil, err
		}
		k := row(rowPart, b.name, in.UploadId).U32(uint32(in.PartNumber))
		var old part
		if found, err := get(b.tx, k, &old); err != nil {
			return nil, err
		} else if found {
			b.release(old.File)
		}
		b.refer(p.File)
		b.tx.Set(k, encodeRow(p))
		return answer(p), nil
	})
}

func (s *Service) uploadPartCopy(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in copyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	u, at, err := s.beginPart(ctx, c, &in.writeInput, in.UploadId, in.PartNumber)
	if err != nil {
		return nil, err
	}
	end := s.files.Begin()
	defer end()
	src, err := s.openSource(ctx, c, &in)
	if err != nil {
		return nil, err
	}
	part := span{0, src.object.Size}
	if in.CopySourceRange != "" {
		r, ok, err := parseRange(in.CopySourceRange, src.object.Size)
		if err != nil || !ok {
			return nil, invalidArgument("x-amz-copy-source-range", in.CopySourceRange, "Range specified is not valid for source object of size: "+strconv.FormatInt(src.object.Size, 10))
		}
		part = r
	}
	body := openPieces(s.files, src.pieces, part, func() {})
	defer body.Close() //nolint:errcheck // it was only read
	r, err := s.receivePart(ctx, at, body, &writeInput{}, u)
	if err != nil {
		return nil, s.asAnswer(err)
	}
	return s.putPart(ctx, c, &partInput{in.writeInput, in.UploadId, in.PartNumber}, r, partCopied)
}

func partCopied(p *part) map[string]any {
	return map[string]any{"CopyPartResult": map[string]any{"ETag": quoted(p.MD5), "LastModified": p.Modified / 1000, "Checksum" + string(p.Sum.Algorithm): p.Sum.Value}}
}

func listParts(c *service.Context, b *box) (any, error) {
	var in struct {
		owned
		UploadId                   string
		MaxParts, PartNumberMarker *int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	u, err := b.upload(in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	n, after := listMax, 0
	if in.MaxParts != nil {
		n = min(*in.MaxParts, listMax)
	}
	if in.PartNumberMarker != nil {
		after = *in.PartNumberMarker
	}
	o := ownerOf(b.Account)
	out := map[string]any{"Bucket": b.name, "Key": in.Key, "UploadId": in.UploadId, "PartNumberMarker": after, "MaxParts": n, "IsTruncated": false,
		"StorageClass": u.class(), "Owner": o, "Initiator": o}
	if u.Algorithm != "" {
		out["ChecksumAlgorithm"], out["ChecksumType"] = u.Algorithm, u.Type
	}
	var parts []map[string]any
	err = b.parts(in.UploadId, after, func(number int, p *part) bool {
		if len(parts) == n {
			out["IsTruncated"] = true
			return false
		}
		parts = append(parts, map[string]any{"PartNumber": number, "LastModified": p.Modified / 1000, "ETag": quoted(p.MD5), "Size": p.Size, "Checksum" + string(p.Sum.Algorithm): p.Sum.Value})
		out["NextPartNumberMarker"] = number
		return true
	})
	if len(parts) > 0 {
		out["Parts"] = parts
	}
	return out, err
}

// listUploads lists uploads by key and then by the time they began; ids are random, so uploads of one key come in any
// order, as a scan finds them.
func listUploads(c *service.Context, b *box) (any, error) {
	var in listInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	in.MaxKeys = in.MaxUploads
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	if in.Delimiter != "" {
		return nil, notImplemented(c.Operation, "Delimiter")
	}
	lo, hi := within(rowUpload, b.name, in.Prefix)
	base := row(rowUpload, b.name)
	if in.KeyMarker != "" {
		from := base.Str(in.KeyMarker).End()
		if in.UploadIdMarker != "" {
			from = base.Str(in.KeyMarker).Str(in.UploadIdMarker).End()
		}
		if string(from) > string(lo) {
			lo = from
		}
	}
	o := ownerOf(b.Account)
	out := map[string]any{"Bucket": b.name, "KeyMarker": in.encode(in.KeyMarker), "UploadIdMarker": in.UploadIdMarker, "Prefix": in.encode(in.Prefix), "MaxUploads": q.max, "IsTruncated": false}
	if in.EncodingType != "" {
		out["EncodingType"] = in.EncodingType
	}
	var uploads []map[string]any
	for k, v := range b.rd.Scan(lo, hi, false) {
		key, rest, _ := store.CutStr(k[len(base):])
		id, _, ok := store.CutStr(rest)
		var u upload
		if err := decodeRow(v, &u); err != nil || !ok {
			return nil, store.ErrCorrupt
		}
		if len(uploads) == q.max {
			out["IsTruncated"] = true
			break
		}
		one := map[string]any{"Key": in.encode(key), "UploadId": id, "Initiated": u.Initiated / 1000, "StorageClass": u.class(), "Owner": o, "Initiator": o}
		if u.Algorithm != "" {
			one["ChecksumAlgorithm"], one["ChecksumType"] = u.Algorithm, u.Type
		}
		uploads = append(uploads, one)
		out["NextKeyMarker"], out["NextUploadIdMarker"] = in.encode(key), id
	}
	if len(uploads) > 0 {
		out["Uploads"] = uploads
	}
	return out, nil
}
