package s3

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3/files"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// The bytes of an object with server-side encryption under a KMS key are a sealed file (files.Sealed) with a key of its
// own. That key is kept beside the file's name in the rows of the object or part, sealed in turn by the vault under the
// KMS key. Names, metadata, tags, checksums and sizes are kept as they are.

// managedKey is the KMS key of requests that name none.
const managedKey = "alias/aws/s3"

// protection is how the bytes of an object are kept, nil for as they are.
func (p *properties) protection(b *bucket, name, key string) *service.Protection {
	if p.ServerSideEncryption != "aws:kms" && p.ServerSideEncryption != "aws:kms:dsse" {
		return nil
	}
	id, arn := p.SSEKMSKeyId, b.arn(name)
	if id == "" {
		id = managedKey
	}
	if !p.BucketKeyEnabled {
		arn += "/" + key
	}
	return &service.Protection{Account: b.Account, Region: b.Region, KeyID: id, Context: map[string]string{"aws:s3:arn": arn}}
}

// place is where a body is to be kept, and how.
type place struct {
	partition  store.Partition
	protection *service.Protection
}

// newKey makes the key of a sealed file; both are nil if the file is kept as it is.
func (s *Service) newKey(ctx context.Context, p *service.Protection) (plain, sealed []byte, err error) {
	if p == nil {
		return nil, nil, nil
	}
	plain = make([]byte, files.KeyBytes)
	rand.Read(plain) //nolint:errcheck // never fails
	err = s.Env.WithKeys(ctx, func() (err error) { sealed, err = s.Env.Seal(p, plain); return err })
	return plain, sealed, s.refused(err)
}

// unlock finds the keys of sealed pieces. It comes before the answer, so that a key that cannot be used refuses it.
func (s *Service) unlock(ctx context.Context, p *service.Protection, pieces []piece) error {
	err := s.Env.WithKeys(ctx, func() (err error) {
		for i := range pieces {
			if pieces[i].Sealed == nil || pieces[i].key != nil {
				continue
			}
			if pieces[i].key, err = s.Env.Open(p, pieces[i].Sealed); err != nil {
				return err
			}
		}
		return nil
	})
	return s.refused(err)
}

// refused puts a refusal of KMS into S3's words.
func (s *Service) refused(err error) error {
	var e *service.KeyError
	if errors.As(err, &e) {
		return keyFault(e.Cause)
	}
	return err
}

// keyFault is S3's error for a refusal of KMS.
func keyFault(e *aws.Error) error {
	return fail(400, "KMS."+e.Code, e.Message, nil)
}
