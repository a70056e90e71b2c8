package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/newel-run/newel/internal/store"
)

// Master is the key that encrypts the material of all keys.
type Master struct {
	aead cipher.AEAD
	path string // of its file
	made bool   // there was no file
}

const keyBytes = 32

// NewMaster makes a master key that lives as long as the process.
func NewMaster() Master { return Master{aead: newAEAD(random(keyBytes))} }

// OpenMaster reads the master key's file, and makes it with mode 0600 where there is none.
func OpenMaster(path string) (Master, error) {
	b, err := os.ReadFile(path)
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		b = random(keyBytes)
		err = writeMaster(path, b)
	}
	if err != nil {
		return Master{}, fmt.Errorf("master key of KMS: %w", err)
	}
	if len(b) != keyBytes {
		return Master{}, fmt.Errorf("master key of KMS: %s has %d bytes, not %d: without the right file, what is encrypted cannot be read", path, len(b), keyBytes)
	}
	return Master{newAEAD(b), path, made}, nil
}

// probe is what the row of rowMaster says, under the master key.
var probe = []byte("newel: the master key of KMS")

// check refuses a master key other than the one that the data was encrypted under: with it, what is protected could not
// be read, and what is protected from now on could not be read with the right one. The first key is noted.
func (m Master) check(tx store.Tx) error {
	at := rows(rowMaster, "", "")
	sealed, err := tx.Get(at)
	if err != nil {
		return err
	}
	if sealed == nil {
		tx.Set(at, lock(m.aead, nil, probe, nil))
		return nil
	}
	if _, err := unlock(m.aead, sealed, nil); err == nil {
		return nil
	}
	if !m.made {
		return fmt.Errorf("master key of KMS: %s is not the key that the data was encrypted under: it has changed, or is of another data directory. "+
			"Put the right file back; without it nothing that a key of KMS protects can be read", m.path)
	}
	return errors.Join(fmt.Errorf("master key of KMS: %s is missing, under which the data was encrypted. Put it back; without it nothing that a key of KMS protects can be read", m.path),
		os.Remove(m.path)) // the new one would be taken for it
}

// writeMaster makes the file durable under its name at once or not at all.
func writeMaster(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(path)
}

func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func newAEAD(k []byte) cipher.AEAD {
	block, err := aes.NewCipher(k)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// lock encrypts under a fresh nonce, which precedes the result.
func lock(aead cipher.AEAD, dst, plain, context []byte) []byte {
	nonce := random(aead.NonceSize())
	return aead.Seal(append(dst, nonce...), nonce, plain, context)
}

var errForged = errors.New("kms: a ciphertext does not authenticate")

func unlock(aead cipher.AEAD, sealed, context []byte) ([]byte, error) {
	n := aead.NonceSize()
	if len(sealed) < n {
		return nil, errForged
	}
	plain, err := aead.Open(nil, sealed[:n], sealed[n:], context)
	if err != nil {
		return nil, errForged
	}
	return plain, nil
}

// addMaterial gives a key new material, which encrypts from now on.
func (s *Service) addMaterial(k *key, now int64, onDemand bool) {
	sealed := lock(s.cfg.Master.aead, nil, random(keyBytes), k.owner(len(k.Materials)))
	k.Materials = append(k.Materials, material{sealed, now, onDemand})
}

// owner binds a material to its key and its place.
func (k *key) owner(n int) []byte { return fmt.Appendf(nil, "%s/%d", k.arn(), n) }

func (s *Service) cipher(k *key, n int) (cipher.AEAD, error) {
	if n >= len(k.Materials) {
		return nil, errForged
	}
	b, err := unlock(s.cfg.Master.aead, k.Materials[n].Sealed, k.owner(n))
	if err != nil {
		return nil, fmt.Errorf("%w: material of %s: the master key is another one", errCorrupt, k.arn())
	}
	return newAEAD(b), nil
}

// A ciphertext is: format, account, region, key id (each with its length before it), number of the material, nonce, text.
// All but the text is bound to it together with the encryption context.
const blobFormat = 1

// blob is a ciphertext taken apart.
type blob struct {
	account, region, id string
	material            int
	head, sealed        []byte
}

func (s *Service) seal(k *key, plain []byte, context map[string]string) ([]byte, error) {
	n := len(k.Materials) - 1
	aead, err := s.cipher(k, n)
	if err != nil {
		return nil, err
	}
	b := []byte{blobFormat}
	for _, part := range []string{k.Account, k.Region, k.ID} {
		b = append(append(b, byte(len(part))), part...)
	}
	b = binary.AppendUvarint(b, uint64(n))
	return lock(aead, b, plain, bound(b, context)), nil
}

func parseBlob(b []byte) (p blob, ok bool) {
	if len(b) == 0 || b[0] != blobFormat {
		return p, false
	}
	r := b[1:]
	for _, part := range []*string{&p.account, &p.region, &p.id} {
		if len(r) == 0 || len(r)-1 < int(r[0]) {
			return p, false
		}
		n := int(r[0])
		*part, r = string(r[1:1+n]), r[1+n:]
	}
	n, used := binary.Uvarint(r)
	if used <= 0 || n > 1<<20 {
		return p, false
	}
	p.material, p.sealed = int(n), r[used:]
	p.head = b[:len(b)-len(p.sealed)]
	return p, true
}

func (s *Service) open(k *key, p blob, context map[string]string) ([]byte, error) {
	aead, err := s.cipher(k, p.material)
	if err != nil {
		return nil, err
	}
	return unlock(aead, p.sealed, bound(p.head, context))
}

// bound is the additional authenticated data: the head and the encryption context in the order of its names.
func bound(head []byte, context map[string]string) []byte {
	names := make([]string, 0, len(context))
	for n := range context {
		names = append(names, n)
	}
	slices.Sort(names)
	out := slices.Clone(head)
	for _, n := range names {
		for _, part := range []string{n, context[n]} {
			out = append(binary.AppendUvarint(out, uint64(len(part))), part...)
		}
	}
	return out
}
