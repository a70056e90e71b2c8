package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3/files"
	"github.com/newel-run/newel/internal/service"
)

type getInput struct {
	owned
	conditions
	Range, VersionId, ChecksumMode string
	PartNumber                     *int
	SSECustomerAlgorithm           string

	ResponseCacheControl, ResponseContentDisposition, ResponseContentEncoding, ResponseContentLanguage, ResponseContentType string
	ResponseExpires                                                                                                         json.Number
}

func httpTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(http.TimeFormat) }

// reading is an answer of HeadObject or GetObject before the bytes.
type reading struct {
	value  map[string]any
	status int
	pieces []piece
	part   span

	protection *service.Protection
}

// read works out what a Get or a Head answers.
func (b *box) read(in *getInput) (*reading, error) {
	o, err := b.version(in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	if in.SSECustomerAlgorithm != "" {
		return nil, invalidRequest("The encryption parameters are not applicable to this object.")
	}
	if err := in.check(o); err != nil {
		return nil, err
	}
	r := &reading{part: span{0, o.Size}, status: http.StatusOK, protection: o.protection(&b.bucket, b.name, in.Key)}
	if r.pieces, err = b.pieces(in.Key, o); err != nil {
		return nil, err
	}
	partial := false
	if in.PartNumber != nil {
		if r.part, err = partSpan(r.pieces, *in.PartNumber, o.Parts); err != nil {
			return nil, err
		}
		partial = true
	} else if r.part, partial, err = parseRange(in.Range, o.Size); err != nil {
		return nil, err
	} else if !partial {
		r.part = span{0, o.Size}
	}
	whole := r.part == span{0, o.Size}
	r.value = o.describe(in.ChecksumMode == "ENABLED" && whole)
	if in.VersionId == "null" {
		r.value["VersionId"] = "null"
	}
	if in.PartNumber != nil && o.Parts > 0 {
		r.value["PartsCount"] = o.Parts
	}
	if partial && o.Size > 0 {
		r.status = http.StatusPartialContent
		r.value["ContentLength"] = r.part.n
		r.value["ContentRange"] = fmt.Sprintf("bytes %d-%d/%d", r.part.offset, r.part.offset+r.part.n-1, o.Size)
	}
	in.override(r.value)
	return r, nil
}

func partSpan(pieces []piece, number, parts int) (span, error) {
	at := int64(0)
	for i, p := range pieces {
		if i+1 == number && (parts > 0 || number == 1) {
			return span{at, p.Size}, nil
		}
		at += p.Size
	}
	return span{}, fail(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable",
		map[string]any{"ActualPartCount": len(pieces), "PartNumberRequested": number})
}

// override sets what the request's response-* parameters ask for.
func (in *getInput) override(out map[string]any) {
	for name, value := range map[string]string{"CacheControl": in.ResponseCacheControl, "ContentDisposition": in.ResponseContentDisposition,
		"ContentEncoding": in.ResponseContentEncoding, "ContentLanguage": in.ResponseContentLanguage, "ContentType": in.ResponseContentType} {
		if value != "" {
			out[name] = value
		}
	}
	if at, ok := seconds(in.ResponseExpires); ok {
		out["Expires"] = httpTime(at * 1000)
	}
}

func headObject(c *service.Context, b *box) (any, error) {
	var in getInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	r, err := b.read(&in)
	if err != nil {
		return nil, err
	}
	return &aws.Output{Value: r.value, Status: r.status}, nil
}

func (s *Service) getObject(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in getInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.Bucket == "" {
		return nil, invalidBucketName("")
	}
	end := s.files.Begin()
	var r *reading
	err := s.peek(ctx, c, in.Bucket, in.ExpectedBucketOwner, func(b *box) (err error) { r, err = b.read(&in); return err })
	if err == nil {
		err = s.unlock(ctx, r.protection, r.pieces)
	}
	if err != nil {
		end()
		return nil, err
	}
	stream := openPieces(s.files, r.pieces, r.part, end)
	if err := stream.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("object %s of bucket %s: %w", in.Key, in.Bucket, err), stream.Close())
	}
	return &aws.Output{Value: r.value, Status: r.status, Stream: stream}, nil
}

// bytesOf reads a range of files that stand one after the other, each opened when its turn comes.
type bytesOf struct {
	dir    *files.Dir
	pieces []piece
	skip   int64 // bytes of the first piece that are not wanted
	left   int64
	f      *os.File
	in     io.Reader
	end    func()
}

func openPieces(dir *files.Dir, pieces []piece, part span, end func()) *bytesOf {
	r := &bytesOf{dir: dir, pieces: pieces, skip: part.offset, left: part.n, end: end}
	for len(r.pieces) > 0 && r.skip >= r.pieces[0].Size {
		r.skip -= r.pieces[0].Size
		r.pieces = r.pieces[1:]
	}
	return r
}

func (r *bytesOf) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.in == nil {
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.in.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if errors.Is(err, io.EOF) {
			if err = r.closeFile(); err == nil && n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (r *bytesOf) next() (err error) {
	if len(r.pieces) == 0 {
		return io.ErrUnexpectedEOF
	}
	p := r.pieces[0]
	r.pieces = r.pieces[1:]
	if p.File == "" {
		r.in = eof{}
		return nil
	}
	if r.f, err = r.dir.Open(p.File); err != nil {
		return err
	}
	if p.key != nil {
		r.in, err = files.OpenSealed(r.f, p.key, p.Size, r.skip)
		r.skip = 0
		return err
	}
	r.in, err = files.OpenChecked(r.f, p.Size, r.skip)
	r.skip = 0
	return err
}

// begin reads the first bytes ahead, so that an object that cannot be read is refused and does not break off.
func (r *bytesOf) begin() error {
	if r.left == 0 {
		return nil
	}
	if err := r.next(); err != nil {
		return err
	}
	if ahead, ok := r.in.(interface{ Prime() error }); ok {
		return ahead.Prime()
	}
	return nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func (r *bytesOf) closeFile() error {
	r.in = nil
	if r.f == nil {
		return nil
	}
	f := r.f
	r.f = nil
	return f.Close()
}

// Close implements io.Closer.
func (r *bytesOf) Close() error {
	defer r.end()
	return r.closeFile()
}
