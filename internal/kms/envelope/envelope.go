// Package envelope encrypts what services keep at rest: service.Vault over KMS.
//
// A value is sealed with AES-256-GCM under a data key that KMS made (GenerateDataKey) for the resource's key and
// encryption context; the sealed value carries the data key, encrypted by KMS, and the context is bound to the value too.
// Plain data keys live in memory only: one that encrypts is used for the resource's reuse period, one that decrypts is kept as
// long. When KMS says that a key was disabled, enabled or scheduled for deletion (Forget), its data keys are dropped at
// once, so that a disabled key bites immediately.
//
// Everything goes through the seam: this package knows KMS as a Caller.
package envelope

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Vault is a service.Vault.
type Vault struct {
	kms aws.Caller
	now func() time.Time

	mu      sync.Mutex
	seals   map[string]*dataKey            // by protection
	opens   map[[sha256.Size]byte]*dataKey // by encrypted data key
	forgets uint64                         // calls of Forget so far
}

// dataKey is a plain data key in memory.
type dataKey struct {
	aead      cipher.AEAD
	encrypted []byte
	key       string // ARN of the KMS key
	until     time.Time
}

// reuse is AWS's default of a data key's reuse period.
const reuse = 5 * time.Minute

// keptMost bounds each of the two caches; a full one starts anew.
const keptMost = 16384

// New makes a vault over whoever answers KMS's operations.
func New(kms aws.Caller, now func() time.Time) *Vault {
	return &Vault{kms: kms, now: now, seals: map[string]*dataKey{}, opens: map[[sha256.Size]byte]*dataKey{}}
}

// Forget drops the data keys of a KMS key.
func (v *Vault) Forget(keyARN string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forgets++
	for name, k := range v.seals {
		if k.key == keyARN {
			delete(v.seals, name)
		}
	}
	for name, k := range v.opens {
		if k.key == keyARN {
			delete(v.opens, name)
		}
	}
}

// A sealed value is: format, encrypted data key with its length before it, nonce, ciphertext.
const format = 1

// Seal implements service.Vault.
func (v *Vault) Seal(p *service.Protection, plain []byte) ([]byte, error) {
	v.mu.Lock()
	k := v.seals[name(p)]
	v.mu.Unlock()
	if k == nil || !v.now().Before(k.until) {
		return nil, &service.KeyNeeded{Protection: p}
	}
	b := make([]byte, 0, 1+binary.MaxVarintLen32+len(k.encrypted)+k.aead.NonceSize()+len(plain)+k.aead.Overhead())
	b = binary.AppendUvarint(append(b, format), uint64(len(k.encrypted)))
	b = append(b, k.encrypted...)
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce)
	return k.aead.Seal(append(b, nonce...), nonce, plain, bound(p)), nil
}

var errSealed = fmt.Errorf("%w: a sealed value cannot be opened", store.ErrCorrupt)

// Open implements service.Vault.
func (v *Vault) Open(p *service.Protection, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != format {
		return nil, errSealed
	}
	n, used := binary.Uvarint(sealed[1:])
	if used <= 0 || uint64(len(sealed)-1-used) < n {
		return nil, errSealed
	}
	encrypted, rest := sealed[1+used:1+used+int(n)], sealed[1+used+int(n):]
	v.mu.Lock()
	k := v.opens[sha256.Sum256(encrypted)]
	v.mu.Unlock()
	if k == nil || !v.now().Before(k.until) {
		return nil, &service.KeyNeeded{Protection: p, DataKey: slices.Clone(encrypted)}
	}
	size := k.aead.NonceSize()
	if len(rest) < size {
		return nil, errSealed
	}
	plain, err := k.aead.Open(nil, rest[:size], rest[size:], bound(p))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// Fetch implements service.Vault.
func (v *Vault) Fetch(ctx context.Context, need *service.KeyNeeded) error {
	for {
		v.mu.Lock()
		before := v.forgets
		v.mu.Unlock()
		k, err := v.ask(ctx, need)
		if err != nil {
			return err
		}
		if v.keep(need, k, before) {
			return nil
		}
	}
}

// keep takes a data key into the caches, unless a key was forgotten since it was asked for: it may have been this one.
func (v *Vault) keep(need *service.KeyNeeded, k *dataKey, before uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.forgets != before {
		return false
	}
	if len(v.seals) >= keptMost {
		clear(v.seals)
	}
	if len(v.opens) >= keptMost {
		clear(v.opens)
	}
	if need.DataKey == nil {
		v.seals[name(need.Protection)] = k
	}
	v.opens[sha256.Sum256(k.encrypted)] = k
	return true
}

// ask has KMS make or decrypt a data key.
func (v *Vault) ask(ctx context.Context, need *service.KeyNeeded) (*dataKey, error) {
	p := need.Protection
	operation, in := "Decrypt", map[string]any{"CiphertextBlob": need.DataKey, "EncryptionContext": p.Context}
	if need.DataKey == nil {
		operation, in = "GenerateDataKey", map[string]any{"KeyId": p.KeyID, "KeySpec": "AES_256", "EncryptionContext": p.Context}
	}
	input, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	out, err := v.kms.Call(ctx, &aws.Request{Service: "kms", Operation: operation, Account: p.Account, Region: p.Region, Input: input})
	if err != nil {
		var e *aws.Error
		if errors.As(err, &e) && !e.Fault && e.HTTPStatus() < 500 {
			return nil, &service.KeyError{Cause: e}
		}
		return nil, err
	}
	text, err := service.Marshal(out.Value)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Plaintext, CiphertextBlob []byte
		KeyId                     string //nolint:revive // the API's name
	}
	if err = json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(answer.Plaintext)
	if err != nil {
		return nil, err
	}
	k := &dataKey{encrypted: answer.CiphertextBlob, key: answer.KeyId, until: v.now().Add(p.Reuse)}
	if p.Reuse == 0 {
		k.until = v.now().Add(reuse)
	}
	if need.DataKey != nil {
		k.encrypted = need.DataKey
	}
	k.aead, err = cipher.NewGCM(block)
	return k, err
}

// bound is the encryption context as the values' additional authenticated data.
func bound(p *service.Protection) []byte { return appendContext(nil, p) }

// name tells protections apart.
func name(p *service.Protection) string {
	var b []byte
	for _, part := range []string{p.Account, p.Region, p.KeyID} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	return string(appendContext(b, p))
}

func appendContext(b []byte, p *service.Protection) []byte {
	names := make([]string, 0, len(p.Context))
	for n := range p.Context {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		for _, part := range []string{n, p.Context[n]} {
			b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
		}
	}
	return b
}
