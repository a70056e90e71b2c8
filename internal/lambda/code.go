package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/archive"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const chunkSize = 1 << 20

// codeSource is AWS's FunctionCode, and the same members of UpdateFunctionCode.
type codeSource struct {
	ZipFile                          string
	S3Bucket, S3Key, S3ObjectVersion string
	ImageUri, SourceKMSKeyArn        string //nolint:revive // AWS's name
}

// pack is a deployment package that was checked.
type pack struct {
	zip  []byte
	hash string // SHA-256, hex
}

func (s *Service) fetch(ctx context.Context, c *service.Context, in codeSource) (*pack, error) {
	var b []byte
	var err error
	switch {
	case in.ImageUri != "":
		return nil, unsupported("container images: package the function as a zip file")
	case in.ZipFile != "":
		if b, err = base64.StdEncoding.DecodeString(in.ZipFile); err != nil {
			return nil, &aws.Error{Code: "SerializationException", Message: "ZipFile is not base64: " + err.Error()}
		}
		if len(b) > archive.MaxZipped {
			return nil, fail("RequestEntityTooLargeException", 413, "Request must be smaller than 69905067 bytes for the %s operation", c.Operation)
		}
	case in.S3Bucket != "" && in.S3Key != "":
		if b, err = s.fromS3(ctx, c, in); err != nil {
			return nil, err
		}
	default:
		return nil, invalid("Please provide a source for function code.")
	}
	if len(b) == 0 {
		return nil, invalid("Uploaded file must be a non-empty zip")
	}
	if err = checkPackage(b); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return &pack{b, hex.EncodeToString(sum[:])}, nil
}

func checkPackage(b []byte) error {
	err := archive.Check(b)
	var unsafe *archive.UnsafeError
	switch {
	case errors.Is(err, archive.ErrTooLarge):
		return invalid("Unzipped size must be smaller than 262144000 bytes")
	case errors.As(err, &unsafe):
		return invalid("Could not unzip uploaded file: %v.", err)
	case err != nil:
		return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	return nil
}

func (s *Service) fromS3(ctx context.Context, c *service.Context, in codeSource) ([]byte, error) {
	input := map[string]string{"Bucket": in.S3Bucket, "Key": in.S3Key}
	if in.S3ObjectVersion != "" {
		input["VersionId"] = in.S3ObjectVersion
	}
	b, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	out, err := s.Env.Caller.Call(ctx, &aws.Request{Service: "s3", Operation: "GetObject", Account: c.Account, Region: c.Region, Input: b})
	var e *aws.Error
	if errors.As(err, &e) {
		return nil, invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", e.Code, e.Message)
	}
	if err != nil {
		return nil, err
	}
	if out.Stream == nil {
		return out.Body, nil
	}
	defer out.Stream.Close()
	return io.ReadAll(io.LimitReader(out.Stream, archive.MaxUnzipped+1))
}

func codeKey(id identity) store.Key {
	return store.K(store.TableFunction, "code", id.Account, id.Region, id.Name)
}

// upload stores a package and, in the transaction that stores its last chunk, does what fn does. Code that is not the
// package's is removed there.
func (s *Service) upload(ctx context.Context, c *service.Context, id identity, p *pack, fn func(store.Tx) (any, error)) (any, error) {
	lock := s.uploadLock(id)
	lock.Lock()
	defer lock.Unlock()
	part := s.PartitionOf(id.Account, id.Region, "")
	own := codeKey(id).Str(p.hash)
	rest, n := p.zip, uint32(0)
	for ; len(rest) > chunkSize; n++ {
		chunk, key := rest[:chunkSize], own[:len(own):len(own)].U32(n)
		if err := s.Env.Store.Update(ctx, part, func(tx store.Tx) error { tx.Set(key, chunk); return nil }); err != nil {
			return nil, err
		}
		rest = rest[chunkSize:]
	}
	return s.Update(ctx, c, part, func(_ *service.Context, tx store.Tx) (any, error) {
		out, err := fn(tx)
		if err != nil {
			return nil, err
		}
		if err := prune(tx, id, p.hash); err != nil {
			return nil, err
		}
		tx.Set(own[:len(own):len(own)].U32(n), rest)
		return out, nil
	})
}

func (s *Service) uploadLock(id identity) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := string(id.key())
	if s.uploads[k] == nil {
		s.uploads[k] = new(sync.Mutex)
	}
	return s.uploads[k]
}

func (s *Service) code(ctx context.Context, f *record) ([]byte, error) {
	b := make([]byte, 0, f.CodeSize)
	err := s.Env.Store.View(ctx, s.PartitionOf(f.Account, f.Region, ""), func(r store.Reader) error {
		b = b[:0]
		own := codeKey(f.identity).Str(f.CodeHash)
		for _, chunk := range r.Scan(own, own.End(), false) {
			b = append(b, chunk...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != f.CodeHash {
		return nil, errCodeGone
	}
	return b, nil
}

// errCodeGone: the code of a revision is no longer there, because the function was updated or deleted meanwhile.
var errCodeGone = errors.New("lambda: the function's code has been replaced")

// unpacked makes sure that a function's code is unpacked in the cache, as it is in the package, and returns its folder. A folder
// that another process has made is looked at once.
func (s *Service) unpacked(ctx context.Context, f *record) (string, error) {
	dir := filepath.Join(s.cfg.CacheDir, "code", f.CodeHash)
	s.unpack.Lock()
	defer s.unpack.Unlock()
	if s.intact[f.CodeHash] && isDir(dir) {
		return dir, nil
	}
	b, err := s.code(ctx, f)
	if err != nil {
		return "", err
	}
	if isDir(dir) {
		if err := archive.Intact(b, dir); err != nil {
			s.Env.Log.Warn("the unpacked code of a function is damaged; it is unpacked again", "function", f.Name, "folder", dir, "error", err)
			if err := os.RemoveAll(dir); err != nil {
				return "", err
			}
		}
	}
	if err = archive.Unpack(b, dir); err != nil {
		return "", fail("InvalidZipFileException", 502, "Lambda could not unzip the deployment package: %v", err)
	}
	s.intact[f.CodeHash] = true
	return dir, nil
}
