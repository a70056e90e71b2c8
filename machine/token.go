package machine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// A task token is the base64 (standard alphabet) of
//
//	version byte, uvarint length and execution ARN, frame and attempt number (4 bytes each, big-endian), 16 bytes of MAC
//
// The MAC is HMAC-SHA256 of frame and attempt under the execution's seed: whoever has a token was given it, and no key
// but the execution's own is needed to know that.
const (
	tokenVersion = 1
	macBytes     = 16
)

// TokenID is what a token says; it is genuine only if VerifyToken says so.
type TokenID struct {
	ExecutionARN string
	Attempt      Attempt
	MAC          [macBytes]byte
}

// ErrToken: the text is not a task token.
var ErrToken = errors.New("machine: not a task token")

func (r *Root) mac(a Attempt) (mac [macBytes]byte) {
	h := hmac.New(sha256.New, r.start.Seed[:])
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], a.Frame)
	binary.BigEndian.PutUint32(b[4:], a.N)
	h.Write(b[:])
	copy(mac[:], h.Sum(nil))
	return mac
}

// TokenFor makes the token of an attempt.
func TokenFor(r *Root, a Attempt) string {
	b := make([]byte, 0, len(r.start.ARN)+3+8+macBytes)
	b = append(b, tokenVersion)
	b = binary.AppendUvarint(b, uint64(len(r.start.ARN)))
	b = append(b, r.start.ARN...)
	b = binary.BigEndian.AppendUint32(b, a.Frame)
	b = binary.BigEndian.AppendUint32(b, a.N)
	mac := r.mac(a)
	b = append(b, mac[:]...)
	return base64.StdEncoding.EncodeToString(b)
}

// ParseToken takes a token apart; the error is ErrToken.
func ParseToken(token string) (TokenID, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil {
		return TokenID{}, ErrToken
	}
	r := reader{b: b}
	if r.byte() != tokenVersion {
		return TokenID{}, ErrToken
	}
	id := TokenID{ExecutionARN: r.str()}
	if r.bad || len(r.b) != 8+macBytes {
		return TokenID{}, ErrToken
	}
	id.Attempt = Attempt{binary.BigEndian.Uint32(r.b), binary.BigEndian.Uint32(r.b[4:])}
	copy(id.MAC[:], r.b[8:])
	return id, nil
}

// VerifyToken reports whether this execution made the token.
func VerifyToken(r *Root, id TokenID) bool {
	mac := r.mac(id.Attempt)
	return id.ExecutionARN == r.start.ARN && hmac.Equal(mac[:], id.MAC[:])
}
