package files

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A sealed file is encrypted with AES-256-GCM in frames, so that a range can be read without the rest. Frame n is the
// n-th FrameBytes of the plain text, the last one shorter, each with its tag after it. Its nonce is its number: the key
// belongs to one file that is written once, so no nonce is used twice, and no frame can take another's place. The
// caller knows the plain text's size, so that a file cannot lack its end.
const (
	KeyBytes   = 32
	FrameBytes = 64 << 10

	tagBytes = 16
)

// ErrSealed is the error of a sealed file that is not what was written under the key.
var ErrSealed = errors.New("files: a sealed file cannot be opened")

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func nonce(frame uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), frame) }

// Sealer encrypts what is written to it. Flush must be called at the end.
type Sealer struct {
	to    io.Writer
	aead  cipher.AEAD
	frame uint64
	plain []byte
	out   []byte
}

// NewSealer writes a sealed file to a writer. The key must be a new one.
func NewSealer(to io.Writer, key []byte) (*Sealer, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return &Sealer{to: to, aead: aead, plain: make([]byte, 0, FrameBytes), out: make([]byte, 0, FrameBytes+tagBytes)}, nil
}

// Write implements io.Writer.
func (s *Sealer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		k := copy(s.plain[len(s.plain):FrameBytes], p)
		s.plain, p, n = s.plain[:len(s.plain)+k], p[k:], n+k
		if len(s.plain) == FrameBytes {
			if err = s.Flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// Flush writes what is left as the last frame.
func (s *Sealer) Flush() error {
	if len(s.plain) == 0 {
		return nil
	}
	s.out = s.aead.Seal(s.out[:0], nonce(s.frame), s.plain, nil)
	s.frame++
	s.plain = s.plain[:0]
	_, err := s.to.Write(s.out)
	return err
}

// opener decrypts a sealed file from a frame on.
type opener struct {
	from  io.Reader
	aead  cipher.AEAD
	frame uint64
	left  int64 // of the plain text, from this frame on
	skip  int   // of this frame
	plain []byte
	buf   []byte
}

// OpenSealed reads the plain text of a sealed file from an offset to its end. size is the plain text's.
func OpenSealed(f io.ReadSeeker, key []byte, size, offset int64) (io.Reader, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	frame := offset / FrameBytes
	if _, err := f.Seek(frame*(FrameBytes+tagBytes), io.SeekStart); err != nil {
		return nil, err
	}
	return &opener{from: f, aead: aead, frame: uint64(frame), left: size - frame*FrameBytes, skip: int(offset % FrameBytes), buf: make([]byte, FrameBytes+tagBytes)}, nil
}

// Read implements io.Reader.
func (o *opener) Read(p []byte) (int, error) {
	if err := o.Prime(); err != nil {
		return 0, err
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

// Prime is that of a checked file.
func (o *opener) Prime() error {
	for len(o.plain) == 0 {
		if o.left <= 0 {
			return io.EOF
		}
		if err := o.next(); err != nil {
			return err
		}
	}
	return nil
}

func (o *opener) next() error {
	n := min(o.left, FrameBytes)
	sealed := o.buf[:n+tagBytes]
	if _, err := io.ReadFull(o.from, sealed); err != nil {
		return o.unreadable(err)
	}
	plain, err := o.aead.Open(sealed[:0], nonce(o.frame), sealed, nil)
	if err != nil {
		return o.unreadable(err)
	}
	o.plain = plain[min(o.skip, len(plain)):]
	o.left, o.skip = o.left-n, 0
	o.frame++
	return nil
}

func (o *opener) unreadable(err error) error {
	name := "it"
	if f, ok := o.from.(interface{ Name() string }); ok {
		name = f.Name()
	}
	return fmt.Errorf("%w: %s: frame %d: %w", ErrSealed, name, o.frame, err)
}
