// Package checksum is S3's checksums: of whole objects, of parts, and of objects made of parts, either as a checksum of
// the parts' checksums (COMPOSITE) or, for CRCs, that of the whole worked out from the parts' (FULL_OBJECT).
package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
)

// Algorithm is a checksum's name as in the API: "CRC32", "CRC64NVME".
type Algorithm string

// Default is what S3 works out for objects whose client sends no checksum.
const Default Algorithm = "CRC64NVME"

// The two ways in which a checksum covers an object of several parts.
const (
	FullObject = "FULL_OBJECT"
	Composite  = "COMPOSITE"
)

// Algorithms are those that are known, in the API's order.
var Algorithms = []Algorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5"}

// crc64NVME is the reflected polynomial of CRC-64/NVME.
const crc64NVME = 0x9a6c9329ac4bc9b5

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(crc64NVME)
)

// New starts a checksum; ok is false for an algorithm that is not known.
func New(a Algorithm) (h hash.Hash, ok bool) {
	switch a {
	case "CRC32":
		return crc32.NewIEEE(), true
	case "CRC32C":
		return crc32.New(castagnoli), true
	case "CRC64NVME":
		return crc64.New(nvme), true
	case "SHA1":
		return sha1.New(), true
	case "SHA256":
		return sha256.New(), true
	case "SHA512":
		return sha512.New(), true
	case "MD5":
		return md5.New(), true
	}
	return nil, false
}

// Text is a checksum as the API writes it.
func Text(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

// DefaultType is how an algorithm covers an object of parts if the upload does not say.
func DefaultType(a Algorithm) string {
	if a == "CRC64NVME" {
		return FullObject
	}
	return Composite
}

// Allowed reports whether an algorithm has a type.
func Allowed(a Algorithm, kind string) bool {
	switch kind {
	case FullObject:
		return a == "CRC32" || a == "CRC32C" || a == "CRC64NVME"
	case Composite:
		return a != "CRC64NVME"
	}
	return false
}

// Part is a part's checksum and length.
type Part struct {
	Value string
	Size  int64
}

// Combine is the checksum of an object made of parts. A COMPOSITE one ends in the number of parts.
func Combine(a Algorithm, kind string, parts []Part) (string, error) {
	if kind == Composite {
		h, ok := New(a)
		if !ok {
			return "", fmt.Errorf("checksum: no algorithm %q", a)
		}
		for _, p := range parts {
			b, err := base64.StdEncoding.DecodeString(p.Value)
			if err != nil {
				return "", err
			}
			h.Write(b) //nolint:errcheck // a hash never fails
		}
		return fmt.Sprintf("%s-%d", Text(h), len(parts)), nil
	}
	poly, width := uint64(crc64NVME), 64
	switch a {
	case "CRC32":
		poly, width = uint64(crc32.IEEE), 32
	case "CRC32C":
		poly, width = uint64(crc32.Castagnoli), 32
	case "CRC64NVME":
	default:
		return "", fmt.Errorf("checksum: %s has no type %s", a, kind)
	}
	total := uint64(0)
	for i, p := range parts {
		b, err := base64.StdEncoding.DecodeString(p.Value)
		if err != nil || len(b) != width/8 {
			return "", fmt.Errorf("checksum: %q is no %s", p.Value, a)
		}
		crc := uint64(0)
		for _, x := range b {
			crc = crc<<8 | uint64(x)
		}
		if i == 0 {
			total = crc
		} else {
			total = shift(total, uint64(p.Size), poly, width) ^ crc
		}
	}
	out := make([]byte, width/8)
	for i := range out {
		out[i] = byte(total >> (width - 8 - 8*i))
	}
	return base64.StdEncoding.EncodeToString(out), nil
}

// matrix is a linear map over bits: column i is what bit i becomes.
type matrix [64]uint64

func (m *matrix) times(v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *matrix) squared(width int) (out matrix) {
	for i := range width {
		out[i] = m.times(m[i])
	}
	return out
}

// shift is a CRC register after n more bytes of zeros: the map of one zero bit, raised to the power 8n by squaring. CRCs
// are linear, so that crc(ab) = shift(crc(a), len(b)) ^ crc(b); the ones with which registers start and end cancel out.
func shift(crc, n, poly uint64, width int) uint64 {
	var m matrix
	m[0] = poly
	for i := 1; i < width; i++ {
		m[i] = 1 << (i - 1)
	}
	for range 3 {
		m = m.squared(width)
	}
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			crc = m.times(crc)
		}
		m = m.squared(width)
	}
	return crc
}
