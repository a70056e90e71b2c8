// Package s3 is Amazon S3: buckets and objects.
//
// A bucket is one partition, placed by its name, which is the server's: two accounts cannot have the same. Its rows are
// authoritative: the bucket, its configurations, one row for each object (its properties and the file that holds its
// bytes), rows for uploads and their parts. The bytes are files beside the store (package files), never in memory.
//
// A write streams into a new file and makes it durable, then one transaction checks what the request demands of the
// object that is there, puts the row in its place, notes the new file as referred to and the old one as garbage, and owes
// the events (internal/outbox). So a crash leaves whole objects only: a file without a row is removed at the next start
// (Start), garbage that was not yet removed too. An object that was uploaded in parts refers to the parts' files;
// completing an upload copies nothing.
//
// Listing is a range scan of the object rows, whose keys sort as S3's do.
package s3

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/s3/files"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Config is what a server decides about its S3.
type Config struct {
	Dir string // of the objects' files; empty for a temporary one that Close removes
	// Wanted says whether an event on the default bus of an account and region could matter to anybody; nil: always.
	// It keeps uploads from owing events that no rule can match.
	Wanted func(account, region, source, detailType string) bool
}

// Service is S3.
type Service struct {
	*service.Service
	cfg    Config
	files  *files.Dir
	outbox *outbox.Outbox

	mu     sync.Mutex
	reaped map[store.Partition][]string // garbage whose files are gone; their rows go with the next transaction
}

// New makes the service. Start must be called before the first request.
func New(env *service.Env, cfg Config) *Service {
	s := &Service{cfg: cfg, outbox: outbox.New(env, "s3"), reaped: map[store.Partition][]string{}}
	rows := append(s.bucketOperations(), s.objectOperations()...)
	rows = append(rows, s.uploadOperations()...)
	rows = append(rows, s.configOperations()...)
	s.Service = service.New("s3", env, rows)
	s.KeyFault = keyFault
	s.Place = func(_, _, bucket string) store.Partition { return s.place(bucket) }
	return s
}

func (s *Service) bucketOperations() []service.Operation {
	return []service.Operation{
		{Name: "CreateBucket", Key: keyBucket, Update: s.createBucket},
		{Name: "DeleteBucket", Key: keyBucket, Update: s.change(s.deleteBucket)},
		{Name: "HeadBucket", Key: keyBucket, View: s.look(headBucket)},
		{Name: "GetBucketLocation", Key: keyBucket, View: s.look(getBucketLocation)},
		{Name: "ListBuckets", Do: s.listBuckets},
		{Name: "ListObjects", Key: keyBucket, View: s.look(listObjects)},
		{Name: "ListObjectsV2", Key: keyBucket, View: s.look(listObjectsV2)},
		{Name: "ListObjectVersions", Key: keyBucket, View: s.look(listObjectVersions)},
	}
}

func (s *Service) objectOperations() []service.Operation {
	return []service.Operation{
		{Name: "PutObject", Do: s.putObject},
		{Name: "CopyObject", Do: s.copyObject},
		{Name: "GetObject", Do: s.getObject},
		{Name: "HeadObject", Key: keyBucket, View: s.look(headObject)},
		{Name: "GetObjectAttributes", Key: keyBucket, View: s.look(getObjectAttributes)},
		{Name: "DeleteObject", Key: keyBucket, Update: s.change(s.deleteObject)},
		{Name: "DeleteObjects", Key: keyBucket, Update: s.change(s.deleteObjects)},
		{Name: "PutObjectTagging", Key: keyBucket, Update: s.change(s.putObjectTagging)},
		{Name: "GetObjectTagging", Key: keyBucket, View: s.look(getObjectTagging)},
		{Name: "DeleteObjectTagging", Key: keyBucket, Update: s.change(s.deleteObjectTagging)},
		{Name: "GetObjectAcl", Key: keyBucket, View: s.look(getObjectACL)},
		{Name: "PutObjectAcl", Key: keyBucket, Update: s.change(s.putObjectACL)},
	}
}

func (s *Service) uploadOperations() []service.Operation {
	return []service.Operation{
		{Name: "CreateMultipartUpload", Key: keyBucket, Update: s.change(s.createUpload)},
		{Name: "UploadPart", Do: s.uploadPart},
		{Name: "UploadPartCopy", Do: s.uploadPartCopy},
		{Name: "CompleteMultipartUpload", Key: keyBucket, Update: s.change(s.completeUpload)},
		{Name: "AbortMultipartUpload", Key: keyBucket, Update: s.change(s.abortUpload)},
		{Name: "ListParts", Key: keyBucket, View: s.look(listParts)},
		{Name: "ListMultipartUploads", Key: keyBucket, View: s.look(listUploads)},
	}
}

func (s *Service) place(bucket string) store.Partition {
	return store.Place(s.Env.Store.Partitions(), "s3", bucket)
}

// Start opens the files, removes what a crash left behind, and delivers the events that are still owed.
func (s *Service) Start(ctx context.Context) error {
	var err error
	if s.files, err = files.Open(s.cfg.Dir); err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	if err := s.sweep(ctx); err != nil {
		return err
	}
	return s.outbox.Start(ctx)
}

// Close stops delivering events.
func (s *Service) Close() error {
	s.outbox.Close()
	if s.files == nil {
		return nil
	}
	return s.files.Close()
}

// box is the bucket that a handler works on, within one transaction.
type box struct {
	bucket
	name string
	rd   store.Reader
	tx   store.Tx // nil in a View
	c    *service.Context
	s    *Service // nil in a View

	settled []string // files that this transaction refers to
	retired []string // files that it no longer does
}

// look makes a View handler of one existing bucket.
func (s *Service) look(fn func(*service.Context, *box) (any, error)) func(*service.Context, store.Reader) (any, error) {
	return func(c *service.Context, rd store.Reader) (any, error) {
		b, err := openBucket(c, rd)
		if err != nil {
			return nil, err
		}
		return fn(c, b)
	}
}

// change makes an Update handler of one existing bucket: it opens the bucket that the request names, runs the handler,
// and has files settled and removed once that is durable.
func (s *Service) change(fn func(*service.Context, *box) (any, error)) func(*service.Context, store.Tx) (any, error) {
	return func(c *service.Context, tx store.Tx) (any, error) {
		b, err := openBucket(c, tx)
		if err != nil {
			return nil, err
		}
		b.tx, b.s = tx, s
		out, err := fn(c, b)
		if err != nil {
			return nil, err
		}
		s.settle(c, b)
		return out, nil
	}
}

// commit runs a change as the last step of an operation that has prepared a file outside. The file is discarded unless
// the change was applied.
func (s *Service) commit(ctx context.Context, c *service.Context, name string, w *files.Writer, fn func(*service.Context, *box) (any, error)) (*aws.Output, error) {
	applied := false
	out, err := s.Update(ctx, c, s.place(name), s.change(func(c *service.Context, b *box) (any, error) {
		applied = true
		return fn(c, b)
	}))
	var refused *aws.Error
	if w != nil && (!applied || errors.As(err, &refused)) {
		w.Discard() // an error of the store leaves it to the next start: it may have been applied
	}
	if err != nil {
		return nil, service.Wire(err)
	}
	return service.Answer(out), nil
}
