package service

import (
	"context"
	"errors"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

// Protection says under which KMS key a resource's data is kept.
type Protection struct {
	Account, Region string            // of the resource
	KeyID           string            // as the resource names it: key id, alias, or ARN of either
	Context         map[string]string // encryption context: what AWS's service binds the data to, such as "aws:sqs:arn"
	Reuse           time.Duration     // how long one data key may encrypt; 0 means five minutes
}

// Vault encrypts what services keep for resources that have a KMS key. Seal and Open are called within transactions
// and never wait: they work with data keys in memory and answer *KeyNeeded where there is none. The runner (Service.Call,
// Service.Update) then has it fetched and runs the transaction again; other code does so by WithKeys.
type Vault interface {
	// Seal encrypts a value; the result names the data key that opens it.
	Seal(p *Protection, plain []byte) ([]byte, error)
	// Open decrypts what Seal made. The key is the one that it was sealed under, whatever p names now.
	Open(p *Protection, sealed []byte) ([]byte, error)
	// Fetch asks KMS for the data key that was missing. KMS's refusal is a *KeyError.
	Fetch(ctx context.Context, need *KeyNeeded) error
}

// KeyNeeded is the error of a transaction that lacks a data key.
type KeyNeeded struct {
	Protection *Protection
	DataKey    []byte // encrypted; nil: a new one
}

func (n *KeyNeeded) Error() string {
	return "service: a data key of " + n.Protection.KeyID + " is needed"
}

// KeyError is KMS's refusal of a data key: disabled, pending deletion, not found. A service that has words of its own
// for it says so in Service.KeyFault; else the caller sees KMS's.
type KeyError struct{ Cause *aws.Error }

func (e *KeyError) Error() string { return e.Cause.Error() }
func (e *KeyError) Unwrap() error { return e.Cause }

// keysMax bounds the data keys that one operation may need: those of all records that it reads.
const keysMax = 10_000

// WithKeys runs fn, again each time after a data key that it lacked has been fetched.
func (e *Env) WithKeys(ctx context.Context, fn func() error) error {
	for range keysMax {
		err := fn()
		var need *KeyNeeded
		if !errors.As(err, &need) {
			return err
		}
		if err := e.Vault.Fetch(ctx, need); err != nil {
			return err
		}
	}
	return errors.New("service: an operation needs too many data keys")
}

// Seal encrypts a value for a resource; a resource without a key keeps it as it is.
func (e *Env) Seal(p *Protection, plain []byte) ([]byte, error) {
	if p == nil {
		return plain, nil
	}
	if e.Vault == nil {
		return nil, errNoVault
	}
	return e.Vault.Seal(p, plain)
}

// Open decrypts a value that Seal has made for a resource with a key.
func (e *Env) Open(p *Protection, sealed []byte) ([]byte, error) {
	if e.Vault == nil {
		return nil, errNoVault
	}
	return e.Vault.Open(p, sealed)
}

var errNoVault = &aws.Error{Code: "NotImplemented", Status: 501, Message: "This server runs without KMS: data of a resource with a key cannot be kept."}

// fault puts a refusal of KMS into the service's words.
func (s *Service) fault(err error) error {
	var e *KeyError
	if !errors.As(err, &e) {
		return err
	}
	if s.KeyFault != nil {
		return s.KeyFault(e.Cause)
	}
	return e.Cause
}
